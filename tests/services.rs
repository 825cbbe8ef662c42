//! Service and scenario files that people write wrong: every mistake at once, with its path.

use uphold_examples::{Service, parse_yaml};

#[test]
fn a_service_file_with_ten_mistakes_is_told_all_ten() {
    let text = r#"
name: web
process: {command: python3}
policy:
  replicas: -3
  min_redy: 5s
  start_timeout: 20
  success: maybe
  retry:
    intervall: 30s
    max_attempts: many
    jitter: {spread: 250%}
    stages: {interval: 1s}
  failure:
    min_available: 150%
    exhausted: explode
"#;
    let error = parse_yaml::<Service>(text).unwrap_err();
    for mistake in [
        "replicas: -3 is out of range",
        "min_redy: unknown field; did you mean 'min_ready'?",
        "start_timeout: a duration needs a unit, such as 20s or 20m",
        "success: unknown word 'maybe'; known: restart, complete, failure",
        "retry.intervall: unknown field; did you mean 'interval'?",
        "retry.max_attempts: expected a whole number",
        "retry.jitter.spread: expected a whole percentage",
        "retry.stages: expected a list",
        "failure.min_available: expected a number of replicas, or a whole percentage",
        "failure.exhausted: unknown word 'explode'",
    ] {
        assert!(error.contains(mistake), "'{mistake}' is not in:\n{error}");
    }
}

#[test]
fn a_process_has_no_other_keys_than_its_own() {
    let text = "name: web\nprocess: {command: sleep, arguments: [1]}\npolicy: {replicas: 1}";
    let error = parse_yaml::<Service>(text).unwrap_err();
    assert!(error.contains("unknown field `arguments`"), "{error}");
}

#[test]
fn the_services_of_the_examples_are_valid() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/services");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let service: Service = uphold_examples::read_yaml(&path).unwrap();
        assert_eq!(service.policy.lint(), [], "{}", path.display());
        count += 1;
    }
    assert!(count >= 2);
}
