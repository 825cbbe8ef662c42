//! The floor: a loop that spawns a task and joins it.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::laps::Laps;

/// Restarts without any supervision.
pub async fn supervise(laps: Arc<Laps>) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let laps = laps.clone();
            let run: JoinHandle<Result<(), &str>> = tokio::spawn(async move {
                laps.run().await;
                Err("it failed")
            });
            let _ = run.await;
        }
    })
}
