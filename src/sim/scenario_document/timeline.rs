//! Reads timelines.

use std::time::Duration;

use super::super::action::{Action, ActionKind, FailureDetails};
use super::SlotCount;
use super::values::{LEAVE_OUT, exit, only_true, replica, revision};
use crate::decide::ReplicaId;
use crate::document::{Fields, Reader, Value};
use crate::engine::{Drain, Selection};
use crate::policy::read::cause;
use crate::policy::{MAX_REPLICAS, Policy};
use crate::time::{Timestamp, nanos};

/// Keys of which each entry must have exactly one. The first [`FAULTS`] are what replicas do, the others are requests.
const ACTIONS: [&str; 18] = [
    "exit",
    "fail",
    "ready",
    "lost",
    "found",
    "scale",
    "restart",
    "stop",
    "start",
    "reset",
    "retry_now",
    "drain",
    "undrain",
    "notice",
    "roll_out",
    "promote",
    "roll_back",
    "terminate",
];
const FAULTS: usize = 5;

/// Reads the requests to a set in a document of another kind, in the format of a scenario's `timeline`: `scale`, `roll_out`,
/// `drain` and others. What replicas do (`exit`, `lost`) is not accepted. Returns the requests with their times, and the highest
/// number of slots that the largest of the sets has in their course.
///
/// ```
/// use uphold::Policy;
/// use uphold::document::{Reader, Value};
/// use uphold::sim::read_requests;
///
/// let policy: Policy = serde_json::from_str(r#"{"replicas": 3, "rollout": {"max_surge": 1}}"#)?;
/// let value: Value = serde_json::from_str(r#"[{"at": "1h", "stop": 2}, {"at": "2h", "scale": 5}]"#)?;
/// let mut reader = Reader::new();
/// let (requests, slots) = read_requests(&mut reader, &value, None, [&policy]);
/// assert_eq!((requests.len(), slots), (2, 6));
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn read_requests<'p>(
    reader: &mut Reader,
    value: &Value,
    until: Option<Duration>,
    policies: impl IntoIterator<Item = &'p Policy>,
) -> (Vec<(Timestamp, Action)>, u32) {
    let largest = policies.into_iter().max_by_key(|policy| SlotCount::new(Some(policy)).most());
    let until = until.map(|until| Timestamp::ZERO + until);
    let (actions, most) = entries(reader, value, until, SlotCount::new(largest), &ACTIONS[FAULTS..]);
    (actions.into_iter().map(|(at, action)| (at, Action(action))).collect(), most)
}

/// Reads a timeline. Returns its actions, and the highest number of replicas that the set ever has.
pub(super) fn timeline(
    reader: &mut Reader,
    value: &Value,
    until: Option<Timestamp>,
    slots: SlotCount<'_>,
) -> (Vec<(Timestamp, ActionKind)>, u32) {
    entries(reader, value, until, slots, &ACTIONS)
}

