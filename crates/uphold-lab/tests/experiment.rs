//! Experiments from end to end: documents in, reports out.

use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use uphold::{Policy, RetryPolicy, Status};
use uphold_lab::experiment::{Comparison, Experiment, ExperimentError, ExperimentReport, Metric, RunOptions, Unit};
use uphold_lab::fault::{Dependency, Distribution, Episodes, FailureMode, FaultModel};
use uphold_lab::files::{parse_yaml, read_experiment};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

fn every(secs: u64) -> Policy {
    Policy::builder().replicas(3).retry(RetryPolicy::every(Duration::from_secs(secs))).build().expect("a policy")
}

/// One failure per replica and day on average.
fn failures_once_a_day() -> FaultModel {
    FaultModel::new().failure(FailureMode::new(Distribution::exponential(DAY).expect("a day")))
}

fn mean(report: &ExperimentReport, policy: usize, metric: Metric) -> f64 {
    report.policies[policy].figures[&metric].mean
}

#[test]
fn a_slower_policy_differs_by_the_computed_amount() {
    let report = Experiment::new(failures_once_a_day(), 30 * DAY)
        .policy("10 s", every(10))
        .policy("110 s", every(110))
        .run()
        .unwrap();
    // 3 replicas fail once a day, each for 100 s longer: 300 s of 86,400 less in which all are available.
    let healthy = report.policies[1].differences[&Metric::Healthy];
    assert_eq!(healthy.compared, Comparison::Lower);
    assert!((healthy.mean + 300.0 / 86_400.0).abs() < 0.0003, "{healthy:?}");
    let recovery = report.policies[1].recovery;
    assert!((recovery.p50.unwrap() - 110.0).abs() < 0.2, "{recovery:?}");
    assert_eq!(mean(&report, 0, Metric::GaveUp), 0.0);
    assert!((mean(&report, 0, Metric::Restarts) - 90.0).abs() < 3.0);
}

#[test]
fn a_policy_does_not_differ_from_itself() {
    let report = Experiment::new(failures_once_a_day(), 10 * DAY)
        .policy("one", every(10))
        .policy("other", every(10))
        .run()
        .unwrap();
    assert!(report.policies[1].differences.values().all(|difference| difference.compared == Comparison::Same));
    assert!(report.policies[0].differences.is_empty());
}

#[test]
fn the_report_does_not_depend_on_the_threads() {
    let experiment =
        Experiment::new(failures_once_a_day(), 10 * DAY).policy("10 s", every(10)).policy("60 s", every(60)).seeds(30);
    let on = |threads| experiment.run_with(&RunOptions::new().threads(NonZero::new(threads).unwrap())).unwrap();
    assert_eq!(on(1), on(4));
}

#[test]
fn the_shares_of_time_add_up_to_one() {
    let limited = RetryPolicy::every(Duration::from_secs(10)).max_attempts(3);
    let policy = Policy::builder().replicas(3).retry(limited).build().unwrap();
    let faults = failures_once_a_day().dependency(Dependency::new(Episodes::once(DAY, 2 * HOUR)));
    let report = Experiment::new(faults, 5 * DAY).policy("limited", policy).run().unwrap();
    let shares = [Metric::Healthy, Metric::Degraded, Metric::Outage, Metric::Pending, Metric::Ended, Metric::Completed];
    let sum: f64 = shares.into_iter().map(|metric| mean(&report, 0, metric)).sum();
    assert!((sum - 1.0).abs() < 1e-6, "{sum}");
    let available = mean(&report, 0, Metric::Healthy) + mean(&report, 0, Metric::Degraded);
    assert!((mean(&report, 0, Metric::Availability) - available).abs() < 1e-6);
}

/// The replica crashes after an hour, and its restarts crash as long as the outage of a dependency lasts.
fn down_for(lasts: Duration) -> FaultModel {
    let ages = std::iter::once(HOUR).chain(std::iter::repeat_n(1000 * DAY, 9));
    let first_crash = FailureMode::new(Distribution::list(ages).expect("a list"));
    FaultModel::new().failure(first_crash).dependency(Dependency::new(Episodes::once(HOUR, lasts)))
}

