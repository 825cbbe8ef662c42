//! `taskvisor`: unlimited retries after 0 s, without jitter.

use std::sync::Arc;
use std::time::Duration;

use taskvisor::SupervisorHandle;
use taskvisor::prelude::*;

use crate::laps::Laps;

/// Restarts by `taskvisor`.
///
/// # Panics
/// When it does not take the task.
pub async fn supervise(laps: Arc<Laps>) -> SupervisorHandle {
    let task: TaskRef = TaskFn::arc(move |_| {
        let laps = laps.clone();
        async move {
            laps.run().await;
            Err(TaskError::fail("it failed"))
        }
    });
    let spec = TaskSpec::restartable("run", task).with_backoff(BackoffPolicy::constant(Duration::ZERO));
    let handle = Supervisor::new(SupervisorConfig::default(), vec![]).serve().expect("it serves");
    handle.add(spec).execute().await.expect("it takes the task");
    handle
}
