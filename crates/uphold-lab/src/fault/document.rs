//! Reads the `faults` block of an experiment document.

use std::time::Duration;

use uphold::decide::Revision;
use uphold::document::{Fields, Reader, Value};
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

/// Reads the fault model of a document. Mistakes are reported to `reader`.
pub(crate) fn faults(reader: &mut Reader, value: &Value) -> Option<FaultModel> {
    let fields = reader.fields(value, &FAULTS)?;
    let mut model = FaultModel::new();
    let read_into = |reader: &mut Reader, name: &str, to: &mut Distribution| {
        if let Some(read) = fields.read(reader, name, distribution) {
            *to = read;
        }
    };
    read_into(reader, "starts_in", &mut model.starts_in);
    read_into(reader, "ready_in", &mut model.ready_in);
    read_into(reader, "stops_in", &mut model.stops_in);
    model.refused_in = fields.read(reader, "refused_in", distribution);
    if let Some(share) = fields.read(reader, "slower_per_start", |reader, value| share(reader, value, 1000.0)) {
        model = model.slower_per_start(share);
    }
    model.nodes = fields.read(reader, "nodes", nodes);
    let count = model.nodes.as_ref().map(|nodes| nodes.count);
    model.failures = one_or_many(reader, &fields, "failures", |reader, value| failure(reader, value, count));
    model.droughts = one_or_many(reader, &fields, "droughts", drought);
    model.dependencies = one_or_many(reader, &fields, "dependencies", dependency);
    model.lost_contact = one_or_many(reader, &fields, "lost_contact", lost_contact);
    Some(model)
}

/// Reads a field that holds one block or a list of blocks.
fn one_or_many<T>(
    reader: &mut Reader,
    fields: &Fields<'_>,
    name: &str,
    mut read: impl FnMut(&mut Reader, &Value) -> Option<T>,
) -> Vec<T> {
    let Some(value) = fields.get(name) else { return Vec::new() };
    let mut parts = Vec::new();
    reader.field(name, |reader| {
        if matches!(value, Value::Seq(list) if list.len() > MAX_ENTRIES) {
            reader.problem(format!("has more than {MAX_ENTRIES} entries"));
            return;
        }
        reader.each(value, |reader, value| parts.extend(read(reader, value)));
    });
    parts
}

/// Reads `30s`, `never`, or a block with the name of a distribution.
fn distribution(reader: &mut Reader, value: &Value) -> Option<Distribution> {
    const FAMILIES: [&str; 5] = ["fixed", "exponential", "weibull", "log_normal", "list"];
    const FORMS: &str = "a duration such as 30s, never, or one of {exponential: {mean: 1d}}, \
                         {weibull: {shape: 0.7, scale: 1d}}, {log_normal: {median: 40s, sigma: 0.5}}, {list: [1m, 1h]}";
    let fields = match value {
        Value::Str(word) if word == "never" => return Some(Distribution::never()),
        Value::Str(_) | Value::Int(_) => return reader.duration(value).map(Distribution::fixed),
        Value::Map(_) => reader.fields(value, &FAMILIES)?,
        other => return reader.expected(FORMS, other),
    };
    let given: Vec<&str> = FAMILIES.into_iter().filter(|name| fields.get(name).is_some()).collect();
    let [name] = given[..] else {
        if !matches!(value, Value::Map(entries) if entries.len() > given.len()) {
            reader.problem(format!("expected {FORMS}"));
        }
        return None;
    };
    fields.read(reader, name, |reader, value| match name {
        "fixed" => reader.duration(value).map(Distribution::fixed),
        "exponential" => {
            let fields = reader.fields(value, &["mean"])?;
            let mean = fields.require(reader, "mean", "the average duration, such as 1d", Reader::duration)?;
            or_problem(reader, Distribution::exponential(mean))
        }
        "weibull" => {
            let fields = reader.fields(value, &["shape", "scale"])?;
            let shape = fields.require(
                reader,
                "shape",
                "below 1: early failures; above 1: failures that increase with age",
                number,
            );
            let scale = fields.require(reader, "scale", "63 % of the samples are shorter than this", Reader::duration);
            // Checked separately, so that mistakes in both are reported.
            let valid_shape = or_problem(reader, Distribution::weibull(shape.unwrap_or(1.0), PLACEHOLDER));
            let valid_scale = or_problem(reader, Distribution::weibull(1.0, scale.unwrap_or(PLACEHOLDER)));
            valid_shape.and(valid_scale).and(Distribution::weibull(shape?, scale?).ok())
        }
        "log_normal" => {
            let fields = reader.fields(value, &["median", "sigma"])?;
            let median = fields.require(
                reader,
                "median",
                "half of the samples are shorter than this, such as 40s",
                Reader::duration,
            );
            let sigma = fields.require(reader, "sigma", "the spread, such as 0.5", number);
            let valid_median = or_problem(reader, Distribution::log_normal(median.unwrap_or(PLACEHOLDER), 1.0));
            let valid_sigma = or_problem(reader, Distribution::log_normal(PLACEHOLDER, sigma.unwrap_or(1.0)));
            valid_median.and(valid_sigma).and(Distribution::log_normal(median?, sigma?).ok())
        }
        _ => {
            let mut list = Vec::new();
            let before = reader.found();
            reader.list(value, "a list of durations", |reader, value| list.extend(reader.duration(value)));
            if reader.found() > before { None } else { or_problem(reader, Distribution::list(list)) }
        }
    })
}

