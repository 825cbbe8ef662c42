//! The JSON Schema of the document, generated from the table of keys.

use std::ops::RangeInclusive;

use super::policy::Policy;
use super::range;
use super::read::keys::{Block, DOCUMENT, Key, Kind, Requirement};
use super::text::{self as form, Form};
use crate::document::{DURATION_PATTERN, MAX_DURATION, Value};

/// The address of this version's schema, by which tools also identify it.
const ID: &str = concat!("https://docs.rs/crate/uphold/", env!("CARGO_PKG_VERSION"), "/source/schemas/policy.json");
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

impl Policy {
    /// Returns the JSON Schema of the policy document, draft 2020-12, for editors and for checks before deployment.
    /// Serialised, it is `schemas/policy.json`.
    ///
    /// It accepts the documents that [`Policy::read`] accepts, and also these, because a schema cannot express what is
    /// wrong with them:
    ///
    /// - a duration longer than 584 years, or with decimals that humantime cannot represent in whole seconds or
    ///   nanoseconds, such as `0.001h`
    /// - a whole number that is written with decimals, such as `3.0`, and a `factor` with more than two decimals
    /// - a range whose ends are not in order, such as `"78..=64"`, or beyond 32 bits
    /// - `scaling.max` below `min`, and `replicas` outside of them
    /// - two rules with the same name
    /// - totals of stages, window limits and conditions beyond their bounds
    /// - a key that is given twice
    ///
    /// ```
    /// use uphold::Policy;
    /// use uphold::document::Value;
    ///
    /// let Value::Map(entries) = Policy::schema() else { unreachable!() };
    /// assert_eq!(entries[0].0, "$schema");
    /// ```
    pub fn schema() -> Value {
        document()
    }
}

/// Returns the schema as a document of its own, with `$schema` and `$id`.
fn document() -> Value {
    let mut root = vec![("$schema".to_owned(), text(DRAFT)), ("$id".to_owned(), text(ID))];
    if let Value::Map(entries) = schema() {
        root.extend(entries);
    }
    Value::Map(root)
}

/// Returns the schema without `$schema` and `$id`.
fn schema() -> Value {
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
    if !block.requires.is_empty() {
        entries.push(("allOf", Value::Seq(block.requires.iter().map(requirement).collect())));
    }
    map(entries)
}

fn requirement(requirement: &Requirement) -> Value {
    let given = |key: &str| map(vec![("required", Value::Seq(vec![text(key)]))]);
    let property = |key: &str, schema: Value| map(vec![("properties", map(vec![(key, schema)]))]);
    let none_of = |schemas: Vec<Value>| map(vec![("not", any_of(schemas))]);
    match requirement {
        Requirement::ExactlyOne(keys) => map(vec![("oneOf", Value::Seq(keys.iter().map(|key| given(key)).collect()))]),
        Requirement::AtMostOne(keys) => {
            let mut schemas: Vec<Value> = keys.iter().map(|key| given(key)).collect();
            schemas.push(none_of(schemas.clone()));
            map(vec![("oneOf", Value::Seq(schemas))])
        }
        Requirement::RecoverAfter => {
            let by = |word: &str| property("by", constant(text(word)));
            let never = none_of(vec![given("after")]);
            let reset = none_of(vec![by("never"), by("step")]);
            // The default of `by` is `reset`.
            let by_is = |word: &str, then: Value| map(vec![("allOf", Value::Seq(vec![given("by"), by(word), then]))]);
            let reset = any_of(vec![none_of(vec![given("by")]), reset]);
            any_of(vec![reset, by_is("never", never), by_is("step", property("after", kind(&Kind::Positive)))])
        }
        Requirement::SomeRetry => {
            let off = property("retry", map(vec![("enum", Value::Seq(vec![Value::Bool(false), Value::Null]))]));
            let retries = map(vec![("allOf", Value::Seq(vec![given("retry"), map(vec![("not", off)])]))]);
            let own = any_of(vec![given("retry"), map(vec![("not", property("then", constant(text("retry"))))])]);
            let rules = property("failure", property("rules", map(vec![("items", own)])));
            any_of(vec![retries, rules])
        }
        Requirement::RangeOrBounds => {
            let range = has("replicas", map(vec![("type", text("string"))]));
            none_of(vec![all_of(vec![
                range,
                has("scaling", any_of(vec![has("min", map(Vec::new())), has("max", map(Vec::new()))])),
            ])])
        }
        Requirement::ExtrasOrGroups => {
            let some = || map(vec![("minimum", Value::Int(1))]);
            let extras = has("scaling", any_of(vec![has("standby", some()), has("stand_ins", has("max", some()))]));
            let group = || has("scope", map(vec![("enum", Value::Seq(vec![text("all"), text("rest")]))]));
            let any_item = |item: Value| map(vec![("type", text("array")), ("contains", item)]);
            let retry = || has("retry", any_of(vec![group(), has("stages", any_item(group()))]));
            let failure = has("failure", any_of(vec![group(), has("rules", any_item(retry()))]));
            let job = has("success", constant(text("complete")));
            none_of(vec![all_of(vec![extras, any_of(vec![retry(), failure, job])])])
        }
    }
}

/// A block with this key, whose value fits.
fn has(key: &str, schema: Value) -> Value {
    map(vec![
        ("type", text("object")),
        ("required", Value::Seq(vec![text(key)])),
        ("properties", map(vec![(key, schema)])),
    ])
}

