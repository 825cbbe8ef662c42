//! The telemetry for figures and traces. A recorder or subscriber of the program that panics is not called again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::catch_panic::catch_panic;
use super::handle::SetStatus;
use super::notifications::NotificationKind;

/// Tells the telemetry that are compiled in.
#[derive(Debug, Default)]
pub(super) struct Telemetry {
    broken: AtomicBool,
}

impl Telemetry {
    /// Tells of one thing that happened.
    ///
    /// # Errors
    /// What panicked: once.
    #[cfg_attr(not(any(feature = "tracing", feature = "metrics")), expect(unused_variables, reason = "nobody listens"))]
    pub(super) fn record(&self, set: &Arc<str>, kind: &NotificationKind) -> Result<(), String> {
        self.call(|| {
            #[cfg(feature = "tracing")]
            super::tracing::emit(set, kind);
            #[cfg(feature = "metrics")]
            super::metrics::count(set, kind);
        })
    }

    /// Shows the present status.
    ///
    /// # Errors
    /// What panicked: once.
    #[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "nobody collects figures"))]
    pub(super) fn set_status(&self, set: &Arc<str>, status: &SetStatus) -> Result<(), String> {
        self.call(|| {
            #[cfg(feature = "metrics")]
            super::metrics::set_gauges(set, status);
        })
    }

    fn call(&self, call: impl FnOnce()) -> Result<(), String> {
        if self.broken.load(Ordering::Relaxed) {
            return Ok(());
        }
        catch_panic(call).map_err(|panic| {
            self.broken.store(true, Ordering::Relaxed);
            format!("a metrics recorder or tracing subscriber panicked ({panic}): it is told nothing more")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_panics_is_told_once_and_called_no_more() {
        let telemetry = Telemetry::default();
        let error = telemetry.call(|| panic!("on purpose")).unwrap_err();
        assert!(error.contains("(on purpose)"), "{error}");
        assert_eq!(telemetry.call(|| panic!("again")), Ok(()));
    }
}
