//! Outcomes of simulated instances, and the events that report them.

use crate::decide::{InstanceId, Outcome};
use crate::engine::{Ended, Event};
use crate::policy::Exit;
use crate::time::Timestamp;

pub(super) fn exit_outcome(exit: Exit, at: Timestamp) -> Outcome {
    match exit {
        Exit::Code(code) => Outcome::exited(code, at),
        Exit::Signal(signal) => Outcome::signalled(signal, at),
    }
}

/// Returns the event that reports an end: `StartFailed` or `Exited`.
pub(super) fn end_event(instance: InstanceId, outcome: Outcome) -> Event {
    let ended = Ended::new(instance, outcome);
    if ended.outcome.is_failed_start() { Event::StartFailed(ended) } else { Event::Exited(ended) }
}
