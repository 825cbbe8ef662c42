//! Emits `tracing` events and spans with the target `uphold` and the name of the set.

use tracing::{Span, debug, info, info_span, warn};

use super::notifications::NotificationKind;
use crate::decide::InstanceId;
use crate::engine::{Notice, RolloutChange, RolloutEvent, RolloutFailure};

/// Returns the span of a backend call (`start`, `stop`, `kill` or `probe`), which also contains what the backend emits.
pub(super) fn call_span(set: &str, call: &'static str, instance: InstanceId) -> Span {
    let InstanceId { replica, incarnation } = instance;
    info_span!(target: "uphold", "call", set, call, replica = replica.0, incarnation = incarnation.0)
}

/// Emits a notification: verdicts, statuses, drains and rollouts at `info`, failures at `warn`, the rest at `debug`.
pub(super) fn emit(set: &str, kind: &NotificationKind) {
    match kind {
        NotificationKind::Event(event) => debug!(target: "uphold", set, event = event.as_str(), "{event}"),
        NotificationKind::Command(command) => {
            let InstanceId { replica, incarnation } = command.instance();
            debug!(
                target: "uphold",
                set,
                replica = replica.0,
                incarnation = incarnation.0,
                command = command.as_str(),
                "{command}"
            );
        }
        NotificationKind::BackendError(text) | NotificationKind::Warning(text) => {
            warn!(target: "uphold", set, "{text}")
        }
        NotificationKind::Notice(notice) => match notice {
            Notice::Verdict(judged) => info!(
                target: "uphold",
                set,
                replica = judged.replica.0,
                incarnation = judged.incarnation.0,
                verdict = judged.decision.verdict.as_str(),
                reason = judged.decision.reason.as_str(),
                attempt = judged.decision.attempt,
                cause = judged.decision.cause.as_ref().map(crate::policy::Cause::as_str),
                "{notice}"
            ),
            Notice::Status(change) => info!(
                target: "uphold",
                set,
                status = change.status.as_str(),
                reason = change.reason.as_str(),
                cause = change.cause.as_ref().map(crate::policy::Cause::as_str),
                available = change.available,
                desired = change.desired,
                "{notice}"
            ),
            Notice::Drain(answer) => info!(
                target: "uphold",
                set,
                replica = answer.replica.0,
                drain = answer.outcome.as_str(),
                "{notice}"
            ),
            Notice::Role(_) => info!(target: "uphold", set, "{notice}"),
            Notice::Rollout(change) => emit_rollout(set, change),
            Notice::ScaleClipped(clipped) => {
                warn!(target: "uphold", set, asked = clipped.asked, desired = clipped.desired, "{notice}")
            }
            Notice::Incident(_) | Notice::Refused(_) | Notice::Dropped(_) => {
                warn!(target: "uphold", set, "{notice}")
            }
            Notice::Replica(change) => debug!(
                target: "uphold",
                set,
                replica = change.replica.0,
                incarnation = change.incarnation.0,
                phase = change.phase.as_str(),
                "{notice}"
            ),
            Notice::Waiting(_) | Notice::Ignored(_) => debug!(target: "uphold", set, "{notice}"),
        },
    }
}

/// Emits a change of a rollout: failed and paused at `warn`, the rest at `info`.
fn emit_rollout(set: &str, change: &RolloutChange) {
    macro_rules! emit {
        ($level:ident) => {
            $level!(
                target: "uphold",
                set,
                rollout = change.event.as_str(),
                revision = change.revision.as_ref().map(crate::decide::Revision::as_str),
                updated = change.updated,
                remaining = change.remaining,
                available = change.available,
                reason = change.reason.map(RolloutFailure::as_str),
                "{change}"
            )
        };
    }
    match change.event {
        RolloutEvent::Failed | RolloutEvent::Paused => emit!(warn),
        _ => emit!(info),
    }
}
