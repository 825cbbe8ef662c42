//! What the tests share.

mod set;

use std::time::Duration;

pub use set::{Told, at, exited, is_incident, policy};

/// Nothing that is waited for takes longer than this, on a machine however slow.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// So many milliseconds.
pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Whether a process lives. One that is dead and not reaped yet does not.
pub fn lives(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

/// Waits until a process that was killed is gone.
pub async fn gone(pid: i32) {
    let dies = async {
        while lives(pid) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, dies).await.expect("it is gone");
}