fn one_replica(retry: RetryPolicy) -> Policy {
    Policy::builder().replicas(1).retry(retry).build().expect("a policy")
}

#[test]
fn a_set_that_gives_up_before_the_fault_is_over_gave_up_too_early() {
    let limited = one_replica(RetryPolicy::every(Duration::from_secs(10)).max_attempts(3));
    let early = Experiment::new(down_for(HOUR / 2), DAY).policy("limited", limited.clone()).seeds(3).run().unwrap();
    assert_eq!(mean(&early, 0, Metric::GaveUp), 1.0);
    assert_eq!(mean(&early, 0, Metric::GaveUpTooEarly), 1.0);
    let gave_up = early.policies[0].gave_up;
    assert_eq!(gave_up.count, 3);
    assert!((gave_up.first.unwrap() - 3633.0).abs() < 4.0, "{gave_up:?}"); // the fourth failure

    let rightly = Experiment::new(down_for(6 * HOUR), DAY).policy("limited", limited).seeds(3).run().unwrap();
    assert_eq!(mean(&rightly, 0, Metric::GaveUp), 1.0);
    assert_eq!(mean(&rightly, 0, Metric::GaveUpTooEarly), 0.0);
}

#[test]
fn wasted_restarts_are_those_that_were_never_available() {
    let report = Experiment::new(down_for(Duration::from_secs(60)), DAY)
        .policy("every 10 s", one_replica(RetryPolicy::every(Duration::from_secs(10))))
        .seeds(2)
        .run()
        .unwrap();
    // The restarts after 10, 21, 32, 43 and 54 s crash within a second; the one after 65 s does not.
    assert_eq!(mean(&report, 0, Metric::Restarts), 6.0);
    assert_eq!(mean(&report, 0, Metric::WastedRestarts), 5.0);
    assert_eq!(mean(&report, 0, Metric::PeakStarts), 1.0);
    assert_eq!(report.policies[0].recovery.max.map(f64::round), Some(65.0));
}

#[test]
fn a_restart_that_is_ready_for_less_than_min_ready_is_wasted() {
    let faults = FaultModel::new().failure(FailureMode::new(Duration::from_secs(20)));
    let policy = |min_ready| {
        let retry = RetryPolicy::every(Duration::from_secs(10));
        Policy::builder().replicas(1).min_ready(Duration::from_secs(min_ready)).retry(retry).build().unwrap()
    };
    let experiment = Experiment::new(faults, HOUR).policy("10 s", policy(10)).policy("30 s", policy(30)).seeds(2);
    let report = experiment.run().unwrap();
    assert_eq!(mean(&report, 0, Metric::WastedRestarts), 0.0);
    assert!(mean(&report, 1, Metric::WastedRestarts) > 100.0);
}

#[test]
fn a_seed_of_the_report_can_be_run_again_with_its_trace() {
    let experiment =
        Experiment::new(failures_once_a_day(), 3 * DAY).policy("10 s", every(10)).seeds(20).first_seed(500);
    let report = experiment.run().unwrap();
    let typical = report.policies[0].typical_seed;
    assert!((500..520).contains(&typical));
    let run = experiment.run_of(0, typical).unwrap();
    assert!(!run.trace().lines().is_empty() && run.time_in(Status::Healthy) > DAY);
    let worst = experiment.run_of(0, report.policies[0].worst_seed).unwrap();
    assert!(worst.availability_ppm() <= run.availability_ppm());
    assert_eq!(experiment.run_of(1, 0).unwrap_err(), ExperimentError::NoSuchPolicy(1, 1));
}

