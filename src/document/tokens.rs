//! A document as a flat list of tokens, for formats that are not self-describing, such as postcard. Deserialising a
//! tree of hostile depth could overflow the stack.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::value::Value;

/// The version of the format that this release reads and writes.
const VERSION: u8 = 1;
/// The most levels of a document.
const MAX_DEPTH: u32 = 64;

/// One value. The contents of a block or a list follow it.
#[derive(Serialize, Deserialize)]
enum Token {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(String),
    /// A list of this many values.
    Seq(u32),
    /// A block of this many keys, each a `Str` followed by its value.
    Map(u32),
}

pub(crate) fn serialize<S: Serializer>(document: Value, serializer: S) -> Result<S::Ok, S::Error> {
    let mut tokens = Vec::new();
    write(document, &mut tokens);
    (VERSION, tokens).serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    let (version, tokens) = <(u8, Vec<Token>)>::deserialize(deserializer)?;
    if version != VERSION {
        return Err(D::Error::custom(format_args!(
            "the document has version {version}; this release reads version {VERSION}"
        )));
    }
    let mut tokens = tokens.into_iter();
    match (read(&mut tokens, 0), tokens.next()) {
        (Some(value), None) => Ok(value),
        _ => Err(D::Error::custom("the document is damaged: its tokens do not form a tree")),
    }
}

fn write(value: Value, tokens: &mut Vec<Token>) {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    match value {
        Value::Null => tokens.push(Token::Null),
        Value::Bool(flag) => tokens.push(Token::Bool(flag)),
        Value::Int(number) => tokens.push(Token::Int(number)),
        Value::Float(number) => tokens.push(Token::Float(number)),
        Value::Str(text) => tokens.push(Token::Str(text)),
        Value::Seq(items) => {
            tokens.push(Token::Seq(count(items.len())));
            items.into_iter().for_each(|item| write(item, tokens));
        }
        Value::Map(entries) => {
            tokens.push(Token::Map(count(entries.len())));
            for (key, value) in entries {
                tokens.push(Token::Str(key));
                write(value, tokens);
            }
        }
    }
}

fn read(tokens: &mut std::vec::IntoIter<Token>, depth: u32) -> Option<Value> {
    if depth > MAX_DEPTH {
        return None;
    }
    Some(match tokens.next()? {
        Token::Null => Value::Null,
        Token::Bool(flag) => Value::Bool(flag),
        Token::Int(number) => Value::Int(number),
        Token::Float(number) => Value::Float(number),
        Token::Str(text) => Value::Str(text),
        Token::Seq(count) => Value::Seq((0..count).map(|_| read(tokens, depth + 1)).collect::<Option<_>>()?),
        Token::Map(count) => {
            let entry = |_| match tokens.next()? {
                Token::Str(key) => Some((key, read(tokens, depth + 1)?)),
                _ => None,
            };
            Value::Map((0..count).map(entry).collect::<Option<_>>()?)
        }
    })
}
