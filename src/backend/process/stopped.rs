//! Detects processes that are stopped by SIGSTOP.

use rustix::process::Pid;

/// Returns whether the process is stopped; `None` if this is unknown.
#[cfg(target_os = "linux")]
pub(super) fn is_stopped(pid: Pid) -> Option<bool> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The command name in parentheses may itself contain parentheses; the state follows the last one.
    let state = stat.rsplit_once(") ")?.1.chars().next()?;
    Some(matches!(state, 'T' | 't'))
}

/// Returns whether the process is stopped; `None` if this is unknown.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_stopped(_: Pid) -> Option<bool> {
    None
}
