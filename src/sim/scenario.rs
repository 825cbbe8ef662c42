//! A scenario: a policy, a world, a timeline and what is expected, as one document.

use serde::de::{Deserialize, Deserializer, Error as _};

use super::action::{ActionKind, FailureDetails};
use super::error::SimError;
use super::expectation::{Expectation, KEYS, Mismatch, short_form};
use super::run::Run;
use super::simulation::Simulation;
use super::world::{Behaviour, World};
use crate::decide::ReplicaId;
use crate::engine::{ProbeKind, Selection, TraceValue};
use crate::policy::read::{Value, Walk, cause, signal};
use crate::policy::{Cause, Exit, Policy, PolicyError};
use crate::time::{Timestamp, nanos};

/// A scenario: what is simulated, and what is expected of it. Read from a document with any serde format.
///
/// ```
/// use uphold::sim::Scenario;
///
/// let scenario: Scenario = serde_json::from_str(r#"{
///     "policy": {"replicas": 3, "retry": {"interval": "30s", "max_duration": "1h"}},
///     "timeline": [{"at": "60s", "replica": 1, "exit": 137}],
///     "until": "1h",
///     "expect": [{"at": "60s", "status": "degraded"}, {"at": "90s", "start": 1}]
/// }"#)?;
/// let run = scenario.run()?;
/// assert!(scenario.check(&run).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Scenario {
    name: Option<String>,
    simulation: Simulation,
    until: Timestamp,
    expectations: Vec<Expectation>,
}

/// A scenario as it was written, not looked at yet: for documents that name a `policy_file`, and for callers who want
/// every mistake apart.
#[derive(Clone, Debug)]
pub struct ScenarioDocument(Value);

/// Room for a timeline of a million entries.
const MAX_VALUES: u32 = 20_000_000;

impl<'de> Deserialize<'de> for ScenarioDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize_up_to(deserializer, MAX_VALUES).map(Self)
    }
}

impl ScenarioDocument {
    /// Reads the scenario; `load` reads the policy that `policy_file` names.
    ///
    /// # Errors
    /// Every mistake, each with its path.
    pub fn read(&self, load: impl FnOnce(&str) -> Result<Policy, String>) -> Result<Scenario, PolicyError> {
        let mut walk = Walk::new();
        let scenario = scenario(&mut walk, &self.0, load);
        walk.finish_with(scenario)
    }
}

impl<'de> Deserialize<'de> for Scenario {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let load = |_: &str| Err("a policy file cannot be read here; write the policy itself".to_owned());
        ScenarioDocument::deserialize(deserializer)?.read(load).map_err(D::Error::custom)
    }
}

impl Scenario {
    /// Its name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The policy that is simulated.
    pub fn policy(&self) -> &Policy {
        &self.simulation.policy
    }

    /// The same scenario under another policy.
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.simulation.policy = policy;
        self
    }

    /// What is expected; empty if nothing is.
    pub fn expectations(&self) -> &[Expectation] {
        &self.expectations
    }

    /// Simulates it.
    ///
    /// # Errors
    /// Something happens to a replica that the set never has, or things go on for ever within one instant.
    pub fn run(&self) -> Result<Run, SimError> {
        self.simulation.clone().run_until(self.until)
    }

    /// Compares a run with what is expected.
    ///
    /// # Errors
    /// The first thing that is not as expected.
    pub fn check(&self, run: &Run) -> Result<(), Box<Mismatch>> {
        let mut numbered = self.expectations.iter().enumerate();
        numbered.try_for_each(|(index, expected)| expected.check(index, run.trace()))
    }
}

const SCENARIO: [&str; 10] =
    ["name", "seed", "policy", "policy_file", "world", "behaviour", "timeline", "until", "expect", "note"];

