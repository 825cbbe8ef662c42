//! Depth 2: [`ReplicaSet`], a state machine without a clock and without I/O, on top of depth 1.

mod cause_counts;
mod cold_state;
mod contact;
mod counting;
mod deadline;
pub(crate) mod deadline_tree;
mod event;
mod evidence;
mod failures;
mod group;
mod incident;
mod instance;
mod invariants;
mod messages;
mod observe;
mod operator;
mod order;
mod output;
mod probes;
mod queue;
pub(crate) mod recording;
mod replace;
mod replica;
mod requested;
mod serde_seconds;
mod set;
mod set_deadlines;
mod settle;
mod slots;
mod snapshot;
mod start_places;
mod starts;
mod state;
mod status;
mod stops;
mod strays;
mod summary;
mod tally;
#[cfg(test)]
mod tests;
mod timeouts;
pub(crate) mod trace;
mod transitions;
mod wakeup;

pub use deadline::{Deadline, DeadlineReason};
pub use event::{
    Drain, Ended, Event, InstanceEvent, InterruptionNotice, ProbeKind, ProbeReport, ProbeResult, Selection,
};
pub use invariants::{Invariant, Violation};
pub use observe::{InstanceState, Observed};
pub use output::{
    Command, DecisionMade, IgnoreReason, IgnoredEvent, IncidentNotice, Kill, Notice, Output, ProbeCommand, Rejection,
    ReplicaChange, RoleChange, ScaleClipped, Start, StatusChange, Stop, Waiting,
};
pub(crate) use recording::RECORDING_VERSION;
pub(crate) use recording::{Input, RecordedLine, RecordedStep, RecordingHeader};
pub use replica::Phase;
pub use slots::{
    DrainAnswer, DrainOutcome, DrainView, Role, RolloutChange, RolloutEvent, RolloutFailure, RolloutPhase, RolloutView,
};
pub use snapshot::{RestoreError, Snapshot};
pub use state::ReplicaSet;
pub use summary::{NextAction, ReplicaView, Summary};
pub(crate) use trace::{TraceKind, TraceLine, TraceValue};
