//! Invalid experiment documents: every mistake is reported with its path, and nothing panics.

use uphold::PolicyError;
use uphold_lab::experiment::{Experiment, ExperimentDocument};
use uphold_lab::files::parse_yaml;

const POLICIES: &str = "policies: [{name: a, policy: {replicas: 3, retry: {interval: 10s}}}]";

fn read(text: &str) -> Result<Experiment, PolicyError> {
    match parse_yaml::<ExperimentDocument>(text) {
        Ok(document) => document.read(|_| Err("there are no files here".to_owned())),
        Err(error) => panic!("{text}: {error}"),
    }
}

/// Returns the paths and messages of all mistakes.
fn mistakes(text: &str) -> Vec<(String, String)> {
    match read(text) {
        Ok(_) => Vec::new(),
        Err(error) => {
            error.problems().iter().map(|problem| (problem.path().to_owned(), problem.message().to_owned())).collect()
        }
    }
}

/// Asserts that a document with these faults has one mistake, at `path`, whose message contains `words`.
#[track_caller]
fn one_mistake(faults: &str, path: &str, words: &str) {
    let found = mistakes(&format!("{POLICIES}\nuntil: 1d\nfaults: {faults}"));
    match found.as_slice() {
        [(at, message)] => assert!(at == path && message.contains(words), "{at}: {message}"),
        other => panic!("{faults}: {other:?}"),
    }
}

#[test]
fn every_distribution_is_read() {
    let all = "{starts_in: 5s, ready_in: {log_normal: {median: 40s, sigma: 0.5}}, stops_in: {fixed: 1s}, \
               refused_in: {list: [1s, 2m]}, failures: [{after: never}, {after: {exponential: {mean: 1d}}}, \
               {after: {weibull: {shape: 2, scale: 1d}}}]}";
    assert_eq!(mistakes(&format!("{POLICIES}\nuntil: 1d\nfaults: {all}")), []);
}

#[test]
fn every_fault_is_read() {
    let all = "
  slower_per_start: 10%
  failures:
    - {after: 1d, ends: [{weight: 3, exit: 1}, {weight: 0.5, cause: interruption}, {weight: 0, signal: SIGKILL}]}
    - {revision: v2, after: 5s, exit: 78}
    - {replicas: [0, 2], node: 1, from: 1h, to: 2h, after: 5s, exit: 137, cause: out-of-memory}
  droughts:
    - {from: 1h, lasts: 5m, share: 0.5, cause: start-error}
    - {every: 1d, lasts: {exponential: {mean: 5m}}}
    - {share: 1%}
  dependencies: {from: 1h, lasts: 5m, starts: wait, running: not-ready, crashes_after: 3s, signal: 9}
  lost_contact: {every: {exponential: {mean: 5d}}, lasts: 2m, replica: 1}
  nodes:
    count: 4
    zones: 2
    node_fails: [{node: 3, from: 1h, lasts: 10m}, {every: {exponential: {mean: 30d}}, lasts: 1h}]
    zone_fails: {zone: 1, from: 6h}
    starts: move
    cause: interruption
    silent: true
";
    let experiment = read(&format!("{POLICIES}\nuntil: 1d\nseeds: 2\nfaults:{all}")).unwrap();
    assert_eq!(experiment.run().unwrap().seeds_done, 2);
}

