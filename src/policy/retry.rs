//! Pacing and limits of one replica's restarts: the `retry` block.

use std::time::Duration;

use super::backoff::Backoff;
use super::jitter::Jitter;
use super::on_events::OnEvents;

/// How a failed replica is restarted: how long to wait, how often, and until when.
///
/// Settings that are not given have the defaults of the policy document. [`PolicyBuilder::build`] checks them together
/// with the rest of the policy.
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
/// assert_eq!(retry.get_max_attempts(), Some(10));
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
    /// `retry: true`: adds the set-wide protections when the policy is built. Cleared by `resolve`.
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

/// The settings that `retry` and each of its stages have in common.
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
        /// Sets the first delay, which is every delay of a constant backoff. Default 10 s.
        #[must_use]
        pub fn interval(mut self, interval: Duration) -> Self {
            self.settings.interval = Some(interval);
            self
        }

        /// Sets how delays grow from failure to failure. Default [`Backoff::Constant`].
        #[must_use]
        pub fn backoff(mut self, backoff: Backoff) -> Self {
            self.settings.backoff = Some(backoff);
            self
        }

        /// Sets the hard cap of every delay, jitter included; above 0 s. Default 5 min for a growing backoff, none for
        /// a constant one.
        #[must_use]
        pub fn max_interval(mut self, cap: Duration) -> Self {
            self.settings.max_interval = Some(cap);
            self
        }

        /// Sets how delays are spread over time. Default [`Jitter::None`].
        #[must_use]
        pub fn jitter(mut self, jitter: Jitter) -> Self {
            self.settings.jitter = Some(jitter);
            self
        }

        /// Sets the most restarts in one streak; the next failure exhausts the retry. Default unlimited.
        #[must_use]
        pub fn max_attempts(mut self, attempts: u32) -> Self {
            self.settings.max_attempts = Some(attempts);
            self
        }

        /// Sets the longest time since the first failure of a streak; a later failure exhausts the retry. Default
        /// unlimited.
        #[must_use]
        pub fn max_duration(mut self, duration: Duration) -> Self {
            self.settings.max_duration = Some(duration);
            self
        }

        /// Sets the most restarts (1 to 1 000 000) in a sliding window (above 0 s). A restart exactly `within` old no
        /// longer counts. Default unlimited.
        #[must_use]
        pub fn limit(mut self, restarts: u32, within: Duration) -> Self {
            self.settings.limit = Some(Limit { restarts, within });
            self
        }

        /// Sets where the replica is restarted. Default [`Placement::Same`].
        #[must_use]
        pub fn placement(mut self, placement: Placement) -> Self {
            self.settings.placement = Some(placement);
            self
        }

        /// Sets which replicas are restarted when one fails. Default: that of
        /// [`FailurePolicy::scope`](crate::FailurePolicy::scope).
        #[must_use]
        pub fn scope(mut self, scope: Scope) -> Self {
            self.settings.scope = Some(scope);
            self
        }

        /// Returns the first delay; `None` means the default.
        pub fn get_interval(&self) -> Option<Duration> {
            self.settings.interval
        }

        /// Returns how delays grow; `None` means the default.
        pub fn get_backoff(&self) -> Option<&Backoff> {
            self.settings.backoff.as_ref()
        }

        /// Returns the cap of every delay; `None` means the default.
        pub fn get_max_interval(&self) -> Option<Duration> {
            self.settings.max_interval
        }

        /// Returns how delays are spread; `None` means the default.
        pub fn get_jitter(&self) -> Option<Jitter> {
            self.settings.jitter
        }

        /// Returns the most restarts in one streak; `None` means unlimited.
        pub fn get_max_attempts(&self) -> Option<u32> {
            self.settings.max_attempts
        }

        /// Returns the longest time since the first failure of a streak; `None` means unlimited.
        pub fn get_max_duration(&self) -> Option<Duration> {
            self.settings.max_duration
        }

        /// Returns the most restarts in the sliding window and its length; `None` means unlimited.
        pub fn get_limit(&self) -> Option<(u32, Duration)> {
            self.settings.limit.map(|limit| (limit.restarts, limit.within))
        }

        /// Returns where the replica is restarted; `None` means the default.
        pub fn get_placement(&self) -> Option<Placement> {
            self.settings.placement
        }

        /// Returns which replicas are restarted when one fails; `None` means the default.
        pub fn get_scope(&self) -> Option<Scope> {
            self.settings.scope
        }
    };
}

impl RetryPolicy {
    /// Creates a retry at a constant interval, without jitter and without limits.
    pub fn every(interval: Duration) -> Self {
        Self::default().interval(interval)
    }

    stage_settings_methods!();

    /// Sets whether the first restart of a streak has no delay. Default [`ImmediateFirst::Never`].
    #[must_use]
    pub fn immediate_first(mut self, immediate: ImmediateFirst) -> Self {
        self.immediate_first = Some(immediate);
        self
    }

