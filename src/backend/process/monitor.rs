//! The task that waits for a child's exit, cleans up its group and reports its end.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use super::child::Child;
use super::children::{Reservation, SetChildren};
use super::command::PreparedSpec;
use super::output::Forwarding;
use crate::decide::{InstanceId, Outcome};
use crate::policy::{Cause, Signal as ExitSignal};

/// Reports the end of a child on drop: at the end of the task, or when the shutdown of the runtime drops the task, which
/// kills the child. Keeps the set's state alive after the backend is dropped.
struct ChildMonitor {
    set: Arc<SetChildren>,
    id: InstanceId,
    child: Child,
    /// The outcome, once the child is reaped.
    outcome: Option<Outcome>,
}

/// Marks a child as running and spawns the task that reports its end.
pub(super) fn spawn_monitor(reservation: &Reservation, child: Child, spec: PreparedSpec, output: Forwarding) {
    reservation.set.set_running(reservation.id, child.leader(), Arc::new(spec));
    let monitor = ChildMonitor { set: reservation.set.clone(), id: reservation.id, child, outcome: None };
    tokio::spawn(monitor.run(output));
}

impl ChildMonitor {
    async fn run(mut self, output: Forwarding) {
        self.child.ended().await;
        self.kill_group();
        self.outcome = Some(outcome_of(self.child.reap().await));
        wait_until_group_is_empty(self.child.leader()).await;
        output.finish().await;
    }

    /// Kills the rest of the group, so that no grandchild outlives its incarnation. The leader must be a zombie.
    fn kill_group(&self) {
        self.set.set_ending(self.id);
        let _ = kill_process_group(self.child.leader(), Signal::KILL);
    }
}

impl Drop for ChildMonitor {
    fn drop(&mut self) {
        self.set.set_ending(self.id);
        let (set, id) = (self.set.clone(), self.id);
        match self.outcome.take() {
            Some(outcome) => set.set_ended(id, outcome),
            None => self.child.on_orphan_reaped(move |ended| set.set_ended(id, outcome_of(ended))),
        }
    }
}

/// Waits until the killed group is empty, so that the next incarnation does not run beside this one's children. Gives up
/// after 127 ms, because zombies that are never reaped keep a group alive.
async fn wait_until_group_is_empty(group: Pid) {
    for pause in [1, 2, 4, 8, 16, 32, 64] {
        if test_kill_process_group(group).is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

fn outcome_of(status: std::io::Result<ExitStatus>) -> Outcome {
    // The set takes the time of the report.
    let at = None;
    match status {
        Ok(status) => {
            match (status.code(), status.signal().and_then(|signal| ExitSignal::from_number(signal.into()))) {
                (Some(code), _) => Outcome::exited(code, at),
                (None, Some(signal)) => Outcome::signalled(signal, at),
                (None, None) => Outcome::failed(Cause::Error, at).because(status.to_string()),
            }
        }
        Err(error) => Outcome::failed(Cause::Error, at).because(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Exit;

    #[test]
    fn an_exit_status_is_a_code_or_a_signal() {
        let exited = outcome_of(Ok(ExitStatus::from_raw(3 << 8)));
        assert_eq!(exited.get_exit(), Some(Exit::Code(3)));
        let killed = outcome_of(Ok(ExitStatus::from_raw(9)));
        assert_eq!(killed.get_exit(), Some(Exit::Signal(ExitSignal::KILL)));
    }
}
