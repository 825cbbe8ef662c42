//! Whether a process is stopped (SIGSTOP): it is there, and out of contact.

use rustix::process::Pid;

/// Whether the process is stopped; `None` where that cannot be told.
#[cfg(target_os = "linux")]
pub(super) fn is_stopped(pid: Pid) -> Option<bool> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name in parentheses may hold anything; the state follows the last of them.
    let state = stat.rsplit_once(") ")?.1.chars().next()?;
    Some(matches!(state, 'T' | 't'))
}

/// Whether the process is stopped; `None` where that cannot be told.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_stopped(_: Pid) -> Option<bool> {
    None
}
