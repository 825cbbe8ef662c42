//! Random policies, put together from blocks of the document.

use proptest::prelude::*;
use uphold::Policy;

pub(crate) fn read(text: &str) -> Policy {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A policy, shown as its document.
#[derive(Clone)]
pub(crate) struct Document(pub(crate) Policy);

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&serde_json::to_string(&self.0).unwrap_or_default())
    }
}

fn one_of(options: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    proptest::sample::select(options)
}

pub(crate) fn any() -> impl Strategy<Value = Document> {
    let retry = one_of(&[
        "",
        r#""retry": {"interval": "1s"},"#,
        r#""retry": true,"#,
        r#""retry": {"interval": "10s", "max_attempts": 3},"#,
        r#""retry": {"interval": "0s", "max_duration": "5m", "immediate_first": true},"#,
        r#""retry": {"interval": "2s", "backoff": "exponential", "max_interval": "20s", "jitter": "full",
            "limit": {"restarts": 3, "within": "1m"}},"#,
        r#""retry": {"interval": "1s", "jitter": "decorrelated", "max_interval": "30s",
            "recover": {"after": "20s", "by": "step"}},"#,
        r#""retry": {"interval": "1s", "stages": [{"max_attempts": 2},
            {"max_attempts": 2, "interval": "5s", "placement": "elsewhere"},
            {"max_attempts": 1, "scope": "all", "interval": "10s"}]},"#,
        r#""retry": {"interval": "1s", "scope": "rest", "max_attempts": 8},"#,
    ]);
    let rules = one_of(&[
        "",
        r#""rules": [{"when": {"exit_code": 2}, "then": "hold"}],"#,
        r#""rules": [{"when": {"exit_code": 2}, "then": {"hold": "30s"}},
            {"when": {"cause": "out-of-memory", "attempts_over": 1}, "then": "degrade"}],"#,
        r#""rules": [{"name": "spot", "when": {"cause": ["interruption", "node-lost"]}, "then": "retry",
            "charge": false, "retry": {"interval": "3s", "max_attempts": 4}}],"#,
        r#""rules": [{"when": {"exit_code": 3}, "then": "terminate"}, {"when": {"exit_code": 2}, "then": "degrade"}],"#,
        r#""rules": [{"name": "leader", "when": {"replica": 0}, "then": "retry", "retry": {"interval": "2s", "scope": "all"}},
            {"name": "young", "when": {"ran_under": "20s", "replica": ["1..=2", 5]}, "then": "retry",
                "retry": {"interval": "1s", "placement": "elsewhere", "limit": {"restarts": 3, "within": "5m"}}},
            {"when": {"was_ready": false, "exit_code": 2}, "then": "degrade"}],"#,
    ]);
    let scope = one_of(&["", "", r#""scope": "all","#, r#""scope": "rest","#]);
    let exhausted = one_of(&[
        "",
        r#""exhausted": "hold","#,
        r#""exhausted": "terminate","#,
        r#""exhausted": {"quarantine": "1m"},"#,
        r#""exhausted": {"quarantine": "30s", "rounds": 2},"#,
    ]);
    let gates = one_of(&[
        "",
        r#""budget": {"restarts": 2, "per": "1m"},"#,
        r#""max_concurrent_starts": 1,"#,
        r#""correlated": {"share": "50%", "within": "30s"},"#,
        r#""budget": {"restarts": 3, "per": "2m"}, "max_concurrent_starts": "25%",
            "correlated": {"share": "40%", "within": "10s"},"#,
    ]);
    let status = one_of(&[
        r#""min_available": 1"#,
        r#""min_available": "50%""#,
        r#""min_available": "100%", "outage_deadline": "5m""#,
        r#""min_available": 2, "clear_after": "10s""#,
        r#""max_failures_before_ready": 5"#,
    ]);
    let success = one_of(&["", "", r#""success": "complete","#, r#""success": "failure","#]);
    let health = one_of(&[
        "",
        "",
        r#""health": {"liveness": {"tcp": {"port": 80}, "interval": "10s", "failures": 2}, "max_probe_restarts": "25%"},"#,
        r#""health": {"readiness": {"tcp": {"port": 80}, "interval": "5s"}, "unknown_after": "15s", "lost_after": "30s"},"#,
        r#""health": {"readiness": {"tcp": {"port": 80}, "interval": "5s"}, "unready_timeout": "20s", "max_probe_restarts": 1,
            "liveness": {"tcp": {"port": 80}, "interval": "10s", "failures": 1}},"#,
        r#""health": {"unready_timeout": "7s", "unknown_after": "3s"},"#,
        r#""health": {"startup": {"tcp": {"port": 80}, "interval": "2s"}, "unready_timeout": "15s",
            "liveness": {"tcp": {"port": 80}, "interval": "10s"}, "lost_after": "never"},"#,
    ]);
    let timing = one_of(&[
        "",
        r#""start_order": "ordered","#,
        r#""min_ready": "3s", "start_timeout": "30s", "stop_grace": "2s","#,
    ]);
    let scaling = one_of(&[
        "",
        "",
        r#""scaling": {"max": 12},"#,
        r#""scaling": {"standby": 1},"#,
        r#""scaling": {"max": 9, "stand_ins": {"max": 2, "after": "20s"}},"#,
        r#""scaling": {"standby": 2, "stand_ins": {"max": 1, "after": "0s"}},"#,
    ]);
    let rollout = one_of(&[
        "",
        r#""rollout": {"max_surge": 1},"#,
        r#""rollout": {"max_unavailable": "50%", "progress_deadline": "2m", "on_failure": "pause"},"#,
        r#""rollout": {"max_surge": "50%", "max_unavailable": 1, "canaries": 1, "bake": "30s", "max_failures": 1},"#,
        r#""rollout": {"canaries": 2, "promote": "manual"},"#,
    ]);
    (0..8u32, retry, rules, scope, exhausted, gates, status, success, health, timing, scaling, rollout).prop_map(
        |(replicas, mut retry, rules, scope, exhausted, gates, status, success, health, timing, mut scaling, rollout)| {
            // Extra replicas are refused beside groups and jobs.
            let groups = [retry, rules, scope].iter().any(|block| block.contains(r#""scope""#));
            if (groups || success.contains("complete")) && scaling.contains("stand") {
                scaling = "";
            }
            if retry.is_empty() && rules.contains("retry") {
                retry = r#""retry": {"interval": "1s"},"#;
            }
            Document(read(&format!(
                r#"{{{timing} {success} {scaling} {rollout} {retry} {health} "failure": {{{rules} {scope} {exhausted} {gates} {status}}}, "replicas": {replicas}}}"#
            )))
        },
    )
}
