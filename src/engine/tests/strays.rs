use super::observing::seen;
use super::{Bench, at, retrying, secs};
use crate::decide::{Incarnation, Outcome, Status};
use crate::engine::{Event, InstanceState, Phase, ReplicaSet};
use crate::policy::{FailurePolicy, HealthPolicy, LostAfter, Policy, Scope};
use crate::time::Timestamp;

/// Replica 0 was declared `node-lost` at 360 s, and is due again at 390 s.
fn lost() -> Bench {
    let mut bench = Bench::every(1, 30);
    bench.handle(0, Event::lost((0, 1)));
    bench.tick(60);
    bench.tick(360);
    assert_eq!(bench.next(), Some((390, "start-due")));
    bench
}

fn strays(bench: &Bench) -> u32 {
    bench.set.summary(bench.set.now()).strays
}

#[test]
fn a_lost_instance_that_returns_before_its_replacement_is_stopped_and_waited_for() {
    let mut bench = lost();
    let listed = [seen(0, 1, InstanceState::Ready)];
    assert_eq!(bench.observe(365, &listed), ["stop replica 0 incarnation 1"]);
    assert_eq!(bench.observe(370, &listed), [""; 0], "a stop is not repeated");
    assert_eq!(bench.next(), Some((375, "kill-stray")));
    assert_eq!(bench.tick(375), ["kill replica 0 incarnation 1"]);
    assert_eq!(bench.tick(385), ["kill replica 0 incarnation 1"]);
    assert_eq!(bench.tick(390), ["replica 0 waits: stop"]);
    assert_eq!(bench.tick(405), ["kill replica 0 incarnation 1"], "the gaps grow");
    assert_eq!(bench.observe(410, &listed), [""; 0]);
    assert_eq!(strays(&bench), 1);
    assert_eq!(Bench::commands(bench.observe(420, &[])), ["start replica 0 incarnation 2"]);
    assert_eq!(strays(&bench), 0);
}

#[test]
fn a_slot_starts_once_its_stray_has_ended() {
    for end in [Event::stopped((0, 1)), Event::exited((0, 1), 137)] {
        let mut bench = lost();
        assert_eq!(Bench::commands(bench.handle(365, Event::found((0, 1)))), ["stop replica 0 incarnation 1"]);
        bench.tick(375);
        bench.tick(390);
        assert_eq!(Bench::commands(bench.handle(391, end)), ["start replica 0 incarnation 2"]);
    }
}

#[test]
fn a_stray_beside_its_replacement_is_killed_and_repeated_events_about_it_are_only_counted() {
    let mut bench = lost();
    bench.tick(390);
    bench.handle(390, Event::ready((0, 2)));
    let heard = bench.handle(400, Event::ready((0, 1)));
    assert_eq!(heard, ["ignored: stale event about replica 0 incarnation 1", "stop replica 0 incarnation 1"]);
    assert_eq!(bench.handle(401, Event::ready((0, 1))), [""; 0]);
    assert_eq!(bench.set.summary(at(401)).ignored, 2);
    assert_eq!(bench.tick(410), ["kill replica 0 incarnation 1"]);
    let both = [seen(0, 1, InstanceState::Ready), seen(0, 2, InstanceState::Ready)];
    let mut kills = 1;
    let mut now = 411;
    while now < 40_000 {
        let lines = bench.observe(now, &both);
        assert!(lines.iter().all(|line| line == "kill replica 0 incarnation 1"), "{lines:?}");
        kills += lines.len();
        now += 30;
    }
    assert!((130..150).contains(&kills), "{kills} kills in 11 h, five minutes apart in the end");
}

#[test]
fn a_start_that_succeeds_after_it_was_given_up_is_a_stray() {
    let mut bench = Bench::new(retrying(1, 30).build().unwrap());
    bench.tick(0);
    bench.handle(5, Event::start_failed((0, 1), crate::policy::Cause::StartError));
    assert_eq!(Bench::commands(bench.handle(20, Event::started((0, 1)))), ["stop replica 0 incarnation 1"]);
    bench.tick(30);
    assert_eq!(bench.tick(35), ["replica 0 waits: stop"]);
    assert_eq!(Bench::commands(bench.handle(36, Event::stopped((0, 1)))), ["start replica 0 incarnation 2"]);
}

#[test]
fn a_late_event_from_before_the_end_makes_no_stray() {
    let mut bench = Bench::every(1, 30);
    bench.handle(60, Event::exited((0, 1), 1));
    assert_eq!(bench.handle(61, Event::ready((0, 1))), ["ignored: duplicate event about replica 0 incarnation 1"]);
    assert_eq!(Bench::commands(bench.tick(90)), ["start replica 0 incarnation 2"]);
}

