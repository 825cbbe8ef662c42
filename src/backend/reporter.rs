//! How a backend tells what happens.

use tokio::sync::mpsc::UnboundedSender;

use crate::engine::Event;

/// What reaches the driver from a backend's watch.
#[derive(Debug)]
pub(crate) struct Report(pub(crate) Event);

/// The handle into which a backend reports. Clones report to the same supervisor.
#[derive(Clone, Debug)]
pub struct Reporter {
    sender: UnboundedSender<Report>,
}

impl Reporter {
    pub(crate) fn new(sender: UnboundedSender<Report>) -> Self {
        Self { sender }
    }

    /// Reports what happened to an instance. `false`: nobody listens any more.
    pub fn report(&self, event: Event) -> bool {
        self.sender.send(Report(event)).is_ok()
    }
}
