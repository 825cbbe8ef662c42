//! `task-supervisor`: unlimited restarts after 0 s, without jitter.

use std::sync::Arc;
use std::time::Duration;

use task_supervisor::{CancellationToken, SupervisedTask, SupervisorBuilder, SupervisorHandle, TaskResult};

use crate::laps::Laps;

#[derive(Clone)]
struct Run(Arc<Laps>);

impl SupervisedTask for Run {
    async fn run(self, _: CancellationToken) -> TaskResult {
        self.0.run().await;
        Err("it failed".into())
    }
}

/// Restarts by `task-supervisor`.
pub async fn supervise(laps: Arc<Laps>) -> SupervisorHandle {
    SupervisorBuilder::new()
        .with_unlimited_restarts()
        .with_base_restart_delay(Duration::ZERO)
        .with_max_restart_delay(Duration::ZERO)
        .with_restart_jitter(0.0)
        .with_task("run", Run(laps))
        .spawn()
}