#[test]
fn a_queued_start_waits_for_a_stray_too() {
    let mut bench = lost();
    bench.set.limit_starts(at(380), Some(0));
    assert_eq!(bench.tick(390), ["replica 0 waits: owner"]);
    assert_eq!(bench.observe(395, &[seen(0, 1, InstanceState::Running)]).last().unwrap(), "replica 0 waits: stop");
    bench.set.limit_starts(at(396), None);
    assert_eq!(bench.drain(), [""; 0]);
    assert_eq!(Bench::commands(bench.observe(400, &[])), ["start replica 0 incarnation 2"]);
}

#[test]
fn a_group_waits_for_the_strays_of_all_its_slots() {
    let failure = FailurePolicy::new().scope(Scope::All);
    let mut bench = Bench::ready(retrying(2, 10).failure(failure).build().unwrap());
    bench.handle(60, Event::exited((0, 1), 1));
    bench.handle(61, Event::stopped((1, 1)));
    bench.observe(65, &[seen(1, 1, InstanceState::Ready)]);
    assert_eq!(bench.tick(70), [""; 0]);
    let started = Bench::commands(bench.observe(73, &[]));
    assert_eq!(started, ["start replica 0 incarnation 2", "start replica 1 incarnation 2"]);
}

#[test]
fn a_set_is_not_terminated_while_a_stray_is_alive() {
    let mut bench = lost();
    bench.observe(365, &[seen(0, 1, InstanceState::Ready)]);
    bench.handle(370, Event::Terminate);
    assert_eq!(bench.set.status(), Status::Terminating);
    assert_eq!(bench.tick(375), ["kill replica 0 incarnation 1"]);
    bench.handle(376, Event::stopped((0, 1)));
    assert_eq!(bench.set.status(), Status::Terminated);
    // The set stays terminated, whatever is found later.
    assert_eq!(bench.observe(380, &[seen(0, 1, InstanceState::Ready)]), ["stop replica 0 incarnation 1"]);
    assert_eq!(bench.set.status(), Status::Terminated);
}

#[test]
fn instances_of_unknown_slots_are_stopped_in_bounded_numbers() {
    let mut bench = Bench::every(1, 30);
    let mut listed: Vec<_> = (1000..201_000).map(|replica| seen(replica, 1, InstanceState::Ready)).collect();
    listed.push(seen(0, 1, InstanceState::Ready));
    assert_eq!(bench.observe(1, &listed).len(), 4096);
    assert_eq!(bench.observe(2, &listed).len(), 0);
    assert_eq!(strays(&bench), 4096);
    // A stray of the set's own slot displaces one of an unknown slot.
    bench.handle(3, Event::exited((0, 1), 1));
    assert_eq!(bench.observe(4, &listed), ["stop replica 0 incarnation 1"]);
    // The rest are added as earlier ones end.
    listed.drain(..4096);
    assert_eq!(bench.observe(5, &listed).len(), 4095);
    assert!(serde_json::to_string(&bench.set.snapshot()).unwrap().len() < 500_000);
}

#[test]
fn a_new_slot_does_not_take_the_number_of_a_live_stray() {
    let mut bench = Bench::every(1, 30);
    bench.observe(1, &[seen(0, 1, InstanceState::Ready), seen(1, 4, InstanceState::Ready)]);
    assert_eq!(Bench::commands(bench.handle(2, Event::Scale(2))), ["start replica 2 incarnation 1"]);
    bench.handle(3, Event::stopped((1, 4)));
    assert_eq!(Bench::commands(bench.handle(4, Event::Scale(3))), ["start replica 1 incarnation 5"]);
}

#[test]
fn a_stray_of_a_removed_slot_is_stopped_before_its_number_is_used_again() {
    let mut bench = Bench::every(2, 30);
    bench.handle(1, Event::Scale(1));
    bench.handle(2, Event::stopped((1, 1)));
    assert_eq!(bench.observe(3, &[seen(0, 1, InstanceState::Ready), seen(1, 1, InstanceState::Ready)]).len(), 1);
    assert_eq!(Bench::commands(bench.handle(4, Event::Scale(2))), ["start replica 2 incarnation 1"]);
    assert_eq!(bench.tick(13), ["kill replica 1 incarnation 1"]);
    bench.handle(14, Event::exited((1, 1), 137));
    assert_eq!(Bench::commands(bench.handle(15, Event::Scale(3))), ["start replica 1 incarnation 2"]);
}

