//! Hints for unknown keys: where a misplaced key belongs, and what to write for a key or word of another system.

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

/// Returns a hint for a key that the block does not have, if there is one.
fn of_key(block: &'static Block, field: &str) -> Option<String> {
    // Longer than any word of the tables.
    if field.len() > 64 {
        return None;
    }
    let given = normalized(field);
    if block.names().iter().any(|name| normalized(name) == given) {
        return None;
    }
    let paths = paths_of(&given);
    if !paths.is_empty() {
        let paths: Vec<String> = paths.iter().take(2).map(|path| format!("`{path}`")).collect();
        return Some(format!("unknown field; it is {}", paths.join(" or ")));
    }
    let given: String = given.into_iter().collect();
    let (_, system, hint) = FOREIGN.iter().find(|(words, ..)| words.split(' ').any(|word| word == given))?;
    Some(format!("unknown field, known from {system}: {hint}"))
}

/// Returns the paths at which a key of this name is known, the shortest first.
fn paths_of(name: &[char]) -> Vec<String> {
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
    // Paths outside lists first.
    found.sort_by_key(|path| path.contains("[]"));
    found
}

/// Visits the blocks that a key may hold.
fn blocks(kind: &Kind, path: &str, found: &mut dyn FnMut(String, &'static Block)) {
    match kind {
        Kind::Block(block) => found(path.to_owned(), block),
        Kind::List(item, ..) => blocks(item, &format!("{path}[]"), found),
        Kind::OneOrMany(item) => blocks(item, path, found),
        Kind::OneOf(kinds) => kinds.iter().for_each(|kind| blocks(kind, path, found)),
        _ => {}
    }
}

/// Keys of other systems, without case and separators; the systems; and what to write here.
const FOREIGN: &[(&str, &str, &str)] = &[
    (
        "apiversion kind metadata spec",
        "Kubernetes manifests",
        "a policy only says what is done about failures; leave it out",
    ),
    (
        "restartpolicy",
        "Kubernetes and compose",
        "for Always write `retry: true`, for OnFailure `success: complete` beside it, for Never leave `retry` out",
    ),
    (
        "restart autorestart",
        "systemd, compose and supervisord",
        "for always write `retry: true`, for on-failure `success: complete` beside it, for no leave `retry` out",
    ),
    ("backofflimit", "Kubernetes", "write `retry: {max_attempts: 6}`"),
    ("backofflimitperindex", "Kubernetes", "write `retry: {max_attempts: 6}`, which counts for each replica"),
    ("activedeadlineseconds", "Kubernetes", "a run has no deadline; `retry.max_duration` bounds a streak of failures"),
    (
        "progressdeadlineseconds",
        "Kubernetes",
        "write `rollout: {progress_deadline: 10m}`; `start_timeout` bounds a start, `failure.outage_deadline` an outage",
    ),
    ("terminationgraceperiodseconds", "Kubernetes", "write `stop_grace: 30s`"),
    ("minreadyseconds", "Kubernetes", "write `min_ready: 10s`"),
    ("podmanagementpolicy", "Kubernetes", "for OrderedReady write `start_order: ordered`, for Parallel leave it out"),
    ("maxacted", "an earlier version", "write `health: {max_probe_restarts: 25%}`"),
    ("neverready", "an earlier version", "write `failure: {max_failures_before_ready: 9}`"),
    ("podfailurepolicy", "Kubernetes", "write `failure: {rules: [{when: {exit_code: 42}, then: terminate}]}`"),
    (
        "podreplacementpolicy",
        "Kubernetes",
        "a replica is always started after its previous instance has ended; leave it out",
    ),
    ("completions completionmode successpolicy", "Kubernetes", "write `replicas` and `success: complete`"),
    ("parallelism maxparallel", "Kubernetes and Nomad", "write `failure: {max_concurrent_starts: 25%}`"),
    (
        "strategy updatestrategy updateconfig rollingupdate",
        "Kubernetes and compose",
        "write `rollout: {max_surge: 1}`, or `rollout: {max_unavailable: 1}` to replace in place",
    ),
    ("rollbackconfig failureaction", "compose", "write `rollout: {on_failure: rollback}`, or `pause`"),
    ("monitor", "compose", "write `rollout: {canaries: 1, bake: 5m}`, or `min_ready: 5s` for every replica"),
    ("maxfailureratio", "compose", "write `rollout: {max_failures: 3}`"),
    ("canary", "Nomad", "write `rollout: {canaries: 1}`"),
    ("autorevert", "Nomad", "write `rollout: {on_failure: rollback}`, or `pause`"),
    ("autopromote", "Nomad", "write `rollout: {promote: auto}`, or `manual`"),
    ("minreplicas maxreplicas", "Kubernetes", "write `replicas: 2..10`, or `scaling: {min: 2, max: 10}`"),
    (
        "metric target metrics scaleupdelay scaledowndelay",
        "autoscalers",
        "`scaling` only bounds what an autoscaler may ask for by `scale`",
    ),
    ("livenessprobe", "Kubernetes", "write `health: {liveness: {http: {port: 8080}}}`"),
    ("readinessprobe", "Kubernetes", "write `health: {readiness: {http: {port: 8080}}}`"),
    ("startupprobe", "Kubernetes", "write `health: {startup: {http: {port: 8080}}}`"),
    ("httpget", "Kubernetes", "write `http: {port: 8080, path: /}`"),
    ("tcpsocket", "Kubernetes", "write `tcp: {port: 8080}`"),
    ("httpheaders", "Kubernetes", "write `headers: {name: value}`"),
    ("grpc", "Kubernetes", "there is no gRPC probe; write `exec: [grpc_health_probe, -addr=:8080]`"),
    ("initialdelayseconds startperiod", "Kubernetes and compose", "write `initial_delay: 5s` in the probe"),
    ("periodseconds", "Kubernetes", "write `interval: 10s` in the probe"),
    ("timeoutseconds", "Kubernetes", "write `timeout: 1s` in the probe"),
    ("failurethreshold", "Kubernetes", "write `failures: 3` in the probe"),
    ("successthreshold", "Kubernetes", "write `successes: 1` in the probe"),
    ("poddisruptionbudget", "Kubernetes", "write `failure: {min_available: 1}`"),
    (
        "restartsec restartdelay initialinterval basedelay backofflimitseconds",
        "systemd and others",
        "write `retry: {interval: 1s}`",
    ),
    (
        "restartsteps backofffactor multiplier delayfunction",
        "systemd, Nomad and others",
        "write `retry: {backoff: exponential}`",
    ),
    (
        "restartmaxdelaysec maxdelay maxbackoff expbackoffrestartdelay",
        "systemd, Nomad and others",
        "write `retry: {max_interval: 60s}`",
    ),
    ("startlimitburst", "systemd", "write `retry: {limit: {restarts: 5, within: 10m}}`"),
    ("startlimitintervalsec startlimitinterval", "systemd", "write `retry: {limit: {restarts: 5, within: 10m}}`"),
    ("startlimitaction", "systemd", "write `failure: {exhausted: terminate}`"),
    ("timeoutstartsec timeoutsec", "systemd", "write `start_timeout: 90s`"),
    (
        "timeoutstopsec stopgraceperiod stopwaitsecs killtimeout shutdown",
        "systemd, compose and others",
        "write `stop_grace: 10s`",
    ),
    (
        "successexitstatus exitcodes",
        "systemd and supervisord",
        "write a rule: `failure: {rules: [{when: {exit_code: 42}, then: ...}]}`; only 0 is a success",
    ),
    ("restartpreventexitstatus", "systemd", "write `failure: {rules: [{when: {exit_code: 42}, then: terminate}]}`"),
    ("restartforceexitstatus", "systemd", "write `failure: {rules: [{when: {exit_code: 42}, then: retry}]}`"),
    (
        "watchdogsec checkrestart healthcheck",
        "systemd, Nomad and compose",
        "write `health: {liveness: {http: {port: 8080}}}`",
    ),
    (
        "condition",
        "compose",
        "`success` says what exit code 0 means, `failure.rules` says what happens after a failure",
    ),
    (
        "window",
        "compose",
        "write `limit: {restarts: 5, within: 10m}`, or `recover: {after: 2m}` for the time ready that ends a streak",
    ),
    ("deploy services", "compose files", "a policy only says what is done about failures; leave it out"),
    ("test", "compose", "write `exec: [command, argument]` in the probe"),
    (
        "retries maxretries retrylimit retrycount startretries",
        "other systems",
        "write `retry: {max_attempts: 5}`; in a probe `failures: 3`",
    ),
    ("attempts", "Nomad", "write `retry: {limit: {restarts: 5, within: 10m}}`, or `max_attempts` for a streak"),
    ("mode", "Nomad", "for delay write `failure: {exhausted: hold}`, for fail `exhausted: terminate`"),
    ("reschedule", "Nomad", "write `retry: {stages: [{max_attempts: 3}, {placement: elsewhere}]}`"),
    ("unlimited", "Nomad", "leave it out; a retry without limits is unlimited"),
    (
        "minhealthytime minuptime startsecs",
        "Nomad, pm2 and supervisord",
        "write `min_ready: 10s`, or `retry: {recover: {after: 2m}}` for the end of a streak",
    ),
    (
        "maxclientdisconnect stoponclientdisconnect disconnect",
        "Nomad",
        "write `health: {unknown_after: 60s, lost_after: 5m}`",
    ),
    (
        "maxrestarts intensity",
        "Elixir, Erlang and others",
        "write `retry: {limit: {restarts: 3, within: 5s}}`; for the whole set `failure: {budget: {restarts: 3, per: 5s}}`",
    ),
    (
        "maxseconds period",
        "Elixir and Erlang",
        "write `retry: {limit: {restarts: 3, within: 5s}}`; for the whole set `failure: {budget: {restarts: 3, per: 5s}}`",
    ),
    ("oneforone oneforall restforone", "Erlang", "write `failure: {scope: replica}`, `all` or `rest`"),
    ("count instances numreplicas numprocs", "other systems", "write `replicas: 3`"),
    ("cooldown", "other systems", "write `failure: {exhausted: {quarantine: 1h}}`"),
    ("onexit", "other systems", "write `failure: {rules: [{when: {exit_code: 42}, then: terminate}]}`"),
];

/// Built-in causes and the names of other systems for them, in the spelling of [`normalized`].
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

/// Returns the built-in cause that a word of another system means.
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
    fn a_hint_says_where_a_misplaced_key_belongs() {
        for (document, said) in [
            (json!({"retry": {"rules": []}}), "retry.rules: unknown field; it is `failure.rules`"),
            (
                json!({"retry": {"min_available": 1}}),
                "retry.min_available: unknown field; it is `failure.min_available`",
            ),
            (json!({"failure": {"minReady": "1s"}}), "failure.minReady: unknown field; it is `min_ready`"),
            (json!({"maxSurge": 1}), "maxSurge: unknown field; it is `rollout.max_surge`"),
            (json!({"rollout": {"standby": 1}}), "rollout.standby: unknown field; it is `scaling.standby`"),
            (json!({"liveness": {}}), "liveness: unknown field; it is `health.liveness`"),
            (json!({"interval": "1s"}), "interval: unknown field; it is `retry.interval` or `health.startup.interval`"),
            (json!({"exit_code": 1}), "exit_code: unknown field; it is `failure.rules[].when.exit_code`"),
        ] {
            assert_eq!(mistake(document), said);
        }
        // A typo of a key of the same block comes first.
        assert!(mistake(json!({"retry": {"Interval": "1s"}})).contains("did you mean 'interval'?"));
        assert!(mistake(json!({"retry": {"jiter": "none"}})).contains("did you mean 'jitter'?"));
    }

    #[test]
    fn a_hint_says_what_to_write_for_a_key_of_another_system() {
        for (document, said) in [
            (json!({"restartPolicy": "Always"}), "for Always write `retry: true`"),
            (json!({"retry": {"backoffLimit": 6}}), "write `retry: {max_attempts: 6}`"),
            (json!({"retry": {"RestartSec": 5}}), "write `retry: {interval: 1s}`"),
            (json!({"StartLimitBurst": 5}), "write `retry: {limit: {restarts: 5, within: 10m}}`"),
            (json!({"updateStrategy": {}}), "write `rollout: {max_surge: 1}`"),
            (json!({"rollout": {"canary": 1}}), "write `rollout: {canaries: 1}`"),
            (json!({"scaling": {"metric": "rps"}}), "`scaling` only bounds what an autoscaler may ask for"),
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
    fn no_hint_hides_a_key_of_the_document() {
        let mut words: Vec<&str> = FOREIGN.iter().flat_map(|(words, ..)| words.split(' ')).collect();
        for word in &words {
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase()), "{word}");
            assert!(paths_of(&normalized(word)).is_empty(), "{word}");
        }
        let all = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), all, "a word stands twice");
    }

    #[test]
    fn a_hint_names_the_built_in_cause_for_one_of_another_system() {
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
