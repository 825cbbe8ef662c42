//! Tests of whole fault models: a set is simulated under one fault, and its failures and statuses are checked.

use std::time::Duration;

use uphold::policy::{Placement, ScalingPolicy, StandIns};
use uphold::sim::{Run, Simulation};
use uphold::{Cause, Outcome, Phase, Policy, PolicyBuilder, RetryPolicy, Status, Timestamp};

use super::*;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn policy(replicas: u32) -> PolicyBuilder {
    Policy::builder().replicas(replicas).retry(RetryPolicy::every(secs(10)))
}

fn run(model: &FaultModel, policy: PolicyBuilder, until: &str) -> Run {
    let policy = policy.build().unwrap();
    let replicas = policy.replicas();
    Simulation::new(policy).run_in(&mut model.environment(7, replicas), until).unwrap()
}

/// Returns second, replica and cause of each failure.
fn failures(run: &Run) -> Vec<(u64, u32, String)> {
    run.verdicts()
        .iter()
        .map(|(at, replica, decision)| {
            (at.as_millis() / 1000, replica.0, decision.cause.as_ref().map_or(String::new(), ToString::to_string))
        })
        .collect()
}

#[test]
fn a_distribution_is_displayed_as_documents_write_it() {
    let read = |text: &str| -> FaultModel {
        let document =
            format!("{{policies: [{{name: a, policy: {{replicas: 1}}}}], until: 1d, faults: {{ready_in: {text}}}}}");
        crate::files::parse_yaml::<crate::experiment::Experiment>(&document).unwrap().faults().clone()
    };
    for text in [
        "never",
        "1m 30s",
        "{exponential: {mean: 12h}}",
        "{weibull: {shape: 0.7, scale: 1h}}",
        "{log_normal: {median: 40s, sigma: 0.5}}",
        "{list: [1s, 5m]}",
    ] {
        let distribution = read(text).get_ready_in().clone();
        assert_eq!(distribution.to_string(), text);
    }
    let month = read("30d").get_ready_in().clone();
    assert_eq!(read(&month.to_string()).get_ready_in(), &month);
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let model = FaultModel::new().failure(FailureMode::new(Distribution::exponential(secs(600)).unwrap()));
    let traces = [7, 7, 8].map(|seed| {
        let run = Simulation::new(policy(3).build().unwrap()).run_in(&mut model.environment(seed, 3), "1d");
        run.unwrap().trace().clone()
    });
    assert_eq!(traces[0], traces[1]);
    assert_ne!(traces[0], traces[2]);
}

#[test]
fn an_incarnation_fails_at_the_same_age_under_another_policy() {
    let model = FaultModel::new().failure(FailureMode::new(Distribution::exponential(secs(600)).unwrap()));
    let ages = |interval| {
        let policy = Policy::builder().replicas(2).retry(RetryPolicy::every(secs(interval)));
        let run = run(&model, policy, "2h");
        let ends: Vec<Timestamp> = run.verdicts_of(1).map(|(at, _)| at).collect();
        ends.windows(2).take(3).map(|pair| pair[1].since(pair[0]) - secs(interval)).collect::<Vec<_>>()
    };
    assert_eq!(ages(10), ages(60));
    assert_eq!(ages(10).len(), 3);
}

#[test]
fn the_earliest_failure_mode_ends_an_instance() {
    let model = FaultModel::new()
        .failure(FailureMode::new(secs(50)).ends(Outcome::failed(Cause::Interruption, Timestamp::ZERO)))
        .failure(FailureMode::new(secs(20)).replicas([1]).ends(Outcome::exited(137, Timestamp::ZERO)));
    let failed = failures(&run(&model, policy(2), "60s"));
    assert_eq!(failed, [(20, 1, "error".into()), (50, 0, "interruption".into()), (50, 1, "error".into())]);
}

#[test]
fn a_bad_release_crashes_what_starts_until_it_is_rolled_back() {
    let model = FaultModel::new()
        .failure(FailureMode::new(Distribution::list([100, 1000, 1000, 1000, 1000].map(secs)).unwrap()))
        .failure(FailureMode::new(secs(5)).started_from(secs(60)).started_before(secs(150)));
    let failed: Vec<u64> = failures(&run(&model, policy(1), "400s")).into_iter().map(|(at, ..)| at).collect();
    assert_eq!(failed, [100, 115, 130, 145]); // the instance that starts running at 155 is of the old release
}

