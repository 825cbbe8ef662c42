//! The trace of a set: one JSON object a line, for people and programs.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::event::{Ended, Event, ProbeResult, Selection};
use super::output::{Command, DecisionMade, IncidentNotice, Notice, Output, StatusChange};
use super::slots::{Role, RolloutFailure};
use crate::decide::{ExhaustedLimit, Incarnation, InstanceId, ReplicaId, Verdict};
use crate::policy::{Exit, Placement, Scope};
use crate::time::Timestamp;

/// One line of a trace. The keys are those of the scenario format; future releases may add some.
///
/// Serialises as one map that keeps the order of the keys.
///
/// ```
/// use uphold::trace::TraceLine;
/// use uphold::{Event, Timestamp};
///
/// let line = TraceLine::of_event(&Event::exited((1, 1), 137), Timestamp::from_secs(60), Timestamp::ZERO);
/// assert_eq!(
///     serde_json::to_string(&line)?,
///     r#"{"at_ms":60000,"kind":"event","event":"exited","replica":1,"incarnation":1,"exit_code":137}"#
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceLine {
    kind: TraceKind,
    fields: Vec<(&'static str, TraceValue)>,
}

/// The kind of a line. Lines of one instant are ordered by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum TraceKind {
    /// An event was applied.
    Event,
    /// An event was ignored.
    Ignored,
    /// An operator's request was refused.
    Refused,
    /// An incident began, is resuming, or is over.
    Incident,
    /// A verdict on an instance that has ended or failed.
    Verdict,
    /// The set issued a command.
    Command,
    /// A start that is due waits behind a gate.
    Wait,
    /// A new policy lacks some rules, so their state was dropped.
    Dropped,
    /// A request to scale was outside the bounds of `scaling`.
    Scale,
    /// A drain is over.
    Drain,
    /// A slot has another role.
    Role,
    /// A rollout made progress, failed, or is over.
    Rollout,
    /// The status changed.
    Status,
}

impl TraceKind {
    /// Returns the value of the key `kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Ignored => "ignored",
            Self::Refused => "refused",
            Self::Incident => "incident",
            Self::Verdict => "verdict",
            Self::Command => "command",
            Self::Wait => "wait",
            Self::Dropped => "dropped",
            Self::Scale => "scale",
            Self::Drain => "drain",
            Self::Role => "role",
            Self::Rollout => "rollout",
            Self::Status => "status",
        }
    }
}

/// The value of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TraceValue {
    /// No value.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text.
    Text(Cow<'static, str>),
}

impl From<bool> for TraceValue {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<u32> for TraceValue {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u64> for TraceValue {
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<ReplicaId> for TraceValue {
    fn from(id: ReplicaId) -> Self {
        id.0.into()
    }
}

impl From<Incarnation> for TraceValue {
    fn from(incarnation: Incarnation) -> Self {
        incarnation.0.into()
    }
}

impl From<&'static str> for TraceValue {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for TraceValue {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl Serialize for TraceValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl Serialize for TraceLine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.fields.iter().map(|(key, value)| (key, value)))
    }
}

/// Milliseconds from `start` to `at`.
fn millis(at: Timestamp, start: Timestamp) -> u64 {
    u64::try_from(at.since(start).as_millis()).unwrap_or(u64::MAX)
}

impl TraceLine {
    fn new(kind: TraceKind, at: Timestamp, start: Timestamp) -> Self {
        let mut fields = Vec::with_capacity(match kind {
            TraceKind::Verdict => 14,
            _ => 6,
        });
        fields.extend([("at_ms", millis(at, start).into()), ("kind", kind.as_str().into())]);
        Self { kind, fields }
    }

    fn with(mut self, key: &'static str, value: impl Into<TraceValue>) -> Self {
        self.fields.push((key, value.into()));
        self
    }

