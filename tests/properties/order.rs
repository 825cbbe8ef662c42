//! `start_order: ordered` on random failures: no replica of a group starts before the one before it is ready.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use uphold::Phase;
use uphold::sim::{self, Simulation, World};

use crate::policies::read;

proptest! {
    #![proptest_config(crate::config())]

    #[test]
    fn in_order_each_waits_for_the_one_before(
        replicas in 1..7u32,
        (start, ready, stop) in (0..5u64, 0..20u64, 0..8u64),
        crashes in proptest::collection::vec((0..400u64, 0..7u32), 0..8),
        extra in prop_oneof![
            Just(""), Just(r#""max_concurrent_starts": 1,"#), Just(r#""correlated": {"share": 2, "within": "30s"},"#),
        ],
        attempts in 1..6u32,
    ) {
        let policy = read(&format!(
            r#"{{"replicas": {replicas}, "start_order": "ordered", "retry": {{"interval": "3s", "max_attempts": {attempts}}},
                "failure": {{{extra} "scope": "all", "min_available": 0}}}}"#
        ));
        let secs = Duration::from_secs;
        let mut simulation =
            Simulation::new(policy).world(World::new().start(secs(start)).ready(secs(ready)).stop(secs(stop)));
        for (at, replica) in crashes {
            simulation = simulation.at(secs(at), sim::exit(replica % replicas, 1));
        }
        let run = simulation.run_until("1h").unwrap();
        let mut phases: BTreeMap<u32, Phase> = BTreeMap::new();
        for (at, change) in run.phase_changes() {
            if change.phase == Phase::Starting {
                let passed_over = |phase: Phase| matches!(phase, Phase::Quarantined | Phase::Completed | Phase::Stopped);
                let before = (0..change.replica.0)
                    .rev()
                    .map(|before| phases.get(&before).copied().unwrap_or(Phase::Waiting))
                    .find(|&phase| !passed_over(phase));
                prop_assert!(before.is_none_or(|phase| phase == Phase::Ready), "{change:?} at {at}, after {before:?}");
            }
            phases.insert(change.replica.0, change.phase);
        }
        let settled = |phase: &Phase| matches!(phase, Phase::Ready | Phase::Quarantined);
        prop_assert!(phases.values().all(settled) && phases.len() == replicas as usize, "{phases:?}");
    }
}