#[test]
fn starts_in_a_drought_find_no_capacity() {
    let model = FaultModel::new()
        .starts_in(secs(30))
        .refused_in(secs(2))
        .failure(FailureMode::new(Distribution::list([100, 1000, 1000].map(secs)).unwrap()))
        .drought(Drought::new(Episodes::once(secs(130), secs(20))));
    let failed = failures(&run(&model, policy(1), "5m"));
    // Fails at 130; the restart at 140 fails at 142; the restart at 152 is after the drought.
    assert_eq!(failed, [(130, 0, "error".into()), (142, 0, "no-capacity".into())]);
}

#[test]
fn a_drought_can_hit_a_share_of_the_starts() {
    let model =
        FaultModel::new().drought(Drought::new(Episodes::once(Duration::ZERO, Distribution::never())).share(0.25));
    let run = run(&model, policy(1000), "0s");
    assert!((700..800).contains(&run.available_at("0s").unwrap()), "{}", run.available_at("0s").unwrap());
}

#[test]
fn instances_started_during_an_outage_crash_until_it_ends() {
    let dependency = Dependency::new(Episodes::once(secs(60), secs(30))).crashes_after(secs(3));
    let model = FaultModel::new()
        .failure(
            FailureMode::new(Distribution::list([secs(60), secs(1000), secs(1000), secs(1000)]).unwrap()).replicas([0]),
        )
        .dependency(dependency);
    let run = run(&model, policy(2), "5m");
    // Restarts at 70, 83 and 96; the first two crash after 3 s, the third starts after the outage.
    assert_eq!(failures(&run).into_iter().map(|(at, ..)| at).collect::<Vec<_>>(), [60, 73, 86]);
    assert_eq!(run.status_at("95s").unwrap(), Status::Degraded);
    assert_eq!(run.status_at("96s").unwrap(), Status::Healthy);
}

#[test]
fn an_instance_that_survives_an_outage_is_ready_when_it_ends() {
    let dependency = Dependency::new(Episodes::once(secs(5), secs(30))).crashes_after(secs(60));
    let model = FaultModel::new().starts_in(secs(10)).ready_in(secs(2)).dependency(dependency);
    let run = run(&model, policy(1), "1m");
    assert!(failures(&run).is_empty());
    assert_eq!(run.status_at("34s").unwrap(), Status::Pending);
    assert_eq!(run.status_at("35s").unwrap(), Status::Healthy);
}

#[test]
fn running_replicas_crash_or_lose_readiness_as_configured() {
    let down = || Dependency::new(Episodes::once(secs(60), secs(30)));
    let crashing = FaultModel::new().dependency(down().running(RunningDuringOutage::Crash).crashes_after(secs(5)));
    assert_eq!(failures(&run(&crashing, policy(2), "66s")), [(65, 0, "error".into()), (65, 1, "error".into())]);

    let unready =
        FaultModel::new().dependency(down().running(RunningDuringOutage::NotReady).starts(StartDuringOutage::Wait));
    let run = run(&unready, policy(2), "2m");
    assert!(failures(&run).is_empty());
    let statuses = ["59s", "60s", "89s", "90s"].map(|at| run.status_at(at).unwrap());
    assert_eq!(statuses, [Status::Healthy, Status::Outage, Status::Outage, Status::Healthy]);
}

#[test]
fn two_outages_must_both_end() {
    let down = |from, lasts| {
        Dependency::new(Episodes::once(secs(from), secs(lasts)))
            .running(RunningDuringOutage::NotReady)
            .starts(StartDuringOutage::Wait)
    };
    let model = FaultModel::new().dependency(down(60, 30)).dependency(down(70, 50));
    let run = run(&model, policy(1), "3m");
    assert_eq!(run.status_at("119s").unwrap(), Status::Outage);
    assert_eq!(run.status_at("120s").unwrap(), Status::Healthy);
}

