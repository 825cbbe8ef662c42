//! The JSON Schema of the document, made of the table of keys.

use std::ops::RangeInclusive;

use super::range;
use super::read::Value;
use super::read::keys::{Block, DOCUMENT, Key, Kind};

/// What [`read`](super::read) takes for a duration, roughly.
const DURATION: &str = r"^\s*(0|([0-9]+(\.[0-9]+)?\s*[a-zA-Zµ]+\s*)+)$";
const PERCENT: &str = r"^\s*[0-9]{1,3}\s*%$";
const RANGE: &str = r"^\s*-?[0-9]+\s*\.\.=\s*-?[0-9]+\s*$";

/// The schema of the whole document.
pub(super) fn schema() -> Value {
    let mut root = vec![("title".to_owned(), text("uphold policy"))];
    if let Value::Map(entries) = block(&DOCUMENT) {
        root.extend(entries);
    }
    Value::Map(root)
}

fn block(block: &Block) -> Value {
    let properties = block.all().map(|key| (key.name.to_owned(), described(key))).collect();
    let required: Vec<Value> = block.all().filter(|key| key.default == "required").map(|key| text(key.name)).collect();
    let mut entries = vec![
        ("type", text("object")),
        ("description", text(block.about)),
        ("properties", Value::Map(properties)),
        ("additionalProperties", Value::Bool(false)),
    ];
    if !required.is_empty() {
        entries.push(("required", Value::Seq(required)));
    }
    map(entries)
}

fn described(key: &Key) -> Value {
    let about = match key.default {
        "required" | "-" => key.about.to_owned(),
        default => format!("{} Default: {default}.", key.about),
    };
    match kind(&key.kind) {
        Value::Map(mut entries) => {
            entries.retain(|(name, _)| name != "description");
            entries.insert(0, ("description".to_owned(), Value::Str(about)));
            Value::Map(entries)
        }
        other => other,
    }
}

fn kind(what: &Kind) -> Value {
    match what {
        Kind::Duration | Kind::Positive => pattern(DURATION),
        Kind::Count(range) => range_of(range),
        Kind::Quantity => any_of(vec![integer(0, u32::MAX.into()), pattern(PERCENT)]),
        Kind::Percentage => pattern(PERCENT),
        Kind::Flag => map(vec![("type", text("boolean"))]),
        Kind::Text => map(vec![("type", text("string"))]),
        Kind::Factor => {
            map(vec![("type", text("number")), ("minimum", Value::Float(1.01)), ("maximum", Value::Int(100))])
        }
        Kind::Port => any_of(vec![range_of(&range::PORT), map(vec![("type", text("string"))])]),
        Kind::ExitCode => any_of(vec![integer(i32::MIN.into(), i32::MAX.into()), pattern(RANGE)]),
        Kind::Status => any_of(vec![range_of(&range::STATUS), pattern(RANGE)]),
        Kind::Signal => any_of(vec![integer(1, 64), map(vec![("type", text("string"))])]),
        Kind::Words(words) => map(vec![("enum", Value::Seq(words.iter().map(|word| text(word)).collect()))]),
        Kind::Headers => {
            map(vec![("type", text("object")), ("additionalProperties", map(vec![("type", text("string"))]))])
        }
        Kind::Block(inner) => block(inner),
        Kind::List(item) => map(vec![("type", text("array")), ("items", kind(item))]),
        Kind::OneOrMany(item) => any_of(vec![
            kind(item),
            map(vec![("type", text("array")), ("minItems", Value::Int(1)), ("items", kind(item))]),
        ]),
        Kind::OneOf(kinds) => any_of(kinds.iter().map(kind).collect()),
    }
}

fn any_of(schemas: Vec<Value>) -> Value {
    map(vec![("anyOf", Value::Seq(schemas))])
}

fn range_of(range: &RangeInclusive<u32>) -> Value {
    integer((*range.start()).into(), (*range.end()).into())
}

fn integer(least: i64, most: i64) -> Value {
    map(vec![("type", text("integer")), ("minimum", Value::Int(least.into())), ("maximum", Value::Int(most.into()))])
}

fn pattern(pattern: &str) -> Value {
    map(vec![("type", text("string")), ("pattern", text(pattern))])
}

fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

fn map(entries: Vec<(&str, Value)>) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