#[test]
fn an_experiment_stopped_early_reports_the_complete_seeds() {
    let stop = AtomicBool::new(false);
    let seen = AtomicU64::new(0);
    let progress = |progress: uphold_lab::experiment::Progress| {
        seen.fetch_max(progress.done, Ordering::Relaxed);
        assert_eq!(progress.of, 1_000_000);
        if progress.done >= 10 {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let experiment = Experiment::new(failures_once_a_day(), 30 * DAY).policy("10 s", every(10)).seeds(1_000_000);
    let report = experiment.run_with(&RunOptions::new().progress(&progress).stop(&stop)).unwrap();
    assert!(report.is_partial() && report.seeds_done >= 10 && report.seeds_done < 1000);
    assert_eq!(report.policies[0].figures[&Metric::Healthy].runs, report.seeds_done);
    assert!(report.to_string().contains("Stopped early"), "{report}");

    let at_once = AtomicBool::new(true);
    let nothing = experiment.run_with(&RunOptions::new().stop(&at_once));
    assert_eq!(nothing.unwrap_err(), ExperimentError::NothingDone);
}

#[test]
fn a_long_history_is_interrupted() {
    // A crash every second for 500 years would take days to simulate.
    let faults = FaultModel::new().failure(FailureMode::new(Duration::from_secs(1)));
    let experiment = Experiment::new(faults, 500 * 365 * DAY).policy("100 ms", every(1)).seeds(2);
    let stop = AtomicBool::new(false);
    let outcome = std::thread::scope(|scope| {
        let running = scope.spawn(|| experiment.run_with(&RunOptions::new().stop(&stop)));
        std::thread::sleep(Duration::from_millis(100));
        stop.store(true, Ordering::Relaxed);
        running.join().unwrap()
    });
    assert_eq!(outcome.unwrap_err(), ExperimentError::NothingDone);
}

#[test]
fn an_experiment_without_policies_or_length_is_an_error() {
    assert_eq!(Experiment::new(failures_once_a_day(), DAY).run().unwrap_err(), ExperimentError::NoPolicy);
    let no_time = Experiment::new(failures_once_a_day(), Duration::ZERO).policy("10 s", every(10));
    assert_eq!(no_time.run().unwrap_err(), ExperimentError::NoTime);
}

#[test]
fn a_report_serialises_and_displays_the_same_results() {
    let experiment: Experiment = parse_yaml(
        "
name: slower
question: Does it matter?
policies:
  - {name: fast, policy: {replicas: 3, retry: {interval: 10s}}}
  - {name: slow, policy: {replicas: 3, retry: {interval: 10m}}}
faults: {failures: {after: {exponential: {mean: 1d}}}}
until: 30d
seeds: 10
seed: 5
",
    )
    .unwrap();
    let report = experiment.run().unwrap();
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["policies"][0]["name"], "fast");
    assert_eq!(json["policies"][1]["differences"]["healthy"]["compared"], "lower");
    assert!(json["policies"][0]["figures"]["availability"]["interval"]["low"].as_f64().unwrap() > 0.9);
    assert_eq!(json["first_seed"], 5);
    let text = report.to_string();
    for words in ["Does it matter?", "fast", "slow", "Compared with 'fast'", "10 histories of 30 d each", "lower"] {
        assert!(text.contains(words), "{words} is missing:\n{text}");
    }
}

#[test]
fn histories_without_faults_are_healthy() {
    let report = Experiment::new(FaultModel::new(), DAY).policy("10 s", every(10)).seeds(1000).run().unwrap();
    assert_eq!(mean(&report, 0, Metric::Healthy), 1.0);
    assert_eq!(report.policies[0].recovery.count, 0);
    assert!(!report.policies[0].figures.contains_key(&Metric::MeanRecovery));
}

#[test]
fn every_example_experiment_runs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/experiments");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 6, "{files:?}");
    for file in files {
        let experiment = read_experiment(&file).unwrap().seeds(2);
        let report = experiment.run().unwrap();
        assert!(report.question.is_some() && report.answer.is_some(), "{}", file.display());
    }
}

fn run(document: &str) -> ExperimentReport {
    parse_yaml::<Experiment>(document).expect("an experiment").run().expect("it runs")
}

