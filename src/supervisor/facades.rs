//! The facades for figures and traces. A recorder or subscriber of the program that panics is not called again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::guard::guarded;
use super::handle::SetStatus;
use super::notices::Happening;

/// Tells the facades that are compiled in.
#[derive(Debug, Default)]
pub(super) struct Facades {
    broken: AtomicBool,
}

impl Facades {
    /// Tells of one thing that happened.
    ///
    /// # Errors
    /// What panicked: once.
    #[cfg_attr(not(any(feature = "tracing", feature = "metrics")), expect(unused_variables, reason = "nobody listens"))]
    pub(super) fn tell(&self, set: &Arc<str>, what: &Happening) -> Result<(), String> {
        self.call(|| {
            #[cfg(feature = "tracing")]
            super::tracing::tell(set, what);
            #[cfg(feature = "metrics")]
            super::metrics::count(set, what);
        })
    }

    /// Shows the present status.
    ///
    /// # Errors
    /// What panicked: once.
    #[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "nobody collects figures"))]
    pub(super) fn show(&self, set: &Arc<str>, status: &SetStatus) -> Result<(), String> {
        self.call(|| {
            #[cfg(feature = "metrics")]
            super::metrics::show(set, status);
        })
    }

    fn call(&self, call: impl FnOnce()) -> Result<(), String> {
        if self.broken.load(Ordering::Relaxed) {
            return Ok(());
        }
        guarded(call).map_err(|panic| {
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
        let facades = Facades::default();
        let error = facades.call(|| panic!("on purpose")).unwrap_err();
        assert!(error.contains("(on purpose)"), "{error}");
        assert_eq!(facades.call(|| panic!("again")), Ok(()));
    }
}
