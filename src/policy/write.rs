//! Writes a policy as a document: only the keys that were set, in the order of the table of keys.

use std::time::Duration;

use serde::ser::{Serialize, Serializer};

use super::backoff::{Backoff, Factor};
use super::budget::BudgetEmpty;
use super::exhausted::Exhausted;
use super::exit::Signal;
use super::failure::FailurePolicy;
use super::health::{HealthPolicy, HttpCheck, LostAfter, Probe, ProbeCheck};
use super::jitter::Jitter;
use super::on_events::OnEvents;
use super::policy::Policy;
use super::quantity::Quantity;
use super::retry::{ImmediateFirst, Recover, RetryPolicy, RetryStage, StageSettings};
use super::rollout::RolloutPolicy;
use super::rule::{CodeRange, ReplicaRange, Rule, RuleAction};
use super::scaling::ScalingPolicy;
use super::settings::{OnSuccess, Settings, StartOrder};
use crate::document::{Value, format_duration, tokens};

/// Serialises the document that reads as the same policy.
///
/// What `retry: true` implies is written out, so that a stored policy keeps its meaning when a later version recommends
/// other numbers. In formats that people read, such as YAML or JSON, it is the document itself; in others, such as
/// postcard, a versioned list of its tokens.
impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let document = document(self.settings());
        if serializer.is_human_readable() {
            document.serialize(serializer)
        } else {
            tokens::serialize(document, serializer)
        }
    }
}

/// A block of the document while it is written.
#[derive(Default)]
struct Block(Vec<(String, Value)>);

impl Block {
    /// Adds a key if it has a value.
    fn put(mut self, key: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.0.push((key.to_owned(), value.into()));
        }
        self
    }

    /// Adds a list unless it is empty.
    fn list<T>(self, key: &str, items: &[T], write: impl Fn(&T) -> Value) -> Self {
        let list = (!items.is_empty()).then(|| Value::Seq(items.iter().map(write).collect()));
        self.put(key, list)
    }

    fn only(key: &str, value: impl Into<Value>) -> Value {
        Self::default().put(key, Some(value)).into()
    }

    fn unless_empty(self) -> Option<Value> {
        (!self.0.is_empty()).then(|| self.into())
    }
}

impl From<Block> for Value {
    fn from(block: Block) -> Self {
        Self::Map(block.0)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text)
    }
}

impl From<Duration> for Value {
    fn from(duration: Duration) -> Self {
        Self::Str(format_duration(duration))
    }
}

impl From<Quantity> for Value {
    fn from(quantity: Quantity) -> Self {
        match quantity {
            Quantity::Count(count) => count.into(),
            Quantity::Percent(_) => quantity.to_string().into(),
        }
    }
}

fn document(settings: &Settings) -> Value {
    Block::default()
        .put("replicas", Some(settings.replicas))
        .put(
            "success",
            settings.success.map(|success| match success {
                OnSuccess::Restart => "restart",
                OnSuccess::Complete => "complete",
                OnSuccess::Failure => "failure",
            }),
        )
        .put("min_ready", settings.min_ready)
        .put("start_timeout", settings.start_timeout)
        .put("stop_grace", settings.stop_grace)
        .put(
            "start_order",
            settings.start_order.map(|order| match order {
                StartOrder::Parallel => "parallel",
                StartOrder::Ordered => "ordered",
            }),
        )
        .put("retry", settings.retry.as_ref().map(retry))
        .put("failure", failure(&settings.failure))
        .put("health", health(&settings.health))
        .put("scaling", scaling(&settings.scaling))
        .put("rollout", rollout(&settings.rollout))
        .into()
}

fn retry(retry: &RetryPolicy) -> Value {
    stage_settings(&retry.settings)
        .put("immediate_first", retry.immediate_first.map(immediate_first))
        .put("recover", retry.recover.map(recover))
        .list("stages", &retry.stages, |stage: &RetryStage| stage_settings(&stage.settings).into())
        .put("keep_min_available", retry.keep_min_available.then_some(true))
        .put("on_events", retry.on_events.map(on_events))
        .into()
}

fn stage_settings(settings: &StageSettings) -> Block {
    Block::default()
        .put("interval", settings.interval)
        .put("backoff", settings.backoff.as_ref().map(backoff))
        .put("max_interval", settings.max_interval)
        .put("jitter", settings.jitter.map(jitter))
        .put("max_attempts", settings.max_attempts)
        .put("max_duration", settings.max_duration)
        .put(
            "limit",
            settings
                .limit
                .map(|limit| Block::default().put("restarts", Some(limit.restarts)).put("within", Some(limit.within))),
        )
        .put("placement", settings.placement.map(|placement| placement.as_str()))
        .put("scope", settings.scope.map(|scope| scope.as_str()))
}

