//! Limits and delays of one replica, on random policies and random times: what the document promises.

use proptest::prelude::*;
use std::time::Duration;
use uphold::decide::History;
use uphold::{Backoff, Cause, Jitter, Outcome, Policy, RetryPolicy, Timestamp, Verdict};

fn pacing() -> impl Strategy<Value = RetryPolicy> {
    let backoff = prop_oneof![
        Just(Backoff::Constant),
        Just(Backoff::Linear),
        Just(Backoff::exponential()),
        Just(Backoff::Fibonacci),
        proptest::collection::vec(0..100_000u64, 1..5)
            .prop_map(|delays| Backoff::Schedule(delays.into_iter().map(Duration::from_millis).collect())),
    ];
    let jitter = prop_oneof![
        Just(Jitter::None),
        Just(Jitter::Equal),
        Just(Jitter::Full),
        Just(Jitter::Decorrelated),
        (1..=100u8).prop_map(Jitter::Spread),
    ];
    (0..20_000u64, backoff, jitter, 100..60_000u64).prop_map(|(interval, backoff, jitter, cap)| {
        RetryPolicy::every(Duration::from_millis(interval))
            .backoff(backoff)
            .jitter(jitter)
            .max_interval(Duration::from_millis(cap))
    })
}

/// How a run ends: after so many milliseconds, by a crash or a failed start.
fn runs() -> impl Strategy<Value = Vec<(u64, bool)>> {
    proptest::collection::vec((0..30_000u64, proptest::bool::weighted(0.2)), 1..60)
}

/// Lives through the runs; for each failure, when it was and what was decided.
fn live(policy: &Policy, seed: u64, runs: &[(u64, bool)]) -> Vec<(Timestamp, Verdict, bool)> {
    let mut history = History::new(seed, 0.into());
    let mut now = Timestamp::from_secs(1);
    let mut decided = Vec::new();
    for &(millis, start_fails) in runs {
        policy.start(&mut history, now);
        let outcome = if start_fails {
            Outcome::start_failed(Cause::NoCapacity, now)
        } else {
            policy.record_ready(&mut history, now);
            now = now + Duration::from_millis(millis);
            Outcome::exited(1, now)
        };
        let decision = policy.decide(&mut history, &outcome).unwrap();
        decided.push((now, decision.verdict, start_fails || millis == 0));
        match decision.verdict {
            Verdict::Restart(restart) => now = restart.due_after(now),
            _ => break,
        }
    }
    decided
}

proptest! {
    #![proptest_config(super::config())]

    #[test]
    fn restarts_in_any_window_stay_within_its_limit(
        retry in pacing(), restarts in 1..20u32, within in 1..200_000u64, seed in any::<u64>(), runs in runs(),
    ) {
        let within = Duration::from_millis(within);
        let policy = Policy::builder().retry(retry.limit(restarts, within)).build().unwrap();
        let decided = live(&policy, seed, &runs);
        let restarted: Vec<_> =
            decided.iter().filter(|(_, verdict, _)| matches!(verdict, Verdict::Restart(_))).map(|(at, ..)| *at).collect();
        for (index, &last) in restarted.iter().enumerate() {
            let younger = restarted[..=index].iter().filter(|&&at| last.since(at) < within).count();
            prop_assert!(younger <= restarts as usize, "{younger} restarts within {within:?}: {restarted:?}");
        }
        // And it gives up only where the window is full.
        if let Some((at, Verdict::Degrade(_), _)) = decided.last() {
            let younger = restarted.iter().filter(|&&restart| at.since(restart) < within).count();
            prop_assert_eq!(younger, restarts as usize);
        }
    }

    #[test]
    fn every_delay_lies_between_its_floor_and_max_interval(
        retry in pacing(), cap in 100..60_000u64, seed in any::<u64>(), runs in runs(),
    ) {
        let cap = Duration::from_millis(cap);
        let policy = Policy::builder().retry(retry.max_interval(cap)).build().unwrap();
        for (_, verdict, floored) in live(&policy, seed, &runs) {
            let Verdict::Restart(restart) = verdict else { panic!("{verdict:?} without a limit") };
            let delay = restart.delay();
            let floor = if floored { Duration::from_millis(100) } else { Duration::ZERO };
            prop_assert!((floor..=cap).contains(&delay), "{delay:?} is outside {floor:?}..={cap:?}");
        }
    }

    #[test]
    fn a_streak_has_no_more_restarts_than_max_attempts(
        retry in pacing(), most in 0..10u32, seed in any::<u64>(), runs in runs(),
    ) {
        let retry = retry.max_attempts(most).recover(uphold::policy::Recover::Never);
        let policy = Policy::builder().retry(retry).build().unwrap();
        let decided = live(&policy, seed, &runs);
        let restarts = decided.iter().filter(|(_, verdict, _)| matches!(verdict, Verdict::Restart(_))).count();
        prop_assert_eq!(restarts, runs.len().min(most as usize));
    }

    /// With no failure for long enough, a replica is as good as new.
    #[test]
    fn a_replica_that_was_healthy_for_long_enough_is_as_good_as_new(
        retry in pacing(), seed in any::<u64>(), runs in runs(),
    ) {
        let policy = Policy::builder().retry(retry).build().unwrap();
        let mut history = History::new(seed, 0.into());
        let mut now = Timestamp::from_secs(1);
        for &(millis, _) in &runs {
            policy.start(&mut history, now);
            policy.record_ready(&mut history, now);
            now = now + Duration::from_millis(millis);
            let decision = policy.decide(&mut history, &Outcome::exited(1, now)).unwrap();
            now = decision.verdict.due().unwrap();
        }
        policy.start(&mut history, now);
        policy.record_ready(&mut history, now);
        now = now + Duration::from_secs(3600);
        let decision = policy.decide(&mut history, &Outcome::exited(1, now)).unwrap();
        prop_assert_eq!(decision.attempt, 1);
        prop_assert_eq!(history.failures(), 1);
    }
}
