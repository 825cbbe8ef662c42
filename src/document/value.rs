//! A document as a tree of values.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// Bounds the recursion, so that no document overflows the stack.
const MAX_DEPTH: u32 = 64;
/// Bounds the memory, which YAML aliases could otherwise exhaust.
const MAX_NODES: u32 = 1_000_000;

/// A value of a self-describing format. Maps keep their order and duplicate keys.
///
/// It deserialises from any self-describing serde format; at most 1 000 000 values and 64 levels deep.
///
/// ```
/// use uphold::document::Value;
///
/// let value: Value = serde_json::from_str(r#"{"replicas": 3}"#)?;
/// assert_eq!(value, Value::Map(vec![("replicas".into(), Value::Int(3))]));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "what self-describing formats have in common")]
pub enum Value {
    /// Null.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// A number with decimals; in YAML, infinities and NaN too.
    Float(f64),
    /// A text.
    Str(String),
    /// A list.
    Seq(Vec<Value>),
    /// A block of keys.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// Returns a description for an error message; long texts are truncated.
    pub fn describe(&self) -> String {
        match self {
            Self::Null => "nothing".into(),
            Self::Bool(flag) => flag.to_string(),
            Self::Int(number) => number.to_string(),
            // `Debug` keeps the decimals of 3.0.
            Self::Float(number) => format!("{number:?}"),
            Self::Str(text) => format!("'{}'", clip(text)),
            Self::Seq(_) => "a list".into(),
            Self::Map(_) => "a block of keys".into(),
        }
    }

    /// Returns a map key as text. In formats with typed keys it may be a number.
    fn into_key(self) -> String {
        match self {
            Self::Str(text) => text,
            other => other.describe(),
        }
    }
}

/// Truncates and escapes a text for a message.
pub(crate) fn clip(text: &str) -> String {
    const MOST: usize = 60;
    let mut clipped: String = escape(&text.chars().take(MOST).collect::<String>());
    if text.chars().nth(MOST).is_some() {
        clipped.push_str("...");
    }
    clipped
}

/// Escapes the characters that could move the cursor, change colours or reorder the line on a terminal.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unprintable(c) { escaped.extend(c.escape_default()) } else { escaped.push(c) }
    }
    escaped
}

/// Returns whether it is a control character, a line or paragraph separator, or an invisible or bidirectional format
/// character.
pub(crate) fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

impl<'de> de::Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize_up_to(deserializer, MAX_NODES)
    }
}

impl Value {
    /// Deserialises a document of at most this many values.
    pub(crate) fn deserialize_up_to<'de, D: Deserializer<'de>>(deserializer: D, most: u32) -> Result<Self, D::Error> {
        let nodes = Cell::new(0);
        Collect { depth: 0, nodes: &nodes, most }.deserialize(deserializer)
    }
}

#[derive(Clone, Copy)]
struct Collect<'n> {
    depth: u32,
    nodes: &'n Cell<u32>,
    most: u32,
}

impl Collect<'_> {
    fn deeper(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

impl<'de> DeserializeSeed<'de> for Collect<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth > MAX_DEPTH {
            return Err(de::Error::custom(format_args!("the document nests deeper than {MAX_DEPTH} levels")));
        }
        self.nodes.set(self.nodes.get() + 1);
        if self.nodes.get() > self.most {
            return Err(de::Error::custom(format_args!("the document has more than {} values", self.most)));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Collect<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text, a list or a block of keys")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deeper().deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deeper().deserialize(deserializer)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Int(number.into()))
    }

    fn visit_i128<E>(self, number: i128) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u128<E>(self, number: u128) -> Result<Value, E> {
        Ok(Value::Int(number.try_into().unwrap_or(i128::MAX)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Str(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Str(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(self.deeper())? {
            items.push(item);
        }
        Ok(Value::Seq(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key_seed(self.deeper())? {
            entries.push((key.into_key(), access.next_value_seed(self.deeper())?));
        }
        Ok(Value::Map(entries))
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            // Not every format has integers of 128 bits.
            Self::Int(number) => match (u64::try_from(*number), i64::try_from(*number)) {
                (Ok(number), _) => serializer.serialize_u64(number),
                (_, Ok(number)) => serializer.serialize_i64(number),
                _ => serializer.serialize_i128(*number),
            },
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Str(text) => serializer.serialize_str(text),
            Self::Seq(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    seq.serialize_element(item)?;
                }
                seq.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_keeps_the_order_and_duplicate_keys() {
        let value: Value = serde_json::from_str(r#"{"b": 1, "a": [null, true, -2, 1.5], "b": "x"}"#).unwrap();
        let list = Value::Seq(vec![Value::Null, Value::Bool(true), Value::Int(-2), Value::Float(1.5)]);
        let entries = [("b", Value::Int(1)), ("a", list), ("b", Value::Str("x".into()))];
        assert_eq!(value, Value::Map(entries.map(|(key, value)| (key.to_owned(), value)).into()));
        assert_eq!(serde_json::to_string(&value).unwrap(), r#"{"b":1,"a":[null,true,-2,1.5],"b":"x"}"#);
    }

    #[test]
    fn a_document_that_nests_too_deep_is_refused() {
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(serde_json::from_str::<Value>(&deep(60)).is_ok());
        let error = serde_json::from_str::<Value>(&deep(100)).unwrap_err().to_string();
        assert!(error.contains("nests deeper than 64 levels"), "{error}");
    }

    #[test]
    fn a_document_of_too_many_values_is_refused() {
        let wide = format!("[{}0]", "0,".repeat(1_000_001));
        let error = serde_json::from_str::<Value>(&wide).unwrap_err().to_string();
        assert!(error.contains("more than 1000000 values"), "{error}");
    }

    #[test]
    fn a_long_text_is_cut_in_messages() {
        assert_eq!(clip(&"x".repeat(100)).len(), 63);
        assert_eq!(clip("a\nb"), "a\\nb");
        assert_eq!(clip("it's \u{1b}[31m\u{9b}\u{202e}"), "it's \\u{1b}[31m\\u{9b}\\u{202e}");
    }
}