#[test]
fn invalid_parameters_of_distributions_are_reported() {
    let failure = |after: &str| format!("{{failures: {{after: {after}}}}}");
    for shape in ["-1", "0", "1000", "1e308"] {
        let faults = failure(&format!("{{weibull: {{shape: {shape}, scale: 1d}}}}"));
        one_mistake(&faults, "faults.failures.after.weibull.shape", "out of range: 0.05 to 100");
    }
    for sigma in ["-0.1", "11", "1e300"] {
        let faults = failure(&format!("{{log_normal: {{median: 1d, sigma: {sigma}}}}}"));
        one_mistake(&faults, "faults.failures.after.log_normal.sigma", "out of range: 0 to 10");
    }
    one_mistake(&failure("{exponential: {mean: 0s}}"), "faults.failures.after.exponential.mean", "must be longer");
    one_mistake(&failure("{exponential: {mean: -1d}}"), "faults.failures.after.exponential.mean", "a duration such as");
    one_mistake(&failure("{exponential: {mean: 9999y}}"), "faults.failures.after.exponential.mean", "584 years");
    one_mistake(&failure("{exponential: 30}"), "faults.failures.after.exponential", "block of keys");
    one_mistake(&failure("{list: []}"), "faults.failures.after.list", "is empty");
    one_mistake(&failure("{list: [1s, x]}"), "faults.failures.after.list[1]", "a duration such as");
    one_mistake(&failure("30"), "faults.failures.after", "needs a unit");
    one_mistake(&failure("{}"), "faults.failures.after", "exponential");
    one_mistake(
        &failure("{exponentail: {mean: 1d}}"),
        "faults.failures.after.exponentail",
        "did you mean 'exponential'",
    );
    one_mistake(&failure("{fixed: 1s, list: [1s]}"), "faults.failures.after", "one of");
}

#[test]
fn a_value_that_is_not_a_number_is_refused_with_its_path() {
    for number in [".nan", ".inf", "-.inf"] {
        one_mistake(&format!("{{slower_per_start: {number}}}"), "faults.slower_per_start", "a share");
        let weibull = format!("{{ready_in: {{weibull: {{shape: {number}, scale: 1d}}}}}}");
        one_mistake(&weibull, "faults.ready_in.weibull.shape", "out of range");
    }
}

#[test]
fn a_mistake_hides_none_beside_it() {
    let faults = "{ready_in: {weibull: {shape: -1, scale: 0s}}, \
                   starts_in: {log_normal: {median: 0s, sigma: 99}}, \
                   failures: {after: x, ends: 3, replica: -1, node: 3}, \
                   droughts: {from: x, every: 2s, lasts: y, share: 3}}";
    let found = mistakes(&format!("{POLICIES}\nuntil: 1d\nfaults: {faults}"));
    let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "faults.starts_in.log_normal.median",
            "faults.starts_in.log_normal.sigma",
            "faults.ready_in.weibull.shape",
            "faults.ready_in.weibull.scale",
            "faults.failures.after",
            "faults.failures.ends",
            "faults.failures.replica",
            "faults.failures.node",
            "faults.droughts.from",
            "faults.droughts.lasts",
            "faults.droughts.every",
            "faults.droughts.share",
        ]
    );
}

#[test]
fn shares_and_weights_are_checked() {
    for share in ["-0.1", "150%", "NaN%", "x"] {
        one_mistake(&format!("{{droughts: {{share: {share}}}}}"), "faults.droughts.share", "from 0 to 100%");
    }
    one_mistake("{slower_per_start: 1e300}", "faults.slower_per_start", "a share");
    let ends = |ends: &str| format!("{{failures: {{after: 1d, ends: {ends}}}}}");
    one_mistake(&ends("[{weight: 0, exit: 1}, {weight: 0, exit: 2}]"), "faults.failures.ends", "sum to 0");
    one_mistake(&ends("[]"), "faults.failures.ends", "sum to 0");
    for weight in ["-1", "1e10"] {
        let faults = ends(&format!("[{{weight: 1, exit: 1}}, {{weight: {weight}, exit: 2}}]"));
        one_mistake(&faults, "faults.failures.ends[1].weight", "a number from 0 to 1000000000");
    }
    one_mistake(&ends("[{weight: 1}]"), "faults.failures.ends[0]", "one of: cause, exit, signal");
}

#[test]
fn invalid_times_are_reported() {
    one_mistake("{dependencies: {lasts: 5m}}", "faults.dependencies", "'from' (once) or 'every'");
    one_mistake("{dependencies: {from: 1h, every: 1d}}", "faults.dependencies.every", "cannot be combined with 'from'");
    one_mistake("{failures: {after: 1s, from: 2h, to: 1h}}", "faults.failures.to", "not later");
    one_mistake("{lost_contact: {from: soon}}", "faults.lost_contact.from", "a duration such as");
}