#[test]
fn readiness_regained_out_of_contact_is_reported_when_contact_is_back() {
    let dependency = Dependency::new(Episodes::once(secs(60), secs(30))).running(RunningDuringOutage::NotReady);
    let model = FaultModel::new()
        .dependency(dependency.starts(StartDuringOutage::Wait))
        .lost_contact(LostContact::new(Episodes::once(secs(80), secs(20))));
    let run = run(&model, policy(1), "3m");
    assert_eq!(run.status_at("99s").unwrap(), Status::Outage);
    assert_eq!(run.status_at("100s").unwrap(), Status::Healthy);
}

#[test]
fn contact_is_lost_and_regained_without_a_failure() {
    let lost = LostContact::new(Episodes::once(secs(60), secs(120))).replicas([1]);
    let run = run(&FaultModel::new().lost_contact(lost), policy(3), "5m");
    assert!(failures(&run).is_empty());
    assert_eq!(run.status_at("119s").unwrap(), Status::Healthy); // unknown after 60 s
    assert_eq!(run.status_at("120s").unwrap(), Status::Degraded);
    assert_eq!(run.status_at("180s").unwrap(), Status::Healthy);
    assert_eq!(run.restarts(), 0);
}

#[test]
fn instances_on_a_node_fail_together_and_starts_fail_until_it_is_back() {
    let nodes = Nodes::new(2).node_fails(Some(1), Episodes::once(secs(60), secs(25)));
    let run = run(&FaultModel::new().nodes(nodes), policy(4), "2m");
    let failed = failures(&run);
    let at = |at| {
        failed.iter().filter(|failed| failed.0 == at).map(|failed| (failed.1, failed.2.as_str())).collect::<Vec<_>>()
    };
    assert_eq!(at(60), [(1, "node-lost"), (3, "node-lost")]);
    assert_eq!(at(70), [(1, "no-capacity"), (3, "no-capacity")]);
    assert_eq!(at(80), [(1, "no-capacity"), (3, "no-capacity")]);
    assert_eq!(run.status_at("90s").unwrap(), Status::Healthy);
}

#[test]
fn a_start_elsewhere_leaves_the_failed_node() {
    let nodes = Nodes::new(2).node_fails(Some(1), Episodes::once(secs(60), Distribution::never()));
    let retry = RetryPolicy::every(secs(10)).placement(Placement::Elsewhere);
    let run = run(&FaultModel::new().nodes(nodes), Policy::builder().replicas(4).retry(retry), "2m");
    assert_eq!(run.restarts(), 2);
    assert_eq!(run.status_at("70s").unwrap(), Status::Healthy);
}

#[test]
fn a_start_can_wait_for_its_node_or_move() {
    let nodes = || Nodes::new(2).node_fails(Some(1), Episodes::once(secs(60), secs(25)));
    let waits = run(&FaultModel::new().nodes(nodes().starts(StartOnFailedNode::Wait)), policy(4), "2m");
    assert_eq!(waits.restarts(), 2);
    assert_eq!(waits.status_at("84s").unwrap(), Status::Degraded);
    assert_eq!(waits.status_at("85s").unwrap(), Status::Healthy);
    let moves = run(&FaultModel::new().nodes(nodes().starts(StartOnFailedNode::Move)), policy(4), "2m");
    assert_eq!(moves.status_at("70s").unwrap(), Status::Healthy);
}

#[test]
fn a_zone_failure_takes_down_its_nodes() {
    let nodes = Nodes::new(4).zones(2).zone_fails(Some(1), Episodes::once(secs(60), secs(25)));
    let failed = failures(&run(&FaultModel::new().nodes(nodes), policy(8), "61s"));
    assert_eq!(failed.iter().map(|failed| failed.1).collect::<Vec<_>>(), [1, 3, 5, 7]);
}

#[test]
fn instances_on_a_silently_failed_node_are_unknown_and_then_lost() {
    let nodes = Nodes::new(2).node_fails(Some(1), Episodes::once(secs(60), secs(120))).silent();
    let run = run(&FaultModel::new().nodes(nodes), policy(2), "5m");
    assert_eq!(run.status_at("119s").unwrap(), Status::Healthy);
    assert_eq!(run.status_at("120s").unwrap(), Status::Degraded);
    // The node is back at 180 s, and reports that the instance is gone.
    assert_eq!(failures(&run), [(180, 1, "node-lost".into())]);
    assert_eq!(run.status_at("190s").unwrap(), Status::Healthy);
}