/// `words`: the actions that may be given.
fn entries(
    reader: &mut Reader,
    value: &Value,
    until: Option<Timestamp>,
    mut slots: SlotCount<'_>,
    words: &[&'static str],
) -> (Vec<(Timestamp, ActionKind)>, u32) {
    let mut timeline = Vec::new();
    let mut last = Timestamp::ZERO;
    reader.list(value, "a list of actions", |reader, value| {
        let Some((at, actions)) = entry(reader, value, until, words) else { return };
        if at < last {
            reader.problem(format!("is at {at}, before the entry above it, at {last}; sort the timeline by time"));
        }
        last = last.max(at);
        for action in &actions {
            match action {
                ActionKind::Scale(replicas) => slots.scale(*replicas),
                ActionKind::RollOut(_) | ActionKind::RollBack => slots.replace(),
                _ => {}
            }
            let max_replicas = slots.most();
            if let Some(replica) = action.replica().filter(|&replica| replica >= max_replicas) {
                reader.problem(format!("there is no replica {replica}: the set has at most {max_replicas} by then"));
            }
        }
        if actions.iter().any(|action| matches!(action, ActionKind::Drain(_) | ActionKind::Notice { .. })) {
            slots.replace();
        }
        timeline.extend(actions.into_iter().map(|action| (at, action)));
    });
    let most = slots.most();
    (timeline, most)
}

/// Reads one entry: a time, and an action for each replica that it names.
fn entry(
    reader: &mut Reader,
    value: &Value,
    until: Option<Timestamp>,
    words: &[&'static str],
) -> Option<(Timestamp, Vec<ActionKind>)> {
    let mut known = vec!["at", "note"];
    if words.len() == ACTIONS.len() {
        known.extend(["replica", "replicas", "reason", "retry_after"]);
    }
    known.extend(words);
    let fields = reader.fields(value, &Names(known))?;
    let at = fields.require(reader, "at", "when it happens, such as 60s", Reader::duration);
    let at = at.map(|at| Timestamp::ZERO + at);
    if let (Some(at), Some(until)) = (at, until) {
        if at > until {
            reader.field("at", |reader| reader.problem(format!("is after the end of the simulation, {until}")));
        }
    }
    let given: Vec<&str> = words.iter().copied().filter(|action| fields.get(action).is_some()).collect();
    let problems_before = reader.found();
    if given.len() != 1 {
        reader.problem(format!("needs exactly one of: {}; found {}", words.join(", "), given.len()));
    }
    let single = (given.len() == 1).then(|| given[0]);
    let replicas = named_replicas(reader, &fields, single);
    let details = failure_details(reader, &fields, single);
    let mut actions = None;
    for key in given {
        if let Some(value) = fields.get(key) {
            actions = reader.field(key, |reader| actions_of(reader, key, value, &replicas, &details));
        }
    }
    actions = actions.filter(|_| reader.found() == problems_before);
    Some((at?, actions?))
}

fn named_replicas(reader: &mut Reader, fields: &Fields<'_>, action: Option<&str>) -> Vec<u32> {
    let mut replicas = Vec::new();
    replicas.extend(fields.read(reader, "replica", replica));
    if let Some(list) = fields.get("replicas") {
        reader.field("replicas", |reader| {
            reader.list(list, "a list of replicas", |reader, value| replicas.extend(replica(reader, value)));
        });
    }
    let named = fields.get("replica").is_some() || fields.get("replicas").is_some();
    let needed = action.map(|action| ["exit", "fail", "ready", "lost", "found"].contains(&action));
    let problem = match needed {
        Some(true) if !named => Some("is missing: name one replica, or several in 'replicas'"),
        Some(false) if named => Some("does not apply to this action"),
        _ => None,
    };
    if let Some(problem) = problem {
        reader.field("replica", |reader| reader.problem(problem));
    }
    replicas
}

fn failure_details(reader: &mut Reader, fields: &Fields<'_>, action: Option<&str>) -> FailureDetails {
    let details = FailureDetails {
        reason: fields.read(reader, "reason", Reader::text).map(Into::into),
        retry_after: fields.read(reader, "retry_after", Reader::duration).map(nanos),
    };
    let is_failure = action.is_none_or(|action| ["exit", "fail"].contains(&action));
    for key in ["reason", "retry_after"] {
        if fields.get(key).is_some() && !is_failure {
            reader.field(key, |reader| reader.problem("applies only to 'exit' and 'fail'"));
        }
    }
    details
}

fn actions_of(
    reader: &mut Reader,
    key: &str,
    value: &Value,
    replicas: &[u32],
    details: &FailureDetails,
) -> Option<Vec<ActionKind>> {
    let each = |action: &dyn Fn(u32) -> ActionKind| replicas.iter().map(|&replica| action(replica)).collect::<Vec<_>>();
    match key {
        "exit" => exit(reader, value)
            .map(|exit| each(&|replica| ActionKind::Exit { replica, exit, details: details.clone() })),
        "fail" => cause(reader, value)
            .map(|cause| each(&|replica| ActionKind::Fail { replica, cause: cause.clone(), details: details.clone() })),
        "ready" => reader.flag(value).map(|ready| each(&|replica| ActionKind::Ready { replica, ready })),
        "lost" => only_true(reader, value, "for the opposite write found: true")
            .map(|()| each(&|replica| ActionKind::Lost { replica })),
        "found" => only_true(reader, value, "for the opposite write lost: true")
            .map(|()| each(&|replica| ActionKind::Found { replica })),
        "scale" => reader.count(value, &(0..=MAX_REPLICAS)).map(|replicas| vec![ActionKind::Scale(replicas)]),
        "restart" => replica(reader, value).map(|replica| vec![ActionKind::Restart(replica)]),
        "stop" => replica(reader, value).map(|replica| vec![ActionKind::Stop(replica)]),
        "start" => replica(reader, value).map(|replica| vec![ActionKind::Start(replica)]),
        "drain" => drain(reader, value).map(|drain| vec![ActionKind::Drain(drain)]),
        "undrain" => replica_list(reader, value).map(|replicas| vec![ActionKind::Undrain(replicas)]),
        "notice" => notice(reader, value).map(|notice| vec![notice]),
        "roll_out" => revision(reader, value).map(|revision| vec![ActionKind::RollOut(revision)]),
        "promote" => only_true(reader, value, LEAVE_OUT).map(|()| vec![ActionKind::Promote]),
        "roll_back" => only_true(reader, value, LEAVE_OUT).map(|()| vec![ActionKind::RollBack]),
        "reset" => selection(reader, value).map(|selection| vec![ActionKind::Reset(selection)]),
        "retry_now" => selection(reader, value).map(|selection| vec![ActionKind::RetryNow(selection)]),
        "terminate" => only_true(reader, value, LEAVE_OUT).map(|()| vec![ActionKind::Terminate]),
        _ => None,
    }
}

/// Reads a replica, or `{replicas: [0, 1], deadline: 2m}`.
fn drain(reader: &mut Reader, value: &Value) -> Option<Drain> {
    if !matches!(value, Value::Map(_)) {
        return replica_list(reader, value).map(Drain::of);
    }
    let fields = reader.fields(value, &["replicas", "replica", "deadline"])?;
    let replicas = match fields.get("replica") {
        Some(_) => fields.read(reader, "replica", replica_list),
        None => fields.require(reader, "replicas", "the replicas, such as [0, 1]", replica_list),
    };
    let deadline = fields.read(reader, "deadline", Reader::duration);
    let drain = Drain::of(replicas?);
    Some(match deadline {
        Some(deadline) => drain.by(Timestamp::ZERO + deadline),
        None => drain,
    })
}

/// Reads `{replica: 1, deadline: 2m}`.
fn notice(reader: &mut Reader, value: &Value) -> Option<ActionKind> {
    let fields = reader.fields(value, &["replica", "deadline"])?;
    let replica = fields.require(reader, "replica", "the replica whose instance is taken away", replica);
    let deadline =
        fields.require(reader, "deadline", "when it is taken away, counted from now, such as 2m", Reader::duration);
    Some(ActionKind::Notice { replica: replica?, deadline: Timestamp::ZERO + deadline? })
}

/// Reads a replica, or a list of them.
fn replica_list(reader: &mut Reader, value: &Value) -> Option<Vec<ReplicaId>> {
    if !matches!(value, Value::Seq(_)) {
        return replica(reader, value).map(|replica| vec![ReplicaId(replica)]);
    }
    let mut replicas = Vec::new();
    reader.list(value, "a replica, or a list of them", |reader, value| {
        replicas.extend(replica(reader, value).map(ReplicaId));
    });
    Some(replicas)
}

/// Reads `true` or `all`, a replica, or a cause.
fn selection(reader: &mut Reader, value: &Value) -> Option<Selection> {
    match value {
        Value::Bool(true) => Some(Selection::All),
        Value::Str(word) if word == "all" => Some(Selection::All),
        Value::Str(_) => cause(reader, value).map(Selection::Cause),
        Value::Int(_) => replica(reader, value).map(|replica| Selection::Replica(ReplicaId(replica))),
        other => reader.expected("true for all, a replica, or a cause", other),
    }
}

struct Names(Vec<&'static str>);

impl crate::document::FieldSet for Names {
    fn names(&self) -> Vec<&'static str> {
        self.0.clone()
    }
}
