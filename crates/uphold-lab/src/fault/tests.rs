//! What fault models do to a set.

use std::time::Duration;

use uphold::sim::{Run, Simulation};
use uphold::{Cause, Outcome, Placement, Policy, PolicyBuilder, RetryPolicy, Status, Timestamp};

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
    Simulation::new(policy).run_in(&mut model.surroundings(7, replicas), until).unwrap()
}

fn causes(run: &Run) -> Vec<(u64, u32, String)> {
    let told = run.verdicts().iter();
    told.map(|(at, replica, decision)| {
        (at.as_millis() / 1000, replica.0, decision.cause.as_ref().map_or(String::new(), ToString::to_string))
    })
    .collect()
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let model = FaultModel::new().failure(Failure::new(Distribution::exponential(secs(600)).unwrap()));
    let traces = [7, 7, 8].map(|seed| {
        let run = Simulation::new(policy(3).build().unwrap()).run_in(&mut model.surroundings(seed, 3), "1d");
        run.unwrap().trace().clone()
    });
    assert_eq!(traces[0], traces[1]);
    assert_ne!(traces[0], traces[2]);
}

#[test]
fn an_incarnation_lives_as_long_under_another_policy() {
    let model = FaultModel::new().failure(Failure::new(Distribution::exponential(secs(600)).unwrap()));
    let lives = |interval| {
        let policy = Policy::builder().replicas(2).retry(RetryPolicy::every(secs(interval)));
        let run = run(&model, policy, "2h");
        let ends: Vec<Timestamp> = run.verdicts_of(1).map(|(at, _)| at).collect();
        ends.windows(2).take(3).map(|pair| pair[1].since(pair[0]) - secs(interval)).collect::<Vec<_>>()
    };
    assert_eq!(lives(10), lives(60));
    assert_eq!(lives(10).len(), 3);
}

#[test]
fn the_first_failure_to_come_true_strikes() {
    let model = FaultModel::new()
        .failure(Failure::new(secs(50)).ends(Outcome::failed(Cause::Interruption, Timestamp::ZERO)))
        .failure(Failure::new(secs(20)).of([1]).ends(Outcome::exited(137, Timestamp::ZERO)));
    let told = causes(&run(&model, policy(2), "60s"));
    assert_eq!(told, [(20, 1, "error".into()), (50, 0, "interruption".into()), (50, 1, "error".into())]);
}

#[test]
fn a_bad_release_crashes_what_starts_until_it_is_rolled_back() {
    let model = FaultModel::new()
        .failure(Failure::new(Distribution::list([100, 1000, 1000, 1000, 1000].map(secs)).unwrap()))
        .failure(Failure::new(secs(5)).from(secs(60)).to(secs(150)));
    let told: Vec<u64> = causes(&run(&model, policy(1), "400s")).into_iter().map(|(at, ..)| at).collect();
    assert_eq!(told, [100, 115, 130, 145]); // the one that begins to run at 155 is of the old release
}

#[test]
fn starts_in_a_drought_find_no_capacity() {
    let model = FaultModel::new()
        .starts_in(secs(30))
        .refused_in(secs(2))
        .failure(Failure::new(Distribution::list([100, 1000, 1000].map(secs)).unwrap()))
        .drought(Drought::new(Episodes::once(secs(130), secs(20))));
    let told = causes(&run(&model, policy(1), "5m"));
    // Fails at 130, restarted at 140: refused at 142; restarted at 152, after the drought.
    assert_eq!(told, [(130, 0, "error".into()), (142, 0, "no-capacity".into())]);
}

#[test]
fn a_drought_may_hit_a_share_of_the_starts() {
    let model =
        FaultModel::new().drought(Drought::new(Episodes::once(Duration::ZERO, Distribution::never())).share(0.25));
    let run = run(&model, policy(1000), "0s");
    assert!((700..800).contains(&run.available_at("0s").unwrap()), "{}", run.available_at("0s").unwrap());
}

