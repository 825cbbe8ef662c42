//! Reads single values of a document: durations, numbers, words.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::duration::{self, DurationError};
use super::reader::Reader;
use super::suggestion::closest;
use super::value::{Value, clip};

impl Reader {
    /// Reads a duration such as `30s` or `1h 30m`, at most 584 years.
    pub fn duration(&mut self, value: &Value) -> Option<Duration> {
        const WHAT: &str = "a duration such as 30s, 5m or 1h 30m";
        match value {
            Value::Str(text) => match duration::parse(text) {
                Ok(duration) => Some(duration),
                Err(DurationError::TooLong) => {
                    self.problem(format!(
                        "'{}' is longer than {}, the maximum",
                        clip(text),
                        duration::MAX_DURATION_TEXT
                    ));
                    None
                }
                Err(DurationError::Inexact) => {
                    self.problem(format!("'{}' has decimals too fine for its unit; write a smaller unit", clip(text)));
                    None
                }
                Err(DurationError::Malformed) => self.expected(WHAT, value),
            },
            Value::Int(number) if *number >= 0 => {
                self.problem(format!("a duration needs a unit, such as {number}s or {number}m"));
                None
            }
            other => self.expected(WHAT, other),
        }
    }

    /// Reads a whole number in a range.
    pub fn count(&mut self, value: &Value, range: &RangeInclusive<u32>) -> Option<u32> {
        let Value::Int(number) = value else {
            let what = format!("a whole number from {} to {}", range.start(), range.end());
            return self.not_whole(&what, value);
        };
        match u32::try_from(*number) {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                self.out_of_range(*number, range);
                None
            }
        }
    }

    /// Reports as [`expected`](Self::expected) does, and says of `3.0` that it is written with decimals.
    pub(crate) fn not_whole<T>(&mut self, what: &str, value: &Value) -> Option<T> {
        match value {
            Value::Float(number) if number.fract() == 0.0 => {
                self.problem(format!("expected {what}, found {}, written with decimals", value.describe()));
                None
            }
            _ => self.expected(what, value),
        }
    }

    /// Reads a whole number of 64 bits, such as a seed.
    pub fn seed(&mut self, value: &Value) -> Option<u64> {
        match value {
            Value::Int(seed) if u64::try_from(*seed).is_ok() => u64::try_from(*seed).ok(),
            other => self.expected("a whole number from 0 to 18446744073709551615", other),
        }
    }

    /// Reports a number that is not in its range.
    pub(crate) fn out_of_range(&mut self, number: impl Into<i128>, range: &RangeInclusive<u32>) {
        let number: i128 = number.into();
        self.problem(format!("{number} is out of range: {} to {}", range.start(), range.end()));
    }

    /// Reads `true` or `false`.
    pub fn flag(&mut self, value: &Value) -> Option<bool> {
        if let Value::Bool(flag) = value { Some(*flag) } else { self.expected("true or false", value) }
    }

    /// Reads a text.
    pub fn text<'v>(&mut self, value: &'v Value) -> Option<&'v str> {
        match value {
            Value::Str(text) => Some(text),
            Value::Int(number) => {
                self.problem(format!("expected a text, found a number; put it in quotes: \"{number}\""));
                None
            }
            other => self.expected("a text", other),
        }
    }

    /// Reads one of the given words. `or` lists the alternatives to a word for the message, such as `{hold: 30m}`.
    pub fn word<T: Clone>(&mut self, value: &Value, words: &[(&str, T)], or: &[&str]) -> Option<T> {
        let listed = words.iter().map(|(word, _)| *word).chain(or.iter().copied()).collect::<Vec<_>>().join(", ");
        let Value::Str(given) = value else { return self.expected(&format!("one of: {listed}"), value) };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| word == given) {
            return Some(meaning.clone());
        }
        match closest(given, words.iter().map(|(word, _)| *word)) {
            Some(meant) => {
                self.problem(format!("unknown word '{}'; did you mean '{meant}'? known: {listed}", clip(given)));
                None
            }
            None => {
                self.problem(format!("unknown word '{}'; known: {listed}", clip(given)));
                None
            }
        }
    }
}
