//! The committed JSON Schema of the policy document is that of the library.
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

use std::path::Path;

use uphold::Policy;

/// Written anew with `UPHOLD_WRITE_SCHEMA=1 cargo test --test schema`.
#[test]
fn the_committed_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/policy.json");
    let schema = serde_json::to_string_pretty(&Policy::schema()).unwrap() + "\n";
    if std::env::var_os("UPHOLD_WRITE_SCHEMA").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &schema).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(committed == schema, "schemas/policy.json is not current; see this test for how it is written anew");
}

#[test]
fn every_key_of_the_schema_is_described() {
    let schema = serde_json::to_value(Policy::schema()).unwrap();
    assert!(described(&schema) > 80);
}

/// How many keys there are, at whatever depth, every one described.
fn described(schema: &serde_json::Value) -> usize {
    let properties = schema.get("properties").and_then(|properties| properties.as_object());
    for (key, value) in properties.into_iter().flatten() {
        assert!(value["description"].is_string(), "{key}");
    }
    let below: usize = match schema {
        // What holds of several keys together names keys that are described elsewhere.
        serde_json::Value::Object(fields) => {
            fields.iter().filter(|(word, _)| *word != "allOf").map(|(_, value)| described(value)).sum()
        }
        serde_json::Value::Array(items) => items.iter().map(described).sum(),
        _ => 0,
    };
    properties.map_or(0, serde_json::Map::len) + below
}