#[test]
fn strays_survive_a_restore() {
    let mut bench = lost();
    bench.observe(365, &[seen(0, 1, InstanceState::Ready)]);
    for now in [375, 385, 390] {
        bench.tick(now);
    }
    let text = serde_json::to_string(&bench.set.snapshot()).unwrap();
    let restore = |policy: Policy, now| {
        ReplicaSet::restore(policy, serde_json::from_str(&text).unwrap(), now).map(|set| Bench { set }).unwrap()
    };
    let mut other = restore(bench.set.policy().clone(), at(390));
    other.tick(390);
    for now in [390, 405, 445] {
        assert_eq!(other.tick(now), bench.tick(now), "at {now} s");
        assert_eq!(other.next(), bench.next());
    }
    // An earlier clock shifts the deadlines, and another policy keeps them.
    let mut earlier = restore(retrying(1, 60).build().unwrap(), at(100));
    earlier.tick(100);
    assert_eq!((earlier.next(), strays(&earlier)), (Some((115, "kill-stray")), 1));
    earlier.set.replace_policy(at(101), retrying(1, 90).build().unwrap());
    earlier.drain();
    assert_eq!(earlier.next(), Some((115, "kill-stray")));
    assert_eq!(Bench::commands(earlier.observe(110, &[])), ["start replica 0 incarnation 2"]);
}

#[test]
fn an_adopted_instance_inherits_no_state_of_the_earlier_one() {
    let mut bench = Bench::every(1, 10);
    bench.handle(0, Event::lost((0, 1)));
    bench.observe(30, &[seen(0, 2, InstanceState::Ended(Outcome::exited(1, at(20))))]);
    assert_eq!(bench.next(), Some((30 + 1200, "start-timeout")), "incarnation 3 is starting, and not lost");
    bench.tick(1230);
    // Its stop is not confirmed, so it is killed, and its slot starts nothing.
    for now in [1240, 1250, 1270] {
        assert_eq!(Bench::commands(bench.tick(now)), ["kill replica 0 incarnation 3"]);
    }
    // The adopted instance does not inherit readiness.
    let mut bench = Bench::every(1, 10);
    bench.observe(5, &[seen(0, 2, InstanceState::Ready)]);
    assert_eq!(bench.set.census().available, 1);
    bench.observe(6, &[seen(0, 3, InstanceState::Running)]);
    assert_eq!(bench.set.census().available, 0);
}

#[test]
fn adopting_a_later_incarnation_clears_an_overdue_loss_of_contact() {
    let contact = HealthPolicy::new().unknown_after(secs(10)).lost_after(LostAfter::After(secs(30)));
    let mut bench = Bench::ready(retrying(2, 30).health(contact).build().unwrap());
    bench.handle_all(0, [Event::lost((0, 1)), Event::lost((1, 1))]);
    bench.tick(10);
    assert_eq!(bench.tick(40), [""; 0], "we are cut off");
    let both = [seen(0, 2, InstanceState::Ready), seen(1, 1, InstanceState::Ready)];
    let lines = bench.observe(50, &both);
    assert!(!lines.iter().any(|line| line.contains("node-lost")), "{lines:?}");
    assert_eq!(bench.next(), None);
}

#[test]
fn overdue_replicas_are_declared_lost_in_the_call_that_ends_a_partition() {
    let doc = r#"{"replicas": 3, "retry": {"interval": "100s", "scope": "all"}, "stop_grace": "1000s",
        "health": {"liveness": {"exec": ["true"], "failures": 1, "interval": "30s"}}}"#;
    let mut bench = Bench::ready(serde_json::from_str(doc).unwrap());
    bench.handle_all(0, (0..3).map(|replica| Event::lost((replica, 1))));
    while let Some((now, _)) = bench.next().filter(|(now, _)| *now <= 390) {
        bench.tick(now);
    }
    bench.handle(395, probe_failed(0));
    let mut other = Bench { set: bench.set.clone() };
    for now in [396, 450] {
        assert_eq!(bench.tick(now), [""; 0]);
    }
    assert!(bench.next().is_some_and(|(next, _)| next > 450));
    let text = serde_json::to_string(&other.set.snapshot()).unwrap();
    let restored = ReplicaSet::restore(other.set.policy().clone(), serde_json::from_str(&text).unwrap(), at(395));
    let mut restored = Bench { set: restored.unwrap() };
    assert_eq!(restored.tick(395), other.tick(395));
    assert_eq!(restored.next(), other.next());
}

