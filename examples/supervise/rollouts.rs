//! Rolls out the process of the service file when a signal says that it has changed.

use std::path::PathBuf;

use tokio::signal::unix::{Signal, SignalKind, signal};
use uphold::backend::process::ProcessSpec;
use uphold::supervisor::RequestError;
use uphold::{Revision, SupervisorHandle};

use crate::printer::Printer;
use crate::service::Service;

/// SIGUSR1 and SIGUSR2.
pub(crate) struct RolloutSignals {
    roll_out: Signal,
    roll_back: Signal,
}

impl RolloutSignals {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self { roll_out: signal(SignalKind::user_defined1())?, roll_back: signal(SignalKind::user_defined2())? })
    }
}

/// The service file and what was rolled out from it last.
pub(crate) struct Rollouts {
    pub(crate) file: PathBuf,
    /// Its process, before [`adapt`](Self::adapt).
    pub(crate) process: ProcessSpec,
    /// Sets where the output of a process goes.
    pub(crate) adapt: Box<dyn Fn(ProcessSpec) -> ProcessSpec + Send>,
}

impl Rollouts {
    /// Serves signals until the program ends. Revisions are called r2, r3, and so on.
    pub(crate) async fn run(mut self, handle: SupervisorHandle, mut signals: RolloutSignals, printer: Printer) {
        let mut number = 1;
        loop {
            let answer = tokio::select! {
                _ = signals.roll_out.recv() => self.roll_out(&handle, &mut number).await,
                _ = signals.roll_back.recv() => handle.roll_back().await.map_err(|error| error.to_string()),
            };
            if let Err(error) = answer {
                printer.err(error).await;
            }
        }
    }

    /// Rolls out the process of the file. If it has not changed, promotes the canaries of the rollout.
    async fn roll_out(&mut self, handle: &SupervisorHandle, number: &mut u32) -> Result<(), String> {
        let process = Service::read(&self.file)?.process;
        let refused = |error: RequestError| error.to_string();
        if process == self.process {
            let promoted = handle.promote().await;
            return promoted
                .map_err(|error| format!("the process in {} has not changed, and {error}", self.file.display()));
        }
        *number += 1;
        let revision = Revision::new(format!("r{number}")).map_err(|error| error.to_string())?;
        handle.roll_out(revision, (self.adapt)(process.clone())).await.map_err(refused)?;
        self.process = process;
        Ok(())
    }
}
