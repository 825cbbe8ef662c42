use super::{Bench, at, retrying, secs};
use crate::decide::Revision;
use crate::engine::{Event, ReplicaSet, RolloutPhase, Snapshot};
use crate::policy::{OnRolloutFailure, Promote, Quantity, RolloutPolicy};

fn revision(name: &str) -> Revision {
    Revision::new(name).unwrap()
}

fn roll_out(name: &str) -> Event {
    Event::RollOut(revision(name))
}

fn surge(count: u32) -> RolloutPolicy {
    RolloutPolicy::new().max_surge(Quantity::Count(count))
}

fn rolling(replicas: u32, rollout: RolloutPolicy) -> Bench {
    Bench::ready(retrying(replicas, 30).rollout(rollout).build().unwrap())
}

fn phase(bench: &Bench) -> Option<RolloutPhase> {
    bench.set.rollout().map(|rollout| rollout.phase)
}

/// A copy that was serialised and restored at the same instant.
fn copy(bench: &Bench, binary: bool, now: u64) -> Bench {
    let snapshot = bench.set.snapshot();
    let snapshot: Snapshot = if binary {
        postcard::from_bytes(&postcard::to_stdvec(&snapshot).unwrap()).unwrap()
    } else {
        serde_json::from_str(&serde_json::to_string(&snapshot).unwrap()).unwrap()
    };
    let set = ReplicaSet::restore(bench.set.policy().clone(), snapshot, at(now)).unwrap();
    let mut bench = Bench { set };
    bench.drain();
    bench
}

/// Applies the events, and after each of them compares the set with copies that were restored before it.
fn assert_restorable(mut bench: Bench, events: Vec<(u64, Event)>) -> Bench {
    for (now, event) in events {
        let mut copies = [copy(&bench, false, now), copy(&bench, true, now)];
        let view = bench.set.rollout();
        bench.tick(now);
        let lines = bench.handle(now, event.clone());
        for copy in &mut copies {
            assert_eq!(copy.set.rollout().map(|rollout| rollout.remaining), view.as_ref().map(|view| view.remaining));
            copy.tick(now);
            assert_eq!(copy.handle(now, event.clone()), lines, "at {now} s: {event}");
            assert_eq!(phase(copy), phase(&bench));
        }
    }
    bench
}

#[test]
fn a_set_is_restored_in_every_state_of_a_rollout_with_a_surge() {
    let rollout = surge(1).canaries(1).promote(Promote::Manual).on_failure(OnRolloutFailure::Pause).max_failures(1);
    let bench = assert_restorable(
        rolling(2, rollout),
        vec![
            (10, roll_out("v2")),
            (11, Event::exited((2, 1), 1)),
            (12, roll_out("v2")),
            (14, Event::ready((2, 2))),
            (15, Event::Promote),
            (16, Event::stopped((0, 1))),
            (17, Event::exited((3, 1), 1)),
            (18, Event::RollBack),
            (19, Event::ready((0, 2))),
        ],
    );
    assert_eq!(phase(&bench), None);
}

#[test]
fn a_set_is_restored_in_every_state_of_a_rollout_in_place() {
    let bench = assert_restorable(
        rolling(2, RolloutPolicy::new().max_failures(1)),
        vec![
            (10, roll_out("v2")),
            (11, Event::stopped((0, 1))),
            (12, Event::ready((0, 2))),
            (13, Event::stopped((1, 1))),
            (14, Event::exited((1, 2), 1)),
            (15, Event::ready((1, 3))),
            (16, Event::stopped((0, 2))),
            (17, roll_out("v2")),
            (18, Event::ready((0, 3))),
        ],
    );
    assert!(phase(&bench).is_some());
}

#[test]
fn the_clocks_begin_anew_in_a_restored_set() {
    let rollout = surge(1).canaries(1).bake(secs(300)).progress_deadline(secs(600));
    let mut bench = rolling(2, rollout);
    bench.handle(10, roll_out("v2"));
    let mut starting = copy(&bench, false, 400);
    starting.tick(400);
    assert_eq!((bench.next(), starting.next()), (Some((610, "rollout")), Some((1000, "rollout"))));
    bench.handle(20, Event::ready((2, 1)));
    let mut baking = copy(&bench, false, 200);
    baking.tick(200);
    assert_eq!((bench.next(), baking.next()), (Some((320, "rollout")), Some((500, "rollout"))));
}

#[test]
fn a_late_call_fails_a_rollout_before_it_hears_that_the_new_replica_is_ready() {
    let mut bench = rolling(1, surge(1).progress_deadline(secs(600)));
    bench.handle(10, roll_out("v2"));
    let lines = bench.handle(7200, Event::ready((1, 1)));
    assert!(lines.iter().any(|line| line.contains("failed: it made no progress")), "{lines:?}");
    assert_eq!(bench.set.revision(), None);
    assert_eq!(phase(&bench), None);
}