    fn with_some(self, key: &'static str, value: Option<impl Into<TraceValue>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// Returns the kind of the line.
    pub fn kind(&self) -> TraceKind {
        self.kind
    }

    /// Returns the time in milliseconds since the start.
    pub fn at_ms(&self) -> u64 {
        match self.get("at_ms") {
            Some(TraceValue::Int(millis)) => millis.unsigned_abs(),
            _ => 0,
        }
    }

    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&TraceValue> {
        self.fields.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// Returns the keys and their values, in order.
    pub fn fields(&self) -> &[(&'static str, TraceValue)] {
        &self.fields
    }

    /// Returns the line of an event at `at`. Times count from `start`.
    pub fn of_event(event: &Event, at: Timestamp, start: Timestamp) -> Self {
        let line = Self::new(TraceKind::Event, at, start).with("event", event.as_str());
        let line = match event.instance() {
            Some(instance) => line.with_instance(instance),
            None => line,
        };
        match event {
            Event::Exited(ended) | Event::StartFailed(ended) => line.ended(ended),
            Event::Probed(report) => {
                let result = match report.result {
                    ProbeResult::Success => "success",
                    ProbeResult::Failure => "failure",
                    ProbeResult::Unanswered => "unanswered",
                };
                let message = report.message.as_ref().map(ToString::to_string);
                line.with("probe", report.probe.as_str()).with("result", result).with_some("message", message)
            }
            Event::Scale(replicas) => line.with("replicas", *replicas),
            Event::Restart(replica) | Event::Stop(replica) | Event::Start(replica) => line.with("replica", *replica),
            Event::Drain(drain) => {
                let deadline = drain.deadline.map(|deadline| millis(deadline, start));
                line.replicas(&drain.replicas).with_some("deadline_ms", deadline)
            }
            Event::Undrain(replicas) => line.replicas(replicas),
            Event::InterruptionNotice(notice) => line.with("deadline_ms", millis(notice.deadline, start)),
            Event::RollOut(revision) => line.with("revision", revision.to_string()),
            Event::Reset(selection) | Event::RetryNow(selection) => match selection {
                Selection::All => line.with("all", true),
                Selection::Replica(replica) => line.with("replica", *replica),
                Selection::Cause(cause) => line.with("cause", cause.to_string()),
            },
            Event::Started(_)
            | Event::Ready(_)
            | Event::NotReady(_)
            | Event::Lost(_)
            | Event::Found(_)
            | Event::Stopped(_)
            | Event::Promote
            | Event::RollBack
            | Event::Terminate => line,
        }
    }

    fn with_instance(self, instance: InstanceId) -> Self {
        self.with("replica", instance.replica).with("incarnation", instance.incarnation)
    }

    /// One replica as `replica`, several as `replicas`.
    fn replicas(self, replicas: &[ReplicaId]) -> Self {
        match replicas {
            [replica] => self.with("replica", *replica),
            _ => {
                let all: Vec<String> = replicas.iter().map(ToString::to_string).collect();
                self.with("replicas", all.join(", "))
            }
        }
    }

    fn ended(self, ended: &Ended) -> Self {
        let outcome = &ended.outcome;
        let line = match outcome.get_exit() {
            Some(Exit::Code(code)) => self.with("exit_code", TraceValue::Int(code.into())),
            Some(Exit::Signal(signal)) => self.with("signal", signal.to_string()),
            None => self,
        };
        line.with_some("cause", outcome.get_cause().map(ToString::to_string))
            .with_some("reason", outcome.reason().map(str::to_owned))
    }

    /// Returns the line of an output at `at`. Times count from `start`. `None` if traces leave it out, as a change of phase.
    pub fn of_output(output: &Output, at: Timestamp, start: Timestamp) -> Option<Self> {
        match output {
            Output::Command(command) => Some(Self::of_command(command, at, start)),
            Output::Notice(notice) => Self::of_notice(notice, at, start),
        }
    }

    /// Returns the line of a command.
    pub fn of_command(command: &Command, at: Timestamp, start: Timestamp) -> Self {
        let line = Self::new(TraceKind::Command, at, start).with("command", command.as_str());
        let line = line.with_instance(command.instance());
        match command {
            Command::Start(start) => line
                .with("placement", start.placement.as_str())
                .with_some("role", (start.role != Role::Regular).then(|| start.role.as_str()))
                .with_some("for", start.tied_to)
                .with_some("revision", start.revision.as_ref().map(ToString::to_string)),
            Command::Probe(probe) => line.with("probe", probe.probe.as_str()),
            Command::Stop(_) | Command::Kill(_) => line,
        }
    }

    /// Returns the line of a notice. `None` if traces leave it out, as a change of phase.
    pub fn of_notice(notice: &Notice, at: Timestamp, start: Timestamp) -> Option<Self> {
        let line = |kind| Self::new(kind, at, start);
        Some(match notice {
            Notice::Status(change) => Self::of_status(change, at, start),
            Notice::Verdict(judged) => Self::of_verdict(judged, at, start),
            Notice::Waiting(waiting) => {
                line(TraceKind::Wait).with("replica", waiting.replica).with("gate", waiting.gate.as_str())
            }
            Notice::Ignored(event) => {
                line(TraceKind::Ignored).with_instance(event.instance()).with("reason", event.why.as_str())
            }
            Notice::Refused(refused) => {
                line(TraceKind::Refused).with("reason", refused.as_str()).with("message", refused.to_string())
            }
            Notice::Incident(incident) => {
                let line = line(TraceKind::Incident);
                match incident {
                    IncidentNotice::Recognised(replicas) => {
                        line.with("incident", "recognised").with("replicas", *replicas)
                    }
                    IncidentNotice::Resuming => line.with("incident", "resuming"),
                    IncidentNotice::Over => line.with("incident", "over"),
                }
            }
            Notice::Drain(answer) => {
                line(TraceKind::Drain).with("replica", answer.replica).with("drain", answer.outcome.as_str())
            }
            Notice::Rollout(change) => line(TraceKind::Rollout)
                .with("rollout", change.event.as_str())
                .with_some("revision", change.revision.as_ref().map(ToString::to_string))
                .with("updated", change.updated)
                .with("available", change.available)
                .with_some("reason", change.reason.map(RolloutFailure::as_str)),
            Notice::Role(change) => line(TraceKind::Role)
                .with("replica", change.replica)
                .with("role", change.role.as_str())
                .with_some("for", change.tied_to),
            Notice::ScaleClipped(clipped) => {
                line(TraceKind::Scale).with("asked", clipped.asked).with("desired", clipped.desired)
            }
            Notice::Dropped(keys) => line(TraceKind::Dropped).with("rules", keys.join(", ")),
            Notice::Replica(_) => return None,
        })
    }

    /// The line of a status.
    pub fn of_status(change: &StatusChange, at: Timestamp, start: Timestamp) -> Self {
        let line = Self::new(TraceKind::Status, at, start)
            .with("status", change.status.as_str())
            .with("available", change.available)
            .with("desired", change.desired)
            .with("reason", change.reason.as_str());
        match &change.cause {
            Some(cause) => line.with("cause", cause.to_string()),
            None => line,
        }
    }

    fn of_verdict(judged: &DecisionMade, at: Timestamp, start: Timestamp) -> Self {
        let decision = &judged.decision;
        let rule = match &decision.rule {
            None => TraceValue::Null,
            Some(rule) => match &rule.name {
                Some(name) => name.to_string().into(),
                None => u32::from(rule.index).into(),
            },
        };
        let due = decision.verdict.due().map_or(TraceValue::Null, |due| millis(due, start).into());
        let line = Self::new(TraceKind::Verdict, at, start)
            .with_instance(judged.instance())
            .with("verdict", decision.verdict.as_str())
            .with("due_ms", due)
            .with("attempt", decision.attempt)
            .with("stage", u32::from(decision.stage))
            .with("rule", rule)
            .with("charged", decision.charged)
            .with("reason", decision.reason.as_str())
            .with_some("cause", decision.cause.as_ref().map(ToString::to_string))
            .with_some("used_up", decision.exhausted_limit.map(ExhaustedLimit::as_str))
            .with_some("message", decision.message.as_ref().map(ToString::to_string));
        match decision.verdict {
            Verdict::Restart(restart) => line
                .with("delay_ms", u64::try_from(restart.delay().as_millis()).unwrap_or(u64::MAX))
                .with_some("scope", (restart.scope != Scope::Replica).then(|| restart.scope.as_str()))
                .with_some("placement", (restart.placement != Placement::Same).then(|| restart.placement.as_str())),
            Verdict::Hold(_) | Verdict::Degrade(_) | Verdict::Terminate | Verdict::Complete => line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_json_object() {
        let line = TraceLine::of_event(&Event::exited((1, 1), 137), Timestamp::from_secs(60), Timestamp::ZERO);
        assert_eq!(
            serde_json::to_string(&line).unwrap(),
            r#"{"at_ms":60000,"kind":"event","event":"exited","replica":1,"incarnation":1,"exit_code":137}"#
        );
    }
}
