//! The example programs: exit codes and what they print to which stream.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;

/// Returns a command that runs an up-to-date example, in the profile and with the target directory of this test.
fn program(name: &str) -> Command {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(build_examples);
    Command::new(FOLDER.join(name))
}

/// Builds all examples, because `cargo test --test programs` does not, and returns their folder.
fn build_examples() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let profile = this.ancestors().nth(2).unwrap();
    let target = profile.parent().unwrap();
    let profile_name = match profile.file_name().unwrap().to_str().unwrap() {
        // The folder of the profiles `dev` and `test`.
        "debug" => "dev",
        other => other,
    };
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--examples", "--profile", profile_name, "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(status.success(), "the examples cannot be built");
    profile.join("examples")
}

/// Creates a folder for one test with these files.
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

/// A running `supervise --json`.
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

    /// Reads lines up to the first in which `key` has this value.
    fn read_until(&mut self, key: &str, wanted: &str) -> serde_json::Value {
        for line in &mut self.lines {
            let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
            assert!(line["at_ms"].is_u64() && line["kind"].is_string(), "{line}");
            if line[key] == wanted {
                return line;
            }
        }
        panic!("the output ended without {key}: {wanted}");
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
fn supervise_rolls_out_the_changed_process_of_its_file_and_rolls_it_back_if_it_fails() {
    let folder = folder("rollout", &[("service.yaml", SLEEPER)]);
    let mut supervised = Supervised::new(&folder);
    supervised.read_until("status", "healthy");
    for (process, outcome) in
        [("{command: sleep, args: [2000]}", "completed"), ("{command: /does/not/exist}", "rolled-back")]
    {
        let changed = SLEEPER.replace("{command: sleep, args: [1000]}", process);
        std::fs::write(folder.join("service.yaml"), changed).unwrap();
        signal(&supervised.child, "-USR1");
        let last = supervised.read_until("rollout", outcome);
        assert_eq!(last["kind"], "rollout");
    }
    signal(&supervised.child, "-INT");
    supervised.read_until("status", "terminated");
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

/// A service whose replicas write their process ids to files.
const WRITERS: &str = "name: writers\n\
                       process: {command: \"echo $$ > pid-$UPHOLD_REPLICA; exec sleep 1000\", shell: true}\n\
                       policy: {replicas: 2, retry: true}\n";

#[test]
fn supervise_leaves_no_children_behind_on_sighup_sigquit_and_sigterm() {
    for name in ["HUP", "QUIT", "TERM"] {
        let folder = folder(name, &[("service.yaml", WRITERS)]);
        let mut supervised = Supervised::new(&folder);
        let pid = |replica: u32| loop {
            let text = std::fs::read_to_string(folder.join(format!("pid-{replica}"))).unwrap_or_default();
            if let Ok(pid) = text.trim().parse::<u32>() {
                return pid;
            }
            std::thread::yield_now();
        };
        let pids = [pid(0), pid(1)];
        signal(&supervised.child, &format!("-{name}"));
        let last = supervised.read_until("status", "terminated");
        assert_eq!(last["reason"], "requested");
        assert_eq!(supervised.exit_code(), Some(0));
        for pid in pids {
            assert!(!Path::new(&format!("/proc/{pid}")).exists(), "SIG{name} leaves {pid} behind");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// Waits until a file has at least this size.
fn wait_for_size(file: &Path, bytes: u64) {
    while file.metadata().map_or(0, |metadata| metadata.len()) < bytes {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn supervise_continues_and_can_be_stopped_while_its_output_is_not_read() {
    let service = "name: unread\n\
                   process: {command: \"echo x >> starts; head -c 4000 /dev/zero | tr '\\\\0' '\\\\n'; exit 1\", shell: true}\n\
                   policy: {replicas: 2, retry: {interval: 100ms}}\n";
    let folder = folder("unread", &[("service.yaml", service)]);
    let mut program = program("supervise");
    let program = program.args(["--plain", "service.yaml"]).current_dir(&folder);
    let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let _ = rustix::pipe::fcntl_setpipe_size(&stdout, 4096);
    // Each start fills the pipe, and appends two bytes to `starts`.
    wait_for_size(&folder.join("starts"), 2 * 60);
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut said = String::new();
    std::io::Read::read_to_string(&mut stderr, &mut said).unwrap();
    assert!(said.contains(" lines of replicas' output were dropped because they were not read\n"), "{said}");
    drop(stdout);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_output_of_replicas_is_forwarded_completely() {
    let service = "name: printing\n\
                   process: {shell: true, command: \"head -c 2000000 /dev/zero | tr '\\\\0' 'x' | fold -w 100\"}\n\
                   policy: {replicas: 1, success: complete}\n";
    let folder = folder("printing", &[("service.yaml", service)]);
    let (code, out, error) = run("supervise", &["--plain", "service.yaml"], &folder);
    assert_eq!((code, error.as_str()), (0, ""));
    let expected = format!("printing/0 | {}", "x".repeat(100));
    assert_eq!(out.lines().filter(|line| *line == expected).count(), 20_000);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn plain_lines_say_why_a_start_failed() {
    let service = "name: broken\nprocess: {command: /srv/mine/app-broken}\n\
                   policy: {replicas: 1, retry: {interval: 100ms, max_attempts: 1}}\n";
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let in_use = format!(
        "name: in-use\nprocess: {{command: sleep, args: [1000, \"{{port}}\"], port: {port}}}\n\
         policy: {{replicas: 1, retry: {{interval: 100ms, max_attempts: 1}}}}\n"
    );
    let folder = folder("broken", &[("broken.yaml", service), ("in-use.yaml", &in_use)]);
    let (code, out, _) = run("supervise", &["--plain", "broken.yaml"], &folder);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains(": the command '/srv/mine/app-broken' does not exist"), "{out}");
    let (code, out, _) = run("supervise", &["--plain", "in-use.yaml"], &folder);
    assert_eq!(code, 1, "{out}");
    let who = format!(": port {port} is in use by pid {} (", std::process::id());
    assert!(out.contains(&who), "{out}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn plain_lines_say_why_a_probe_failed() {
    // The test itself answers the probes.
    let server = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let _ = std::io::Read::read(&mut stream, &mut [0; 1024]);
            let _ = std::io::Write::write_all(&mut stream, b"HTTP/1.1 404 Not Found\r\n\r\n");
        }
    });
    let service = |check: &str| {
        format!(
            "name: probed\nprocess: {{command: sleep, args: [1000]}}\n\
             policy: {{replicas: 1, retry: {{interval: 100ms, max_attempts: 1}},\n  \
             health: {{liveness: {{{check}, interval: 100ms, failures: 2}}}}}}\n"
        )
    };
    let folder = folder(
        "probed",
        &[
            ("http.yaml", &*service(&format!("http: {{port: {port}, path: /nope}}"))),
            ("exec.yaml", &*service("exec: [sh, -c, \"exit 3\"]")),
        ],
    );
    for (file, said) in [
        ("http.yaml", "liveness: GET /nope answered 404 (2 times)"),
        ("exec.yaml", "liveness: sh exited with code 3 (2 times)"),
    ] {
        let (code, out, _) = run("supervise", &["--plain", file], &folder);
        assert_eq!(code, 1, "{out}");
        assert!(out.contains(said), "{out}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_service_is_stopped_by_its_command_and_signal() {
    let service = "name: quits\n\
                   process: {shell: true, command: \"trap 'echo $TOLD > stopped; exit' INT; trap '' TERM; touch ready; while :; do sleep 0.05; done\",\n  \
                   stop_signal: SIGINT, stop_command: [\"true\"], env_file: .env}\n\
                   policy: {replicas: 1, stop_grace: 1h}\n";
    let folder = folder("quits", &[("service.yaml", service), (".env", "TOLD=by-interrupt\n")]);
    let supervised = Supervised::new(&folder);
    while !folder.join("ready").exists() {
        std::thread::yield_now();
    }
    signal(&supervised.child, "-TERM");
    assert_eq!(supervised.exit_code(), Some(0));
    assert_eq!(std::fs::read_to_string(folder.join("stopped")).unwrap(), "by-interrupt\n");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_temporary_log_folder_is_new_and_has_mode_0700() {
    use std::os::unix::fs::PermissionsExt;

    let service = "name: private\nprocess: {command: \"true\"}\npolicy: {replicas: 1, success: complete}\n";
    let folder = folder("private", &[("service.yaml", service)]);
    let mut folders = Vec::new();
    for _ in 0..2 {
        let (code, _, error) = run("supervise", &["--json", "service.yaml"], &folder);
        assert_eq!(code, 0, "{error}");
        let logs = PathBuf::from(error.lines().find_map(|line| line.strip_prefix("output in ")).unwrap());
        assert_eq!(logs.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(logs.join("private-0.log").metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_dir_all(&logs).unwrap();
        folders.push(logs);
    }
    assert_ne!(folders[0], folders[1]);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn idle_connections_do_not_block_the_metrics_endpoint() {
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let folder = folder("metrics", &[("service.yaml", SLEEPER)]);
    let mut program = program("supervise");
    let program = program.args(["--json", "--logs", "logs", "--metrics", &free.port().to_string(), "service.yaml"]);
    let mut child = program.current_dir(&folder).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let connect = || loop {
        if let Ok(stream) = std::net::TcpStream::connect(free) {
            return stream;
        }
        std::thread::yield_now();
    };
    let idle: Vec<_> = (0..100).map(|_| connect()).collect();
    let mut stream = connect();
    std::io::Write::write_all(&mut stream, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("uphold_starts_total{set=\"sleeper\"}"), "{answer}");
    assert!(answer.contains("uphold_drains_waiting{set=\"sleeper\"} 0"), "{answer}");
    drop(idle);
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap().count();
    assert!(descriptors < 100, "{descriptors}");
    signal(&child, "-INT");
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
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
fn many_sets_prints_its_speed_and_the_final_statuses() {
    let (code, out, _) = run("many_sets", &["1000"], Path::new("."));
    assert_eq!(code, 0);
    assert!(out.starts_with("1000 sets brought up: 4000 events in "), "{out}");
    assert!(out.contains("\n3000 crashes: "), "{out}");
    // The clock is virtual and the random generator is seeded, so the final statuses do not vary.
    let last = out.lines().last().unwrap();
    let count = |status: &str| -> u32 {
        let (_, rest) = last.split_once(&format!("\"{status}\": ")).unwrap();
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    };
    assert!(last.starts_with("after 5 min: "), "{last}");
    assert_eq!(count("healthy") + count("degraded"), 1000, "{last}");
}