#[test]
fn a_replica_declared_lost_keeps_running_elsewhere_when_its_node_is_back() {
    let nodes = Nodes::new(2).node_fails(Some(1), Episodes::once(secs(60), secs(1200))).silent();
    let retry = RetryPolicy::every(secs(10)).placement(Placement::Elsewhere);
    let run = run(&FaultModel::new().nodes(nodes), Policy::builder().replicas(3).retry(retry), "1h");
    assert_eq!(run.restarts(), 1);
    assert_eq!(failures(&run), [(420, 1, "node-lost".into())]); // unknown after 60 s, lost after 5 min more
    assert_eq!(run.status_at("1h").unwrap(), Status::Healthy);
}

#[test]
fn the_replacement_of_a_lost_instance_is_exposed_to_faults() {
    let nodes = Nodes::new(2).node_fails(Some(1), Episodes::once(secs(60), Distribution::never())).silent();
    let dependency = Dependency::new(Episodes::once(secs(1000), secs(5))).running(RunningDuringOutage::Crash);
    let retry = RetryPolicy::every(secs(10)).placement(Placement::Elsewhere);
    let model = FaultModel::new().nodes(nodes).dependency(dependency);
    let failed = failures(&run(&model, Policy::builder().replicas(2).retry(retry), "1h"));
    assert_eq!(failed, [(420, 1, "node-lost".into()), (1001, 0, "error".into()), (1001, 1, "error".into())]);
}

#[test]
fn a_bad_node_fails_the_instances_on_it() {
    let model = FaultModel::new().nodes(Nodes::new(3)).failure(FailureMode::new(secs(30)).on_node(2));
    let failed = failures(&run(&model, policy(6), "31s"));
    assert_eq!(failed.iter().map(|failed| failed.1).collect::<Vec<_>>(), [2, 5]);
}

#[test]
fn concurrent_starts_slow_each_other_down() {
    let model = FaultModel::new().starts_in(secs(10)).ready_in(secs(10)).slower_per_start(0.5);
    let alone = run(&model, policy(1), "2m");
    assert_eq!(alone.status_at("20s").unwrap(), Status::Healthy);
    let five = run(&model, policy(5), "2m");
    assert_eq!(five.status_at("59s").unwrap(), Status::Pending); // 3 times 20 s
    assert_eq!(five.status_at("60s").unwrap(), Status::Healthy);
}

#[test]
fn extra_slots_lose_contact_too() {
    let lost = LostContact::new(Episodes::once(secs(3600), secs(600)));
    let stand_in = ScalingPolicy::new().stand_ins(StandIns::new(1).after(secs(60)));
    // Replica 0 is down for good, so that slot 2 serves when contact is lost.
    let crash = FailureMode::new(secs(600)).replicas([0]).ends(Outcome::exited(1, Timestamp::ZERO));
    let slow = Policy::builder().replicas(2).retry(RetryPolicy::every(secs(86_400))).scaling(stand_in);
    let run = run(&FaultModel::new().failure(crash).lost_contact(lost), slow, "1d");
    let unknown = run.phase_changes().iter().filter(|(_, change)| change.phase == Phase::Unknown);
    assert_eq!(unknown.map(|(_, change)| change.replica.0).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_stand_in_is_not_on_the_node_of_the_slot_it_serves_for() {
    let down = Episodes::once(secs(3600), secs(3600));
    let nodes = Nodes::new(2).node_fails(Some(0), down);
    let stand_in = ScalingPolicy::new().stand_ins(StandIns::new(1).after(secs(60)));
    // Slot 2 would be on node 0, which is down.
    let run = run(&FaultModel::new().nodes(nodes), policy(2).scaling(stand_in), "90m");
    assert_eq!(run.available_at("61m").unwrap(), 2);
    assert_eq!(run.restarts_of(2), 0);
}
