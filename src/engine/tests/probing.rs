use super::{Bench, at, retrying, secs};
use crate::engine::{Event, ProbeKind, ProbeReport, ProbeResult, ReplicaSet};
use crate::policy::{HealthPolicy, Probe, ProbeCheck, Quantity, TcpCheck};

fn probe() -> Probe {
    Probe::new(ProbeCheck::Tcp(TcpCheck::new("80"))).interval(secs(10))
}

fn with(replicas: u32, health: HealthPolicy) -> Bench {
    let mut bench = Bench::new(retrying(replicas, 30).health(health).build().unwrap());
    bench.tick(0);
    bench.handle_all(0, (0..replicas).map(|replica| Event::ready((replica, 1))));
    bench
}

pub(super) fn answer(replica: u32, incarnation: u64, probe: ProbeKind, result: ProbeResult) -> Event {
    Event::Probed(ProbeReport::new((replica, incarnation), probe, result))
}

use ProbeKind::{Liveness, Readiness, Startup};
use ProbeResult::{Failure, Success, Unanswered};

#[test]
fn readiness_changes_after_the_configured_number_of_equal_answers() {
    // With `failures: 3`, it is ready until the third failure in a row.
    let mut bench = with(2, HealthPolicy::new().readiness(probe()));
    assert_eq!(bench.status(), "pending (starting)");
    bench.handle_all(1, [answer(0, 1, Readiness, Success), answer(1, 1, Readiness, Success)]);
    assert_eq!(bench.status(), "healthy (all-available)");
    for (time, result, status) in [
        (10, Failure, "healthy (all-available)"),
        (20, Failure, "healthy (all-available)"),
        (30, Success, "healthy (all-available)"),
        (40, Failure, "healthy (all-available)"),
        (50, Failure, "healthy (all-available)"),
        (60, Failure, "degraded (replica-not-ready)"),
        (70, Success, "healthy (recovered)"),
    ] {
        let asked = Bench::commands(bench.tick(time));
        assert_eq!(asked, ["probe replica 0 incarnation 1 readiness", "probe replica 1 incarnation 1 readiness"]);
        let answers = [answer(0, 1, Readiness, Success), answer(1, 1, Readiness, result)];
        assert_eq!(Bench::commands(bench.handle_all(time, answers)), [""; 0]);
        assert_eq!(bench.status(), status, "at {time}");
    }
}

#[test]
fn a_liveness_probe_that_fails_is_a_failure_and_its_instance_is_stopped() {
    // One restart; an answer of the old instance is ignored.
    let mut bench = with(2, HealthPolicy::new().liveness(probe().failures(1)));
    bench.tick(10);
    let lines = bench.handle(10, answer(1, 1, Liveness, Failure));
    assert_eq!(
        lines[..2],
        [
            "replica 1 incarnation 1 is unhealthy: liveness probe failed; restart 30s after its end (attempt 1)",
            "stop replica 1 incarnation 1"
        ]
    );
    bench.handle(11, Event::stopped((1, 1)));
    bench.handle(10, answer(0, 1, Liveness, Success));
    assert_eq!(
        bench.handle(12, answer(1, 1, Liveness, Success)),
        ["ignored: duplicate event about replica 1 incarnation 1"]
    );
    bench.tick(20);
    bench.handle(20, answer(0, 1, Liveness, Success));
    bench.tick(30);
    bench.handle(30, answer(0, 1, Liveness, Success));
    let commands = Bench::commands(bench.tick(41));
    assert!(commands.contains(&"start replica 1 incarnation 2".to_owned()), "{commands:?}");
}

#[test]
fn the_other_probes_wait_for_the_startup_probe() {
    let health = HealthPolicy::new().startup(probe().failures(3)).readiness(probe()).liveness(probe());
    let mut bench = with(1, health);
    assert_eq!(bench.next(), Some((10, "probe")));
    assert_eq!(Bench::commands(bench.tick(10)), ["probe replica 0 incarnation 1 startup"], "no answer: asked again");
    bench.handle(11, answer(0, 1, Startup, Success));
    assert_eq!(bench.status(), "pending (starting)");
    let commands = Bench::commands(bench.tick(11));
    assert_eq!(commands, [""; 0], "asked as soon as the startup probe has passed");
    bench.handle(12, answer(0, 1, Readiness, Success));
    assert_eq!(bench.status(), "healthy (all-available)");
}

#[test]
fn a_startup_probe_that_fails_often_enough_is_a_failure() {
    // Three failures: the first two leave the startup probe undecided, the third fails it.
    let mut bench = with(1, HealthPolicy::new().startup(probe().failures(3)));
    for time in [0, 10] {
        bench.tick(time);
        assert_eq!(bench.handle(time, answer(0, 1, Startup, Failure)), [""; 0]);
    }
    bench.tick(20);
    let lines = bench.handle(20, answer(0, 1, Startup, Failure));
    assert!(lines[0].contains("is unhealthy"), "{lines:?}");
}