fn scenario(walk: &mut Walk, value: &Value, load: impl FnOnce(&str) -> Result<Policy, String>) -> Option<Scenario> {
    let fields = walk.fields(value, &SCENARIO)?;
    let policy = fields.policy_or_file(walk, "the policy to simulate", load);
    let until = fields.require(walk, "until", "when the simulation ends, such as 1h", Walk::duration);
    let seed = fields.read(walk, "seed", Walk::seed);
    let world = fields.read(walk, "world", world).unwrap_or_default();
    let mut behaviours = Vec::new();
    if let Some(value) = fields.get("behaviour") {
        walk.field("behaviour", |walk| {
            walk.list(value, "a list of behaviours", |walk, value| behaviours.extend(behaviour(walk, value)));
        });
    }
    let until = until.map(|until| Timestamp::ZERO + until);
    let mut simulation = Simulation::new(policy.clone().unwrap_or_else(nothing)).seed(seed.unwrap_or(0)).world(world);
    if behaviours.len() > usize::from(u16::MAX) {
        walk.field("behaviour", |walk| walk.problem("has more than 65535 behaviours"));
        behaviours.clear();
    }
    let mut most = policy.as_ref().map_or(u32::MAX, Policy::replicas);
    if let Some(value) = fields.get("timeline") {
        walk.field("timeline", |walk| {
            let mut last = Timestamp::ZERO;
            walk.list(value, "a list of what happens", |walk, value| {
                if let Some((at, acts)) = entry(walk, value, until) {
                    if at < last {
                        walk.problem(format!("happens at {at}, before what stands above it, at {last}; put it first"));
                    }
                    last = last.max(at);
                    for act in &acts {
                        if let ActionKind::Scale(replicas) = act {
                            most = most.max(*replicas);
                        }
                        if let Some(replica) = act.replica().filter(|&replica| replica >= most) {
                            walk.problem(format!("there is no replica {replica}: the set has at most {most} by then"));
                        }
                    }
                    simulation.timeline.extend(acts.into_iter().map(|act| (at, act)));
                }
            });
        });
    }
    for (index, one) in behaviours.iter().enumerate() {
        if let Some(replica) = one.replica.filter(|&replica| replica >= most) {
            let problem = format!("there is no replica {replica}: the set never has more than {most}");
            walk.field("behaviour", |walk| {
                walk.index(index, |walk| walk.field("replica", |walk| walk.problem(problem)))
            });
        }
    }
    simulation.behaviours = behaviours;
    let mut expectations = Vec::new();
    if let Some(value) = fields.get("expect") {
        walk.field("expect", |walk| {
            walk.list(value, "a list of what is expected", |walk, value| {
                expectations.extend(expectation(walk, value, until));
            });
        });
    }
    let name = fields.read(walk, "name", Walk::text).map(str::to_owned);
    policy?;
    Some(Scenario { name, simulation, until: until?, expectations })
}

/// Stands in while the mistakes of the rest are looked for.
fn nothing() -> Policy {
    Policy::from_valid(crate::policy::Settings::default())
}

fn world(walk: &mut Walk, value: &Value) -> Option<World> {
    let fields = walk.fields(value, &["start", "ready", "stop"])?;
    let mut world = World::new();
    world.start = fields.read(walk, "start", Walk::duration).unwrap_or_default();
    world.ready = fields.read(walk, "ready", Walk::duration).unwrap_or_default();
    world.stop = fields.read(walk, "stop", Walk::duration).unwrap_or_default();
    Some(world)
}

fn replica(walk: &mut Walk, value: &Value) -> Option<u32> {
    walk.count(value, &(0..=999_999))
}

fn behaviour(walk: &mut Walk, value: &Value) -> Option<Behaviour> {
    let known = [
        "replica",
        "runs",
        "exit",
        "times",
        "from",
        "to",
        "start_fails",
        "late_start",
        "hangs",
        "probe",
        "fails",
        "ignores_stop",
        "ignores_kill",
    ];
    let fields = walk.fields(value, &known)?;
    let given = |key| fields.get(key).is_some();
    let ways = ["runs", "start_fails", "hangs", "probe", "ignores_stop", "ignores_kill"];
    let given: Vec<&str> = ways.into_iter().filter(|way| given(way)).collect();
    let mut one = match given[..] {
        ["runs"] => {
            let runs = fields.read(walk, "runs", Walk::duration);
            let exit = fields.require(walk, "exit", "how it exits then: a code, success, or {signal: 9}", exit);
            // Stand-ins for what could not be read, so that the rest is checked too.
            Behaviour::runs(runs.unwrap_or_default(), exit.unwrap_or(Exit::Code(0)))
        }
        ["start_fails"] => {
            let cause = fields.read(walk, "start_fails", cause).unwrap_or(Cause::NoCapacity);
            match fields.read(walk, "late_start", Walk::duration) {
                Some(after) => Behaviour::late_start(cause, after),
                None => Behaviour::start_fails(cause),
            }
        }
        [way @ ("hangs" | "ignores_stop" | "ignores_kill")] => {
            fields.read(walk, way, |walk, value| only_true(walk, value, "nothing at all"));
            match way {
                "hangs" => Behaviour::hangs(),
                "ignores_stop" => Behaviour::ignores_stop(),
                _ => Behaviour::ignores_kill(),
            }
        }
        ["probe"] => {
            let kinds =
                [ProbeKind::Startup, ProbeKind::Readiness, ProbeKind::Liveness].map(|kind| (kind.as_str(), kind));
            let kind = fields.read(walk, "probe", |walk, value| walk.word(value, &kinds, &[]));
            if fields.require(walk, "fails", "true", Walk::flag) == Some(false) {
                walk.field("fails", |walk| {
                    walk.problem("a probe succeeds by itself; write fails: true, or leave it out")
                });
            }
            Behaviour::probe_fails(kind.unwrap_or(ProbeKind::Liveness))
        }
        _ => {
            walk.problem(
                "says what a replica does by one of: runs (with exit), start_fails, hangs, probe (with fails), \
                 ignores_stop, ignores_kill",
            );
            fields.read(walk, "runs", Walk::duration);
            fields.read(walk, "exit", exit);
            fields.read(walk, "start_fails", cause);
            fields.read(walk, "hangs", Walk::flag);
            fields.read(walk, "fails", Walk::flag);
            Behaviour::start_fails(Cause::NoCapacity)
        }
    };
    if fields.get("late_start").is_some() && fields.get("start_fails").is_none() {
        walk.field("late_start", |walk| walk.problem("has no meaning here: it tells more of a 'start_fails'"));
    }
    one.replica = fields.read(walk, "replica", replica);
    one.times = fields.read(walk, "times", |walk, value| walk.count(value, &(1..=u32::MAX))).map(u64::from);
    if let Some(from) = fields.read(walk, "from", Walk::duration) {
        one = one.active_from(from);
    }
    if let Some(to) = fields.read(walk, "to", Walk::duration) {
        one = one.active_until(to);
    }
    if one.to <= one.from {
        walk.problem("ends before it begins: 'to' is not later than 'from'");
    }
    Some(one)
}

