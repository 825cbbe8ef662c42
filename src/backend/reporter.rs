//! How a backend's watch reports to the supervisor.

use std::fmt;
use std::sync::Arc;

use super::request::Instance;
use crate::engine::Event;

/// A report of a backend's watch.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BackendReport {
    /// An event.
    Event(Event),
    /// The current state of an instance.
    State(Instance),
    /// The watch is established: from now on nothing is missed.
    WatchEstablished,
}

/// Sends reports to the supervisor. Clones send to the same one.
///
/// Every method returns whether the supervisor still receives reports; a watch may end once one returns `false`.
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
    /// Returns a reporter that calls `report`, to test a backend without a supervisor.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use uphold::Event;
    /// use uphold::backend::{BackendReport, Reporter};
    ///
    /// let reports = Arc::new(Mutex::new(Vec::new()));
    /// let sink = reports.clone();
    /// let reporter = Reporter::new(move |report| {
    ///     sink.lock().unwrap().push(report);
    ///     true
    /// });
    /// reporter.report(Event::ready((0, 1)));
    /// assert_eq!(*reports.lock().unwrap(), [BackendReport::Event(Event::ready((0, 1)))]);
    /// ```
    pub fn new(report: impl Fn(BackendReport) -> bool + Send + Sync + 'static) -> Self {
        Self { report: Arc::new(report) }
    }

    /// Reports an event about an instance.
    pub fn report(&self, event: Event) -> bool {
        (self.report)(BackendReport::Event(event))
    }

    /// Reports the current state of an instance with its node and address, for backends that observe states rather than
    /// events. Repeating a report is harmless.
    pub fn report_state(&self, instance: Instance) -> bool {
        (self.report)(BackendReport::State(instance))
    }

    /// Reports that the watch is established. The supervisor then lists again, so that nothing from before is missed. For
    /// backends whose watch takes time to establish; without this call, the next regular list finds what was missed.
    pub fn watch_established(&self) -> bool {
        (self.report)(BackendReport::WatchEstablished)
    }
}
