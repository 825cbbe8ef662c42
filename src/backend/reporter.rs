//! How a backend tells what happens.

use std::fmt;
use std::sync::Arc;

use super::Instance;
use crate::engine::Event;

/// What a backend's watch says.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BackendReport {
    /// This happened.
    Event(Event),
    /// This is how an instance is now.
    State(Instance),
    /// From now on everything is reported.
    WatchEstablished,
}

/// The handle into which a backend reports. Clones report to the same supervisor.
#[derive(Clone)]
pub struct Reporter {
    report: Arc<dyn Fn(BackendReport) -> bool + Send + Sync>,
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter").finish_non_exhaustive()
    }
}

impl Reporter {
    /// A handle that gives what is reported to `report`, which says whether anybody listens: to test a backend
    /// without a supervisor.
    pub fn new(report: impl Fn(BackendReport) -> bool + Send + Sync + 'static) -> Self {
        Self { report: Arc::new(report) }
    }

    /// Reports what happened to an instance. `false`: nobody listens any more.
    pub fn report(&self, event: Event) -> bool {
        (self.report)(BackendReport::Event(event))
    }

    /// Reports how an instance is now, with its node and address: for backends that see states rather than events.
    /// Saying again what was said before is harmless. `false`: nobody listens any more.
    pub fn report_state(&self, instance: Instance) -> bool {
        (self.report)(BackendReport::State(instance))
    }

    /// Says that from now on everything is reported: the supervisor lists again, so that nothing is missed that
    /// happened before. For backends whose watch takes its time to come about; otherwise the next regular list finds
    /// it. `false`: nobody listens any more.
    pub fn watch_established(&self) -> bool {
        (self.report)(BackendReport::WatchEstablished)
    }
}