fn backoff(backoff: &Backoff) -> Value {
    match backoff {
        Backoff::Constant => "constant".into(),
        Backoff::Linear => "linear".into(),
        Backoff::Exponential(Factor::DOUBLE) => "exponential".into(),
        Backoff::Exponential(factor) => {
            Block::only("exponential", Block::default().put("factor", Some(number(*factor))))
        }
        Backoff::Fibonacci => "fibonacci".into(),
        Backoff::Schedule(delays) => {
            Block::only("schedule", Value::Seq(delays.iter().map(|delay| (*delay).into()).collect()))
        }
    }
}

/// Writes a factor as a decimal number, which is exact and reads as the same factor.
fn number(factor: Factor) -> Value {
    let (whole, hundredths) = (factor.hundredths() / 100, factor.hundredths() % 100);
    match format!("{whole}.{hundredths:02}").parse() {
        Ok(decimal) if hundredths > 0 => Value::Float(decimal),
        _ => Value::Int(whole.into()),
    }
}

fn jitter(jitter: Jitter) -> Value {
    match jitter {
        Jitter::None => "none".into(),
        Jitter::Equal => "equal".into(),
        Jitter::Full => "full".into(),
        Jitter::Decorrelated => "decorrelated".into(),
        Jitter::Spread(percent) => Block::only("spread", format!("{percent}%")),
    }
}

fn immediate_first(immediate: ImmediateFirst) -> Value {
    match immediate {
        ImmediateFirst::Never => false.into(),
        ImmediateFirst::Always => true.into(),
        ImmediateFirst::Isolated => "isolated".into(),
    }
}

fn recover(recover: Recover) -> Value {
    match recover {
        Recover::Reset(after) => Block::default().put("after", after).put("by", Some("reset")).into(),
        Recover::Step(after) => Block::default().put("after", after).put("by", Some("step")).into(),
        Recover::Never => "never".into(),
    }
}

fn on_events(events: OnEvents) -> Value {
    let words = [("no-capacity", events.no_capacity), ("interruption", events.interruption), ("error", events.error)];
    Value::Seq(words.into_iter().filter(|(_, on)| *on).map(|(word, _)| word.into()).collect())
}

fn failure(failure: &FailurePolicy) -> Option<Value> {
    Block::default()
        .list("rules", &failure.rules, rule)
        .put("scope", failure.scope.map(|scope| scope.as_str()))
        .put(
            "exhausted",
            failure.exhausted.map(|exhausted| match exhausted {
                Exhausted::Degrade => Value::from("degrade"),
                Exhausted::Terminate => "terminate".into(),
                Exhausted::Hold => "hold".into(),
                Exhausted::Quarantine(quarantine) => {
                    Block::default().put("quarantine", Some(quarantine.time)).put("rounds", quarantine.rounds).into()
                }
            }),
        )
        .put("min_available", failure.min_available)
        .put("outage_deadline", failure.outage_deadline)
        .put("max_failures_before_ready", failure.max_failures_before_ready)
        .put("clear_after", failure.clear_after)
        .put(
            "budget",
            failure.budget.map(|budget| {
                let empty = match budget.empty {
                    BudgetEmpty::Wait => "wait",
                    BudgetEmpty::Terminate => "terminate",
                };
                Block::default()
                    .put("restarts", Some(budget.restarts))
                    .put("per", Some(budget.per))
                    .put("empty", Some(empty))
            }),
        )
        .put("max_concurrent_starts", failure.max_concurrent_starts)
        .put(
            "correlated",
            failure.correlated.map(|correlated| {
                Block::default().put("share", Some(correlated.share)).put("within", Some(correlated.within))
            }),
        )
        .unless_empty()
}

fn rule(rule: &Rule) -> Value {
    let when = Block::default()
        .list("exit_code", &rule.exit_codes, |codes: &CodeRange| match codes.first == codes.last {
            true => Value::Int(codes.first.into()),
            false => format!("{}..={}", codes.first, codes.last).into(),
        })
        .list("signal", &rule.signals, |signal| written_signal(*signal))
        .list("cause", &rule.causes, |cause| cause.as_str().into())
        .list("reason", &rule.reasons, |glob| glob.as_str().into())
        .put("attempts_over", rule.attempts_over)
        .list("replica", &rule.replicas, |replicas: &ReplicaRange| match replicas.first == replicas.last {
            true => replicas.first.into(),
            false => format!("{}..={}", replicas.first, replicas.last).into(),
        })
        .put("ran_under", rule.ran_under)
        .put("was_ready", rule.was_ready);
    Block::default()
        .put("name", rule.name.as_deref())
        .put("when", when.unless_empty())
        .put(
            "then",
            Some(match rule.then {
                RuleAction::Retry => "retry".into(),
                RuleAction::Degrade => "degrade".into(),
                RuleAction::Terminate => "terminate".into(),
                RuleAction::Hold(None) => "hold".into(),
                RuleAction::Hold(Some(time)) => Block::only("hold", time),
            }),
        )
        .put("charge", (!rule.charge).then_some(false))
        .put("retry", rule.retry.as_ref().map(retry))
        .into()
}

/// Writes a signal by its name, or by its number if it has none.
fn written_signal(signal: Signal) -> Value {
    let name = signal.to_string();
    if Signal::from_name(&name) == Some(signal) { name.into() } else { u32::from(signal.number()).into() }
}