/// Reports an invalid parameter at the field that holds it, if that is known.
fn or_problem(reader: &mut Reader, result: Result<Distribution, DistributionError>) -> Option<Distribution> {
    match result {
        Ok(distribution) => Some(distribution),
        Err(error) => {
            match &error {
                DistributionError::ZeroDuration(name) => {
                    reader.field(name, |reader| reader.problem("is 0s; it must be longer"))
                }
                DistributionError::Shape(_) => reader.field("shape", |reader| reader.problem(error.to_string())),
                DistributionError::Sigma(_) => reader.field("sigma", |reader| reader.problem(error.to_string())),
                DistributionError::Empty => reader.problem(error.to_string()),
            }
            None
        }
    }
}

/// Reads any number. The caller checks the range.
fn number(reader: &mut Reader, value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        other => reader.expected("a number", other),
    }
}

/// Reads `0.1` or `10%`, from 0 to `max`.
fn share(reader: &mut Reader, value: &Value, max: f64) -> Option<f64> {
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
        None => reader.expected(&format!("a share such as 10% or 0.1, from 0 to {}%", max * 100.0), value),
    }
}

/// Reads `from` and `lasts`, or `every` and `lasts`. `optional`: without `from` and `every` it starts at 0.
fn episodes(reader: &mut Reader, fields: &Fields<'_>, optional: bool) -> Option<Episodes> {
    let from = fields.read(reader, "from", Reader::duration);
    let every = fields.read(reader, "every", distribution);
    let lasts = fields.read(reader, "lasts", distribution);
    let lasts = if fields.get("lasts").is_some() { lasts } else { Some(Distribution::never()) };
    match (fields.get("from").is_some(), fields.get("every").is_some()) {
        (true, true) => {
            reader.field("every", |reader| reader.problem("cannot be combined with 'from'; give one of them"));
            None
        }
        (true, false) => Some(Episodes::once(from?, lasts?)),
        (false, true) => Some(Episodes::recurring(every?, lasts?)),
        (false, false) if optional => Some(Episodes::once(Duration::ZERO, lasts?)),
        (false, false) => {
            reader.problem("needs 'from' (once) or 'every' (recurring), with 'lasts'");
            None
        }
    }
}

fn replicas(reader: &mut Reader, fields: &Fields<'_>) -> Option<Vec<u32>> {
    let mut replicas = Vec::new();
    for name in ["replica", "replicas"] {
        fields.read(reader, name, |reader, value| {
            let before = reader.found();
            reader.each(value, |reader, value| replicas.extend(reader.count(value, &(0..=MAX_REPLICA))));
            if replicas.is_empty() && reader.found() == before {
                reader.problem("is empty; name at least one replica, or leave it out for all");
            }
            Some(())
        });
    }
    (fields.get("replica").is_some() || fields.get("replicas").is_some()).then_some(replicas)
}

const OUTCOME: [&str; 3] = ["cause", "exit", "signal"];