    /// Sets what ends a streak. Default: a reset after twice the longest delay that the pacing can give, at least 1
    /// min.
    #[must_use]
    pub fn recover(mut self, recover: Recover) -> Self {
        self.recover = Some(recover);
        self
    }

    /// Sets the stages of a staged retry, in order; at most 100. Default none: the retry is the only stage.
    #[must_use]
    pub fn stages(mut self, stages: impl IntoIterator<Item = RetryStage>) -> Self {
        self.stages = stages.into_iter().collect();
        self
    }

    /// Restarts only after failures with these causes; any other failure terminates the set. This is dstack's
    /// `on_events`: with it, `max_duration` defaults to 1 h. Default: all causes are retried.
    #[must_use]
    pub fn on_events(mut self, events: OnEvents) -> Self {
        self.on_events = Some(events);
        self
    }

    /// Sets whether a replica whose window limit is exhausted waits for room in the window, instead of being given up,
    /// if `min_available` could not be reached without it. Default false; true in [`RetryPolicy::recommended`].
    #[must_use]
    pub fn keep_min_available(mut self, keep: bool) -> Self {
        self.keep_min_available = keep;
        self
    }

    /// Returns whether the first restart of a streak has no delay; `None` means the default.
    pub fn get_immediate_first(&self) -> Option<ImmediateFirst> {
        self.immediate_first
    }

    /// Returns what ends a streak; `None` means the default.
    pub fn get_recover(&self) -> Option<Recover> {
        self.recover
    }

    /// Returns the stages of a staged retry, in order; empty if the retry is the only stage.
    pub fn get_stages(&self) -> &[RetryStage] {
        &self.stages
    }

    /// Returns the events of dstack that are retried; `None` means all causes.
    pub fn get_on_events(&self) -> Option<OnEvents> {
        self.on_events
    }

    /// Returns whether a replica that `min_available` cannot spare waits for room in the window instead of being given
    /// up.
    pub fn get_keep_min_available(&self) -> bool {
        self.keep_min_available
    }
}

impl RetryStage {
    /// Creates a stage that sets nothing.
    pub fn new() -> Self {
        Self::default()
    }

    stage_settings_methods!();
}

/// At most `restarts` charged restarts within `within`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Limit {
    pub(crate) restarts: u32,
    pub(crate) within: Duration,
}

/// What ends a streak of failures.
///
/// ```
/// use std::time::Duration;
/// use uphold::policy::Recover;
/// use uphold::RetryPolicy;
///
/// let step = Recover::Step(Some(Duration::from_secs(120)));
/// let retry = RetryPolicy::every(Duration::from_secs(30)).recover(step);
/// assert_eq!(retry.get_recover(), Some(step));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Recover {
    /// The streak ends when the replica has been ready for this long without a break. `None`: twice the longest delay,
    /// at least 1 min.
    Reset(Option<Duration>),
    /// Each time that the replica has been ready for this long takes back one backoff level and one attempt. The streak
    /// ends when none is left. `None`: as for `Reset`.
    Step(Option<Duration>),
    /// Only an operator's `reset` ends the streak.
    Never,
}

/// Whether the first restart of a streak has no delay.
///
/// ```
/// use std::time::Duration;
/// use uphold::policy::ImmediateFirst;
/// use uphold::RetryPolicy;
///
/// let retry = RetryPolicy::every(Duration::from_secs(30)).immediate_first(ImmediateFirst::Isolated);
/// assert_eq!(retry.get_immediate_first(), Some(ImmediateFirst::Isolated));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum ImmediateFirst {
    /// It is delayed like the others. In a document: `immediate_first: false`.
    #[default]
    Never,
    /// It has no delay. In a document: `immediate_first: true`.
    Always,
    /// It has no delay if no other replica failed within `correlated.within` (30 s without `correlated`), the same
    /// instant included. In a document: `immediate_first: isolated`.
    Isolated,
}

/// Where a replica is restarted.
///
/// ```
/// use uphold::policy::{Placement, RetryStage};
///
/// let stage = RetryStage::new().placement(Placement::Elsewhere);
/// assert_eq!(stage.get_placement().map(Placement::as_str), Some("elsewhere"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Placement {
    /// Where it ran before.
    #[default]
    Same,
    /// Anywhere but where it failed; the backend decides what that means.
    Elsewhere,
}

impl Placement {
    /// Returns the word that documents and traces use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Elsewhere => "elsewhere",
        }
    }
}

/// Which replicas are restarted when one fails.
///
/// ```
/// use uphold::policy::Scope;
/// use uphold::FailurePolicy;
///
/// let failure = FailurePolicy::new().scope(Scope::Rest);
/// assert_eq!(failure.get_scope(), Some(Scope::Rest));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Scope {
    /// The failed replica alone.
    #[default]
    Replica,
    /// All replicas of the set.
    All,
    /// The failed replica and those with higher numbers.
    Rest,
}

impl Scope {
    /// Returns the word that documents and traces use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replica => "replica",
            Self::All => "all",
            Self::Rest => "rest",
        }
    }
}
