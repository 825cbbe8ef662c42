//! Probes of real servers, and their effect on the set.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod support;

use std::path::PathBuf;

use support::{TEST_TIMEOUT, millis, wait_until_gone};
use tokio::time::timeout;
use uphold::backend::process::{ProcessBackend, ProcessOutput, ProcessSpec};
use uphold::decide::StatusReason;
use uphold::policy::{HttpCheck, Probe, ProbeCheck};
use uphold::supervisor::SetStatus;
use uphold::{Cause, HealthPolicy, Policy, RetryPolicy, Status, Supervisor, SupervisorHandle};

/// Answers 200. Files in its folder change that for replica N: with `sick-N` it answers 500, with `mute-N` it never
/// answers, with `chatty-N` it sends headers without end.
const SERVER: &str = r#"
import http.server, os, sys, time
folder, replica, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
def is_(what): return os.path.exists(os.path.join(folder, what + "-" + replica))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        while is_("mute"): time.sleep(0.05)
        self.send_response(500 if is_("sick") else 200)
        while is_("chatty"):
            self.send_header("X", "y" * 1000)
            self.flush_headers()
        self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"#;

struct Harness {
    handle: SupervisorHandle,
    folder: PathBuf,
}

impl Harness {
    /// Starts three servers and waits until they are available.
    async fn new(name: &str, health: HealthPolicy) -> Self {
        let folder = std::env::temp_dir().join(format!("uphold-health-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let spec = ProcessSpec::new("python3")
            .args(["-c", SERVER, &*folder.to_string_lossy(), "{replica}", "{port}"])
            .port(free_ports())
            .output(ProcessOutput::Null);
        let policy =
            Policy::builder().replicas(3).retry(RetryPolicy::every(millis(200))).health(health).build().unwrap();
        let mut handle = Supervisor::builder(policy, ProcessBackend::new(), spec).name(name).spawn();
        wait(&mut handle, "they serve", |status| status.available == 3).await;
        Self { handle, folder }
    }

    fn set(&self, what: &str, replica: u32) {
        std::fs::write(self.folder.join(format!("{what}-{replica}")), "").unwrap();
    }

    fn clear(&self, what: &str, replica: u32) {
        std::fs::remove_file(self.folder.join(format!("{what}-{replica}"))).unwrap();
    }

    async fn incarnations(&self) -> Vec<u64> {
        self.handle.replicas().await.unwrap().iter().map(|view| view.incarnation.0).collect()
    }

    async fn shutdown(mut self) {
        timeout(TEST_TIMEOUT, self.handle.shutdown()).await.expect("it shuts down");
        let _ = std::fs::remove_dir_all(&self.folder);
    }

    /// Makes replica 1 unhealthy, and checks that it alone is restarted and recovers.
    async fn restarts_replica_1(mut self, what: &str) {
        self.set(what, 1);
        wait(&mut self.handle, "it is restarted", |status| status.status == Status::Degraded).await;
        let failed = async {
            while self.handle.replicas().await.unwrap()[1].last_failure.is_none() {
                tokio::task::yield_now().await;
            }
        };
        timeout(TEST_TIMEOUT, failed).await.expect("it has failed");
        let (cause, _) = self.handle.replicas().await.unwrap()[1].last_failure.clone().unwrap();
        assert_eq!(cause, Cause::Unhealthy);
        self.clear(what, 1);
        wait(&mut self.handle, "all serve again", |status| status.status == Status::Healthy).await;
        let incarnations = self.incarnations().await;
        assert_eq!((incarnations[0], incarnations[2]), (1, 1), "the others are left alone");
        assert!(incarnations[1] >= 2);
        self.shutdown().await;
    }
}

async fn wait(handle: &mut SupervisorHandle, what: &str, wanted: impl Fn(&SetStatus) -> bool) {
    let status = timeout(TEST_TIMEOUT, handle.wait_for(|status| wanted(status))).await;
    status.unwrap_or_else(|_| panic!("timed out waiting until {what}")).expect("the supervisor goes on");
}

/// Returns the first of three consecutive free ports.
fn free_ports() -> u16 {
    loop {
        let first = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
        if port < 65_000 && free(port + 1) && free(port + 2) {
            return port;
        }
    }
}

/// A probe with a timeout that a busy machine meets.
fn http() -> Probe {
    Probe::new(ProbeCheck::Http(HttpCheck::new("{port}").path("/health"))).interval(millis(100)).timeout(millis(2000))
}

/// Readiness and liveness probes, behind a startup probe that allows a slow start.
fn all_probes() -> HealthPolicy {
    HealthPolicy::new().startup(http().failures(600)).readiness(http()).liveness(http())
}

#[tokio::test]
async fn a_replica_that_answers_500_to_readiness_is_not_ready_and_not_restarted() {
    let mut harness = Harness::new("readiness", HealthPolicy::new().readiness(http())).await;
    harness.set("sick", 1);
    wait(&mut harness.handle, "it is not ready", |status| status.reason == StatusReason::ReplicaNotReady).await;
    assert_eq!(harness.handle.status().available, 2);
    harness.clear("sick", 1);
    wait(&mut harness.handle, "it is ready again", |status| status.status == Status::Healthy).await;
    assert_eq!(harness.incarnations().await, [1, 1, 1]);
    harness.shutdown().await;
}

#[tokio::test]
async fn a_replica_that_answers_500_to_liveness_is_restarted() {
    Harness::new("liveness", all_probes()).await.restarts_replica_1("sick").await;
}

#[tokio::test]
async fn a_replica_that_accepts_connections_and_never_answers_is_restarted() {
    Harness::new("mute", all_probes()).await.restarts_replica_1("mute").await;
}

#[tokio::test]
async fn a_replica_that_sends_headers_without_end_is_restarted() {
    Harness::new("chatty", all_probes()).await.restarts_replica_1("chatty").await;
}

#[tokio::test]
async fn an_exec_probe_runs_in_the_environment_of_its_replica() {
    let script = "test ! -e \"$0/sick-$1\"";
    let folder = std::env::temp_dir().join(format!("uphold-health-{}-exec", std::process::id()));
    let words = ["sh", "-c", script, &*folder.to_string_lossy(), "{replica}"].map(str::to_owned).to_vec();
    let exec = Probe::new(ProbeCheck::Exec(words)).interval(millis(100)).timeout(millis(5000));
    Harness::new("exec", HealthPolicy::new().liveness(exec)).await.restarts_replica_1("sick").await;
}

#[tokio::test]
async fn an_exec_probe_that_hangs_is_killed_at_its_timeout_with_its_children() {
    let folder = std::env::temp_dir().join(format!("uphold-health-{}-hang", std::process::id()));
    let script = "if [ -e \"$0/hang-$1\" ]; then sleep 1000 & echo $! >> \"$0/children\"; wait; fi";
    let words = ["sh", "-c", script, &*folder.to_string_lossy(), "{replica}"].map(str::to_owned).to_vec();
    let exec = Probe::new(ProbeCheck::Exec(words)).interval(millis(200)).timeout(millis(300)).failures(2);
    let harness = Harness::new("hang", HealthPolicy::new().liveness(exec)).await;
    let folder = harness.folder.clone();
    harness.set("hang", 1);
    let children = async {
        loop {
            let text = std::fs::read_to_string(folder.join("children")).unwrap_or_default();
            let pids: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).collect();
            if pids.len() >= 2 {
                return pids;
            }
            tokio::task::yield_now().await;
        }
    };
    let pids = timeout(TEST_TIMEOUT, children).await.expect("the probe runs");
    harness.clear("hang", 1);
    for pid in pids {
        wait_until_gone(pid).await;
    }
    harness.shutdown().await;
}

#[tokio::test]
async fn a_server_stopped_by_sigstop_is_not_ready_and_keeps_its_incarnation() {
    let mut harness = Harness::new("stopped", HealthPolicy::new().readiness(http())).await;
    let pid = |replica: u32| {
        let output = std::process::Command::new("pgrep")
            .args(["-f", &format!("{} {replica} ", harness.folder.to_string_lossy())])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).lines().next().unwrap().to_owned()
    };
    let one = pid(1);
    let signal =
        |name: &str| assert!(std::process::Command::new("kill").args([name, &one]).status().unwrap().success());
    signal("-STOP");
    wait(&mut harness.handle, "it is not ready", |status| status.available == 2).await;
    signal("-CONT");
    wait(&mut harness.handle, "it is back", |status| status.available == 3).await;
    assert_eq!(harness.incarnations().await[1], 1);
    harness.shutdown().await;
}