#[test]
fn without_canaries_in_another_policy_the_rest_follow() {
    let mut bench = rolling(2, surge(1).canaries(1).promote(Promote::Manual));
    bench.handle(10, roll_out("v2"));
    bench.handle(20, Event::ready((2, 1)));
    assert_eq!(phase(&bench), Some(RolloutPhase::AwaitingPromotion));
    bench.set.replace_policy(at(30), retrying(2, 30).rollout(surge(1)).build().unwrap());
    let lines = bench.drain();
    assert!(lines.iter().any(|line| line.contains("promoted")), "{lines:?}");
    assert_eq!(Bench::commands(lines)[0], "stop replica 0 incarnation 1");
}

#[test]
fn surge_slots_beyond_another_limit_are_removed_and_the_rollout_goes_on_in_place() {
    let mut bench = rolling(3, surge(2));
    bench.handle(10, roll_out("v2"));
    bench.set.replace_policy(at(20), retrying(3, 30).build().unwrap());
    let lines = Bench::commands(bench.drain());
    assert_eq!(lines, ["stop replica 4 incarnation 1", "stop replica 3 incarnation 1", "stop replica 0 incarnation 1"]);
    // And back: the slot that was replaced in place counts, and the others get surge slots.
    bench.handle(21, Event::stopped((0, 1)));
    bench.set.replace_policy(at(30), retrying(3, 30).rollout(surge(1)).build().unwrap());
    let lines = Bench::commands(bench.drain());
    let starts: Vec<&String> = lines.iter().filter(|line| line.starts_with("start ")).collect();
    assert_eq!(starts, ["start replica 5 incarnation 1 as surge revision v2"]);
}

#[test]
fn another_way_to_promote_applies_to_canaries_that_wait() {
    let canary = || RolloutPolicy::new().canaries(1).bake(secs(60));
    let policy = |rollout| retrying(2, 30).rollout(rollout).build().unwrap();
    let mut bench = rolling(2, canary());
    bench.handle(10, roll_out("v2"));
    bench.handle(10, Event::stopped((0, 1)));
    bench.handle(20, Event::ready((0, 2)));
    assert_eq!(phase(&bench), Some(RolloutPhase::Baking));
    bench.set.replace_policy(at(30), policy(canary().promote(Promote::Manual)));
    bench.drain();
    bench.tick(1000);
    assert_eq!(phase(&bench), Some(RolloutPhase::AwaitingPromotion));
    bench.set.replace_policy(at(1000), policy(canary()));
    bench.drain();
    assert_eq!(bench.next(), Some((1060, "rollout")));
}

#[test]
fn what_cannot_be_met_is_refused_and_changes_nothing() {
    let mut bench = rolling(2, surge(1));
    for event in [Event::Promote, Event::RollBack] {
        assert!(bench.set.request(at(10), event).is_err());
        bench.drain();
    }
    bench.handle(10, roll_out("v2"));
    let before = bench.set.rollout();
    assert!(bench.set.request(at(11), Event::Promote).is_err(), "there are no canaries");
    bench.drain();
    assert!(bench.set.request(at(11), roll_out("v2")).is_err(), "it is under way");
    bench.drain();
    assert_eq!(bench.set.rollout(), before);
}

#[test]
fn back_to_the_completed_revision_is_a_rollout_like_any_other() {
    let mut bench = rolling(2, RolloutPolicy::new());
    bench.handle(10, roll_out("v2"));
    bench.handle(10, Event::stopped((0, 1)));
    bench.handle(11, Event::ready((0, 2)));
    bench.handle(11, Event::stopped((1, 1)));
    bench.handle(12, Event::ready((1, 2)));
    assert_eq!(bench.set.revision(), Some(&revision("v2")));
    bench.handle(20, roll_out("v3"));
    bench.handle(20, Event::stopped((0, 2)));
    // While it goes back, a person asks for the same revision: that supersedes, and ends with every slot available.
    bench.handle(21, Event::RollBack);
    let lines = bench.handle(22, roll_out("v2"));
    assert!(lines.iter().any(|line| line.contains("rollout of v3 is superseded")), "{lines:?}");
    bench.handle(22, Event::stopped((0, 3)));
    let lines = bench.handle(23, Event::ready((0, 4)));
    assert!(lines.iter().any(|line| line.contains("rollout of v2 is complete")), "{lines:?}");
}

#[test]
fn the_only_slot_is_replaced_with_a_surge_and_in_place() {
    let mut bench = rolling(1, surge(1).canaries(5));
    assert_eq!(
        Bench::commands(bench.handle(10, roll_out("v2"))),
        ["start replica 1 incarnation 1 as surge revision v2"]
    );
    assert_eq!(Bench::commands(bench.handle(20, Event::ready((1, 1)))), ["stop replica 0 incarnation 1"]);
    assert_eq!((phase(&bench), bench.status()), (None, "healthy (all-available)".to_owned()));
    let mut bench = rolling(1, RolloutPolicy::new().canaries(5));
    assert_eq!(Bench::commands(bench.handle(10, roll_out("v2"))), ["stop replica 0 incarnation 1"]);
    assert_eq!(bench.status(), "outage (rolling-out)");
    bench.handle(11, Event::stopped((0, 1)));
    bench.handle(20, Event::ready((0, 2)));
    assert_eq!((phase(&bench), bench.status()), (None, "healthy (recovered)".to_owned()));
}