#[test]
fn probe_evidence_restarts_no_more_than_max_probe_restarts_at_a_time() {
    let health = HealthPolicy::new().liveness(probe().failures(1)).max_probe_restarts(Quantity::Percent(50));
    let mut bench = with(4, health);
    bench.tick(10);
    let lines = bench.handle_all(10, (0..4).map(|replica| answer(replica, 1, Liveness, Failure)));
    assert_eq!(Bench::commands(lines), ["stop replica 0 incarnation 1", "stop replica 1 incarnation 1"]);
    // A crash needs no free place.
    assert!(bench.handle(11, Event::exited((3, 1), 1))[0].contains("restart in 30s"));
    bench.handle_all(12, [Event::stopped((0, 1)), Event::stopped((1, 1))]);
    bench.tick(42);
    // A place is freed when a restarted replica is ready.
    let commands = Bench::commands(bench.handle(43, Event::ready((0, 2))));
    assert!(commands.contains(&"stop replica 2 incarnation 1".to_owned()), "{commands:?}");
}

#[test]
fn a_replica_that_recovers_before_its_turn_is_not_restarted() {
    let health = HealthPolicy::new().liveness(probe().failures(1)).max_probe_restarts(Quantity::Count(1));
    let mut bench = with(3, health);
    bench.tick(10);
    bench.handle_all(10, (0..2).map(|replica| answer(replica, 1, Liveness, Failure)));
    bench.tick(20);
    bench.handle(20, answer(1, 1, Liveness, Success));
    bench.handle(21, Event::stopped((0, 1)));
    bench.tick(51);
    let commands = Bench::commands(bench.handle(52, Event::ready((0, 2))));
    assert!(!commands.iter().any(|command| command.starts_with("stop")), "{commands:?}");
}

#[test]
fn contact_is_lost_from_the_first_unanswered_probe_on() {
    let mut bench = with(3, HealthPolicy::new().readiness(probe()));
    bench.handle_all(0, (0..3).map(|replica| answer(replica, 1, Readiness, Success)));
    bench.tick(10);
    bench.handle(10, answer(1, 1, Readiness, Unanswered));
    for time in [20, 30, 40, 50, 60] {
        bench.tick(time);
        let answers = [answer(0, 1, Readiness, Success), answer(2, 1, Readiness, Success)];
        bench.handle_all(time, answers.into_iter().chain([answer(1, 1, Readiness, Unanswered)]));
    }
    assert_eq!(bench.set.census().unknown, 0);
    bench.tick(70);
    assert_eq!(bench.set.census().unknown, 1);
    // A failed probe is a sign of life.
    bench.handle(71, answer(1, 1, Readiness, Failure));
    assert_eq!(bench.set.census().unknown, 0);
}

#[test]
fn a_verdict_names_the_failed_probe_and_what_it_received() {
    let got = |probe, text: &str| Event::Probed(ProbeReport::new((1, 1), probe, Failure).because(text));
    let mut bench = with(2, HealthPolicy::new().liveness(probe().failures(2)).readiness(probe()));
    bench.handle_all(1, [answer(0, 1, Readiness, Success), answer(1, 1, Readiness, Success)]);
    bench.tick(10);
    bench.handle(10, got(Readiness, "GET /ready answered 503"));
    let message = |bench: &Bench| bench.set.get(1.into()).unwrap().probe_message.map(|text| text.to_string());
    assert_eq!(message(&bench).as_deref(), Some("readiness: GET /ready answered 503"));
    bench.handle(10, answer(1, 1, Readiness, Success));
    bench.handle(10, got(Liveness, "GET /nope answered 404"));
    bench.tick(20);
    let lines = bench.handle(20, got(Liveness, "GET /nope\u{1b}[2J answered 404"));
    assert_eq!(
        lines[0],
        "replica 1 incarnation 1 is unhealthy: liveness: GET /nope\\u{1b}[2J answered 404 (2 times); \
         restart 30s after its end (attempt 1)"
    );
    bench.handle(21, Event::stopped((1, 1)));
    let restored = ReplicaSet::restore(bench.set.policy().clone(), bench.set.snapshot(), at(22)).unwrap();
    for set in [&bench.set, &restored] {
        let view = set.get(1.into()).unwrap();
        assert_eq!(view.failure_message.as_deref(), Some("liveness: GET /nope\u{1b}[2J answered 404 (2 times)"));
        assert_eq!(view.probe_message, None);
        assert_eq!(set.summary(at(22)).failure_messages.len(), 1);
    }
    bench.tick(60);
    bench.handle(60, Event::ready((1, 2)));
    bench.handle(61, Event::exited((1, 2), 1));
    assert_eq!(bench.set.get(1.into()).unwrap().failure_message, None, "the last failure came without a text");
}
