//! Helpers shared by the tests.
#![allow(dead_code, unused_imports, reason = "each test uses a part")]

mod set;

use std::time::Duration;

pub(crate) use set::{TestSet, at, exited, is_incident, policy};

/// An upper bound for every wait of a test, generous enough for a slow machine.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Returns a duration in milliseconds.
pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Returns whether a process is alive. A zombie is not.
pub(crate) fn is_alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

/// Waits until a process has exited.
pub(crate) async fn wait_until_gone(pid: i32) {
    let dies = async {
        while is_alive(pid) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(TEST_TIMEOUT, dies).await.expect("it is gone");
}