fn described(key: &Key) -> Value {
    let about = match key.default {
        "required" | "-" => key.about.to_owned(),
        default => format!("{} Default: {default}.", key.about),
    };
    let schema = match &key.kind {
        Kind::Block(inner) if may_be_empty(inner) => or_nothing(block(inner)),
        other => kind(other),
    };
    match schema {
        Value::Map(mut entries) => {
            entries.retain(|(name, _)| name != "description");
            entries.insert(0, ("description".to_owned(), Value::Str(about)));
            Value::Map(entries)
        }
        other => other,
    }
}

/// Returns whether a block without any key is valid.
pub(super) fn may_be_empty(block: &Block) -> bool {
    let needs_one = |requirement: &Requirement| matches!(requirement, Requirement::ExactlyOne(_));
    block.all().all(|key| key.default != "required") && !block.requires.iter().any(needs_one)
}

/// Returns the schema of a block or a list that may also be null.
fn or_nothing(schema: Value) -> Value {
    let Value::Map(mut entries) = schema else { return schema };
    for (name, value) in &mut entries {
        if name == "type" {
            *value = Value::Seq(vec![value.clone(), text("null")]);
        }
    }
    Value::Map(entries)
}

fn kind(what: &Kind) -> Value {
    match what {
        Kind::Duration => pattern(DURATION_PATTERN),
        Kind::Positive => {
            let Value::Map(mut entries) = pattern(DURATION_PATTERN) else { return Value::Null };
            entries.push(("allOf".to_owned(), Value::Seq(vec![map(vec![("pattern", text("[1-9]"))])])));
            Value::Map(entries)
        }
        Kind::Count(range) => range_of(range),
        Kind::Quantity => any_of(vec![integer(0, u32::MAX.into()), pattern(form::PERCENT)]),
        Kind::QuantityAboveZero => any_of(vec![integer(1, u32::MAX.into()), pattern(form::PERCENT_ABOVE_ZERO)]),
        Kind::Percentage => pattern(form::PERCENT_ABOVE_ZERO),
        Kind::Flag => map(vec![("type", text("boolean"))]),
        Kind::True => constant(Value::Bool(true)),
        Kind::Empty => map(vec![("type", text("null"))]),
        Kind::Text(form) => string(*form),
        Kind::Command => {
            let command = map(vec![("minLength", Value::Int(1))]);
            map(vec![
                ("type", text("array")),
                ("minItems", Value::Int(1)),
                ("maxItems", Value::Int(range::MAX_ARGUMENTS as i128)),
                ("allOf", Value::Seq(vec![map(vec![("prefixItems", Value::Seq(vec![command]))])])),
                ("items", string(Form::Argument)),
            ])
        }
        Kind::Seconds => integer(0, i64::try_from(MAX_DURATION.as_secs()).unwrap_or(i64::MAX)),
        Kind::Factor => {
            map(vec![("type", text("number")), ("minimum", Value::Float(1.01)), ("maximum", Value::Int(100))])
        }
        Kind::Port => any_of(vec![range_of(&range::PORT), limited(form::PORT, 1, range::MAX_HOST)]),
        Kind::ExitCode => any_of(vec![integer(i32::MIN.into(), i32::MAX.into()), pattern(form::CODE_RANGE)]),
        Kind::Replica => any_of(vec![range_of(&range::REPLICA), pattern(form::REPLICA_RANGE)]),
        Kind::SetSize => any_of(vec![range_of(&range::REPLICAS), pattern(form::REPLICAS_RANGE)]),
        Kind::Status => any_of(vec![range_of(&range::STATUS), pattern(form::STATUS_RANGE)]),
        Kind::Signal => any_of(vec![integer(1, 64), pattern(&form::signal_pattern())]),
        Kind::Words(words) => map(vec![("enum", Value::Seq(words.iter().map(|word| text(word)).collect()))]),
        Kind::Headers => map(vec![
            ("type", text("object")),
            ("maxProperties", Value::Int(range::MAX_HEADERS as i128)),
            ("propertyNames", limited(form::HEADER_NAME, 1, range::MAX_HEADER_NAME)),
            ("additionalProperties", limited(form::HEADER_VALUE, 0, range::MAX_HEADER_VALUE)),
        ]),
        Kind::Block(inner) => block(inner),
        Kind::List(item, least, most) => {
            let mut entries =
                vec![("type", text("array")), ("maxItems", Value::Int(*most as i128)), ("items", kind(item))];
            if *least > 0 {
                entries.push(("minItems", Value::Int(*least as i128)));
                return map(entries);
            }
            or_nothing(map(entries))
        }
        Kind::OneOrMany(item) => any_of(vec![
            kind(item),
            map(vec![("type", text("array")), ("minItems", Value::Int(1)), ("items", kind(item))]),
        ]),
        Kind::OneOf(kinds) => any_of(kinds.iter().map(kind).collect()),
    }
}

fn string(form: Form) -> Value {
    limited(form.pattern(), usize::from(!form.may_be_empty()), form.max_length())
}

fn limited(pattern: &str, least: usize, most: usize) -> Value {
    let mut entries = vec![("type", text("string")), ("maxLength", Value::Int(most as i128))];
    if least > 0 {
        entries.push(("minLength", Value::Int(least as i128)));
    }
    if !pattern.is_empty() {
        entries.push(("pattern", text(pattern)));
    }
    map(entries)
}

fn constant(value: Value) -> Value {
    map(vec![("const", value)])
}

fn all_of(schemas: Vec<Value>) -> Value {
    map(vec![("allOf", Value::Seq(schemas))])
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

    /// Embeds [`Policy::schema`] in your own schema.
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

    /// The JSON value of `schemars`, described by its conversions: naming the type would need a dependency on
    /// `serde_json`.
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
mod tests;