#[test]
fn the_reference_waits_for_a_start_as_long_as_the_policies_do() {
    let report = run("policies: [{name: ff, policy: {replicas: 2, start_timeout: 1h}}]\n\
         faults: {starts_in: 30m, failures: {after: 5h, replica: 0, to: 3h}}\nuntil: 1d\nseeds: 3\n");
    assert_eq!(mean(&report, 0, Metric::GaveUpTooEarly), 1.0);
}

#[test]
fn estimates_and_intervals_stay_within_their_range() {
    let report = run("policies: [{name: a, policy: {replicas: 1}}]\n\
         faults: {failures: {after: 3599s}}\nuntil: 3599s 500ms\nseeds: 2\n");
    let gave_up = &report.policies[0].gave_up;
    assert_eq!((gave_up.first, gave_up.median), (Some(3599.0), Some(3599.0)));
    let few =
        run("policies: [{name: a, policy: {replicas: 2, retry: {interval: 1m}}}, {name: b, policy: {replicas: 2}}]\n\
         faults: {ready_in: 1h, failures: {after: {exponential: {mean: 12h}}}}\nuntil: 1d\nseeds: 4\n");
    for policy in &few.policies {
        for (metric, figure) in &policy.figures {
            let interval = figure.interval.unwrap();
            assert!(interval.low >= 0.0, "{metric:?}: {interval:?}");
            assert!(metric.unit() != Unit::Share || interval.high <= 1.0, "{metric:?}: {interval:?}");
        }
        for (metric, difference) in &policy.differences {
            // Four runs that differ by the same amount are not significant.
            let wide = difference.interval.is_none_or(|interval| interval.high > interval.low);
            assert!(!difference.compared.is_significant() || wide, "{metric:?}: {difference:?}");
        }
    }
}

#[test]
fn a_standby_serves_while_the_replica_starts() {
    let report = run("
policies:
  - {name: alone, policy: {replicas: 2, retry: {interval: 10s}}}
  - {name: standby, policy: {replicas: 2, retry: {interval: 10s}, scaling: {standby: 1}}}
faults:
  ready_in: 590s
  failures: {replica: 0, from: 0s, to: 1s, after: 20000s}
until: 60000s
seeds: 1
");
    // Of 2 replicas for 60,000 s: both are missing for the first 590 s, and one for 600 s after the failure.
    let served = |missing: f64| 1.0 - missing / 120_000.0;
    assert!((mean(&report, 0, Metric::Capacity) - served(2.0 * 590.0 + 600.0)).abs() < 1e-9);
    assert!((mean(&report, 1, Metric::Capacity) - served(2.0 * 590.0)).abs() < 1e-9);
}

#[test]
fn a_revision_that_fails_is_rolled_back_and_its_slots_begin_anew() {
    let report = run("
policies: [{name: surge, policy: {replicas: 2, retry: {interval: 10s}, rollout: {max_surge: 1, max_failures: 1}}}]
faults:
  ready_in: 60s
  failures: {revision: v2, after: 5s, exit: 78}
timeline: [{at: 1h, roll_out: v2}]
until: 2h
seeds: 1
");
    assert_eq!(mean(&report, 0, Metric::Restarts), 0.0);
    // Only the first start is missing.
    assert!((mean(&report, 0, Metric::Capacity) - (1.0 - 60.0 / 7200.0)).abs() < 1e-9);
}

#[test]
fn a_request_about_a_slot_that_is_gone_does_not_end_the_experiment() {
    let report = run("
policies: [{name: surge, policy: {replicas: 2, retry: {interval: 10s}, rollout: {max_surge: 1}}}]
faults: {ready_in: 60s}
timeline: [{at: 10m, drain: 0}, {at: 20m, drain: 0}, {at: 30m, notice: {replica: 0, deadline: 2m}}]
until: 1h
seeds: 1
");
    assert!((mean(&report, 0, Metric::Capacity) - (1.0 - 60.0 / 3600.0)).abs() < 1e-9);
}
