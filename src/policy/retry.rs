//! Pacing and limits of one replica's restarts: the `retry` block.

use std::time::Duration;

/// How a failed replica is restarted: how long to wait, how often, and until when.
///
/// Settings that were not given keep the defaults of the policy document; [`PolicyBuilder::build`] checks
/// them together with the rest of the policy.
///
/// ```
/// use std::time::Duration;
/// use uphold::{Backoff, Jitter, RetryPolicy};
///
/// let retry = RetryPolicy::every(Duration::from_secs(1))
///     .backoff(Backoff::exponential())
///     .max_interval(Duration::from_secs(60))
///     .jitter(Jitter::Equal)
///     .max_attempts(10);
/// # let _ = retry;
/// ```
///
/// [`PolicyBuilder::build`]: crate::PolicyBuilder::build
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct RetryPolicy {
    pub(crate) settings: StageSettings,
    pub(crate) immediate_first: Option<ImmediateFirst>,
    pub(crate) recover: Option<Recover>,
    pub(crate) stages: Vec<RetryStage>,
    pub(crate) on_events: Option<OnEvents>,
    pub(crate) keep_min_available: bool,
    /// `retry: true`: brings the set-wide protections along when the policy is built.
    pub(crate) recommended: bool,
}

/// One stage of a staged retry, with its own pacing and limits; when it is exhausted, the next one begins.
///
/// Pacing, placement and scope default to those of the [`RetryPolicy`]; limits set on the [`RetryPolicy`] apply to the
/// whole streak.
///
/// ```
/// use std::time::Duration;
/// use uphold::policy::{Placement, RetryStage};
/// use uphold::RetryPolicy;
///
/// let in_place = RetryStage::new().max_attempts(3);
/// let elsewhere = RetryStage::new().placement(Placement::Elsewhere);
/// let retry = RetryPolicy::every(Duration::from_secs(10)).stages([in_place, elsewhere]);
/// assert_eq!(retry.get_stages()[0].get_max_attempts(), Some(3));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct RetryStage {
    pub(crate) settings: StageSettings,
}

/// What a retry and each of its stages may set.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct StageSettings {
    pub(crate) interval: Option<Duration>,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) max_interval: Option<Duration>,
    pub(crate) jitter: Option<Jitter>,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) max_duration: Option<Duration>,
    pub(crate) limit: Option<Limit>,
    pub(crate) placement: Option<Placement>,
    pub(crate) scope: Option<Scope>,
}

macro_rules! stage_settings_methods {
    () => {
        /// The first delay, and every delay of a constant backoff. Default 10 s.
        #[must_use]
        pub fn interval(mut self, interval: Duration) -> Self {
            self.settings.interval = Some(interval);
            self
        }

        /// How delays grow from failure to failure. Default [`Backoff::Constant`].
        #[must_use]
        pub fn backoff(mut self, backoff: Backoff) -> Self {
            self.settings.backoff = Some(backoff);
            self
        }

        /// The hard cap of every delay, jitter included. Default 5 min for a growing backoff, none for a constant one.
        #[must_use]
        pub fn max_interval(mut self, cap: Duration) -> Self {
            self.settings.max_interval = Some(cap);
            self
        }

        /// How delays are spread. Default [`Jitter::None`].
        #[must_use]
        pub fn jitter(mut self, jitter: Jitter) -> Self {
            self.settings.jitter = Some(jitter);
            self
        }

        /// The most restarts in one streak; the next failure exhausts the retry. Default unlimited.
        #[must_use]
        pub fn max_attempts(mut self, attempts: u32) -> Self {
            self.settings.max_attempts = Some(attempts);
            self
        }

        /// Time since the first failure of the streak; a later failure exhausts the retry. Default unlimited.
        #[must_use]
        pub fn max_duration(mut self, duration: Duration) -> Self {
            self.settings.max_duration = Some(duration);
            self
        }

        /// At most this many restarts in a sliding window; one exactly `within` old no longer counts. Default unlimited.
        #[must_use]
        pub fn limit(mut self, restarts: u32, within: Duration) -> Self {
            self.settings.limit = Some(Limit { restarts, within });
            self
        }

        /// Where the replica is started again. Default [`Placement::Same`].
        #[must_use]
        pub fn placement(mut self, placement: Placement) -> Self {
            self.settings.placement = Some(placement);
            self
        }

        /// Which replicas are restarted with it. Default: `failure.scope`.
        #[must_use]
        pub fn scope(mut self, scope: Scope) -> Self {
            self.settings.scope = Some(scope);
            self
        }

        /// Returns the first delay; `None` if left out: the default holds.
        pub fn get_interval(&self) -> Option<Duration> {
            self.settings.interval
        }

        /// Returns how delays grow; `None` if left out: the default holds.
        pub fn get_backoff(&self) -> Option<&Backoff> {
            self.settings.backoff.as_ref()
        }

        /// Returns the cap of every delay; `None` if left out: the default holds.
        pub fn get_max_interval(&self) -> Option<Duration> {
            self.settings.max_interval
        }

        /// Returns how delays are spread; `None` if left out: the default holds.
        pub fn get_jitter(&self) -> Option<Jitter> {
            self.settings.jitter
        }

        /// Returns the most restarts in one streak; `None` is unlimited.
        pub fn get_max_attempts(&self) -> Option<u32> {
            self.settings.max_attempts
        }

        /// Returns the time from the first failure; `None` is unlimited.
        pub fn get_max_duration(&self) -> Option<Duration> {
            self.settings.max_duration
        }

        /// Returns the restarts and the length of the sliding window; `None` is unlimited.
        pub fn get_limit(&self) -> Option<(u32, Duration)> {
            self.settings.limit.map(|limit| (limit.restarts, limit.within))
        }

        /// Returns where the replica is started again; `None` if left out: the default holds.
        pub fn get_placement(&self) -> Option<Placement> {
            self.settings.placement
        }

        /// Returns which replicas are restarted with it; `None` if left out: the default holds.
        pub fn get_scope(&self) -> Option<Scope> {
            self.settings.scope
        }
    };
}

