//! The programs as people run them: exit codes, and where they say what.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// An example; `cargo test` builds them all before it runs a test of their package.
fn program(name: &str) -> Command {
    let this = std::env::current_exe().unwrap();
    let path = this.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is not built: run `cargo test -p uphold-examples`", path.display());
    Command::new(path)
}

/// A folder for one test, with these files in it.
fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("uphold-programs-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (file, text) in files {
        std::fs::write(folder.join(file), text).unwrap();
    }
    folder
}

fn run(name: &str, args: &[&str], folder: &Path) -> (i32, String, String) {
    let Output { status, stdout, stderr } = program(name).args(args).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// Supervises a service, and reads its lines up to the first that is wanted.
struct Supervised {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Supervised {
    fn new(folder: &Path) -> Self {
        let mut program = program("supervise");
        let program = program.args(["--json", "--logs", "logs", "service.yaml"]).current_dir(folder);
        let mut child = program.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn read_until(&mut self, key: &str, wanted: &str) -> serde_json::Value {
        for line in &mut self.lines {
            let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
            assert!(line["at_ms"].is_u64() && line["kind"].is_string(), "{line}");
            if line[key] == wanted {
                return line;
            }
        }
        panic!("it ended without {key}: {wanted}");
    }

    fn exit_code(mut self) -> Option<i32> {
        self.lines.by_ref().for_each(drop);
        self.child.wait().unwrap().code()
    }
}

const SLEEPER: &str = "name: sleeper\nprocess: {command: sleep, args: [1000]}\npolicy: {replicas: 2}\n";

#[test]
fn supervise_exits_with_0_when_it_is_stopped_by_ctrl_c() {
    let folder = folder("stopped", &[("service.yaml", SLEEPER)]);
    let mut supervised = Supervised::new(&folder);
    supervised.read_until("status", "healthy");
    signal(&supervised.child, "-INT");
    let last = supervised.read_until("status", "terminated");
    assert_eq!(last["reason"], "requested");
    assert_eq!(supervised.exit_code(), Some(0));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn supervise_stops_at_once_when_it_is_asked_twice() {
    let service = "name: stubborn\n\
                   process: {command: \"trap '' TERM; touch ready; while :; do sleep 0.1; done\", shell: true}\n\
                   policy: {replicas: 1, stop_grace: 1h}\n";
    let folder = folder("twice", &[("service.yaml", service)]);
    let mut supervised = Supervised::new(&folder);
    while !folder.join("ready").exists() {
        std::thread::yield_now();
    }
    signal(&supervised.child, "-INT");
    supervised.read_until("command", "stop");
    signal(&supervised.child, "-INT");
    supervised.read_until("status", "terminated");
    assert_eq!(supervised.exit_code(), Some(0));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn supervise_exits_with_0_when_all_is_done_and_with_1_when_the_policy_ends_the_set() {
    let service =
        |command: &str, policy: &str| format!("name: x\nprocess: {{command: {command:?}}}\npolicy: {policy}\n");
    let folder = folder(
        "ended",
        &[
            ("done.yaml", &service("true", "{replicas: 2, success: complete}")),
            ("failed.yaml", &service("false", "{replicas: 2}")),
        ],
    );
    let (code, out, _) = run("supervise", &["--plain", "done.yaml"], &folder);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("status completed"), "{out}");
    let (code, out, _) = run("supervise", &["--plain", "failed.yaml"], &folder);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("status terminated (fail-fast)"), "{out}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn supervise_exits_with_2_on_bad_input_and_says_what_is_wrong() {
    let folder = folder("bad", &[("bad.yaml", "name: x\nprocess: {command: \"true\"}\npolicy: {replica: 3}\n")]);
    for (args, said) in [
        (&["bad.yaml"][..], "policy.replica: unknown field; did you mean 'replicas'?"),
        (&["missing.yaml"], "missing.yaml: "),
        (&[], "a service file is missing"),
        (&["--nonsense", "bad.yaml"], "unknown option '--nonsense'"),
        (&["--metrics", "70000", "bad.yaml"], "'70000' is not a port"),
    ] {
        let (code, out, error) = run("supervise", args, &folder);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}");
        assert!(error.contains(said), "{args:?}: {error}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn simulate_exits_with_0_as_expected_1_on_a_difference_and_2_on_bad_input() {
    let scenario = |due: &str| {
        format!(
            "policy: {{replicas: 3, retry: {{interval: 30s, max_duration: 1h}}}}\n\
             timeline: [{{at: 60s, replica: 1, exit: 137}}]\nuntil: 1h\nexpect: [{{at: {due}, start: 1}}]\n"
        )
    };
    let files = [
        ("right.yaml", &*scenario("90s")),
        ("wrong.yaml", &*scenario("91s")),
        ("bad.yaml", "policy: {}\nuntill: 1h\n"),
    ];
    let folder = folder("simulate", &files);
    let (code, out, _) = run("simulate", &["right.yaml"], &folder);
    assert_eq!((code, out.as_str()), (0, "as expected: right.yaml\n"));

    let (code, out, _) = run("simulate", &["wrong.yaml"], &folder);
    assert_eq!(code, 1);
    assert!(out.contains("expect[0] differs"), "{out}");
    assert!(out.contains(r#"expected  {"at_ms":91000,"kind":"command","command":"start","replica":1}"#), "{out}");
    assert!(out.contains("happened  nothing happened at that instant"), "{out}");

    let (code, _, error) = run("simulate", &["bad.yaml"], &folder);
    assert_eq!(code, 2);
    assert!(error.contains("untill: unknown field; did you mean 'until'?"), "{error}");

    let (code, out, _) = run("simulate", &["right.yaml", "wrong.yaml", "bad.yaml"], &folder);
    assert_eq!(code, 2);
    assert!(out.ends_with("3 scenarios: 1 as expected, 1 differ, 1 cannot be read\n"), "{out}");

    let (code, out, _) = run("simulate", &["--trace", "right.yaml"], &folder);
    assert_eq!(code, 0);
    let start = r#"{"at_ms":90000,"kind":"command","command":"start","replica":1,"incarnation":2,"placement":"same"}"#;
    assert!(out.lines().any(|line| line == start), "{out}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn many_sets_says_how_fast_it_was_and_how_all_stand_at_the_end() {
    let (code, out, _) = run("many_sets", &["1000"], Path::new("."));
    assert_eq!(code, 0);
    assert!(out.starts_with("1000 sets brought up: 4000 events in "), "{out}");
    assert!(out.contains("\n3000 crashes: "), "{out}");
    // The clock is virtual and the generator is its own: every run ends the same.
    let last = out.lines().last().unwrap();
    let count = |status: &str| -> u32 {
        let (_, rest) = last.split_once(&format!("\"{status}\": ")).unwrap();
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    };
    assert!(last.starts_with("after 5 min: "), "{last}");
    assert_eq!(count("healthy") + count("degraded"), 1000, "{last}");
}