#[test]
fn what_starts_while_a_dependency_is_down_crashes_until_it_is_back() {
    let down = Dependency::new(Episodes::once(secs(60), secs(30))).crashes_after(secs(3));
    let model = FaultModel::new()
        .failure(Failure::new(Distribution::list([secs(60), secs(1000), secs(1000), secs(1000)]).unwrap()).of([0]))
        .dependency(down);
    let run = run(&model, policy(2), "5m");
    // Restarted at 70 and 83, crashed at 73; the one of 83 would crash at 86, that of 96 finds it up.
    assert_eq!(causes(&run).into_iter().map(|(at, ..)| at).collect::<Vec<_>>(), [60, 73, 86]);
    assert_eq!(run.status_at("95s").unwrap(), Status::Degraded);
    assert_eq!(run.status_at("96s").unwrap(), Status::Healthy);
}

#[test]
fn one_that_holds_out_until_the_dependency_is_back_is_ready_then() {
    let down = Dependency::new(Episodes::once(secs(5), secs(30))).crashes_after(secs(60));
    let model = FaultModel::new().starts_in(secs(10)).ready_in(secs(2)).dependency(down);
    let run = run(&model, policy(1), "1m");
    assert!(causes(&run).is_empty());
    assert_eq!(run.status_at("34s").unwrap(), Status::Pending);
    assert_eq!(run.status_at("35s").unwrap(), Status::Healthy);
}

#[test]
fn running_replicas_crash_or_lose_readiness_as_it_says() {
    let down = || Dependency::new(Episodes::once(secs(60), secs(30)));
    let crashing = FaultModel::new().dependency(down().running(WhenRunning::Crash).crashes_after(secs(5)));
    assert_eq!(causes(&run(&crashing, policy(2), "66s")), [(65, 0, "error".into()), (65, 1, "error".into())]);

    let unready = FaultModel::new().dependency(down().running(WhenRunning::NotReady).starts(WhenStarted::Wait));
    let run = run(&unready, policy(2), "2m");
    assert!(causes(&run).is_empty());
    let statuses = ["59s", "60s", "89s", "90s"].map(|at| run.status_at(at).unwrap());
    assert_eq!(statuses, [Status::Healthy, Status::Outage, Status::Outage, Status::Healthy]);
}

#[test]
fn two_dependencies_must_both_be_back() {
    let down = |from, lasts| {
        Dependency::new(Episodes::once(secs(from), secs(lasts)))
            .running(WhenRunning::NotReady)
            .starts(WhenStarted::Wait)
    };
    let model = FaultModel::new().dependency(down(60, 30)).dependency(down(70, 50));
    let run = run(&model, policy(1), "3m");
    assert_eq!(run.status_at("119s").unwrap(), Status::Outage);
    assert_eq!(run.status_at("120s").unwrap(), Status::Healthy);
}

#[test]
fn readiness_that_returns_out_of_contact_is_known_when_contact_is_back() {
    let down = Dependency::new(Episodes::once(secs(60), secs(30))).running(WhenRunning::NotReady);
    let model = FaultModel::new()
        .dependency(down.starts(WhenStarted::Wait))
        .lost_contact(LostContact::new(Episodes::once(secs(80), secs(20))));
    let run = run(&model, policy(1), "3m");
    assert_eq!(run.status_at("99s").unwrap(), Status::Outage);
    assert_eq!(run.status_at("100s").unwrap(), Status::Healthy);
}

#[test]
fn contact_is_lost_without_a_failure_and_found_again() {
    let lost = LostContact::new(Episodes::once(secs(60), secs(120))).of([1]);
    let run = run(&FaultModel::new().lost_contact(lost), policy(3), "5m");
    assert!(causes(&run).is_empty());
    assert_eq!(run.status_at("119s").unwrap(), Status::Healthy); // unknown after 60 s
    assert_eq!(run.status_at("120s").unwrap(), Status::Degraded);
    assert_eq!(run.status_at("180s").unwrap(), Status::Healthy);
    assert_eq!(run.restarts(), 0);
}