/// A code, `success`, or `{signal: 9}`.
fn exit(walk: &mut Walk, value: &Value) -> Option<Exit> {
    const WHAT: &str = "an exit code, success, or {signal: 9}";
    match value {
        Value::Int(code) => match i32::try_from(*code) {
            Ok(code) => Some(Exit::Code(code)),
            Err(_) => walk.expected(WHAT, value),
        },
        Value::Str(word) if word == "success" => Some(Exit::Code(0)),
        Value::Map(_) => {
            let fields = walk.fields(value, &["signal"])?;
            fields.require(walk, "signal", "its name or number", signal).map(Exit::Signal)
        }
        other => walk.expected(WHAT, other),
    }
}

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

/// One entry of the timeline: when, and what happens then.
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
    let given: Vec<&str> = ACTIONS.into_iter().filter(|act| fields.get(act).is_some()).collect();
    let before = walk.found();
    if given.len() != 1 {
        walk.problem(format!("says what happens by one of: {}; found {}", ACTIONS.join(", "), given.len()));
    }
    // The rest is looked at all the same.
    let what = given.first().copied().unwrap_or("");
    let mut replicas = Vec::new();
    replicas.extend(fields.read(walk, "replica", replica));
    if let Some(list) = fields.get("replicas") {
        walk.field("replicas", |walk| {
            walk.list(list, "a list of replicas", |walk, value| replicas.extend(replica(walk, value)));
        });
    }
    let needs_replica = ["exit", "fail", "ready", "lost", "found"].contains(&what);
    let named = fields.get("replica").is_some() || fields.get("replicas").is_some();
    if needs_replica != named && given.len() == 1 {
        let problem =
            if needs_replica { "is missing: to which it happens, or 'replicas'" } else { "has no meaning here" };
        walk.field("replica", |walk| walk.problem(problem));
    }
    let details = FailureDetails {
        reason: fields.read(walk, "reason", Walk::text).map(Into::into),
        retry_after: fields.read(walk, "retry_after", Walk::duration).map(nanos),
    };
    for key in ["reason", "retry_after"] {
        if fields.get(key).is_some() && !["exit", "fail"].contains(&what) && given.len() == 1 {
            walk.field(key, |walk| walk.problem("has no meaning here: it tells more of an 'exit' or a 'fail'"));
        }
    }
    let act = |walk: &mut Walk, what: &str, value: &Value| {
        let each = |act: &dyn Fn(u32) -> ActionKind| replicas.iter().map(|&replica| act(replica)).collect::<Vec<_>>();
        match what {
            "exit" => exit(walk, value)
                .map(|exit| each(&|replica| ActionKind::Exit { replica, exit, details: details.clone() })),
            "fail" => cause(walk, value).map(|cause| {
                each(&|replica| ActionKind::Fail { replica, cause: cause.clone(), details: details.clone() })
            }),
            "ready" => walk.flag(value).map(|ready| each(&|replica| ActionKind::Ready { replica, ready })),
            "lost" => only_true(walk, value, "found: true").map(|()| each(&|replica| ActionKind::Lost { replica })),
            "found" => only_true(walk, value, "lost: true").map(|()| each(&|replica| ActionKind::Found { replica })),
            "scale" => walk.count(value, &(0..=u32::MAX)).map(|replicas| vec![ActionKind::Scale(replicas)]),
            "restart" => replica(walk, value).map(|replica| vec![ActionKind::Restart(replica)]),
            "stop" => replica(walk, value).map(|replica| vec![ActionKind::Stop(replica)]),
            "start" => replica(walk, value).map(|replica| vec![ActionKind::Start(replica)]),
            "drain" => replica(walk, value).map(|replica| vec![ActionKind::Drain(replica)]),
            "reset" => selection(walk, value).map(|selection| vec![ActionKind::Reset(selection)]),
            "retry_now" => selection(walk, value).map(|selection| vec![ActionKind::RetryNow(selection)]),
            "terminate" => only_true(walk, value, "nothing at all").map(|()| vec![ActionKind::Terminate]),
            _ => None,
        }
    };
    let mut acts = None;
    for what in given {
        if let Some(value) = fields.get(what) {
            acts = walk.field(what, |walk| act(walk, what, value));
        }
    }
    acts = acts.filter(|_| walk.found() == before);
    Some((at?, acts?))
}

