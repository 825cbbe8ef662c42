//! The `uphold` command end to end: exit codes, standard output and standard error.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn uphold(args: &[&str], folder: &Path) -> (i32, String, String) {
    let command = Command::new(env!("CARGO_BIN_EXE_uphold")).args(args).current_dir(folder).output();
    let Output { status, stdout, stderr } = command.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// A temporary folder with files, removed when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let folder = std::env::temp_dir().join(format!("uphold-command-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for (file, text) in files {
            std::fs::write(folder.join(file), text).unwrap();
        }
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const SCENARIO: &str = "name: one of three\n\
                        policy: {replicas: 3, retry: {interval: 30s, max_duration: 1h}}\n\
                        timeline: [{at: 60s, replica: 1, exit: 137}]\nuntil: 1h\nexpect: [{at: 90s, start: 1}]\n";

const EXPERIMENT: &str = "question: At once, or <later>?\nanswer: At once.\n\
                          policies:\n  - {name: at once, policy: {replicas: 2, retry: {interval: 1s}}}\n  \
                          - {name: later, policy: {replicas: 2, retry: {interval: 10m}}}\n\
                          faults: {ready_in: 20s, failures: {after: {exponential: {mean: 3h}}}}\nuntil: 1d\nseeds: 10\n";

/// Returns a recording, as a supervisor writes it, of a set of two replicas one of which crashes.
fn recording() -> String {
    use uphold::recording::{Input, RecordedLine, RecordedStep, RecordingHeader};
    use uphold::{Event, Policy, RetryPolicy, Timestamp};
    let policy = Policy::builder().replicas(2).retry(RetryPolicy::every(std::time::Duration::from_secs(30)));
    let began = Timestamp::from_secs(1_790_000_000);
    let at = |seconds: u64| Timestamp::from_secs(1_790_000_000 + seconds);
    let events = |seconds: u64, batch| RecordedLine::Step(RecordedStep::new(at(seconds), Input::Events(batch)));
    let timeout = |seconds: u64| RecordedLine::Step(RecordedStep::new(at(seconds), Input::Timeout));
    let lines = [
        RecordedLine::Begin(RecordingHeader::new("web", policy.build().unwrap(), 7, began, None)),
        timeout(0),
        events(1, vec![Event::ready((0, 1)), Event::ready((1, 1))]),
        events(60, vec![Event::exited((1, 1), 137)]),
        timeout(90),
        events(95, vec![Event::ready((1, 2))]),
        timeout(120),
    ];
    lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect()
}

