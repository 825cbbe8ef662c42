//! How a backend tells what happens.

use std::fmt;
use std::sync::Arc;

use crate::engine::Event;

/// The handle into which a backend reports. Clones report to the same supervisor.
#[derive(Clone)]
pub struct Reporter {
    report: Arc<dyn Fn(Event) -> bool + Send + Sync>,
    watching: Arc<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter").finish_non_exhaustive()
    }
}

impl Reporter {
    /// A handle that gives what is reported to `report`, which says whether anybody listens: to test a backend
    /// without a supervisor.
    pub fn new(report: impl Fn(Event) -> bool + Send + Sync + 'static) -> Self {
        Self { report: Arc::new(report), watching: Arc::new(|| {}) }
    }

    /// The same, and `watching` is called when the backend says that its watch is in place.
    pub(crate) fn on_watching(mut self, watching: impl Fn() + Send + Sync + 'static) -> Self {
        self.watching = Arc::new(watching);
        self
    }

    /// Reports what happened to an instance. `false`: nobody listens any more.
    pub fn report(&self, event: Event) -> bool {
        (self.report)(event)
    }

    /// Says that from now on everything is reported: the supervisor lists again, so that nothing is missed that
    /// happened before. For backends whose watch takes its time to come about; otherwise the next regular list finds
    /// it.
    pub fn watching(&self) {
        (self.watching)();
    }
}
