//! Depth 1 of embedding: pure functions on rows.
//!
//! Every operation that decides or changes a row is a method of [`Policy`](crate::Policy): `decide` for one replica, `admit`
//! and `assess` for the set. The methods of [`History`] and [`SetHistory`] create rows and read them.

mod admit;
mod assess;
mod budget;
mod census;
mod correlation;
mod detail;
mod disruption;
mod evaluation;
mod failure_context;
mod flags;
mod history;
mod ids;
mod incident;
mod jitter;
mod limits;
mod message;
mod outage_clock;
mod outcome;
mod recent_failures;
mod replica;
mod reported_status;
mod revision;
mod row;
pub(crate) mod serde_opt_timestamp;
pub(crate) mod serde_u128;
mod set_history;
mod status;
mod streak;
mod undo;
mod verdict;
mod window;

pub use admit::{Admission, DueStart, Gate, StartKind, Wait};
pub use assess::Assessment;
pub use census::Census;
pub use correlation::StartOutcome;
pub use disruption::{Disruption, RolloutCensus, RolloutStep, SlotRow};
pub use failure_context::FailureContext;
pub use history::History;
pub(crate) use ids::impl_instance;
pub use ids::{Incarnation, InstanceId, ReplicaId};
pub use jitter::seed_of;
pub use message::Message;
pub use outcome::Outcome;
pub use revision::{Revision, RevisionError};
pub use set_history::SetHistory;
pub use status::{EndReason, Status, StatusReason};
pub use verdict::{
    DecideError, Decision, DecisionReason, Degrade, ExhaustedLimit, Hold, RemainingLimit, Restart, Verdict,
};