fn probe_failed(replica: u32) -> Event {
    super::probing::answer(replica, 1, crate::engine::ProbeKind::Liveness, crate::engine::ProbeResult::Failure)
}

#[test]
fn a_stop_waits_for_a_replica_that_became_unknown_in_a_late_call() {
    let mut bench = Bench::every(3, 10);
    bench.handle(0, Event::lost((0, 1)));
    bench.tick(600);
    assert_eq!(Bench::commands(bench.handle(601, Event::Restart(0.into()))), ["stop replica 0 incarnation 1"]);
    assert_eq!(Bench::commands(bench.tick(611)), ["kill replica 0 incarnation 1"]);
    let mut started = Vec::new();
    while let Some((now, _)) = bench.next().filter(|(now, _)| *now <= 900) {
        started.extend(bench.tick(now).into_iter().filter(|line| line.starts_with("start ")).map(|_| now));
    }
    assert_eq!(started, [900], "300 s after it became unknown");
}

#[test]
fn a_time_after_the_latest_is_refused_and_the_set_continues() {
    let mut bench = Bench::every(1, 10);
    bench.set.handle_timeout(Timestamp::MAX);
    bench.set.handle(Timestamp::MAX, Event::not_ready((0, 1)));
    bench.drain();
    assert_eq!(bench.set.summary(at(1)).clock_out_of_range, 2);
    bench.handle(10, Event::exited((0, 1), 1));
    assert_eq!(bench.next(), Some((20, "start-due")));
    let latest = Timestamp::LATEST;
    let mut bench = Bench { set: ReplicaSet::new(retrying(1, 10).build().unwrap(), 7, Timestamp::MAX) };
    bench.set.handle_timeout(latest);
    assert_eq!(Bench::commands(bench.drain()), ["start replica 0 incarnation 1"]);
    assert_eq!(bench.set.next_deadline().map(|next| next.at), Some(latest + secs(1200)));
}

#[test]
fn an_incarnation_out_of_range_is_not_adopted() {
    let mut bench = Bench::new(retrying(1, 10).build().unwrap());
    let listed = [seen(0, u64::MAX, InstanceState::Ready)];
    let ignored = format!("ignored: out-of-range event about replica 0 incarnation {}", u64::MAX);
    assert_eq!(bench.observe(0, &listed)[0], ignored);
    assert_eq!(bench.observe(0, &listed), [""; 0]);
    // It is alive and out of range, so it is stopped as a stray, and its slot waits.
    assert_eq!(Bench::commands(bench.tick(0)), [format!("stop replica 0 incarnation {}", u64::MAX)]);
    assert_eq!(Bench::commands(bench.observe(1, &[])), ["start replica 0 incarnation 1"]);
    assert_eq!(bench.set.get(0.into()).unwrap().incarnation, Incarnation(1));
    bench.handle(2, Event::exited((0, u64::MAX), 1));
    assert_eq!(bench.set.summary(at(2)).ignored, 2);
    // Numbering continues from the last adoptable incarnation.
    let last = Incarnation::LAST_ADOPTED.0;
    bench.observe(3, &[seen(0, last, InstanceState::Ready)]);
    bench.handle(4, Event::exited((0, last), 1));
    assert_eq!(Bench::commands(bench.tick(14)), [format!("start replica 0 incarnation {}", last + 1)]);
    bench.handle(15, Event::ready((0, last + 1)));
    assert_eq!(bench.set.census().available, 1);
}

#[test]
fn an_old_report_of_lost_contact_is_ignored_after_a_sign_of_life() {
    let doc = r#"{"retry": true, "health": {"unknown_after": "10s",
        "readiness": {"exec": ["x"], "interval": "1s"}}}"#;
    let mut bench = Bench::ready(serde_json::from_str(doc).unwrap());
    let answer = |result| super::probing::answer(0, 1, crate::engine::ProbeKind::Readiness, result);
    bench.handle(0, answer(crate::engine::ProbeResult::Success));
    let lost = crate::engine::InstanceEvent { replica: 0.into(), incarnation: 1.into(), at: Some(at(5)) };
    for now in 1..40 {
        bench.tick(now);
        bench.handle(now, answer(crate::engine::ProbeResult::Success));
        bench.handle(now, Event::Lost(lost));
        assert_eq!(bench.set.status(), Status::Healthy, "at {now} s");
    }
    // Signs of life: a failed probe, a list, a repeated report.
    bench.handle(40, answer(crate::engine::ProbeResult::Failure));
    bench.handle(41, Event::Lost(lost));
    assert_eq!(unknown_at(&bench), 50);
    bench.observe(43, &[seen(0, 1, InstanceState::Ready)]);
    bench.handle(44, Event::Lost(lost));
    assert_eq!(unknown_at(&bench), 53);
    bench.handle(45, Event::ready((0, 1)));
    bench.handle(46, Event::Lost(lost));
    assert_eq!(unknown_at(&bench), 55);
    // A repeated loss of contact does not move the deadline.
    bench.handle(47, Event::lost((0, 1)));
    assert_eq!(unknown_at(&bench), 55);
}