impl RetryPolicy {
    /// Restarts at a constant interval, without jitter and without a limit.
    pub fn every(interval: Duration) -> Self {
        Self::default().interval(interval)
    }

    stage_settings_methods!();

    /// Whether the first restart of a streak comes at once. Default [`ImmediateFirst::Never`].
    #[must_use]
    pub fn immediate_first(mut self, immediate: ImmediateFirst) -> Self {
        self.immediate_first = Some(immediate);
        self
    }

    /// What ends a streak. Default: a reset after twice the longest delay the pacing can give, at least 1 min.
    #[must_use]
    pub fn recover(mut self, recover: Recover) -> Self {
        self.recover = Some(recover);
        self
    }

    /// The stages of a staged retry, in order. Default none: the retry itself is the only stage.
    #[must_use]
    pub fn stages(mut self, stages: impl IntoIterator<Item = RetryStage>) -> Self {
        self.stages = stages.into_iter().collect();
        self
    }

    /// Restarts only what these events cause, any other failure terminates the set: the spelling of dstack. Default
    /// all. With it, `max_duration` left out is 1 h.
    #[must_use]
    pub fn on_events(mut self, events: OnEvents) -> Self {
        self.on_events = Some(events);
        self
    }

    /// When the window limit is exhausted and giving up would put `min_available` out of reach, waits for room in the
    /// window instead. Default off; on in [`RetryPolicy::recommended`].
    #[must_use]
    pub fn keep_min_available(mut self, keep: bool) -> Self {
        self.keep_min_available = keep;
        self
    }

    /// Returns whether the first restart of a streak comes at once; `None` if left out: the default holds.
    pub fn get_immediate_first(&self) -> Option<ImmediateFirst> {
        self.immediate_first
    }

    /// Returns what ends a streak; `None` if left out: the default holds.
    pub fn get_recover(&self) -> Option<Recover> {
        self.recover
    }

    /// Returns the stages of a staged retry, in order; empty if the retry itself is the only stage.
    pub fn get_stages(&self) -> &[RetryStage] {
        &self.stages
    }

    /// Returns the events of dstack that are retried; `None` is all.
    pub fn get_on_events(&self) -> Option<OnEvents> {
        self.on_events
    }

    /// Returns whether a give-up by the window waits while it would put `min_available` out of reach.
    pub fn get_keep_min_available(&self) -> bool {
        self.keep_min_available
    }
}

impl RetryStage {
    /// A stage that sets nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    stage_settings_methods!();
}