fn only_true(walk: &mut Walk, value: &Value, otherwise: &str) -> Option<()> {
    if walk.flag(value)? {
        return Some(());
    }
    walk.problem(format!("is true where it is given; for the opposite write {otherwise}"));
    None
}

/// `true` or `all`, a replica, or a cause.
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
        let of_rollouts = ["rollout", "roll_out", "promote", "roll_back", "revision"].contains(&field);
        of_rollouts.then(|| "rollouts are not part of this version; leave it out".to_owned())
    }
}

fn expectation(walk: &mut Walk, value: &Value, until: Option<Timestamp>) -> Option<Expectation> {
    let fields = walk.fields(value, &KEYS)?;
    let count = fields.read(walk, "count", |walk, value| walk.count(value, &(0..=u32::MAX)));
    let absent = fields.read(walk, "absent", Walk::flag).unwrap_or(false);
    if count.is_some() && absent {
        walk.field("absent", |walk| walk.problem("stands beside 'count'; write count: 0"));
    }
    let at = match (fields.get("at"), fields.get("at_ms")) {
        (Some(_), Some(_)) => {
            walk.field("at_ms", |walk| walk.problem("stands beside 'at'; give one of them"));
            fields.read(walk, "at", Walk::duration);
            None
        }
        (None, Some(_)) => fields.read(walk, "at_ms", |walk, value| match value {
            Value::Int(millis) if u64::try_from(*millis).is_ok() => u64::try_from(*millis).ok(),
            other => walk.expected("milliseconds since the start", other),
        }),
        (None, None) if fields.get("count").is_some() => None,
        _ => {
            let what = "at which instant, such as 90s; or 'count' for the whole run";
            let at = fields.require(walk, "at", what, Walk::duration);
            at.map(|at| u64::try_from(at.as_millis()).unwrap_or(u64::MAX))
        }
    };
    if let (Some(at_ms), Some(until)) = (at, until) {
        if at_ms > until.as_millis() {
            walk.problem(format!("looks at {at_ms} ms, after the end of the simulation, {until}"));
        }
    }
    let mut keys = Vec::new();
    for key in KEYS {
        let Some(value) = fields.get(key).filter(|_| !["at", "at_ms", "absent", "count", "note"].contains(&key)) else {
            continue;
        };
        let wanted = walk.field(key, |walk| wanted(walk, key, value));
        match (short_form(key), wanted) {
            (Some((kind, command)), Some(replica)) => {
                keys.push(("kind".to_owned(), kind.as_str().into()));
                keys.push(("command".to_owned(), command.into()));
                keys.push(("replica".to_owned(), replica));
            }
            (None, Some(value)) => {
                let key = match key {
                    "due" => "due_ms",
                    "delay" => "delay_ms",
                    other => other,
                };
                keys.push((key.to_owned(), value));
            }
            (_, None) => {}
        }
    }
    if keys.is_empty() {
        walk.problem("expects nothing; name a key of a trace line, such as status: degraded or start: 1");
        return None;
    }
    if at.is_none() && count.is_none() {
        return None;
    }
    Some(Expectation { at_ms: at, keys, absent, count })
}

fn wanted(walk: &mut Walk, key: &str, value: &Value) -> Option<TraceValue> {
    if short_form(key).is_some() {
        return replica(walk, value).map(Into::into);
    }
    if matches!(key, "due" | "delay") && *value != Value::Null {
        let millis = walk.duration(value)?.as_millis();
        return Some(u64::try_from(millis).unwrap_or(u64::MAX).into());
    }
    match value {
        Value::Null => Some(TraceValue::Null),
        Value::Bool(flag) => Some(TraceValue::Bool(*flag)),
        Value::Int(number) => match i64::try_from(*number) {
            Ok(number) => Some(TraceValue::Int(number)),
            Err(_) => walk.expected("a number that fits in 64 bits", value),
        },
        Value::Str(text) => Some(TraceValue::Text(text.clone().into())),
        other => walk.expected("a word, a number, true, false or null", other),
    }
}
