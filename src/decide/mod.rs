//! Depth 1: pure functions on rows. `decide` judges one replica, `admit` and `assess` the set.

mod admit;
mod assess;
mod budget;
mod case;
mod census;
mod correlation;
mod history;
mod ids;
mod incident;
mod jitter;
mod judge;
mod limits;
mod message;
pub(crate) mod never;
mod outcome;
mod row;
mod set_history;
mod status;
mod streak;
mod verdict;
pub(crate) mod wide;
mod window;

pub use admit::{Admission, DueStart, Gate, StartKind, Wait};
pub use assess::Assessment;
pub use census::Census;
pub use correlation::StartBecame;
pub use history::History;
pub use ids::{Incarnation, ReplicaId};
pub use jitter::seed_of;
pub use judge::Surroundings;
pub use message::Message;
pub use outcome::Outcome;
pub use set_history::SetHistory;
pub use status::{EndReason, Status, StatusReason};
pub use verdict::{Decision, DecisionReason, Degrade, Hold, Ignored, Nearest, Restart, UsedUp, Verdict};
