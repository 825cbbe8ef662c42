//! The committed JSON Schema of the policy document is that of the types.

use std::path::Path;

use uphold::Policy;

/// Written anew with `UPHOLD_WRITE_SCHEMA=1 cargo test -p uphold-tests --test schema`.
#[test]
fn the_committed_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/policy.json");
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(Policy)).unwrap() + "\n";
    if std::env::var_os("UPHOLD_WRITE_SCHEMA").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &schema).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(committed == schema, "schemas/policy.json is not current; see this test for how it is written anew");
}

#[test]
fn every_key_of_the_schema_is_described() {
    let schema = serde_json::to_value(schemars::schema_for!(Policy)).unwrap();
    for (key, value) in schema["properties"].as_object().unwrap() {
        assert!(value["description"].is_string(), "{key}");
    }
}
