//! Reading timelines.

use super::super::action::{ActionKind, FailureDetails};
use super::values::{LEAVE_OUT, exit, only_true, replica};
use crate::decide::ReplicaId;
use crate::engine::Selection;
use crate::policy::read::{Fields, Value, Walk, cause};
use crate::time::{Timestamp, nanos};

/// Keys of which each entry has exactly one.
const ACTIONS: [&str; 13] = [
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
    "terminate",
];

/// Reads a timeline. Returns its actions, and the highest number of replicas that the set has in its course.
pub(super) fn timeline(
    walk: &mut Walk,
    value: &Value,
    until: Option<Timestamp>,
    initial_replicas: u32,
) -> (Vec<(Timestamp, ActionKind)>, u32) {
    let mut timeline = Vec::new();
    let mut max_replicas = initial_replicas;
    let mut last = Timestamp::ZERO;
    walk.list(value, "a list of what happens", |walk, value| {
        let Some((at, actions)) = entry(walk, value, until) else { return };
        if at < last {
            walk.problem(format!("is at {at}, before the entry above it, at {last}; sort the timeline by time"));
        }
        last = last.max(at);
        for action in &actions {
            if let ActionKind::Scale(replicas) = action {
                max_replicas = max_replicas.max(*replicas);
            }
            if let Some(replica) = action.replica().filter(|&replica| replica >= max_replicas) {
                walk.problem(format!("there is no replica {replica}: the set has at most {max_replicas} by then"));
            }
        }
        timeline.extend(actions.into_iter().map(|action| (at, action)));
    });
    (timeline, max_replicas)
}

/// Reads one entry: when, and what happens then, for each replica that it names.
fn entry(walk: &mut Walk, value: &Value, until: Option<Timestamp>) -> Option<(Timestamp, Vec<ActionKind>)> {
    let mut known = vec!["at", "replica", "replicas", "reason", "retry_after", "note"];
    known.extend(ACTIONS);
    let fields = walk.fields(value, &Names(known))?;
    let at = fields.require(walk, "at", "when it happens, such as 60s", Walk::duration);
    let at = at.map(|at| Timestamp::ZERO + at);
    if let (Some(at), Some(until)) = (at, until) {
        if at > until {
            walk.field("at", |walk| walk.problem(format!("is after the end of the simulation, {until}")));
        }
    }
    let given: Vec<&str> = ACTIONS.into_iter().filter(|action| fields.get(action).is_some()).collect();
    let problems_before = walk.found();
    if given.len() != 1 {
        walk.problem(format!("needs exactly one of: {}; found {}", ACTIONS.join(", "), given.len()));
    }
    // The rest is checked all the same.
    let single = (given.len() == 1).then(|| given[0]);
    let replicas = named_replicas(walk, &fields, single);
    let details = failure_details(walk, &fields, single);
    let mut actions = None;
    for key in given {
        if let Some(value) = fields.get(key) {
            actions = walk.field(key, |walk| actions_of(walk, key, value, &replicas, &details));
        }
    }
    actions = actions.filter(|_| walk.found() == problems_before);
    Some((at?, actions?))
}

fn named_replicas(walk: &mut Walk, fields: &Fields<'_>, action: Option<&str>) -> Vec<u32> {
    let mut replicas = Vec::new();
    replicas.extend(fields.read(walk, "replica", replica));
    if let Some(list) = fields.get("replicas") {
        walk.field("replicas", |walk| {
            walk.list(list, "a list of replicas", |walk, value| replicas.extend(replica(walk, value)));
        });
    }
    let named = fields.get("replica").is_some() || fields.get("replicas").is_some();
    let needed = action.map(|action| ["exit", "fail", "ready", "lost", "found"].contains(&action));
    let problem = match needed {
        Some(true) if !named => Some("is missing: name the replica, or several as 'replicas'"),
        Some(false) if named => Some("has no meaning here"),
        _ => None,
    };
    if let Some(problem) = problem {
        walk.field("replica", |walk| walk.problem(problem));
    }
    replicas
}

fn failure_details(walk: &mut Walk, fields: &Fields<'_>, action: Option<&str>) -> FailureDetails {
    let details = FailureDetails {
        reason: fields.read(walk, "reason", Walk::text).map(Into::into),
        retry_after: fields.read(walk, "retry_after", Walk::duration).map(nanos),
    };
    let is_failure = action.is_none_or(|action| ["exit", "fail"].contains(&action));
    for key in ["reason", "retry_after"] {
        if fields.get(key).is_some() && !is_failure {
            walk.field(key, |walk| walk.problem("has no meaning here: it belongs to 'exit' or 'fail'"));
        }
    }
    details
}

fn actions_of(
    walk: &mut Walk,
    key: &str,
    value: &Value,
    replicas: &[u32],
    details: &FailureDetails,
) -> Option<Vec<ActionKind>> {
    let each = |action: &dyn Fn(u32) -> ActionKind| replicas.iter().map(|&replica| action(replica)).collect::<Vec<_>>();
    match key {
        "exit" => {
            exit(walk, value).map(|exit| each(&|replica| ActionKind::Exit { replica, exit, details: details.clone() }))
        }
        "fail" => cause(walk, value)
            .map(|cause| each(&|replica| ActionKind::Fail { replica, cause: cause.clone(), details: details.clone() })),
        "ready" => walk.flag(value).map(|ready| each(&|replica| ActionKind::Ready { replica, ready })),
        "lost" => only_true(walk, value, "for the opposite write found: true")
            .map(|()| each(&|replica| ActionKind::Lost { replica })),
        "found" => only_true(walk, value, "for the opposite write lost: true")
            .map(|()| each(&|replica| ActionKind::Found { replica })),
        "scale" => walk.count(value, &(0..=u32::MAX)).map(|replicas| vec![ActionKind::Scale(replicas)]),
        "restart" => replica(walk, value).map(|replica| vec![ActionKind::Restart(replica)]),
        "stop" => replica(walk, value).map(|replica| vec![ActionKind::Stop(replica)]),
        "start" => replica(walk, value).map(|replica| vec![ActionKind::Start(replica)]),
        "drain" => replica(walk, value).map(|replica| vec![ActionKind::Drain(replica)]),
        "reset" => selection(walk, value).map(|selection| vec![ActionKind::Reset(selection)]),
        "retry_now" => selection(walk, value).map(|selection| vec![ActionKind::RetryNow(selection)]),
        "terminate" => only_true(walk, value, LEAVE_OUT).map(|()| vec![ActionKind::Terminate]),
        _ => None,
    }
}

/// Reads `true` or `all`, a replica, or a cause.
fn selection(walk: &mut Walk, value: &Value) -> Option<Selection> {
    match value {
        Value::Bool(true) => Some(Selection::All),
        Value::Str(word) if word == "all" => Some(Selection::All),
        Value::Str(_) => cause(walk, value).map(Selection::Cause),
        Value::Int(_) => replica(walk, value).map(|replica| Selection::Replica(ReplicaId(replica))),
        other => walk.expected("true for all, a replica, or a cause", other),
    }
}

struct Names(Vec<&'static str>);

impl crate::policy::read::walk::Known for Names {
    fn names(&self) -> Vec<&'static str> {
        self.0.clone()
    }

    fn remark(&self, field: &str) -> Option<String> {
        let is_rollout = ["rollout", "roll_out", "promote", "roll_back", "revision"].contains(&field);
        is_rollout.then(|| "rollouts are not part of this version; leave it out".to_owned())
    }
}
