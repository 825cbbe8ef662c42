//! Hints for unknown keys: where a misplaced key belongs, and the name here for a key or word of another system.

use super::keys::{Block, DOCUMENT, Kind};
use crate::document::FieldSet;
use crate::document::normalized;

impl FieldSet for &'static Block {
    fn names(&self) -> Vec<&'static str> {
        self.all().map(|key| key.name).collect()
    }

    fn remark(&self, field: &str) -> Option<String> {
        let own = self.remarks.iter().find(|(name, _)| *name == field).map(|(_, remark)| (*remark).to_owned());
        own.or_else(|| of_key(self, field))
    }
}

/// What to say of a key that the block does not have, if there is more to say than that it is unknown.
fn of_key(block: &'static Block, field: &str) -> Option<String> {
    // Longer than any word of a table; simplifying it would only cost time.
    if field.len() > 64 {
        return None;
    }
    let given = normalized(field);
    if block.names().iter().any(|name| normalized(name) == given) {
        return None;
    }
    let places = places(&given);
    if !places.is_empty() {
        let places: Vec<String> = places.iter().take(2).map(|place| format!("`{place}`")).collect();
        return Some(format!("unknown field; it is {}", places.join(" or ")));
    }
    let given: String = given.into_iter().collect();
    let (_, whose, hint) = FOREIGN.iter().find(|(words, ..)| words.split(' ').any(|word| word == given))?;
    Some(format!("unknown field: {whose}; {hint}"))
}

/// The paths at which a key of this name is known, the shortest first.
fn places(name: &[char]) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen: Vec<&str> = vec![DOCUMENT.title];
    let mut level = vec![(String::new(), &DOCUMENT)];
    while !level.is_empty() {
        let mut below = Vec::new();
        for (path, block) in level {
            for key in block.all() {
                let path = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
                if normalized(key.name) == name {
                    found.push(path.clone());
                }
                blocks(&key.kind, &path, &mut |path, block| {
                    if !seen.contains(&block.title) {
                        seen.push(block.title);
                        below.push((path, block));
                    }
                });
            }
        }
        level = below;
    }
    // What is in no list first.
    found.sort_by_key(|path| path.contains("[]"));
    found
}

