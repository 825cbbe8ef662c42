//! Reads the `faults` block of an experiment document.

use std::time::Duration;

use uphold::document::{Fields, Value, Walk};
use uphold::{Outcome, Timestamp};

use super::dependency::{Dependency, RunningDuringOutage, StartDuringOutage};
use super::distribution::{Distribution, DistributionError};
use super::drought::Drought;
use super::episodes::Episodes;
use super::failure::FailureMode;
use super::lost_contact::LostContact;
use super::model::FaultModel;
use super::nodes::{MAX_NODES, Nodes, StartOnFailedNode};

/// The most entries of a list. Every entry is evaluated at every start.
const MAX_ENTRIES: usize = 64;
const MAX_REPLICA: u32 = 999_999;
/// Replaces a duration that could not be read, so that the other parameters are still checked.
const PLACEHOLDER: Duration = Duration::from_secs(86_400);

const FAULTS: [&str; 10] = [
    "starts_in",
    "ready_in",
    "stops_in",
    "refused_in",
    "slower_per_start",
    "failures",
    "droughts",
    "dependencies",
    "lost_contact",
    "nodes",
];

/// Reads the fault model of a document. Mistakes are reported to `walk`.
pub(crate) fn faults(walk: &mut Walk, value: &Value) -> Option<FaultModel> {
    let fields = walk.fields(value, &FAULTS)?;
    let mut model = FaultModel::new();
    let read_into = |walk: &mut Walk, name: &str, to: &mut Distribution| {
        if let Some(read) = fields.read(walk, name, distribution) {
            *to = read;
        }
    };
    read_into(walk, "starts_in", &mut model.starts_in);
    read_into(walk, "ready_in", &mut model.ready_in);
    read_into(walk, "stops_in", &mut model.stops_in);
    model.refused_in = fields.read(walk, "refused_in", distribution);
    if let Some(share) = fields.read(walk, "slower_per_start", |walk, value| share(walk, value, 1000.0)) {
        model = model.slower_per_start(share);
    }
    model.nodes = fields.read(walk, "nodes", nodes);
    let count = model.nodes.as_ref().map(|nodes| nodes.count);
    model.failures = one_or_many(walk, &fields, "failures", |walk, value| failure(walk, value, count));
    model.droughts = one_or_many(walk, &fields, "droughts", drought);
    model.dependencies = one_or_many(walk, &fields, "dependencies", dependency);
    model.lost_contact = one_or_many(walk, &fields, "lost_contact", lost_contact);
    Some(model)
}

/// Reads a field that holds one block or a list of blocks.
fn one_or_many<T>(
    walk: &mut Walk,
    fields: &Fields<'_>,
    name: &str,
    mut read: impl FnMut(&mut Walk, &Value) -> Option<T>,
) -> Vec<T> {
    let Some(value) = fields.get(name) else { return Vec::new() };
    let mut parts = Vec::new();
    walk.field(name, |walk| {
        if matches!(value, Value::Seq(list) if list.len() > MAX_ENTRIES) {
            walk.problem(format!("has more than {MAX_ENTRIES} entries"));
            return;
        }
        walk.each(value, |walk, value| parts.extend(read(walk, value)));
    });
    parts
}