#[test]
fn references_to_missing_replicas_nodes_and_keys_are_reported() {
    one_mistake("{failures: {after: 1s, replica: 3}}", "faults", "no replica 3");
    one_mistake("{lost_contact: {from: 1s, replicas: [0, 9]}}", "faults", "no replica 9");
    one_mistake("{failures: {after: 1s, node: 3}}", "faults.failures.node", "there are no nodes");
    one_mistake("{nodes: {count: 3}, failures: {after: 1s, node: 3}}", "faults.failures.node", "nodes.count is 3");
    one_mistake("{nodes: {count: 3, node_fails: {node: 3, from: 1s}}}", "faults.nodes.node_fails.node", "0 to 2");
    one_mistake("{nodes: {count: 3, zones: 4}}", "faults.nodes.zones", "1 to 3");
    one_mistake("{nodes: {count: 0}}", "faults.nodes.count", "1 to 1000000");
    one_mistake("{nodes: {}}", "faults.nodes", "'count' is missing");
    one_mistake("{dependencies: {from: 1s, starts: crashes}}", "faults.dependencies.starts", "did you mean 'crash'");
    one_mistake("{failure: {after: 1s}}", "faults.failure", "did you mean 'failures'");
    one_mistake(
        "{failures: {after: 1s, exit: 1, signal: 9}}",
        "faults.failures.signal",
        "cannot be combined with 'exit'",
    );
    one_mistake("{failures: {exit: 1}}", "faults.failures", "'after' is missing");
}

#[test]
fn long_lists_and_wrong_types_are_rejected() {
    let many = vec!["{after: 1d}"; 65].join(", ");
    one_mistake(&format!("{{failures: [{many}]}}"), "faults.failures", "more than 64");
    one_mistake("30", "faults", "a block of keys");
}

#[test]
fn policies_are_required_and_have_unique_names() {
    let mistakes_in = |policies: &str| mistakes(&format!("policies: {policies}\nuntil: 1d"));
    let policy = "policy: {replicas: 1}";
    let only = |path: &str, message: &str| vec![(path.to_owned(), message.to_owned())];
    assert_eq!(mistakes_in("[]"), only("policies", "is empty; give at least one policy"));
    assert_eq!(mistakes_in(""), only("policies", "is empty; give at least one policy"));
    let twice = format!("[{{name: a, {policy}}}, {{name: a, {policy}}}]");
    assert_eq!(mistakes_in(&twice), only("policies[1].name", "'a' is the name of a policy above; choose another"));
    assert_eq!(mistakes_in(&format!("[{{name: '', {policy}}}]"))[0].0, "policies[0].name");
    assert_eq!(mistakes_in(&format!("[{{{policy}}}]"))[0].1, "'name' is missing: a few words for the table");
    assert_eq!(mistakes_in("[{name: a, policy: {replica: 3}}]")[0].0, "policies[0].policy.replica");
    let file = mistakes_in("[{name: a, policy_file: x.yaml}]");
    assert_eq!(file, only("policies[0].policy_file", "'x.yaml': there are no files here"));
    let both = format!("[{{name: a, policy_file: x.yaml, {policy}}}]");
    assert_eq!(mistakes_in(&both), only("policies[0].policy_file", "is given beside 'policy'; keep one of them"));
    let many = vec![format!("{{name: a, {policy}}}"); 65].join(", ");
    assert_eq!(mistakes_in(&format!("[{many}]")), only("policies", "has more than 64 policies"));
}

