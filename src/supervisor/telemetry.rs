//! Calls the `tracing` and `metrics` facades. After a panic of the installed subscriber or recorder, calls do nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::catch_panic::catch_panic;
use super::handle::SetStatus;
use super::notifications::NotificationKind;

/// The facades that are compiled in.
#[derive(Debug, Default)]
pub(super) struct Telemetry {
    broken: AtomicBool,
}

impl Telemetry {
    /// Emits a trace event and counts a notification.
    ///
    /// # Errors
    /// The first panic, described.
    #[cfg_attr(
        not(any(feature = "tracing", feature = "metrics")),
        expect(unused_variables, reason = "no facade is compiled in")
    )]
    pub(super) fn record(&self, set: &Arc<str>, kind: &NotificationKind) -> Result<(), String> {
        self.call(|| {
            #[cfg(feature = "tracing")]
            super::tracing::emit(set, kind);
            #[cfg(feature = "metrics")]
            super::metrics::count(set, kind);
        })
    }

    /// Exports the status as gauges.
    ///
    /// # Errors
    /// The first panic, described.
    #[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "no metrics are compiled in"))]
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
            format!("a metrics recorder or tracing subscriber panicked ({panic}): supervision continues without metrics and traces")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_reported_once_and_ends_all_calls() {
        let telemetry = Telemetry::default();
        let error = telemetry.call(|| panic!("on purpose")).unwrap_err();
        assert!(error.contains("(on purpose)"), "{error}");
        assert_eq!(telemetry.call(|| panic!("again")), Ok(()));
    }
}