/// Reads how an instance ends: `exit` or `signal`, with or without a `cause`, or a `cause` alone. `None` if none is given.
fn outcome(reader: &mut Reader, fields: &Fields<'_>) -> Option<Outcome> {
    let cause = fields.read(reader, "cause", Reader::cause);
    let code = fields.read(reader, "exit", |reader, value| match value {
        Value::Int(code) => match i32::try_from(*code) {
            Ok(code) => Some(code),
            Err(_) => reader.expected("an exit code", value),
        },
        other => reader.expected("an exit code such as 137", other),
    });
    let signal = fields.read(reader, "signal", Reader::signal);
    let at = Timestamp::ZERO;
    let outcome = match (code, signal) {
        (Some(_), Some(_)) => {
            reader.field("signal", |reader| reader.problem("cannot be combined with 'exit'; give one of them"));
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

fn revision(reader: &mut Reader, value: &Value) -> Option<Revision> {
    match Revision::new(reader.text(value)?) {
        Ok(revision) => Some(revision),
        Err(error) => {
            reader.problem(error.to_string());
            None
        }
    }
}

fn failure(reader: &mut Reader, value: &Value, nodes: Option<u32>) -> Option<FailureMode> {
    let known = ["after", "cause", "exit", "signal", "ends", "replica", "replicas", "node", "revision", "from", "to"];
    let fields = reader.fields(value, &known)?;
    let after = fields.require(reader, "after", "how long an instance runs before it fails", distribution);
    let mut failure = FailureMode::new(after.unwrap_or_else(Distribution::never));
    if let Some(outcome) = outcome(reader, &fields) {
        failure = failure.ends(outcome);
    }
    if let Some(list) = fields.get("ends") {
        if OUTCOME.iter().any(|name| fields.get(name).is_some()) {
            reader.field("ends", |reader| {
                reader.problem("cannot be combined with cause, exit or signal; give one of them")
            });
        }
        let unchanged = failure.clone();
        failure = reader.field("ends", |reader| weighted_ends(reader, list, failure)).unwrap_or(unchanged);
    }
    if let Some(replicas) = replicas(reader, &fields) {
        failure = failure.replicas(replicas);
    }
    if let Some(node) = fields.read(reader, "node", |reader, value| reader.count(value, &(0..=MAX_NODES - 1))) {
        match nodes {
            Some(count) if node < count => {}
            Some(count) => reader
                .field("node", |reader| reader.problem(format!("there is no node {node}: nodes.count is {count}"))),
            None => reader
                .field("node", |reader| reader.problem("there are no nodes; add 'nodes: {count: ..}' to 'faults'")),
        }
        failure = failure.on_node(node);
    }
    if let Some(revision) = fields.read(reader, "revision", revision) {
        failure = failure.of_revision(revision);
    }
    let from = fields.read(reader, "from", Reader::duration);
    let to = fields.read(reader, "to", Reader::duration);
    if to.is_some_and(|to| to <= from.unwrap_or_default()) {
        reader.field("to", |reader| reader.problem("is not later than 'from'"));
    }
    if let Some(from) = from {
        failure = failure.started_from(from);
    }
    if let Some(to) = to {
        failure = failure.started_before(to);
    }
    Some(failure)
}

fn weighted_ends(reader: &mut Reader, value: &Value, failure: FailureMode) -> Option<FailureMode> {
    let mut ends = Vec::new();
    reader.list(value, "a list such as [{weight: 3, exit: 1}, {weight: 1, cause: interruption}]", |reader, value| {
        let Some(fields) = reader.fields(value, &["weight", "cause", "exit", "signal"]) else { return };
        let weight = fields.require(reader, "weight", "how often, relative to the others", |reader, value| {
            let weight = number(reader, value)?;
            if (0.0..=1e9).contains(&weight) {
                return Some(weight);
            }
            reader.expected("a number from 0 to 1000000000", value)
        });
        if OUTCOME.iter().all(|name| fields.get(name).is_none()) {
            reader.problem("needs one of: cause, exit, signal");
        }
        let outcome = outcome(reader, &fields);
        ends.extend(weight.zip(outcome));
    });
    let all_read = matches!(value, Value::Seq(list) if list.len() == ends.len());
    match failure.ends_by_weight(ends) {
        Ok(failure) => Some(failure),
        Err(error) => {
            if all_read {
                reader.problem(error.to_string());
            }
            None
        }
    }
}

fn drought(reader: &mut Reader, value: &Value) -> Option<Drought> {
    let fields = reader.fields(value, &["from", "every", "lasts", "share", "cause"])?;
    let episodes = episodes(reader, &fields, true);
    let share = fields.read(reader, "share", |reader, value| share(reader, value, 1.0));
    let cause = fields.read(reader, "cause", Reader::cause);
    let mut drought = Drought::new(episodes?);
    if let Some(share) = share {
        drought = drought.share(share);
    }
    Some(if let Some(cause) = cause { drought.cause(cause) } else { drought })
}

fn dependency(reader: &mut Reader, value: &Value) -> Option<Dependency> {
    let known = ["from", "every", "lasts", "starts", "running", "crashes_after", "cause", "exit", "signal"];
    let fields = reader.fields(value, &known)?;
    let episodes = episodes(reader, &fields, false);
    let starts =
        [("crash", StartDuringOutage::Crash), ("fail", StartDuringOutage::Fail), ("wait", StartDuringOutage::Wait)];
    let running = [
        ("serve", RunningDuringOutage::Serve),
        ("crash", RunningDuringOutage::Crash),
        ("not-ready", RunningDuringOutage::NotReady),
    ];
    let starts = fields.read(reader, "starts", |reader, value| reader.word(value, &starts, &[]));
    let running = fields.read(reader, "running", |reader, value| reader.word(value, &running, &[]));
    let crashes_after = fields.read(reader, "crashes_after", distribution);
    let outcome = outcome(reader, &fields);
    let mut dependency =
        Dependency::new(episodes?).starts(starts.unwrap_or_default()).running(running.unwrap_or_default());
    if let Some(after) = crashes_after {
        dependency = dependency.crashes_after(after);
    }
    Some(if let Some(outcome) = outcome { dependency.ends(outcome) } else { dependency })
}

fn lost_contact(reader: &mut Reader, value: &Value) -> Option<LostContact> {
    let fields = reader.fields(value, &["from", "every", "lasts", "replica", "replicas"])?;
    let episodes = episodes(reader, &fields, false);
    let replicas = replicas(reader, &fields);
    let lost = LostContact::new(episodes?);
    Some(if let Some(replicas) = replicas { lost.replicas(replicas) } else { lost })
}

fn nodes(reader: &mut Reader, value: &Value) -> Option<Nodes> {
    let fields = reader.fields(value, &["count", "zones", "node_fails", "zone_fails", "starts", "cause", "silent"])?;
    let count = fields
        .require(reader, "count", "how many nodes there are", |reader, value| reader.count(value, &(1..=MAX_NODES)));
    let zones = fields.read(reader, "zones", |reader, value| reader.count(value, &(1..=count.unwrap_or(MAX_NODES))));
    let mut nodes = Nodes::new(count.unwrap_or(1)).zones(zones.unwrap_or(1));
    let (node_count, zone_count) = (nodes.count, nodes.zones);
    nodes.node_fails =
        one_or_many(reader, &fields, "node_fails", |reader, value| domain_outage(reader, value, "node", node_count));
    nodes.zone_fails =
        one_or_many(reader, &fields, "zone_fails", |reader, value| domain_outage(reader, value, "zone", zone_count));
    let starts =
        [("fail", StartOnFailedNode::Fail), ("wait", StartOnFailedNode::Wait), ("move", StartOnFailedNode::Move)];
    if let Some(starts) = fields.read(reader, "starts", |reader, value| reader.word(value, &starts, &[])) {
        nodes = nodes.starts(starts);
    }
    if let Some(cause) = fields.read(reader, "cause", Reader::cause) {
        nodes = nodes.cause(cause);
    }
    if fields.read(reader, "silent", Reader::flag) == Some(true) {
        nodes = nodes.silent();
    }
    count.map(|_| nodes)
}

/// Reads when a failure domain, a node or a zone, is down. `None` in the pair: every domain.
fn domain_outage(
    reader: &mut Reader,
    value: &Value,
    name: &'static str,
    count: u32,
) -> Option<(Option<u32>, Episodes)> {
    let fields = reader.fields(value, &[name, "from", "every", "lasts"])?;
    let which = fields.read(reader, name, |reader, value| reader.count(value, &(0..=count - 1)));
    Some((which, episodes(reader, &fields, false)?))
}