/// When replica 0 becomes unknown without a sign of life.
fn unknown_at(bench: &Bench) -> u64 {
    let mut bench = Bench { set: bench.set.clone() };
    while let Some((now, why)) = bench.next() {
        if why == "unknown" {
            return now;
        }
        bench.tick(now);
    }
    panic!("it never does");
}

/// An operator's stop applies to the replica, whichever instance is adopted.
#[test]
fn an_instance_adopted_while_an_operator_stops_its_replica_is_stopped() {
    for stopped_before in [false, true] {
        let mut bench = Bench::every(2, 30);
        bench.handle(60, Event::Stop(0.into()));
        if stopped_before {
            bench.handle(61, Event::stopped((0, 1)));
        }
        let other = seen(1, 1, InstanceState::Ready);
        let lines = bench.observe(70, &[seen(0, 2, InstanceState::Ready), other.clone()]);
        assert!(lines.contains(&"stop replica 0 incarnation 2".to_owned()), "{lines:?}");
        assert_eq!(bench.set.census().stopped, 1);
        bench.handle(71, Event::stopped((0, 2)));
        bench.observe(80, &[other]);
        bench.tick(1000);
        assert_eq!(bench.set.get(0.into()).unwrap().phase, Phase::Stopped);
    }
}

/// A replica that waits for its turn, and is listed as a later incarnation, is up and waits for nothing.
#[test]
fn a_replica_adopted_while_it_waits_in_order_no_longer_waits() {
    let policy = retrying(3, 30).start_order(crate::policy::StartOrder::Ordered).build().unwrap();
    let mut bench = Bench::new(policy);
    bench.tick(0);
    let first = seen(0, 1, InstanceState::Starting);
    bench.observe(10, &[first, seen(2, 4, InstanceState::Stopping)]);
    assert_eq!(bench.set.check_invariants(), Ok(()));
    let snapshot = bench.set.snapshot();
    assert!(ReplicaSet::restore(bench.set.policy().clone(), snapshot, at(10)).is_ok());
}

/// A completed set may still be stopping surplus replicas.
#[test]
fn a_stopping_instance_of_a_completed_set_is_no_stray() {
    let policy = retrying(2, 30).success(crate::policy::OnSuccess::Complete).build().unwrap();
    let mut bench = Bench::ready(policy);
    bench.handle(10, Event::Scale(1));
    bench.handle(20, Event::exited((0, 1), 0));
    assert_eq!(bench.set.status(), Status::Completed);
    assert_eq!(bench.observe(25, &[seen(1, 1, InstanceState::Stopping)]), [""; 0]);
    assert_eq!(bench.set.check_invariants(), Ok(()));
    assert_eq!(Bench::commands(bench.tick(20 + 10)), ["kill replica 1 incarnation 1"]);
}

/// Only `start_timeout` bounds a start that is out of contact. The stop that follows is awaited.
#[test]
fn the_stop_of_a_start_out_of_contact_is_waited_for() {
    let mut bench = Bench::new(retrying(1, 10).build().unwrap());
    bench.tick(0);
    bench.handle(0, Event::lost((0, 1)));
    assert_eq!(Bench::commands(bench.tick(1200)), ["stop replica 0 incarnation 1"]);
    assert_eq!(bench.set.get(0.into()).unwrap().phase, Phase::Stopping);
    assert_eq!(Bench::commands(bench.tick(1210)), ["kill replica 0 incarnation 1"]);
    while let Some((now, _)) = bench.next().filter(|(now, _)| *now < 1500) {
        assert!(!Bench::commands(bench.tick(now)).iter().any(|line| line.starts_with("start")), "at {now} s");
    }
    bench.tick(1500);
    assert_eq!(Bench::commands(bench.tick(1510)), ["start replica 0 incarnation 2"]);
}
