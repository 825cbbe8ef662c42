//! Reads single values of a policy.

use super::failure::{cause, signal};
use crate::document::{Reader, Value};
use crate::policy::quantity::Quantity;
use crate::policy::text::percent;
use crate::policy::{Cause, Policy, Signal};

impl Reader {
    /// Reads a policy that is a part of the document.
    pub fn policy(&mut self, value: &Value) -> Option<Policy> {
        Policy::read_part(self, value)
    }

    /// Reads the cause of a failure: a built-in one, or a custom one.
    pub fn cause(&mut self, value: &Value) -> Option<Cause> {
        cause(self, value)
    }

    /// Reads a signal, by name or number.
    pub fn signal(&mut self, value: &Value) -> Option<Signal> {
        signal(self, value)
    }

    /// Reads a number of replicas: `2` or `"50%"`.
    pub(crate) fn quantity(&mut self, value: &Value) -> Option<Quantity> {
        const WHAT: &str = "a number of replicas, or a whole percentage such as 50%";
        match value {
            Value::Int(number) => match u32::try_from(*number) {
                Ok(number) => Some(Quantity::Count(number)),
                Err(_) => self.expected(WHAT, value),
            },
            Value::Str(text) => match percent(text) {
                Some(percent) => Some(Quantity::Percent(percent)),
                None => self.expected(WHAT, value),
            },
            other => self.not_whole(WHAT, other),
        }
    }

    /// Reads a whole percentage such as `25%`, 0 to 100.
    pub fn percentage(&mut self, value: &Value) -> Option<u8> {
        let found = if let Value::Str(text) = value { percent(text) } else { None };
        found.or_else(|| self.expected("a whole percentage such as 25%, at most 100%", value))
    }
}