#[test]
fn simulate_checks_expectations() {
    let wrong = SCENARIO.replace("at: 90s", "at: 91s");
    let folder =
        Folder::new("simulate", &[("right.yaml", SCENARIO), ("wrong.yaml", &wrong), ("bad.yaml", "untill: 1h")]);
    let (code, out, _) = uphold(&["simulate", "right.yaml"], &folder.0);
    assert_eq!((code, out.as_str()), (0, "as expected: one of three\n"));
    let (code, out, _) = uphold(&["simulate", "wrong.yaml"], &folder.0);
    assert_eq!(code, 1);
    assert!(out.contains("expect[0] differs") && out.contains("happened  nothing happened at that instant"), "{out}");
    let (code, out, error) = uphold(&["simulate", "right.yaml", "wrong.yaml", "bad.yaml"], &folder.0);
    assert_eq!(code, 2);
    assert!(out.ends_with("3 scenarios: 1 as expected, 1 differ, 1 cannot be read\n"), "{out}");
    assert!(error.contains("untill: unknown field; did you mean 'until'?"), "{error}");
    let (code, out, _) = uphold(&["simulate", "--trace", "right.yaml"], &folder.0);
    assert_eq!(code, 0);
    assert!(out.lines().any(|line| line.starts_with(r#"{"at_ms":60000,"kind":"verdict","replica":1"#)), "{out}");
}

#[test]
fn simulate_warns_about_a_behaviour_without_effect() {
    let idle = SCENARIO.replace("until:", "behaviour: [{replica: 2, start_fails: no-capacity, from: 5m}]\nuntil:");
    let folder = Folder::new("idle", &[("idle.yaml", &idle)]);
    let (code, out, error) = uphold(&["simulate", "idle.yaml"], &folder.0);
    assert_eq!((code, out.as_str()), (0, "as expected: one of three\n"));
    assert_eq!(error, "idle.yaml: warning: behaviour[0]: has no effect in this run\n");
    let (_, _, error) = uphold(&["simulate", "--no-lint", "idle.yaml"], &folder.0);
    assert_eq!(error, "");
}

#[test]
fn replay_prints_the_trace_or_compares_with_another_policy() {
    let files = [
        ("web.ndjson", &*recording()),
        ("patient.yaml", "{replicas: 2, retry: {interval: 5m}}"),
        ("cut-off.ndjson", &recording()[..recording().len() - 9]),
    ];
    let folder = Folder::new("replay", &files);
    let (code, out, _) = uphold(&["replay", "web.ndjson"], &folder.0);
    assert_eq!(code, 0);
    assert!(out.contains(r#"{"at_ms":90000,"kind":"command","command":"start","replica":1,"incarnation":2"#), "{out}");
    let (code, out, _) = uphold(&["replay", "web.ndjson", "--policy", "patient.yaml"], &folder.0);
    assert_eq!(code, 0);
    assert!(out.contains("restarts                             1             0"), "{out}");
    let (code, _, error) = uphold(&["replay", "cut-off.ndjson"], &folder.0);
    assert_eq!((code, error.as_str()), (0, "cut-off.ndjson: the last line is incomplete and was ignored\n"));
}

#[test]
fn lint_prints_lints_and_errors() {
    let files = [
        ("fine.yaml", "{replicas: 3, retry: true}"),
        ("hot.yaml", "{replicas: 3, retry: {interval: 1m, max_interval: 10s}}"),
        ("scenario.yaml", "policy: {replicas: 3, retry: {interval: 1m, max_interval: 10s}}\nuntil: 1h\n"),
        ("bad.yaml", "replica: 3"),
    ];
    let folder = Folder::new("lint", &files);
    let (code, out, _) = uphold(&["lint", "fine.yaml"], &folder.0);
    assert_eq!((code, out.as_str()), (0, "no lints\n"));
    for file in ["hot.yaml", "scenario.yaml"] {
        let (code, out, _) = uphold(&["lint", file], &folder.0);
        assert_eq!(code, 1, "{out}");
        let at = if file == "scenario.yaml" { "policy.retry" } else { "retry" };
        let said = out.starts_with(&format!("{file}: warning: {at}.max_interval: "));
        assert!(said && out.contains(" [cap-below-interval]\n") && out.lines().count() == 2, "{out}");
    }
    let (code, _, error) = uphold(&["lint", "fine.yaml", "bad.yaml"], &folder.0);
    assert_eq!(code, 2);
    assert!(error.contains("bad.yaml: replica: unknown field; did you mean 'replicas'?"), "{error}");
}

#[test]
fn lint_reads_every_kind_of_document_and_prints_one_finding_per_line() {
    let files = [
        ("policy.toml", "replicas = 3\n[retry]\ninterval = \"1m\"\nmax_interval = \"10s\"\n"),
        ("policy.json", "{\"replicas\": 3,\n\t\"retry\": {\"interval\": \"1m\", \"max_interval\": \"10s\"}}"),
        ("service.yaml", "name: web\nprocess: {command: a}\npolicy: {retry: {interval: 1m, max_interval: 10s}}\n"),
        (
            "question.yaml",
            "policies: [{name: a, policy: {retry: {interval: 1m, max_interval: 10s, max_duration: 1h}}}]\nuntil: 1d\n",
        ),
        ("bad.toml", "replicas = 3\nretry = \n"),
        ("bad.json", "{\"replicas\": -1, \"retry\": {\"intervall\": \"1s\", \"\\u001b[31m\": 1}}"),
        ("bad-service.yaml", "process: {}\npolicy: {replicas: -1, min_ready: 5}\n"),
        ("allowed.yaml", "# uphold: allow(endless-retry)\nretry: {interval: 1m}\n"),
        ("misspelt.yaml", "retry: {interval: 1m} # uphold: allow(endles-retry)\n"),
    ];
    let folder = Folder::new("lint-formats", &files);
    for (file, at) in [
        ("policy.toml", "retry"),
        ("policy.json", "retry"),
        ("service.yaml", "policy.retry"),
        ("question.yaml", "policies[0].policy.retry"),
    ] {
        let (code, out, error) = uphold(&["lint", file], &folder.0);
        assert_eq!((code, error.as_str()), (1, ""), "{out}");
        assert!(out.lines().any(|line| line.starts_with(&format!("{file}: warning: {at}.max_interval: "))), "{out}");
    }
    let (code, _, error) = uphold(&["lint", "bad.json", "bad-service.yaml", "bad.toml"], &folder.0);
    assert_eq!(code, 2);
    let lines: Vec<&str> = error.lines().collect();
    let begins = [
        "bad.json: replicas: -1 is out of range",
        "bad.json: retry.intervall: unknown field",
        "bad.json: retry.\\u{1b}[31m: unknown field",
        "bad-service.yaml: policy.replicas: -1",
        "bad-service.yaml: policy.min_ready: a duration needs a unit",
        "bad.toml: line 2: ",
    ];
    for begin in begins {
        assert!(lines.iter().any(|line| line.starts_with(begin)), "{begin}: {error}");
    }
    assert!(lines.len() == begins.len() && !error.contains('\u{1b}'), "{error:?}");

    let (code, out, _) = uphold(&["lint", "--format", "json", "policy.toml", "bad.json"], &folder.0);
    assert_eq!(code, 2);
    let findings: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |level: &str| findings.iter().filter(|finding| finding["level"] == level).count();
    assert_eq!((of("error"), findings.len()), (3, of("lint") + 3), "{out}");
    assert_eq!(findings[0]["file"], "policy.toml");

    let (code, out, _) = uphold(&["lint", "allowed.yaml"], &folder.0);
    assert_eq!((code, out.as_str()), (0, "no lints\n"));
    let (code, _, error) = uphold(&["lint", "misspelt.yaml"], &folder.0);
    assert!(code == 1 && error.contains("allow(endles-retry): there is no such lint"), "{error}");
    let (code, ..) = uphold(&["lint", "--allow", "fatal-blip,endless-retry", "misspelt.yaml"], &folder.0);
    assert_eq!(code, 0);
    let (code, _, error) = uphold(&["lint", "--allow", "endles-retry", "allowed.yaml"], &folder.0);
    assert!(code == 2 && error.contains("there is no such lint; known: unreachable-limit, "), "{error}");
    let (code, _, error) = uphold(&["lint", "-"], &folder.0);
    assert!(code == 2 && error.starts_with("standard input: expected a policy, "), "{error}");
}

#[test]
fn files_that_are_not_documents_are_reported_in_one_line() {
    let aliases = |from: char, to: char| format!("{to}: &{to} [{}]\n", vec![format!("*{from}"); 9].join(", "));
    let bomb: String = ('a'..'i').zip('b'..='i').map(|(from, to)| aliases(from, to)).collect();
    let bomb = format!("a: &a [x, x, x, x, x, x, x, x, x]\n{bomb}");
    let deep = "[".repeat(100_000);
    let files = [
        ("empty.yaml", ""),
        ("twice.yaml", "replicas: 1\nreplicas: 2\n"),
        ("twice.json", "{\"replicas\": 1, \"replicas\": 2}"),
        ("several.yaml", "replicas: 1\n---\nreplicas: 2\n"),
        ("nan.yaml", "replicas: .nan\n"),
        ("tabs.yaml", "retry:\n\tinterval: 1s\n"),
        ("bomb.yaml", &*bomb),
        ("deep.yaml", &*deep),
        ("list.yaml", "- replicas: 1\n"),
        ("date.toml", "replicas = 2026-01-01\n"),
        ("terminal.yaml", "\"\\e[2J\": 1\n"),
    ];
    let folder = Folder::new("no-documents", &files);
    std::fs::write(folder.0.join("binary.yaml"), b"\x7fELF\n\xff\xfe").unwrap();
    std::fs::write(folder.0.join("marked.yaml"), b"\xef\xbb\xbfreplicas: 1\n").unwrap();
    for (file, said) in [
        (".", ".: Is a directory"),
        (
            "empty.yaml",
            "expected a policy, such as {replicas: 3, retry: {interval: 30s, max_duration: 1h}}, found nothing",
        ),
        ("twice.yaml", "twice.yaml: replicas: is given twice"),
        ("twice.json", "twice.json: replicas: is given twice"),
        ("several.yaml", "contains several documents (`---`); use one file for each at line 3"),
        ("nan.yaml", "nan.yaml: replicas: expected a whole number from 0 to 1000000, found NaN"),
        ("tabs.yaml", "tabs.yaml: tabs "),
        ("bomb.yaml", "aliases (`*name`) expand to more than a document may contain"),
        ("deep.yaml", "deep.yaml: is nested too deeply"),
        ("list.yaml", "list.yaml: expected a policy, "),
        ("date.toml", "date.toml: replicas: expected a whole number"),
        ("terminal.yaml", "terminal.yaml: \\u{1b}[2J: unknown field"),
        ("binary.yaml", "binary.yaml: is not UTF-8 text: see line 2"),
    ] {
        for command in ["lint", "simulate"] {
            let (code, out, error) = uphold(&[command, file], &folder.0);
            assert_eq!((code, out.as_str()), (2, ""), "{error}");
            assert!(command == "simulate" || (error.contains(said) && error.lines().count() == 1), "{file}: {error}");
            assert!(!error.contains(|c: char| c.is_control() && c != '\n'), "{error:?}");
        }
    }
    let (code, ..) = uphold(&["lint", "marked.yaml"], &folder.0);
    assert_eq!(code, 0);
}

#[test]
fn schema_prints_the_json_schema() {
    let folder = Folder::new("schema", &[]);
    let (code, out, _) = uphold(&["schema"], &folder.0);
    let schema: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(code == 0 && schema["$id"].is_string() && schema["properties"]["retry"].is_object());
}

#[test]
fn timeline_draws_scenarios_and_recordings() {
    let folder = Folder::new("timeline", &[("one.yaml", SCENARIO), ("web.ndjson", &recording())]);
    let (code, out, error) = uphold(&["timeline", "one.yaml", "-o", "one.svg", "--until", "2m"], &folder.0);
    assert_eq!((code, out.as_str(), error.as_str()), (0, "", ""));
    let svg = std::fs::read_to_string(folder.0.join("one.svg")).unwrap();
    assert!(svg.contains("one of three") && svg.contains("replica 1: waiting from 1m to 1m 30s (30s)"), "{svg}");
    let (code, svg, _) = uphold(&["timeline", "web.ndjson"], &folder.0);
    assert_eq!(code, 0);
    assert!(svg.contains(">web</text>") && svg.contains("recorded from 2026-09-21T14:13:20Z on"), "{svg}");
    assert!(svg.contains("replica 1: waiting from 1m to 1m 30s (30s)"), "{svg}");
}

#[test]
fn experiment_reports_as_tables_as_json_and_as_a_page() {
    let folder = Folder::new("experiment", &[("question.yaml", EXPERIMENT)]);
    let (code, out, error) = uphold(&["experiment", "question.yaml", "--report", "page.html"], &folder.0);
    assert_eq!((code, error.as_str()), (0, ""), "no progress where there is no terminal");
    assert!(out.contains("At once, or <later>?") && out.contains("10 histories of 24 h each"), "{out}");
    let page = std::fs::read_to_string(folder.0.join("page.html")).unwrap();
    for part in ["<h1>At once, or &lt;later&gt;?</h1>", "<svg", "A typical run of each policy", "Compared with"] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    for foreign in ["<script", "src=", "href=", "url(http"] {
        assert!(!page.contains(foreign), "the page needs nothing else: {foreign}");
    }
    let args = ["experiment", "question.yaml", "--json", "--seeds", "3", "--threads", "1"];
    let (code, out, _) = uphold(&args, &folder.0);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, report["seeds_done"].as_u64()), (0, Some(3)));
}

/// Sends SIGINT once the program has used some processor time, which shows that its handler is installed.
#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_reports_the_complete_seeds() {
    use std::process::Stdio;
    let endless = EXPERIMENT.replace("seeds: 10", "seeds: 100000000");
    let folder = Folder::new("ctrl-c", &[("question.yaml", &endless)]);
    let child = Command::new(env!("CARGO_BIN_EXE_uphold"))
        .args(["experiment", "question.yaml", "--report", "page.html"])
        .current_dir(&folder.0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Processor time, in hundredths of a second: half a second is many histories.
    let worked = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        let used: u64 = stat.rsplit(") ").next().unwrap().split(' ').nth(11).unwrap().parse().unwrap();
        used >= 50
    };
    while !worked() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let (out, error) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert_eq!((status.code(), error.as_str()), (Some(1), ""));
    assert!(out.contains("Stopped early: ") && out.contains(" of 100000000 histories"), "{out}");
    let page = std::fs::read_to_string(folder.0.join("page.html")).unwrap();
    assert!(page.contains("Stopped early: ") && page.ends_with("</html>\n"));
}

#[test]
fn bad_input_is_reported_with_its_path_and_exits_with_2() {
    let damaged = recording().replacen("{\"step\":", "{\"stop\":", 1);
    let files = [
        ("one.yaml", SCENARIO),
        ("question.yaml", EXPERIMENT),
        ("web.ndjson", &*recording()),
        ("damaged.ndjson", &damaged),
        ("not.yaml", "policy: {replicas: [\n"),
        ("unknown.yaml", "policy: {replicas: 3, retri: true}\nuntil: 1h\n"),
        ("too-many.yaml", "policy: {replicas: 3}\ntimeline: [{at: 1m, scale: 2000000}]\nuntil: 1h\n"),
        ("no-such.yaml", "policy: {replicas: 3}\nbehaviour: [{replica: 7, hangs: true}]\nuntil: 1h\n"),
        ("no-policies.yaml", "policies: []\nuntil: 1h\n"),
        ("latin.yaml", "name: caf"),
    ];
    let folder = Folder::new("bad", &files);
    std::fs::write(folder.0.join("latin.yaml"), b"name: caf\xe9\n").unwrap();
    for (args, said) in [
        (&["simulate", "missing.yaml"][..], "missing.yaml: No such file"),
        (&["simulate", "not.yaml"], "not.yaml: "),
        (&["simulate", "latin.yaml"], "latin.yaml: "),
        (&["simulate", "unknown.yaml"], "policy.retri: unknown field; did you mean 'retry'?"),
        (&["simulate", "too-many.yaml"], "too-many.yaml: timeline[0].scale: 2000000 is out of range: 0 to 1000000"),
        (&["simulate", "no-such.yaml"], "no-such.yaml: behaviour[0].replica: there is no replica 7"),
        (&["simulate"], "required arguments were not provided"),
        (&["lint", "missing.yaml"], "missing.yaml: No such file"),
        (&["replay", "missing.ndjson"], "missing.ndjson: No such file"),
        (&["replay", "damaged.ndjson"], "damaged.ndjson: line 2: "),
        (&["replay", "web.ndjson", "--policy", "missing.yaml"], "missing.yaml: No such file"),
        (&["replay", "web.ndjson", "--policy"], "a value is required for '--policy <POLICY>'"),
        (&["timeline", "missing.yaml", "-o", "x.svg"], "missing.yaml: No such file"),
        (&["timeline", "damaged.ndjson", "-o", "x.svg"], "damaged.ndjson: line 2: "),
        (&["timeline", "one.yaml", "-o", "nowhere/x.svg"], "nowhere/x.svg: cannot be written: No such file"),
        (&["timeline", "one.yaml", "-o", "."], ".: cannot be written: "),
        (&["timeline", "one.yaml", "--until", "2h"], "one.yaml: 2h is after the end of the run, 1h"),
        (&["timeline", "one.yaml", "--from", "soon"], "'soon' is not a time; write it as 60s, 5m or 1h 30m"),
        (&["timeline", "one.yaml", "--width", "3"], "one.yaml: a picture 3 pixels wide cannot be drawn"),
        (&["experiment", "missing.yaml"], "missing.yaml: No such file"),
        (&["experiment", "no-policies.yaml"], "no-policies.yaml"),
        (&["experiment", "one.yaml"], "policies"),
        (&["experiment", "question.yaml", "--report", "nowhere/x.html"], "nowhere/x.html: cannot be written: "),
        (&["experiment", "question.yaml", "--seeds", "0"], "invalid value '0' for '--seeds <N>'"),
        (&["completions", "dos"], "invalid value 'dos' for '<SHELL>'"),
        (&["simulat"], "unrecognized subcommand 'simulat'"),
    ] {
        let (code, out, error) = uphold(args, &folder.0);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}: {error}");
        assert!(error.contains(said), "{args:?}: '{said}' is not in: {error}");
    }
    assert!(!folder.0.join("x.svg").exists(), "nothing is written of what cannot be drawn");
}

#[test]
fn every_shell_gets_a_completion_script() {
    let folder = Folder::new("completions", &[]);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (code, out, _) = uphold(&["completions", shell], &folder.0);
        assert!(code == 0 && out.contains("timeline"), "{shell}: {out}");
    }
}

