//! Generates random policies for tests, deterministically, with all kinds of settings in all combinations.

use std::time::Duration;

use super::*;

/// Returns this many valid policies.
pub(crate) fn policies(count: u64) -> impl Iterator<Item = Policy> {
    (0..count).map(|seed| Draw(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1).policy())
}

pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    /// Returns a number below `below` (xorshift).
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    pub(crate) fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize].clone()
    }

    fn time(&mut self) -> Duration {
        let nanos = self.of(&[1, 1_500, 100_000_000, 1_000_000_000, 90_000_000_000, 86_400_000_000_001]);
        Duration::from_nanos(nanos * (1 + self.below(40)))
    }

    fn number(&mut self) -> u32 {
        1 + self.below(1000) as u32
    }

    fn quantity(&mut self) -> Quantity {
        if self.coin() { Quantity::Count(self.number()) } else { Quantity::Percent(1 + self.below(100) as u8) }
    }

    /// Applies a setter, or leaves the setting out, each half of the time.
    fn maybe<T>(&mut self, to: T, set: impl FnOnce(T, &mut Self) -> T) -> T {
        if self.coin() { set(to, self) } else { to }
    }

    fn policy(&mut self) -> Policy {
        let mut builder = Policy::builder().replicas(self.number() - 1);
        builder = self.maybe(builder, |to, draw| {
            to.success(draw.of(&[OnSuccess::Restart, OnSuccess::Complete, OnSuccess::Failure]))
        });
        builder = self.maybe(builder, |to, draw| to.min_ready(draw.time()).stop_grace(Duration::ZERO));
        builder = self.maybe(builder, |to, draw| to.start_timeout(draw.time()));
        builder = self.maybe(builder, |to, draw| to.start_order(draw.of(&[StartOrder::Parallel, StartOrder::Ordered])));
        builder = match self.below(4) {
            0 => builder.retry(RetryPolicy::recommended()),
            _ => {
                let events = self.of(&[OnEvents::new().error(), OnEvents::new().interruption().no_capacity()]);
                let mut retry = self.retry();
                retry = self.maybe(retry, |to, _| to.on_events(events));
                builder.retry(self.maybe(retry, |to, _| to.keep_min_available(true)))
            }
        };
        builder = self.maybe(builder, |to, draw| to.failure(draw.failure()));
        builder = self.maybe(builder, |to, draw| to.health(draw.health()));
        builder = self.maybe(builder, |to, draw| to.rollout(draw.rollout()));
        if self.coin() {
            return builder.build().unwrap();
        }
        let replicas = builder.clone().build().unwrap().replicas();
        let bounds = self.bounds(replicas);
        let extras = self.extras(bounds);
        match builder.clone().scaling(extras).build() {
            Ok(policy) => policy,
            // Refused beside groups and jobs.
            Err(error) => {
                assert!(error.problems().iter().all(|problem| problem.path().starts_with("scaling.stand")), "{error}");
                builder.scaling(bounds).build().unwrap()
            }
        }
    }

    fn bounds(&mut self, replicas: u32) -> ScalingPolicy {
        let mut scaling = ScalingPolicy::new();
        scaling = self.maybe(scaling, |to, draw| to.min(draw.below(u64::from(replicas) + 1) as u32));
        self.maybe(scaling, |to, draw| to.max(replicas + draw.number()))
    }

    fn extras(&mut self, mut scaling: ScalingPolicy) -> ScalingPolicy {
        scaling = self.maybe(scaling, |to, draw| to.standby(draw.number() - 1));
        self.maybe(scaling, |to, draw| {
            let stand_ins = StandIns::new(draw.number() - 1);
            to.stand_ins(draw.maybe(stand_ins, |to, draw| to.after(draw.time())))
        })
    }

    fn rollout(&mut self) -> RolloutPolicy {
        let mut rollout = RolloutPolicy::new();
        rollout = self.maybe(rollout, |to, draw| to.max_surge(draw.quantity()));
        rollout = self.maybe(rollout, |to, draw| to.max_unavailable(draw.quantity()));
        rollout = self.maybe(rollout, |to, draw| to.canaries(draw.number() - 1).bake(draw.time()));
        rollout = self.maybe(rollout, |to, draw| to.promote(draw.of(&Promote::ALL)));
        rollout = self.maybe(rollout, |to, draw| to.progress_deadline(draw.time()));
        rollout = self.maybe(rollout, |to, draw| to.max_failures(draw.number()));
        self.maybe(rollout, |to, draw| to.on_failure(draw.of(&OnRolloutFailure::ALL)))
    }

    fn backoff(&mut self) -> Backoff {
        match self.below(5) {
            0 => Backoff::Constant,
            1 => Backoff::Linear,
            2 => Backoff::Exponential(Factor::from_hundredths(101 + self.below(9900) as u32).unwrap()),
            3 => Backoff::Fibonacci,
            _ => Backoff::Schedule((0..=self.below(4)).map(|_| self.time()).collect()),
        }
    }

    fn jitter(&mut self) -> Jitter {
        let spread = Jitter::Spread(1 + self.below(100) as u8);
        self.of(&[Jitter::None, Jitter::Equal, Jitter::Full, Jitter::Decorrelated, spread])
    }

    fn stage(&mut self) -> RetryStage {
        let mut stage = RetryStage::new();
        stage = self.maybe(stage, |to, draw| to.interval(draw.time()));
        stage = self.maybe(stage, |to, draw| to.backoff(draw.backoff()));
        stage = self.maybe(stage, |to, draw| to.max_interval(draw.time()).jitter(draw.jitter()));
        stage = self.maybe(stage, |to, draw| to.max_attempts(draw.number()).max_duration(draw.time()));
        stage = self.maybe(stage, |to, draw| to.limit(draw.number(), draw.time()));
        stage = self.maybe(stage, |to, draw| to.placement(draw.of(&[Placement::Same, Placement::Elsewhere])));
        self.maybe(stage, |to, draw| to.scope(draw.of(&[Scope::Replica, Scope::All, Scope::Rest])))
    }

    fn retry(&mut self) -> RetryPolicy {
        let mut retry = RetryPolicy { settings: self.stage().settings, ..RetryPolicy::default() };
        retry = self.maybe(retry, |to, draw| {
            to.immediate_first(draw.of(&[ImmediateFirst::Never, ImmediateFirst::Always, ImmediateFirst::Isolated]))
        });
        retry = self.maybe(retry, |to, draw| {
            let time = draw.time();
            to.recover(draw.of(&[
                Recover::Never,
                Recover::Reset(None),
                Recover::Reset(Some(Duration::ZERO)),
                Recover::Step(None),
                Recover::Step(Some(time)),
            ]))
        });
        self.maybe(retry, |to, draw| {
            let stages: Vec<RetryStage> = (0..draw.below(4)).map(|_| draw.stage()).collect();
            to.stages(stages)
        })
    }

    fn rule(&mut self, index: u64) -> Rule {
        let time = self.time();
        let then = self.of(&[
            RuleAction::Retry,
            RuleAction::Degrade,
            RuleAction::Terminate,
            RuleAction::Hold(None),
            RuleAction::Hold(Some(time)),
        ]);
        let mut rule = Rule::new(then);
        rule = self.maybe(rule, |to, _| to.name(format!("rule {index}")));
        rule = self.maybe(rule, |to, draw| {
            let first = draw.below(300) as i32 - 100;
            to.exit_code(first).exit_codes(first..=first + draw.below(9) as i32).exit_codes(i32::MIN..=i32::MAX)
        });
        rule = self.maybe(rule, |to, draw| to.signal(Signal::from_number(1 + draw.below(64) as i64).unwrap()));
        rule = self.maybe(rule, |to, draw| to.cause(draw.of(&Cause::BUILT_IN)).cause(Cause::named("my-own").unwrap()));
        rule = self.maybe(rule, |to, _| to.reason("quota*").reason("no: \"it\" # isn't\n"));
        rule = self.maybe(rule, |to, draw| to.attempts_over(draw.number() - 1));
        rule = self.maybe(rule, |to, draw| {
            let first = draw.below(20) as u32;
            to.replica(first).replicas(first..=first + draw.below(9) as u32)
        });
        rule = self.maybe(rule, |to, draw| to.ran_under(draw.time()));
        rule = self.maybe(rule, |to, draw| to.was_ready(draw.coin()));
        rule = self.maybe(rule, |to, _| to.charge(false));
        self.maybe(rule, |to, draw| {
            let own = if draw.below(4) == 0 { RetryPolicy::recommended() } else { draw.retry() };
            to.retry(own)
        })
    }

    fn failure(&mut self) -> FailurePolicy {
        let mut failure = FailurePolicy::new();
        for index in 0..self.below(5) {
            failure = failure.rule(self.rule(index));
        }
        failure = self.maybe(failure, |to, draw| to.scope(draw.of(&[Scope::Replica, Scope::All, Scope::Rest])));
        failure = self.maybe(failure, |to, draw| {
            let time = draw.time();
            let some_rounds = Quarantine::new(time).rounds(1 + draw.below(255) as u32);
            to.exhausted(draw.of(&[
                Exhausted::Degrade,
                Exhausted::Terminate,
                Exhausted::Hold,
                Exhausted::Quarantine(time.into()),
                Exhausted::Quarantine(some_rounds),
            ]))
        });
        failure = self.maybe(failure, |to, draw| to.min_available(draw.quantity()));
        failure = self.maybe(failure, |to, draw| to.outage_deadline(draw.time()).clear_after(draw.time()));
        failure = self.maybe(failure, |to, draw| to.max_failures_before_ready(draw.number()));
        failure = self.maybe(failure, |to, draw| {
            let empty = draw.of(&[BudgetEmpty::Wait, BudgetEmpty::Terminate]);
            to.budget(Budget::new(draw.number(), draw.time()).when_empty(empty))
        });
        failure = match self.below(3) {
            0 => failure.max_concurrent_starts(self.quantity()),
            1 => failure.without_max_concurrent_starts(),
            _ => failure,
        };
        match self.below(3) {
            0 => failure.correlated(Correlated::new(self.quantity(), self.time())),
            1 => failure.without_correlated(),
            _ => failure,
        }
    }

    fn probe(&mut self, successes: u32) -> Probe {
        let check = match self.below(3) {
            0 => {
                let mut check = HttpCheck::new(self.of(&["80", "08080", "{port}", "9{index}"]));
                check = self.maybe(check, |to, _| to.path("/health?x=1").host("{host}"));
                check = self.maybe(check, |to, _| to.header("Accept", "*/*").header("x-a", "1"));
                ProbeCheck::Http(self.maybe(check, |to, draw| to.status(200, draw.of(&[200, 399, 599]))))
            }
            1 => {
                let check = TcpCheck::new("5432");
                ProbeCheck::Tcp(self.maybe(check, |to, _| to.host("::1")))
            }
            _ => ProbeCheck::Exec(vec!["sh".into(), "-c".into(), String::new()]),
        };
        let mut probe = Probe::new(check);
        probe = self.maybe(probe, |to, draw| to.interval(draw.time()).timeout(draw.time()));
        probe = self.maybe(probe, |to, draw| to.failures(draw.number()).successes(successes));
        self.maybe(probe, |to, draw| to.initial_delay(draw.time()))
    }

    fn health(&mut self) -> HealthPolicy {
        let mut health = HealthPolicy::new();
        health = self.maybe(health, |to, draw| to.startup(draw.probe(1)));
        health = self.maybe(health, |to, draw| {
            let successes = draw.number();
            to.readiness(draw.probe(successes))
        });
        health = self.maybe(health, |to, draw| to.liveness(draw.probe(1)));
        health = self.maybe(health, |to, draw| to.unready_timeout(draw.time()));
        health = self.maybe(health, |to, draw| to.unknown_after(draw.time()));
        health = self.maybe(health, |to, draw| {
            let time = draw.time();
            to.lost_after(draw.of(&[LostAfter::Never, LostAfter::After(time)]))
        });
        match self.below(3) {
            0 => health,
            1 => health.without_max_probe_restarts(),
            _ => health.max_probe_restarts(self.quantity()),
        }
    }
}