fn health(health: &HealthPolicy) -> Option<Value> {
    Block::default()
        .put("startup", health.startup.as_ref().map(probe))
        .put("readiness", health.readiness.as_ref().map(probe))
        .put("liveness", health.liveness.as_ref().map(probe))
        .put("unready_timeout", health.unready_timeout)
        .put("unknown_after", health.unknown_after)
        .put(
            "lost_after",
            health.lost_after.map(|lost| match lost {
                LostAfter::After(time) => time.into(),
                LostAfter::Never => Value::from("never"),
            }),
        )
        .put("max_probe_restarts", health.max_probe_restarts)
        .unless_empty()
}

fn probe(probe: &Probe) -> Value {
    let block = Block::default();
    match &probe.check {
        ProbeCheck::Http(check) => block.put("http", Some(http(check))),
        ProbeCheck::Tcp(check) => block
            .put("tcp", Some(Block::default().put("port", Some(port(&check.port))).put("host", check.host.as_deref()))),
        ProbeCheck::Exec(words) => {
            block.put("exec", Some(Value::Seq(words.iter().map(|word| word.as_str().into()).collect())))
        }
    }
    .put("interval", probe.interval)
    .put("timeout", probe.timeout)
    .put("successes", probe.successes)
    .put("failures", probe.failures)
    .put("initial_delay", probe.initial_delay)
    .into()
}

fn http(check: &HttpCheck) -> Block {
    let headers =
        check.headers.iter().fold(Block::default(), |block, (name, value)| block.put(name, Some(value.as_str())));
    let (first, last) = check.status;
    Block::default()
        .put("port", Some(port(&check.port)))
        .put("path", Some(check.path.as_str()))
        .put("host", check.host.as_deref())
        .put("headers", headers.unless_empty())
        .put("status", (check.status != HttpCheck::STATUS).then(|| format!("{first}..={last}")))
}

/// Writes a port as a number if that reads as the same text.
fn port(port: &str) -> Value {
    match port.parse::<u16>() {
        Ok(number) if number.to_string() == port => u32::from(number).into(),
        _ => port.into(),
    }
}

fn scaling(scaling: &ScalingPolicy) -> Option<Value> {
    Block::default()
        .put("min", scaling.min)
        .put("max", scaling.max)
        .put("standby", scaling.standby)
        .put(
            "stand_ins",
            scaling
                .stand_ins
                .map(|stand_ins| Block::default().put("max", Some(stand_ins.max)).put("after", stand_ins.after)),
        )
        .unless_empty()
}

fn rollout(rollout: &RolloutPolicy) -> Option<Value> {
    Block::default()
        .put("max_surge", rollout.max_surge)
        .put("max_unavailable", rollout.max_unavailable)
        .put("canaries", rollout.canaries)
        .put("bake", rollout.bake)
        .put("promote", rollout.promote.map(|promote| promote.as_str()))
        .put("progress_deadline", rollout.progress_deadline)
        .put("max_failures", rollout.max_failures)
        .put("on_failure", rollout.on_failure.map(|then| then.as_str()))
        .unless_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::generate::policies;
    use serde_json::json;

    #[test]
    fn every_policy_that_is_written_reads_as_the_same() {
        for policy in policies(2000) {
            let text = serde_json::to_string(&policy).unwrap();
            let again: Policy = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert_eq!(again, policy, "{text}");
            assert_eq!(serde_json::to_string(&again).unwrap(), text);
        }
    }

    #[test]
    fn only_what_was_set_is_written() {
        let seed = json!({"replicas": 3, "retry": {"interval": "30s", "max_duration": "1h"}});
        let policy: Policy = serde_json::from_value(seed.clone()).unwrap();
        assert_eq!(serde_json::to_value(&policy).unwrap(), seed);
        let bare = Policy::builder().build().unwrap();
        assert_eq!(serde_json::to_value(&bare).unwrap(), json!({"replicas": 1}));
    }

    #[test]
    fn a_range_of_replicas_is_written_as_its_bounds() {
        let policy: Policy = serde_json::from_value(json!({"replicas": "2..10"})).unwrap();
        assert_eq!(serde_json::to_value(&policy).unwrap(), json!({"replicas": 2, "scaling": {"min": 2, "max": 10}}));
    }

    #[test]
    fn the_recommended_retry_is_written_out_in_full() {
        let policy = Policy::builder().replicas(3).retry(RetryPolicy::recommended()).build().unwrap();
        assert_eq!(
            serde_json::to_value(&policy).unwrap(),
            json!({
                "replicas": 3,
                "retry": {
                    "interval": "1s", "backoff": "exponential", "max_interval": "1m", "jitter": "equal",
                    "limit": {"restarts": 5, "within": "10m"}, "immediate_first": "isolated",
                    "recover": {"after": "2m", "by": "step"}, "keep_min_available": true,
                },
                "failure": {"max_concurrent_starts": "25%", "correlated": {"share": "50%", "within": "30s"}},
                "health": {"max_probe_restarts": "25%"},
            })
        );
    }
}
