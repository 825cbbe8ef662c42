//! Signals process groups.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::backend::BackendError;
use crate::policy::{self, Cause};

/// Returns whether a signal asks a process to stop.
pub(super) fn is_stop_signal(signal: policy::Signal) -> bool {
    let named = Signal::from_named_raw(signal.number().into());
    named.is_some_and(|signal| ![Signal::STOP, Signal::CONT, Signal::CHILD].contains(&signal))
}

/// Signals a process that was not reaped, and its group. A process that has ended is no error.
///
/// A process may have left its group, so it is signalled itself with SIGKILL, and with any signal if its group is empty.
pub(super) fn signal_group(leader: Pid, signal: Signal) -> Result<(), BackendError> {
    let group_error = kill_process_group(leader, signal).err();
    let signal_leader = signal == Signal::KILL || group_error == Some(Errno::SRCH);
    let error = if signal_leader { kill_process(leader, signal).err() } else { group_error };
    match error {
        None | Some(Errno::SRCH) => Ok(()),
        Some(error) => Err(BackendError::caused_by(Cause::Error, format!("cannot signal: {error}"))),
    }
}