#[test]
fn a_node_fails_as_one_and_its_starts_fail_until_it_is_back() {
    let nodes = Nodes::new(2).node_fails(Some(1), Episodes::once(secs(60), secs(25)));
    let run = run(&FaultModel::new().nodes(nodes), policy(4), "2m");
    let told = causes(&run);
    let at = |at| told.iter().filter(|told| told.0 == at).map(|told| (told.1, told.2.as_str())).collect::<Vec<_>>();
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
fn a_start_may_wait_for_its_node_or_be_moved() {
    let nodes = || Nodes::new(2).node_fails(Some(1), Episodes::once(secs(60), secs(25)));
    let waits = run(&FaultModel::new().nodes(nodes().starts(OnFailedNode::Wait)), policy(4), "2m");
    assert_eq!(waits.restarts(), 2);
    assert_eq!(waits.status_at("84s").unwrap(), Status::Degraded);
    assert_eq!(waits.status_at("85s").unwrap(), Status::Healthy);
    let moves = run(&FaultModel::new().nodes(nodes().starts(OnFailedNode::Move)), policy(4), "2m");
    assert_eq!(moves.status_at("70s").unwrap(), Status::Healthy);
}

#[test]
fn a_zone_takes_its_nodes_with_it() {
    let nodes = Nodes::new(4).zones(2).zone_fails(Some(1), Episodes::once(secs(60), secs(25)));
    let told = causes(&run(&FaultModel::new().nodes(nodes), policy(8), "61s"));
    assert_eq!(told.iter().map(|told| told.1).collect::<Vec<_>>(), [1, 3, 5, 7]);
}

#[test]
fn a_node_that_fails_in_silence_is_unknown_before_it_is_lost() {
    let nodes = Nodes::new(2).node_fails(Some(1), Episodes::once(secs(60), secs(120))).silent();
    let run = run(&FaultModel::new().nodes(nodes), policy(2), "5m");
    assert_eq!(run.status_at("119s").unwrap(), Status::Healthy);
    assert_eq!(run.status_at("120s").unwrap(), Status::Degraded);
    // It is back after 180 s, and what ran there is known to be gone.
    assert_eq!(causes(&run), [(180, 1, "node-lost".into())]);
    assert_eq!(run.status_at("190s").unwrap(), Status::Healthy);
}

#[test]
fn a_replica_given_up_for_lost_lives_on_elsewhere_when_its_node_is_back() {
    let nodes = Nodes::new(2).node_fails(Some(1), Episodes::once(secs(60), secs(1200))).silent();
    let retry = RetryPolicy::every(secs(10)).placement(Placement::Elsewhere);
    let run = run(&FaultModel::new().nodes(nodes), Policy::builder().replicas(3).retry(retry), "1h");
    assert_eq!(run.restarts(), 1);
    assert_eq!(causes(&run), [(420, 1, "node-lost".into())]); // unknown after 60 s, lost after 5 min more
    assert_eq!(run.status_at("1h").unwrap(), Status::Healthy);
}

#[test]
fn what_replaces_a_lost_instance_is_befallen_like_any_other() {
    let nodes = Nodes::new(2).node_fails(Some(1), Episodes::once(secs(60), Distribution::never())).silent();
    let down = Dependency::new(Episodes::once(secs(1000), secs(5))).running(WhenRunning::Crash);
    let retry = RetryPolicy::every(secs(10)).placement(Placement::Elsewhere);
    let model = FaultModel::new().nodes(nodes).dependency(down);
    let told = causes(&run(&model, Policy::builder().replicas(2).retry(retry), "1h"));
    assert_eq!(told, [(420, 1, "node-lost".into()), (1001, 0, "error".into()), (1001, 1, "error".into())]);
}

#[test]
fn a_bad_node_fails_what_runs_on_it() {
    let model = FaultModel::new().nodes(Nodes::new(3)).failure(Failure::new(secs(30)).on_node(2));
    let told = causes(&run(&model, policy(6), "31s"));
    assert_eq!(told.iter().map(|told| told.1).collect::<Vec<_>>(), [2, 5]);
}

#[test]
fn the_more_start_at_once_the_slower_each_is() {
    let model = FaultModel::new().starts_in(secs(10)).ready_in(secs(10)).slower_per_start(0.5);
    let alone = run(&model, policy(1), "2m");
    assert_eq!(alone.status_at("20s").unwrap(), Status::Healthy);
    let five = run(&model, policy(5), "2m");
    assert_eq!(five.status_at("59s").unwrap(), Status::Pending); // 3 times 20 s
    assert_eq!(five.status_at("60s").unwrap(), Status::Healthy);
}