/// Reads `30s`, `never`, or a block with the name of a distribution.
fn distribution(walk: &mut Walk, value: &Value) -> Option<Distribution> {
    const FAMILIES: [&str; 5] = ["fixed", "exponential", "weibull", "log_normal", "list"];
    const FORMS: &str = "a duration such as 30s, never, or one of {exponential: {mean: 1d}}, \
                         {weibull: {shape: 0.7, scale: 1d}}, {log_normal: {median: 40s, sigma: 0.5}}, {list: [1m, 1h]}";
    let fields = match value {
        Value::Str(word) if word == "never" => return Some(Distribution::never()),
        Value::Str(_) | Value::Int(_) => return walk.duration(value).map(Distribution::fixed),
        Value::Map(_) => walk.fields(value, &FAMILIES)?,
        other => return walk.expected(FORMS, other),
    };
    let given: Vec<&str> = FAMILIES.into_iter().filter(|name| fields.get(name).is_some()).collect();
    let [name] = given[..] else {
        if !matches!(value, Value::Map(entries) if entries.len() > given.len()) {
            walk.problem(format!("expected {FORMS}"));
        }
        return None;
    };
    fields.read(walk, name, |walk, value| match name {
        "fixed" => walk.duration(value).map(Distribution::fixed),
        "exponential" => {
            let fields = walk.fields(value, &["mean"])?;
            let mean = fields.require(walk, "mean", "the average duration, such as 1d", Walk::duration)?;
            or_problem(walk, Distribution::exponential(mean))
        }
        "weibull" => {
            let fields = walk.fields(value, &["shape", "scale"])?;
            let shape = fields.require(
                walk,
                "shape",
                "below 1: early failures; above 1: failures that increase with age",
                number,
            );
            let scale = fields.require(walk, "scale", "63 % of the samples are shorter than this", Walk::duration);
            // Checked separately, so that mistakes in both are reported.
            let valid_shape = or_problem(walk, Distribution::weibull(shape.unwrap_or(1.0), PLACEHOLDER));
            let valid_scale = or_problem(walk, Distribution::weibull(1.0, scale.unwrap_or(PLACEHOLDER)));
            valid_shape.and(valid_scale).and(Distribution::weibull(shape?, scale?).ok())
        }
        "log_normal" => {
            let fields = walk.fields(value, &["median", "sigma"])?;
            let median = fields.require(
                walk,
                "median",
                "half of the samples are shorter than this, such as 40s",
                Walk::duration,
            );
            let sigma = fields.require(walk, "sigma", "the spread, such as 0.5", number);
            let valid_median = or_problem(walk, Distribution::log_normal(median.unwrap_or(PLACEHOLDER), 1.0));
            let valid_sigma = or_problem(walk, Distribution::log_normal(PLACEHOLDER, sigma.unwrap_or(1.0)));
            valid_median.and(valid_sigma).and(Distribution::log_normal(median?, sigma?).ok())
        }
        _ => {
            let mut list = Vec::new();
            let before = walk.found();
            walk.list(value, "a list of durations", |walk, value| list.extend(walk.duration(value)));
            if walk.found() > before { None } else { or_problem(walk, Distribution::list(list)) }
        }
    })
}

/// Reports an invalid parameter at the field that holds it, if that is known.
fn or_problem(walk: &mut Walk, result: Result<Distribution, DistributionError>) -> Option<Distribution> {
    match result {
        Ok(distribution) => Some(distribution),
        Err(error) => {
            match &error {
                DistributionError::ZeroDuration(name) => {
                    walk.field(name, |walk| walk.problem("is 0s; it must be longer"))
                }
                DistributionError::Shape(_) => walk.field("shape", |walk| walk.problem(error.to_string())),
                DistributionError::Sigma(_) => walk.field("sigma", |walk| walk.problem(error.to_string())),
                DistributionError::Empty => walk.problem(error.to_string()),
            }
            None
        }
    }
}

/// Reads any number. The caller checks the range.
fn number(walk: &mut Walk, value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        other => walk.expected("a number", other),
    }
}

/// Reads `0.1` or `10%`, from 0 to `max`.
fn share(walk: &mut Walk, value: &Value, max: f64) -> Option<f64> {
    let found = match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        Value::Str(text) => text
            .trim()
            .strip_suffix('%')
            .and_then(|percent| percent.trim().parse::<f64>().ok())
            .map(|percent| percent / 100.0),
        _ => None,
    };
    match found.filter(|share| (0.0..=max).contains(share)) {
        Some(share) => Some(share),
        None => walk.expected(&format!("a share such as 10% or 0.1, from 0 to {}%", max * 100.0), value),
    }
}

/// Reads `from` and `lasts`, or `every` and `lasts`. `optional`: without `from` and `every` it starts at 0.
fn episodes(walk: &mut Walk, fields: &Fields<'_>, optional: bool) -> Option<Episodes> {
    let from = fields.read(walk, "from", Walk::duration);
    let every = fields.read(walk, "every", distribution);
    let lasts = fields.read(walk, "lasts", distribution);
    let lasts = if fields.get("lasts").is_some() { lasts } else { Some(Distribution::never()) };
    match (fields.get("from").is_some(), fields.get("every").is_some()) {
        (true, true) => {
            walk.field("every", |walk| walk.problem("cannot be combined with 'from'; give one of them"));
            None
        }
        (true, false) => Some(Episodes::once(from?, lasts?)),
        (false, true) => Some(Episodes::recurring(every?, lasts?)),
        (false, false) if optional => Some(Episodes::once(Duration::ZERO, lasts?)),
        (false, false) => {
            walk.problem("needs 'from' (once) or 'every' (recurring), with 'lasts'");
            None
        }
    }
}