/// How delays grow: the n-th delay, n from 0, before the cap and jitter.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Backoff {
    /// `interval`, always.
    #[default]
    Constant,
    /// `interval` × (n + 1).
    Linear,
    /// `interval` × factorⁿ.
    Exponential(Factor),
    /// `interval` × 1, 1, 2, 3, 5, 8, ...
    Fibonacci,
    /// These delays, the last one repeated; `interval` is not used.
    Schedule(Vec<Duration>),
}

impl Backoff {
    /// Doubling.
    pub const fn exponential() -> Self {
        Self::Exponential(Factor::DOUBLE)
    }
}

/// The factor of an exponential backoff, in hundredths: 1.01 to 100.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Factor(u16);

impl Factor {
    /// 2, the default.
    pub const DOUBLE: Self = Self(200);

    /// A factor in hundredths; `None` outside 101 to 10 000.
    pub const fn from_hundredths(hundredths: u32) -> Option<Self> {
        if hundredths >= 101 && hundredths <= 10_000 { Some(Self(hundredths as u16)) } else { None }
    }

    /// The factor in hundredths.
    pub const fn hundredths(self) -> u16 {
        self.0
    }
}

/// How a delay d is spread over time, so that replicas which failed together do not start together.
///
/// The draw is a hash of (seed, replica, incarnation): a replay gives the same delays. The cap is applied so
/// that no delay passes `max_interval`. Formulas of full, equal and decorrelated jitter as published by the
/// AWS Architecture Blog.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Jitter {
    /// d.
    #[default]
    None,
    /// Between d/2 and d.
    Equal,
    /// Between 0 and d.
    Full,
    /// Between `interval` and three times the delay before, capped; replaces the backoff.
    Decorrelated,
    /// Between d and this percentage more, 1 to 100; at the cap, d is lowered so that the spread fits.
    Spread(u8),
}

/// At most `restarts` counted restarts within `within`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Limit {
    pub(crate) restarts: u32,
    pub(crate) within: Duration,
}

/// What ends a streak of failures.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Recover {
    /// Ready for this long without a break ends the streak. `None`: twice the longest delay, at least 1 min.
    Reset(Option<Duration>),
    /// Each such time ready takes back one level and one attempt; at none the streak ends.
    Step(Option<Duration>),
    /// Only an operator's `reset` ends it.
    Never,
}

/// Whether the first restart of a streak comes at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum ImmediateFirst {
    /// It waits like the others: `immediate_first: false`.
    #[default]
    Never,
    /// It comes at once: `immediate_first: true`.
    Always,
    /// It comes at once unless another replica failed within `correlated.within` (30 s where that is off), the
    /// same instant included: `immediate_first: isolated`.
    Isolated,
}

/// Where a replica is started again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Placement {
    /// In place.
    #[default]
    Same,
    /// Anywhere but where it failed.
    Elsewhere,
}

impl Placement {
    /// The word that documents and traces use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Elsewhere => "elsewhere",
        }
    }
}

/// Which replicas are restarted when one fails.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Scope {
    /// The failed replica alone.
    #[default]
    Replica,
    /// All of the set.
    All,
    /// The failed replica and those after it.
    Rest,
}

impl Scope {
    /// The word that documents and traces use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replica => "replica",
            Self::All => "all",
            Self::Rest => "rest",
        }
    }
}

/// The events of dstack's `on_events`; `error` stands for every cause but the other two.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct OnEvents {
    pub(crate) no_capacity: bool,
    pub(crate) interruption: bool,
    pub(crate) error: bool,
}

impl OnEvents {
    /// None yet; a policy with none is refused.
    pub fn new() -> Self {
        Self::default()
    }

    /// Retries failures with cause `no-capacity`.
    #[must_use]
    pub fn no_capacity(mut self) -> Self {
        self.no_capacity = true;
        self
    }

    /// Retries failures with cause `interruption`.
    #[must_use]
    pub fn interruption(mut self) -> Self {
        self.interruption = true;
        self
    }

    /// Retries every other cause.
    #[must_use]
    pub fn error(mut self) -> Self {
        self.error = true;
        self
    }

    /// Returns whether missing capacity is retried.
    pub fn get_no_capacity(&self) -> bool {
        self.no_capacity
    }

    /// Returns whether what the platform took away is retried.
    pub fn get_interruption(&self) -> bool {
        self.interruption
    }

    /// Returns whether every other cause is retried.
    pub fn get_error(&self) -> bool {
        self.error
    }
}
