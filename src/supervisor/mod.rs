//! Depth 3: a tokio driver that runs a [`ReplicaSet`](crate::ReplicaSet) against a [`Backend`](crate::backend::Backend).

mod bounded_call;
mod builder;
mod call_queue;
mod calls;
mod catch_panic;
mod clock;
mod driver;
mod driver_message;
mod early_input;
#[cfg(feature = "recording")]
mod file_recorder;
mod guarded_recorder;
mod handle;
mod list_watch;
mod listing;
mod locations;
#[cfg(feature = "metrics")]
pub mod metrics;
mod notifications;
mod operator_request;
mod publisher;
mod readiness_monitor;
mod recorder;
mod retry_pause;
mod revision_workloads;
mod seen_since_list;
mod start_token;
mod telemetry;
#[cfg(feature = "tracing")]
mod tracing;
mod workload_source;

pub use builder::{SpawnError, Supervisor, SupervisorBuilder};
#[cfg(feature = "recording")]
pub use file_recorder::FileRecorder;
pub use handle::{ExtraSlots, RequestError, RolloutProgress, SetStatus, SupervisorClosed, SupervisorHandle};
pub use notifications::{Notification, NotificationKind, Notifications, Received};
pub use recorder::Recorder;