#[test]
fn the_rest_of_the_document_is_checked() {
    let mistakes_in = |rest: &str| mistakes(&format!("{POLICIES}\n{rest}"));
    assert_eq!(mistakes_in("seeds: 5")[0].1, "'until' is missing: the length of each history, such as 30d");
    assert_eq!(mistakes_in("until: 0s")[0], ("until".into(), "is 0s; it must be longer".into()));
    for seeds in ["0", "-5", "1.5", "100000001"] {
        assert_eq!(mistakes_in(&format!("until: 1d\nseeds: {seeds}"))[0].0, "seeds");
    }
    assert_eq!(mistakes_in("until: 1d\nseed: -1")[0].0, "seed");
    let unknown = mistakes_in("until: 1d\nfautls: {}");
    assert!(unknown[0].0 == "fautls" && unknown[0].1.contains("did you mean 'faults'"), "{unknown:?}");
    assert_eq!(mistakes("7")[0].1, "expected a block of keys, found 7");
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let found = mistakes("policies: [{name: a}]\nseeds: 0\nfaults: {starts_in: 5, nodes: {count: 0}}");
    let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["policies[0]", "faults.starts_in", "faults.nodes.count", "", "seeds"]);
}

#[test]
fn the_longest_times_and_the_highest_seeds_work() {
    let text = "
policies: [{name: fail-fast, policy: {replicas: 3}}]
until: 584y
seed: 18446744073709551615
seeds: 2
healed_within: 1d
faults:
  starts_in: 584y
  failures: {after: {log_normal: {median: 584y, sigma: 10}}}
  droughts: {every: 1s, lasts: 584y}
  lost_contact: {from: 584y, lasts: 584y}
";
    let report = read(text).unwrap().run().unwrap();
    assert_eq!((report.first_seed, report.seeds_done), (u64::MAX, 2));
}

#[test]
fn empty_lists_of_replicas_and_names_that_differ_in_spaces_are_reported() {
    one_mistake("{failures: [{after: 1h, replicas: []}]}", "faults.failures[0].replicas", "is empty");
    let same_but_for_space =
        "policies: [{name: a, policy: {replicas: 1}}, {name: \"a \", policy: {replicas: 1}}]\nuntil: 1d";
    let found = mistakes(same_but_for_space);
    assert!(
        found.iter().any(|(at, message)| at == "policies[1].name" && message.contains("name of a policy above")),
        "{found:?}"
    );
}

#[test]
fn requests_of_a_timeline_are_read_and_their_mistakes_reported_at_once() {
    let with = |timeline: &str| format!("{POLICIES}\nuntil: 1d\nfaults: {{}}\ntimeline: {timeline}");
    let all = "[{at: 1h, roll_out: v2}, {at: 2h, promote: true}, {at: 3h, roll_back: true}, {at: 4h, scale: 5}, \
               {at: 5h, drain: {replicas: [0, 4], deadline: 10m}}, {at: 6h, undrain: 0}, {at: 7h, stop: 1}, \
               {at: 8h, start: 1}, {at: 9h, notice: {replica: 2, deadline: 2m}}, {at: 10h, restart: 0}]";
    assert_eq!(mistakes(&with(all)), []);
    let experiment = read(&with(all)).unwrap();
    assert_eq!(experiment.timeline().len(), 10);
    let found = mistakes(&with(
        "[{at: 2h, roll_out: ''}, {at: 1h, drain: 3}, {at: 2d, promote: true}, {at: 3h, replica: 1, exit: 1}]",
    ));
    let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
    for path in ["timeline[0].roll_out", "timeline[1]", "timeline[2].at", "timeline[3].exit"] {
        assert!(paths.contains(&path), "{path} is not in {found:?}");
    }
}

#[test]
fn faults_may_name_a_replica_that_a_timeline_adds() {
    let with = |timeline: &str| {
        format!("{POLICIES}\nuntil: 1d\nfaults: {{failures: {{replica: 4, after: 1h}}}}\ntimeline: {timeline}")
    };
    assert_eq!(mistakes(&with("[{at: 1h, scale: 5}]")), []);
    assert_eq!(mistakes(&with("[{at: 1h, scale: 4}]"))[0].0, "faults");
}