#[cfg(feature = "schemars")]
mod with_schemars {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator};

    use super::Value;
    use crate::policy::Policy;

    /// The schema of the policy document, for editors and for checks before anything is deployed. It is a little
    /// more generous than reading: what depends on several keys only reading finds.
    impl JsonSchema for Policy {
        fn schema_name() -> Cow<'static, str> {
            "Policy".into()
        }

        fn schema_id() -> Cow<'static, str> {
            concat!(module_path!(), "::Policy").into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            block(&super::schema(), Schema::insert)
        }
    }

    fn block<J: Json>(value: &Value, insert: Insert<J>) -> Schema {
        let mut schema = Schema::default();
        if let Value::Map(entries) = value {
            for (key, value) in entries {
                insert(&mut schema, key.clone(), json(value, insert));
            }
        }
        schema
    }

    fn json<J: Json>(value: &Value, insert: Insert<J>) -> J {
        match value {
            Value::Null => J::from(()),
            Value::Bool(flag) => J::from(*flag),
            Value::Int(number) => J::from(i64::try_from(*number).unwrap_or(i64::MAX)),
            Value::Float(number) => J::from(*number),
            Value::Str(text) => J::from(text.clone()),
            Value::Seq(items) => J::from(items.iter().map(|item| json(item, insert)).collect::<Vec<J>>()),
            Value::Map(_) => J::from(block(value, insert)),
        }
    }

    type Insert<J> = fn(&mut Schema, String, J) -> Option<J>;

    /// The JSON of `schemars`, by what it is made from: naming its type would take a dependency of our own.
    trait Json: From<()> + From<bool> + From<i64> + From<f64> + From<String> + From<Vec<Self>> + From<Schema> {}

    impl<J> Json for J where J: From<()> + From<bool> + From<i64> + From<f64> + From<String> + From<Vec<Self>> + From<Schema>
    {}

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn schemars_gives_the_same_schema() {
            let schema = schemars::schema_for!(Policy);
            let ours = serde_json::to_value(super::super::schema()).unwrap();
            for (key, value) in ours.as_object().unwrap() {
                assert_eq!(schema.get(key), Some(value), "{key}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::generate::policies;
    use serde_json::{Value as Json, json};

    /// Enough of a validator for the words that our schema uses; patterns are left to others.
    fn accepts(schema: &Json, value: &Json) -> bool {
        let bound = |word: &str, holds: fn(f64, f64) -> bool| {
            schema.get(word).and_then(Json::as_f64).is_none_or(|bound| value.as_f64().is_none_or(|v| holds(v, bound)))
        };
        let of_type = match schema.get("type").and_then(Json::as_str) {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("boolean") => value.is_boolean(),
            Some("integer") => value.is_i64() || value.is_u64(),
            Some("number") => value.is_number(),
            _ => true,
        };
        let fields = value.as_object().is_none_or(|fields| {
            let known = schema.get("properties").and_then(Json::as_object);
            let others = schema.get("additionalProperties").cloned().unwrap_or(json!(true));
            fields.iter().all(|(name, field)| match known.and_then(|known| known.get(name)) {
                Some(schema) => accepts(schema, field),
                None => others != json!(false) && accepts(&others, field),
            })
        });
        let required = schema.get("required").and_then(Json::as_array);
        of_type
            && fields
            && required.is_none_or(|names| names.iter().all(|name| value.get(name.as_str().unwrap()).is_some()))
            && bound("minimum", |value, bound| value >= bound)
            && bound("maximum", |value, bound| value <= bound)
            && schema.get("enum").and_then(Json::as_array).is_none_or(|words| words.contains(value))
            && schema.get("anyOf").and_then(Json::as_array).is_none_or(|any| any.iter().any(|one| accepts(one, value)))
            && schema
                .get("items")
                .is_none_or(|item| value.as_array().is_none_or(|items| items.iter().all(|value| accepts(item, value))))
    }

    #[test]
    fn every_policy_that_is_written_fits_the_schema() {
        let schema = serde_json::to_value(schema()).unwrap();
        for policy in policies(500) {
            let document = serde_json::to_value(&policy).unwrap();
            assert!(accepts(&schema, &document), "{document}");
        }
    }

    #[test]
    fn what_is_wrong_at_a_glance_does_not_fit_the_schema() {
        let schema = serde_json::to_value(schema()).unwrap();
        assert!(accepts(&schema, &json!({"retry": true, "failure": {"max_concurrent_starts": false}})));
        for wrong in [
            json!({"replica": 1}),
            json!({"replicas": -1}),
            json!({"retry": {"intervall": "1s"}}),
            json!({"retry": {"backoff": "quadratic"}}),
            json!({"failure": {"rules": [{"when": {}}]}}),
            json!({"health": {"liveness": {"http": {"path": "/"}}}}),
        ] {
            assert!(!accepts(&schema, &wrong), "{wrong}");
        }
    }
}