#[test]
fn an_input_file_is_never_overwritten() {
    let folder = Folder::new("apart", &[("incident.yaml", SCENARIO), ("question.yaml", EXPERIMENT)]);
    for args in [
        &["timeline", "incident.yaml", "-o", "./incident.yaml"][..],
        &["experiment", "question.yaml", "--report", "question.yaml"],
    ] {
        let (code, _, error) = uphold(args, &folder.0);
        assert_eq!(code, 2);
        assert!(error.contains("is the input file; write to another file"), "{error}");
    }
    assert_eq!(std::fs::read_to_string(folder.0.join("incident.yaml")).unwrap(), SCENARIO);
    assert_eq!(std::fs::read_to_string(folder.0.join("question.yaml")).unwrap(), EXPERIMENT);
}

#[test]
#[cfg(target_os = "linux")]
fn results_that_cannot_be_written_are_reported() {
    let folder = Folder::new("full", &[("incident.yaml", SCENARIO)]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_uphold"));
    let ended = command.args(["timeline", "incident.yaml"]).current_dir(&folder.0).stdout(full).output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
    let error = String::from_utf8(ended.stderr).unwrap();
    assert!(error.contains("the results cannot be written"), "{error}");
}

#[test]
fn too_many_threads_are_accepted_and_too_many_seeds_rejected() {
    let folder = Folder::new("many", &[("question.yaml", EXPERIMENT)]);
    let (code, ..) = uphold(&["experiment", "question.yaml", "--threads", "1000000000", "--seeds", "500"], &folder.0);
    assert_eq!(code, 0);
    let (code, _, error) = uphold(&["experiment", "question.yaml", "--seeds", "18446744073709551615"], &folder.0);
    assert_eq!(code, 2);
    assert!(error.contains("at most 100000000"), "{error}");
}

#[test]
fn a_report_through_a_link_to_nothing_keeps_the_link() {
    let folder = Folder::new("link", &[("question.yaml", EXPERIMENT)]);
    let link = folder.0.join("report.html");
    std::os::unix::fs::symlink(folder.0.join("real.html"), &link).unwrap();
    let (code, ..) = uphold(&["experiment", "question.yaml", "--seeds", "2", "--report", "report.html"], &folder.0);
    assert_eq!(code, 0);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(std::fs::read_to_string(folder.0.join("real.html")).unwrap().contains("</html>"));
}