/// The blocks that may stand behind a key.
fn blocks(kind: &Kind, path: &str, found: &mut dyn FnMut(String, &'static Block)) {
    match kind {
        Kind::Block(block) => found(path.to_owned(), block),
        Kind::List(item, ..) => blocks(item, &format!("{path}[]"), found),
        Kind::OneOrMany(item) => blocks(item, path, found),
        Kind::OneOf(kinds) => kinds.iter().for_each(|kind| blocks(kind, path, found)),
        _ => {}
    }
}

/// Spellings without case and separators, whose they are, and what to write.
const FOREIGN: &[(&str, &str, &str)] = &[
    (
        "apiversion kind metadata spec",
        "a Kubernetes manifest",
        "a policy has none of these, only what is done about failures",
    ),
    (
        "restartpolicy",
        "Kubernetes' and compose's",
        "for Always write `retry: true`, for OnFailure `success: complete` beside it, for Never leave `retry` out",
    ),
    (
        "restart autorestart",
        "systemd's, compose's and supervisord's",
        "for always write `retry: true`, for on-failure `success: complete` beside it, for no leave `retry` out",
    ),
    ("backofflimit", "Kubernetes'", "write `retry: {max_attempts: 6}`"),
    ("backofflimitperindex", "Kubernetes'", "write `retry: {max_attempts: 6}`, which counts for each replica"),
    (
        "activedeadlineseconds",
        "Kubernetes'",
        "a run may be as long as it likes; `retry.max_duration` bounds a streak of failures",
    ),
    (
        "progressdeadlineseconds progressdeadline",
        "Kubernetes' and Nomad's",
        "`start_timeout` bounds a start, `failure.outage_deadline` an outage",
    ),
    ("terminationgraceperiodseconds", "Kubernetes'", "write `stop_grace: 30s`"),
    ("minreadyseconds", "Kubernetes'", "write `min_ready: 10s`"),
    ("podmanagementpolicy", "Kubernetes'", "for OrderedReady write `start_order: ordered`, for Parallel leave it out"),
    ("maxacted", "an earlier name", "write `health: {max_probe_restarts: 25%}`"),
    ("neverready", "an earlier name", "write `failure: {max_failures_before_ready: 9}`"),
    ("podfailurepolicy", "Kubernetes'", "write `failure: {rules: [{when: {exit_code: 42}, then: terminate}]}`"),
    ("podreplacementpolicy", "Kubernetes'", "a replica is always started only after the end of the one before"),
    ("completions completionmode successpolicy", "Kubernetes'", "write `replicas` and `success: complete`"),
    ("parallelism maxparallel", "Kubernetes' and Nomad's", "write `failure: {max_concurrent_starts: 25%}`"),
    (
        "maxsurge maxunavailable strategy updatestrategy updateconfig rollbackconfig",
        "of rollouts",
        "rollouts are not part of this version",
    ),
    ("canary autorevert autopromote", "Nomad's word for rollouts", "rollouts are not part of this version"),
    ("livenessprobe", "Kubernetes'", "write `health: {liveness: {http: {port: 8080}}}`"),
    ("readinessprobe", "Kubernetes'", "write `health: {readiness: {http: {port: 8080}}}`"),
    ("startupprobe", "Kubernetes'", "write `health: {startup: {http: {port: 8080}}}`"),
    ("httpget", "Kubernetes'", "write `http: {port: 8080, path: /}`"),
    ("tcpsocket", "Kubernetes'", "write `tcp: {port: 8080}`"),
    ("httpheaders", "Kubernetes'", "write `headers: {name: value}`"),
    ("grpc", "Kubernetes'", "there is no gRPC probe: write `exec: [grpc_health_probe, -addr=:8080]`"),
    ("initialdelayseconds startperiod", "Kubernetes' and compose's", "write `initial_delay: 5s` in the probe"),
    ("periodseconds", "Kubernetes'", "write `interval: 10s` in the probe"),
    ("timeoutseconds", "Kubernetes'", "write `timeout: 1s` in the probe"),
    ("failurethreshold", "Kubernetes'", "write `failures: 3` in the probe"),
    ("successthreshold", "Kubernetes'", "write `successes: 1` in the probe"),
    ("poddisruptionbudget", "Kubernetes'", "write `failure: {min_available: 1}`"),
    (
        "restartsec restartdelay initialinterval basedelay backofflimitseconds",
        "systemd's and others'",
        "write `retry: {interval: 1s}`",
    ),
    (
        "restartsteps backofffactor multiplier delayfunction",
        "systemd's, Nomad's and others'",
        "write `retry: {backoff: exponential}`",
    ),
    (
        "restartmaxdelaysec maxdelay maxbackoff expbackoffrestartdelay",
        "systemd's, Nomad's and others'",
        "write `retry: {max_interval: 60s}`",
    ),
    ("startlimitburst", "systemd's", "write `retry: {limit: {restarts: 5, within: 10m}}`"),
    ("startlimitintervalsec startlimitinterval", "systemd's", "write `retry: {limit: {restarts: 5, within: 10m}}`"),
    ("startlimitaction", "systemd's", "write `failure: {exhausted: terminate}`"),
    ("timeoutstartsec timeoutsec", "systemd's", "write `start_timeout: 90s`"),
    (
        "timeoutstopsec stopgraceperiod stopwaitsecs killtimeout shutdown",
        "systemd's, compose's and others'",
        "write `stop_grace: 10s`",
    ),
    (
        "successexitstatus exitcodes",
        "systemd's and supervisord's",
        "write a rule: `failure: {rules: [{when: {exit_code: 42}, then: ...}]}`; only 0 is a success",
    ),
    ("restartpreventexitstatus", "systemd's", "write `failure: {rules: [{when: {exit_code: 42}, then: terminate}]}`"),
    ("restartforceexitstatus", "systemd's", "write `failure: {rules: [{when: {exit_code: 42}, then: retry}]}`"),
    (
        "watchdogsec checkrestart healthcheck",
        "systemd's, Nomad's and compose's",
        "write `health: {liveness: {http: {port: 8080}}}`",
    ),
    (
        "condition",
        "compose's",
        "`success` says what exit code 0 means, `failure.rules` says what happens after a failure",
    ),
    (
        "window",
        "compose's",
        "write `limit: {restarts: 5, within: 10m}`, or `recover: {after: 2m}` for the time healthy that counts as a success",
    ),
    ("deploy services", "of a compose file", "a policy says only what is done about failures"),
    ("test", "compose's", "write `exec: [command, argument]` in the probe"),
    (
        "retries maxretries retrylimit retrycount startretries",
        "of many",
        "write `retry: {max_attempts: 5}`; in a probe `failures: 3`",
    ),
    ("attempts", "Nomad's", "write `retry: {limit: {restarts: 5, within: 10m}}`, or `max_attempts` for a streak"),
    ("mode", "Nomad's", "for delay write `failure: {exhausted: hold}`, for fail `exhausted: terminate`"),
    ("reschedule", "Nomad's", "write `retry: {stages: [{max_attempts: 3}, {placement: elsewhere}]}`"),
    ("unlimited", "Nomad's", "a retry without limits is unlimited"),
    (
        "minhealthytime minuptime startsecs",
        "Nomad's, pm2's and supervisord's",
        "write `min_ready: 10s`, or `retry: {recover: {after: 2m}}` for the end of a streak",
    ),
    (
        "maxclientdisconnect stoponclientdisconnect disconnect",
        "Nomad's",
        "write `health: {unknown_after: 60s, lost_after: 5m}`",
    ),
    (
        "maxrestarts intensity",
        "Elixir's, Erlang's and others'",
        "write `retry: {limit: {restarts: 3, within: 5s}}`; for the whole set `failure: {budget: {restarts: 3, per: 5s}}`",
    ),
    (
        "maxseconds period",
        "Elixir's and Erlang's",
        "write `retry: {limit: {restarts: 3, within: 5s}}`; for the whole set `failure: {budget: {restarts: 3, per: 5s}}`",
    ),
    ("oneforone oneforall restforone", "Erlang's", "write `failure: {scope: replica}`, `all` or `rest`"),
    ("count instances numreplicas numprocs", "of many", "write `replicas: 3`"),
    ("cooldown", "of many", "write `failure: {exhausted: {quarantine: 1h}}`"),
    ("onexit onfailure", "of many", "write `failure: {rules: [{when: {exit_code: 42}, then: terminate}]}`"),
];

/// What other systems call a cause, and the built-in one; in the spelling of [`normalized`].
const CAUSES: [(&str, &str); 8] = [
    ("error", "crash crashed crashloop crashloopbackoff failed failure exit exited exitcode errored containererror"),
    (
        "interruption",
        "evicted eviction evict preempted preempt preempting preemption spot spotreclaim spotinterruption reclaimed \
         reclaim drained drain draining interrupted nodeshutdown shutdown terminatedbyplatform deletionbytaintmanager \
         terminationbykubelet disruptiontarget disruption",
    ),
    (
        "no-capacity",
        "unschedulable capacity outofcapacity insufficientcapacity insufficientresources insufficientinstancecapacity \
         noresources resourceexhausted outofcpu exhausted pending placementfailure failedtostartduetonocapacity",
    ),
    ("out-of-memory", "oom oomkilled oomkill oomkiller memory memorylimit outofmem"),
    (
        "start-timeout",
        "startuptimeout timeout starttimedout deadlineexceeded progressdeadline progressdeadlineexceeded",
    ),
    (
        "unhealthy",
        "liveness livenessfailed livenessprobe probe probefailed healthcheck healthcheckfailed healthfailed watchdog sick",
    ),
    (
        "node-lost",
        "lost unreachable nodedown nodefailed nodefailure nodenotready nodedead disconnected partition partitioned",
    ),
    (
        "start-error",
        "imagepullbackoff errimagepull imagepull pullfailed invalidimagename createcontainererror \
         createcontainerconfigerror runcontainererror containercannotrun startfailed failedtostart spawnfailed spawn \
         commandnotfound",
    ),
];

/// The built-in cause that a word of another system means.
pub(crate) fn built_in_cause(word: &str) -> Option<&'static str> {
    if word.len() > 64 {
        return None;
    }
    let word: String = normalized(word).into_iter().filter(|c| *c != '.').collect();
    CAUSES.iter().find(|(_, others)| others.split_whitespace().any(|other| other == word)).map(|(cause, _)| *cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Cause;
    use crate::policy::read::tests::read;
    use serde_json::{Value as Json, json};

    fn mistake(document: Json) -> String {
        let problems = read(&document).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:#?}");
        problems[0].clone()
    }

    #[test]
    fn a_misplaced_key_is_told_where_it_belongs() {
        for (document, said) in [
            (json!({"retry": {"rules": []}}), "retry.rules: unknown field; it is `failure.rules`"),
            (
                json!({"retry": {"min_available": 1}}),
                "retry.min_available: unknown field; it is `failure.min_available`",
            ),
            (json!({"failure": {"minReady": "1s"}}), "failure.minReady: unknown field; it is `min_ready`"),
            (json!({"liveness": {}}), "liveness: unknown field; it is `health.liveness`"),
            (json!({"interval": "1s"}), "interval: unknown field; it is `retry.interval` or `health.startup.interval`"),
            (json!({"exit_code": 1}), "exit_code: unknown field; it is `failure.rules[].when.exit_code`"),
        ] {
            assert_eq!(mistake(document), said);
        }
        // A slip of the pen is still that, and one in the right block comes first.
        assert!(mistake(json!({"retry": {"Interval": "1s"}})).contains("did you mean 'interval'?"));
        assert!(mistake(json!({"retry": {"jiter": "none"}})).contains("did you mean 'jitter'?"));
    }

    #[test]
    fn a_key_of_another_system_is_told_what_it_is_called_here() {
        for (document, said) in [
            (json!({"restartPolicy": "Always"}), "for Always write `retry: true`"),
            (json!({"retry": {"backoffLimit": 6}}), "write `retry: {max_attempts: 6}`"),
            (json!({"retry": {"RestartSec": 5}}), "write `retry: {interval: 1s}`"),
            (json!({"StartLimitBurst": 5}), "write `retry: {limit: {restarts: 5, within: 10m}}`"),
            (json!({"maxSurge": 1}), "rollouts are not part of this version"),
            (json!({"podManagementPolicy": "OrderedReady"}), "write `start_order: ordered`"),
            (json!({"health": {"max_acted": 1}}), "write `health: {max_probe_restarts: 25%}`"),
            (json!({"failure": {"never_ready": 3}}), "write `failure: {max_failures_before_ready: 9}`"),
            (json!({"retry": {"max_restarts": 5}}), "write `retry: {limit: {restarts: 3, within: 5s}}`"),
            (json!({"health": {"livenessProbe": {}}}), "write `health: {liveness:"),
            (json!({"stop_grace_period": "10s"}), "write `stop_grace: 10s`"),
        ] {
            let mistake = mistake(document);
            assert!(mistake.contains(said), "{mistake}");
        }
    }

    #[test]
    fn no_hint_is_in_the_way_of_a_key_of_ours() {
        let mut words: Vec<&str> = FOREIGN.iter().flat_map(|(words, ..)| words.split(' ')).collect();
        for word in &words {
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase()), "{word}");
            assert!(places(&normalized(word)).is_empty(), "{word}");
        }
        let all = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), all, "a word stands twice");
    }

    #[test]
    fn a_cause_of_another_system_is_told_what_it_is_called_here() {
        for (cause, others) in CAUSES {
            assert!(Cause::BUILT_IN.iter().any(|known| known.as_str() == cause), "{cause}");
            for other in others.split_whitespace() {
                assert_eq!(built_in_cause(other), Some(cause), "{other}");
            }
        }
        let when = |cause: &str| json!({"failure": {"rules": [{"when": {"cause": cause}, "then": "hold"}]}});
        assert!(mistake(when("OOMKilled")).contains("did you mean 'out-of-memory'?"), "{}", mistake(when("OOMKilled")));
        assert!(mistake(when("Evicted")).contains("did you mean 'interruption'?"));
        assert!(mistake(when("Out-Of-Memory")).contains("did you mean 'out-of-memory'?"));
        assert!(!mistake(when("My Own")).contains("did you mean"));
    }
}
