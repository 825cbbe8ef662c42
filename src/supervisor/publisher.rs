//! Publishes notifications and the status of the set to listeners and to the telemetry facades.

use std::sync::Arc;

use tokio::sync::{broadcast, watch};

use super::handle::SetStatus;
use super::notifications::{Notification, NotificationKind};
use super::telemetry::Telemetry;
use crate::time::Timestamp;

#[derive(Debug)]
pub(super) struct Publisher {
    set_name: Arc<str>,
    notifications: broadcast::Sender<Notification>,
    status: watch::Sender<SetStatus>,
    telemetry: Telemetry,
}

impl Publisher {
    pub(super) fn new(
        set_name: Arc<str>,
        notifications: broadcast::Sender<Notification>,
        status: watch::Sender<SetStatus>,
    ) -> Self {
        Self { set_name, notifications, status, telemetry: Telemetry::default() }
    }

    /// Returns whether there are receivers of notifications, so that copying an event is worth its cost.
    pub(super) fn has_listeners(&self) -> bool {
        cfg!(feature = "tracing") || self.notifications.receiver_count() > 0
    }

    pub(super) fn publish(&self, at: Timestamp, kind: NotificationKind) {
        if let Err(warning) = self.telemetry.record(&self.set_name, &kind) {
            self.send(at, NotificationKind::Warning(warning));
        }
        self.send(at, kind);
    }

    pub(super) fn warn(&self, at: Timestamp, text: impl Into<String>) {
        self.publish(at, NotificationKind::Warning(text.into()));
    }

    /// Stores the status where handles read it; exports it as metrics if it has changed.
    pub(super) fn set_status(&self, at: Timestamp, status: SetStatus) {
        let changed = self.status.send_if_modified(|current| std::mem::replace(current, status) != status);
        if changed {
            self.export_status(at);
        }
    }

    /// Exports the current status as metrics.
    pub(super) fn export_status(&self, at: Timestamp) {
        let status = *self.status.borrow();
        if let Err(warning) = self.telemetry.set_status(&self.set_name, &status) {
            self.warn(at, warning);
        }
    }

    fn send(&self, at: Timestamp, kind: NotificationKind) {
        // An error means that there are no receivers.
        let _ = self.notifications.send(Notification { at, kind });
    }
}
