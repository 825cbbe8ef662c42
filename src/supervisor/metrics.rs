//! The metrics that are exported through the `metrics` facade, with Prometheus names. All have the label `set`.
//!
//! | name | type | unit | further labels |
//! |---|---|---|---|
//! | `uphold_starts_total` | counter | starts commanded | |
//! | `uphold_stops_total` | counter | stops commanded | |
//! | `uphold_kills_total` | counter | kills commanded | |
//! | `uphold_verdicts_total` | counter | verdicts | `verdict`, `cause` |
//! | `uphold_ignored_total` | counter | reports that changed nothing | `why` |
//! | `uphold_refused_total` | counter | operators' requests that were refused | |
//! | `uphold_incidents_total` | counter | incidents recognised | |
//! | `uphold_waits_total` | counter | due starts that a gate delayed | `gate` |
//! | `uphold_drains_total` | counter | drains answered | `outcome` |
//! | `uphold_rollout_events_total` | counter | changes of a rollout | `event` |
//! | `uphold_backend_errors_total` | counter | failed backend calls and broken watches | |
//! | `uphold_warnings_total` | counter | other warnings, such as a recorder that panicked | |
//! | `uphold_restart_delay_seconds` | histogram | seconds from a failure to its restart | |
//! | `uphold_replicas_desired` | gauge | replicas | |
//! | `uphold_replicas_available` | gauge | replicas | |
//! | `uphold_extra_slots` | gauge | slots beside the desired replicas | `role` |
//! | `uphold_rollout_phase` | gauge | 1 for the current phase, 0 for the others; all 0 without a rollout | `phase` |
//! | `uphold_rollout_remaining` | gauge | regular slots that are still to be replaced | |
//! | `uphold_rollout_updated` | gauge | regular slots at the revision that the set is moving to | |
//! | `uphold_rollout_available` | gauge | available replicas of that revision | |
//! | `uphold_rollout_failures` | gauge | failures of the new revision that count towards `max_failures` | |
//! | `uphold_drains_waiting` | gauge | drains that wait to stop their replicas | |
//! | `uphold_drains_oldest_since_seconds` | gauge | Unix time in seconds at which the oldest of them began; 0 without any | |
//! | `uphold_status` | gauge | 1 for the current status, 0 for the others | `status` |
//! | `uphold_status_since_seconds` | gauge | Unix time in seconds | |

use std::sync::Arc;

use metrics::{counter, gauge, histogram};

use super::handle::{RolloutProgress, SetStatus};
use super::notifications::NotificationKind;
use crate::decide::{Status, Verdict};
use crate::engine::{Command, IncidentNotice, Notice, Role, RolloutPhase};

fn label(set: &Arc<str>) -> metrics::SharedString {
    set.clone().into()
}

/// Counts a notification.
pub(super) fn count(set: &Arc<str>, kind: &NotificationKind) {
    match kind {
        NotificationKind::Command(Command::Start(_)) => {
            counter!("uphold_starts_total", "set" => label(set)).increment(1)
        }
        NotificationKind::Command(Command::Stop(_)) => counter!("uphold_stops_total", "set" => label(set)).increment(1),
        NotificationKind::Command(Command::Kill(_)) => counter!("uphold_kills_total", "set" => label(set)).increment(1),
        NotificationKind::Command(Command::Probe(_)) | NotificationKind::Event(_) => {}
        NotificationKind::BackendError(_) => counter!("uphold_backend_errors_total", "set" => label(set)).increment(1),
        NotificationKind::Warning(_) => counter!("uphold_warnings_total", "set" => label(set)).increment(1),
        NotificationKind::Notice(notice) => count_notice(set, notice),
    }
}

fn count_notice(set: &Arc<str>, notice: &Notice) {
    match notice {
        Notice::Verdict(judged) => {
            let decision = &judged.decision;
            counter!(
                "uphold_verdicts_total",
                "set" => label(set),
                "verdict" => decision.verdict.as_str(),
                // A clean exit is no failure and has no cause.
                "cause" => decision.cause.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string),
            )
            .increment(1);
            if matches!(decision.verdict, Verdict::Restart(_)) {
                histogram!("uphold_restart_delay_seconds", "set" => label(set)).record(decision.delay().as_secs_f64());
            }
        }
        Notice::Ignored(ignored) => {
            counter!("uphold_ignored_total", "set" => label(set), "why" => ignored.why.as_str()).increment(1);
        }
        Notice::Refused(_) => counter!("uphold_refused_total", "set" => label(set)).increment(1),
        Notice::Incident(IncidentNotice::Recognised(_)) => {
            counter!("uphold_incidents_total", "set" => label(set)).increment(1);
        }
        Notice::Waiting(waiting) => {
            counter!("uphold_waits_total", "set" => label(set), "gate" => waiting.gate.as_str()).increment(1);
        }
        Notice::Drain(answer) => {
            counter!("uphold_drains_total", "set" => label(set), "outcome" => answer.outcome.as_str()).increment(1);
        }
        Notice::Rollout(change) => {
            counter!("uphold_rollout_events_total", "set" => label(set), "event" => change.event.as_str()).increment(1);
        }
        Notice::ScaleClipped(_)
        | Notice::Role(_)
        | Notice::Status(_)
        | Notice::Replica(_)
        | Notice::Incident(_)
        | Notice::Dropped(_) => {}
    }
}

/// Sets the gauges.
#[expect(clippy::float_arithmetic, reason = "the facade takes floats")]
pub(super) fn set_gauges(set: &Arc<str>, status: &SetStatus) {
    gauge!("uphold_replicas_desired", "set" => label(set)).set(f64::from(status.desired));
    gauge!("uphold_replicas_available", "set" => label(set)).set(f64::from(status.available));
    let since = status.since.as_millis() as f64 / 1000.0;
    gauge!("uphold_status_since_seconds", "set" => label(set)).set(since);
    let extras = status.extras;
    for (role, count) in
        [(Role::Surge, extras.surge), (Role::StandIn, extras.stand_in), (Role::Standby, extras.standby)]
    {
        gauge!("uphold_extra_slots", "set" => label(set), "role" => role.as_str()).set(f64::from(count));
    }
    for known in RolloutPhase::ALL {
        let value = f64::from(u8::from(status.rollout.is_some_and(|rollout| rollout.phase == known)));
        gauge!("uphold_rollout_phase", "set" => label(set), "phase" => known.as_str()).set(value);
    }
    let rollout =
        |of: fn(&RolloutProgress) -> u32| status.rollout.as_ref().map_or(0.0, |rollout| f64::from(of(rollout)));
    gauge!("uphold_rollout_remaining", "set" => label(set)).set(rollout(|rollout| rollout.remaining));
    gauge!("uphold_rollout_updated", "set" => label(set)).set(rollout(|rollout| rollout.updated));
    gauge!("uphold_rollout_available", "set" => label(set)).set(rollout(|rollout| rollout.available));
    gauge!("uphold_rollout_failures", "set" => label(set)).set(rollout(|rollout| rollout.failures));
    gauge!("uphold_drains_waiting", "set" => label(set)).set(f64::from(status.drains_waiting));
    let oldest = status.oldest_drain.map_or(0.0, |since| since.as_millis() as f64 / 1000.0);
    gauge!("uphold_drains_oldest_since_seconds", "set" => label(set)).set(oldest);
    for known in Status::ALL {
        let value = f64::from(u8::from(known == status.status));
        gauge!("uphold_status", "set" => label(set), "status" => known.as_str()).set(value);
    }
}
