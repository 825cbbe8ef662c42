//! The status that is reported: alarms are cleared after `clear_after`.

use serde::{Deserialize, Serialize};

use super::serde_opt_timestamp;
use super::status::{Status, StatusReason};
use crate::time::Timestamp;

/// The status that was reported last, and since when its alarm has had no cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ReportedStatus {
    pub(super) status: Status,
    pub(super) reason: StatusReason,
    pub(super) since: Timestamp,
    /// Since when there has been no outage, or never during one.
    #[serde(with = "serde_opt_timestamp")]
    pub(super) no_outage_since: Timestamp,
    /// Since when the set has been neither degraded nor in outage, or never.
    #[serde(with = "serde_opt_timestamp")]
    pub(super) calm_since: Timestamp,
    /// The numbers of desired and of available replicas when the set was last degraded or in outage.
    pub(super) last_alarm: (u32, u32),
}

impl Default for ReportedStatus {
    fn default() -> Self {
        Self {
            status: Status::Pending,
            reason: StatusReason::Starting,
            since: Timestamp::ZERO,
            no_outage_since: Timestamp::NEVER,
            calm_since: Timestamp::NEVER,
            last_alarm: (0, 0),
        }
    }
}

impl ReportedStatus {
    pub(super) fn show(&mut self, status: Status, reason: StatusReason, now: Timestamp) {
        if self.status != status {
            self.status = status;
            self.since = now;
        }
        self.reason = reason;
    }

    /// Raises alarms at once, and clears them after `clear_after` nanoseconds without a cause. Returns when to update again, or
    /// never.
    #[inline]
    pub(super) fn update(
        &mut self,
        raw: Status,
        mut reason: StatusReason,
        (desired, available): (u32, u32),
        clear_after: u64,
        now: Timestamp,
    ) -> Timestamp {
        if raw == Status::Outage {
            self.no_outage_since = Timestamp::NEVER;
        } else if self.no_outage_since.is_never() {
            self.no_outage_since = now;
        }
        if matches!(raw, Status::Outage | Status::Degraded) {
            self.calm_since = Timestamp::NEVER;
            self.last_alarm = (desired, available);
        } else if self.calm_since.is_never() {
            self.calm_since = now;
        }
        if clear_after > 0 && raw != Status::Completed && reason != StatusReason::ScaledToZero {
            if let Some(clears) = self.keep_alarm(raw, clear_after, now) {
                return clears;
            }
        }
        if raw == Status::Healthy && reason == StatusReason::AllAvailable {
            let was_alarmed = matches!(self.status, Status::Outage | Status::Degraded);
            let (desired_before, available_before) = self.last_alarm;
            if was_alarmed && desired < desired_before && available <= available_before {
                // No replica came back.
                reason = StatusReason::ScaledDown;
            } else if was_alarmed {
                reason = StatusReason::Recovered;
            } else if self.status == Status::Healthy
                && matches!(self.reason, StatusReason::Recovered | StatusReason::ScaledDown)
            {
                reason = self.reason;
            }
        }
        self.show(raw, reason, now);
        Timestamp::NEVER
    }

    /// Keeps an alarm that has lost its cause within `clear_after`. Returns until when; `None` if it keeps none.
    fn keep_alarm(&mut self, raw: Status, clear_after: u64, now: Timestamp) -> Option<Timestamp> {
        let recent = |since: Timestamp| now.nanos_since(since) < clear_after;
        if self.status == Status::Outage && raw != Status::Outage && recent(self.no_outage_since) {
            self.reason = StatusReason::Clearing;
            return Some(self.no_outage_since.plus_nanos(clear_after));
        }
        let alarmed = matches!(self.status, Status::Outage | Status::Degraded);
        if alarmed && raw == Status::Healthy && recent(self.calm_since) {
            self.show(Status::Degraded, StatusReason::Clearing, now);
            return Some(self.calm_since.plus_nanos(clear_after));
        }
        None
    }

    pub(super) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        for at in [&mut self.since, &mut self.no_outage_since, &mut self.calm_since] {
            *at = by(*at);
        }
    }
}
