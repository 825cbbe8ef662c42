//! `max_probe_restarts` on random timings: whatever all probes depend on is away, and the set keeps what it needs.

use std::time::Duration;

use proptest::prelude::*;
use uphold::engine::ProbeKind;
use uphold::sim::{Behaviour, Simulation, World};
use uphold::{Status, Timestamp};

use crate::policies::read;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

proptest! {
    #![proptest_config(crate::config())]

    #[test]
    fn what_all_probes_depend_on_never_takes_a_set_below_what_it_needs(
        replicas in 1..12u32,
        need in 0..12u32,
        share in 1..100u8,
        (min_ready, start, ready, stop) in (0..60u64, 0..10u64, 0..40u64, 0..20u64),
        (interval, failures, unready) in (1..20u64, 1..4u32, proptest::option::of(60..200u64)),
        kind in prop_oneof![Just(ProbeKind::Liveness), Just(ProbeKind::Readiness)],
        preset in any::<bool>(),
    ) {
        let need = need.min(replicas);
        let retry = if preset { "true" } else { r#"{"interval": "2s"}"# };
        let unready = unready.map(|unready| format!(r#""unready_timeout": "{unready}s","#)).unwrap_or_default();
        let policy = read(&format!(
            r#"{{"replicas": {replicas}, "min_ready": "{min_ready}s", "retry": {retry},
                "failure": {{"min_available": {need}, "outage_deadline": "10h"}},
                "health": {{{unready} "readiness": {{"tcp": {{"port": 1}}, "interval": "3s"}},
                    "liveness": {{"tcp": {{"port": 2}}, "interval": "{interval}s", "failures": {failures}}},
                    "max_probe_restarts": "{share}%"}}}}"#
        ));
        let down = kind == ProbeKind::Readiness;
        let most = policy.max_probe_restarts(replicas).unwrap_or(replicas);
        let run = Simulation::new(policy)
            .world(World::new().start(secs(start)).ready(secs(ready)).stop(secs(stop)))
            .behaviour(Behaviour::probe_fails(kind).active_from(secs(600)).active_until(secs(1200)))
            .run_until("1h")
            .unwrap();
        let least = run.status_changes().iter().filter(|(at, _)| *at > Timestamp::from_secs(599)).map(|(_, status)| status.available);
        // One may always be taken down.
        let keeps = (replicas - most).max(need.min(replicas - 1));
        if !down {
            prop_assert!(least.min().is_none_or(|least| least >= keeps), "{:?}", run.status_changes());
        }
        // Under the preset one may be given up; otherwise all come back.
        let status = run.set().status();
        prop_assert!(preset || status == Status::Healthy, "{status}, {:?}", run.set().replicas().collect::<Vec<_>>());
    }
}