fn replicas(walk: &mut Walk, fields: &Fields<'_>) -> Option<Vec<u32>> {
    let mut replicas = Vec::new();
    for name in ["replica", "replicas"] {
        fields.read(walk, name, |walk, value| {
            let before = walk.found();
            walk.each(value, |walk, value| replicas.extend(walk.count(value, &(0..=MAX_REPLICA))));
            if replicas.is_empty() && walk.found() == before {
                walk.problem("is empty; name at least one replica, or leave it out for all");
            }
            Some(())
        });
    }
    (fields.get("replica").is_some() || fields.get("replicas").is_some()).then_some(replicas)
}

const OUTCOME: [&str; 3] = ["cause", "exit", "signal"];

/// Reads how an instance ends: `exit` or `signal`, with or without a `cause`, or a `cause` alone. `None` if none is given.
fn outcome(walk: &mut Walk, fields: &Fields<'_>) -> Option<Outcome> {
    let cause = fields.read(walk, "cause", Walk::cause);
    let code = fields.read(walk, "exit", |walk, value| match value {
        Value::Int(code) => match i32::try_from(*code) {
            Ok(code) => Some(code),
            Err(_) => walk.expected("an exit code", value),
        },
        other => walk.expected("an exit code such as 137", other),
    });
    let signal = fields.read(walk, "signal", Walk::signal);
    let at = Timestamp::ZERO;
    let outcome = match (code, signal) {
        (Some(_), Some(_)) => {
            walk.field("signal", |walk| walk.problem("cannot be combined with 'exit'; give one of them"));
            return None;
        }
        (Some(code), None) => Some(Outcome::exited(code, at)),
        (None, Some(signal)) => Some(Outcome::signalled(signal, at)),
        (None, None) => return cause.map(|cause| Outcome::failed(cause, at)),
    };
    match (outcome, cause) {
        (Some(outcome), Some(cause)) => Some(outcome.cause(cause)),
        (outcome, _) => outcome,
    }
}

fn failure(walk: &mut Walk, value: &Value, nodes: Option<u32>) -> Option<FailureMode> {
    let known = ["after", "cause", "exit", "signal", "ends", "replica", "replicas", "node", "from", "to"];
    let fields = walk.fields(value, &known)?;
    let after = fields.require(walk, "after", "how long an instance runs before it fails", distribution);
    let mut failure = FailureMode::new(after.unwrap_or_else(Distribution::never));
    if let Some(outcome) = outcome(walk, &fields) {
        failure = failure.ends(outcome);
    }
    if let Some(list) = fields.get("ends") {
        if OUTCOME.iter().any(|name| fields.get(name).is_some()) {
            walk.field("ends", |walk| walk.problem("cannot be combined with cause, exit or signal; give one of them"));
        }
        let unchanged = failure.clone();
        failure = walk.field("ends", |walk| weighted_ends(walk, list, failure)).unwrap_or(unchanged);
    }
    if let Some(replicas) = replicas(walk, &fields) {
        failure = failure.replicas(replicas);
    }
    if let Some(node) = fields.read(walk, "node", |walk, value| walk.count(value, &(0..=MAX_NODES - 1))) {
        match nodes {
            Some(count) if node < count => {}
            Some(count) => {
                walk.field("node", |walk| walk.problem(format!("there is no node {node}: nodes.count is {count}")))
            }
            None => walk.field("node", |walk| walk.problem("there are no nodes; add 'nodes: {count: ..}' to 'faults'")),
        }
        failure = failure.on_node(node);
    }
    let from = fields.read(walk, "from", Walk::duration);
    let to = fields.read(walk, "to", Walk::duration);
    if to.is_some_and(|to| to <= from.unwrap_or_default()) {
        walk.field("to", |walk| walk.problem("is not later than 'from'"));
    }
    if let Some(from) = from {
        failure = failure.started_from(from);
    }
    if let Some(to) = to {
        failure = failure.started_before(to);
    }
    Some(failure)
}

fn weighted_ends(walk: &mut Walk, value: &Value, failure: FailureMode) -> Option<FailureMode> {
    let mut ends = Vec::new();
    walk.list(value, "a list such as [{weight: 3, exit: 1}, {weight: 1, cause: interruption}]", |walk, value| {
        let Some(fields) = walk.fields(value, &["weight", "cause", "exit", "signal"]) else { return };
        let weight = fields.require(walk, "weight", "how often, relative to the others", |walk, value| {
            let weight = number(walk, value)?;
            if (0.0..=1e9).contains(&weight) {
                return Some(weight);
            }
            walk.expected("a number from 0 to 1000000000", value)
        });
        if OUTCOME.iter().all(|name| fields.get(name).is_none()) {
            walk.problem("needs one of: cause, exit, signal");
        }
        let outcome = outcome(walk, &fields);
        ends.extend(weight.zip(outcome));
    });
    let all_read = matches!(value, Value::Seq(list) if list.len() == ends.len());
    match failure.ends_by_weight(ends) {
        Ok(failure) => Some(failure),
        Err(error) => {
            if all_read {
                walk.problem(error.to_string());
            }
            None
        }
    }
}

