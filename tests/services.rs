//! Every mistake in a service file is reported at once, with its path.

use uphold_examples::Service;

#[test]
fn all_ten_mistakes_in_a_service_file_are_reported() {
    let text = r#"
name: web/1
process:
  command: python3 -m http.server
  arguments: ["{port}"]
  output: [file]
policy:
  replicas: -3
  min_redy: 5s
  start_timeout: 20
  retry:
    intervall: 30s
    stages: {interval: 1s}
  failure:
    min_available: 150%
"#;
    let error = Service::parse(text).unwrap_err();
    let mistakes = [
        "name: \"web/1\" is not a valid set name: expected 1 to 40 of a-z, 0-9 and '-'",
        "process.arguments: unknown field; known: command,",
        "process.command: is one program, not a line: write command: python3 and args: [-m, http.server], or",
        "process.output: expected one of: prefix, inherit, null, {file: PATH}, found a list",
        "policy.min_redy: unknown field; did you mean 'min_ready'?",
        "policy.replicas: -3 is out of range",
        "policy.start_timeout: a duration needs a unit, such as 20s or 20m",
        "policy.retry.intervall: unknown field; did you mean 'interval'?",
        "policy.retry.stages: expected a list",
        "policy.failure.min_available: expected a number of replicas, or a whole percentage",
    ];
    for mistake in mistakes {
        assert!(error.lines().any(|line| line.starts_with(mistake)), "'{mistake}' is not in:\n{error}");
    }
    assert_eq!(error.lines().count(), mistakes.len(), "{error}");
}

#[test]
fn a_service_file_needs_its_three_keys() {
    let error = Service::parse("nmae: web\npolicy: 3").unwrap_err();
    assert_eq!(
        error,
        "nmae: unknown field; known: name, process, policy\n\
         'name' is missing: the name of the set, such as web\n\
         'process' is missing\n\
         policy: expected a policy, such as {replicas: 3, retry: {interval: 30s, max_duration: 1h}}, found 3"
    );
    assert!(Service::parse("- web").unwrap_err().contains("must be a map with the keys"));
    assert!(Service::parse("name: [web").is_err());
}

#[test]
fn the_services_of_the_examples_are_valid() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/services");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let service = Service::read(&path).unwrap();
        assert_eq!(service.policy.lint(), [], "{}", path.display());
        count += 1;
    }
    assert!(count >= 2);
}