fn drought(walk: &mut Walk, value: &Value) -> Option<Drought> {
    let fields = walk.fields(value, &["from", "every", "lasts", "share", "cause"])?;
    let episodes = episodes(walk, &fields, true);
    let share = fields.read(walk, "share", |walk, value| share(walk, value, 1.0));
    let cause = fields.read(walk, "cause", Walk::cause);
    let mut drought = Drought::new(episodes?);
    if let Some(share) = share {
        drought = drought.share(share);
    }
    Some(if let Some(cause) = cause { drought.cause(cause) } else { drought })
}

fn dependency(walk: &mut Walk, value: &Value) -> Option<Dependency> {
    let known = ["from", "every", "lasts", "starts", "running", "crashes_after", "cause", "exit", "signal"];
    let fields = walk.fields(value, &known)?;
    let episodes = episodes(walk, &fields, false);
    let starts =
        [("crash", StartDuringOutage::Crash), ("fail", StartDuringOutage::Fail), ("wait", StartDuringOutage::Wait)];
    let running = [
        ("serve", RunningDuringOutage::Serve),
        ("crash", RunningDuringOutage::Crash),
        ("not-ready", RunningDuringOutage::NotReady),
    ];
    let starts = fields.read(walk, "starts", |walk, value| walk.word(value, &starts, &[]));
    let running = fields.read(walk, "running", |walk, value| walk.word(value, &running, &[]));
    let crashes_after = fields.read(walk, "crashes_after", distribution);
    let outcome = outcome(walk, &fields);
    let mut dependency =
        Dependency::new(episodes?).starts(starts.unwrap_or_default()).running(running.unwrap_or_default());
    if let Some(after) = crashes_after {
        dependency = dependency.crashes_after(after);
    }
    Some(if let Some(outcome) = outcome { dependency.ends(outcome) } else { dependency })
}

fn lost_contact(walk: &mut Walk, value: &Value) -> Option<LostContact> {
    let fields = walk.fields(value, &["from", "every", "lasts", "replica", "replicas"])?;
    let episodes = episodes(walk, &fields, false);
    let replicas = replicas(walk, &fields);
    let lost = LostContact::new(episodes?);
    Some(if let Some(replicas) = replicas { lost.replicas(replicas) } else { lost })
}

fn nodes(walk: &mut Walk, value: &Value) -> Option<Nodes> {
    let fields = walk.fields(value, &["count", "zones", "node_fails", "zone_fails", "starts", "cause", "silent"])?;
    let count =
        fields.require(walk, "count", "how many nodes there are", |walk, value| walk.count(value, &(1..=MAX_NODES)));
    let zones = fields.read(walk, "zones", |walk, value| walk.count(value, &(1..=count.unwrap_or(MAX_NODES))));
    let mut nodes = Nodes::new(count.unwrap_or(1)).zones(zones.unwrap_or(1));
    let (node_count, zone_count) = (nodes.count, nodes.zones);
    nodes.node_fails =
        one_or_many(walk, &fields, "node_fails", |walk, value| domain_outage(walk, value, "node", node_count));
    nodes.zone_fails =
        one_or_many(walk, &fields, "zone_fails", |walk, value| domain_outage(walk, value, "zone", zone_count));
    let starts =
        [("fail", StartOnFailedNode::Fail), ("wait", StartOnFailedNode::Wait), ("move", StartOnFailedNode::Move)];
    if let Some(starts) = fields.read(walk, "starts", |walk, value| walk.word(value, &starts, &[])) {
        nodes = nodes.starts(starts);
    }
    if let Some(cause) = fields.read(walk, "cause", Walk::cause) {
        nodes = nodes.cause(cause);
    }
    if fields.read(walk, "silent", Walk::flag) == Some(true) {
        nodes = nodes.silent();
    }
    count.map(|_| nodes)
}

/// Reads when a failure domain, a node or a zone, is down. `None` in the pair: every domain.
fn domain_outage(walk: &mut Walk, value: &Value, name: &'static str, count: u32) -> Option<(Option<u32>, Episodes)> {
    let fields = walk.fields(value, &[name, "from", "every", "lasts"])?;
    let which = fields.read(walk, name, |walk, value| walk.count(value, &(0..=count - 1)));
    Some((which, episodes(walk, &fields, false)?))
}
