//! How an incarnation ended: the input of [`Policy::decide`](crate::Policy::decide).

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::policy::{Cause, Exit, Signal};
use crate::sparse::serialize_sparse;
use crate::time::Timestamp;

/// How one incarnation ended, and when.
///
/// Exit code 0 without a cause is a success; everything else is a failure, with the cause `error` if none is given.
/// If the time is not known, pass `None`: a set then takes the time of the report, and depth 1 the last time in the row.
///
/// ```
/// use std::time::Duration;
/// use uphold::{Cause, Outcome, Timestamp};
///
/// let now = Timestamp::from_secs(60);
/// let crash = Outcome::exited(137, now);
/// let reclaimed = Outcome::failed(Cause::Interruption, now).because("spot reclaim");
/// let full = Outcome::start_failed(Cause::NoCapacity, now).retry_after(Duration::from_secs(90));
/// assert!(Outcome::exited(0, now).is_success());
/// assert_eq!(reclaimed.reason(), Some("spot reclaim"));
/// assert!(full.is_failed_start() && !crash.is_failed_start());
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Outcome {
    /// [`Timestamp::NEVER`] if it is not known.
    #[serde(
        deserialize_with = "super::serde_opt_timestamp::deserialize",
        default = "super::serde_opt_timestamp::value"
    )]
    pub(crate) at: Timestamp,
    #[serde(default)]
    pub(crate) exit: Option<Exit>,
    #[serde(default)]
    pub(crate) cause: Option<Cause>,
    #[serde(default, deserialize_with = "read_reason")]
    pub(crate) reason: Option<Arc<str>>,
    /// In nanoseconds.
    #[serde(default)]
    pub(crate) retry_after: Option<u64>,
    /// The start itself failed.
    #[serde(default)]
    pub(crate) start_failed: bool,
    /// The instance has failed and must be stopped first.
    #[serde(default)]
    pub(crate) still_alive: bool,
}

serialize_sparse!(Outcome, |this| {
    "at": this.at.known(), absent if this.at.is_never();
    "exit": this.exit, absent if this.exit.is_none();
    "cause": this.cause, absent if this.cause.is_none();
    "reason": this.reason, absent if this.reason.is_none();
    "retry_after": this.retry_after, absent if this.retry_after.is_none();
    "start_failed": this.start_failed, absent if !this.start_failed;
    "still_alive": this.still_alive, absent if !this.still_alive;
});

/// The longest reason in bytes. Every rule on reasons searches through it.
const LONGEST_REASON: usize = 1024;

fn read_reason<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Arc<str>>, D::Error> {
    Ok(Option::<Arc<str>>::deserialize(deserializer)?.map(cut))
}

/// Cuts a reason between characters.
fn cut(reason: Arc<str>) -> Arc<str> {
    if reason.len() <= LONGEST_REASON {
        return reason;
    }
    let end = (0..=LONGEST_REASON).rev().find(|&end| reason.is_char_boundary(end)).unwrap_or(0);
    reason[..end].into()
}

impl Outcome {
    fn new(at: Option<Timestamp>) -> Self {
        Self {
            at: at.unwrap_or(Timestamp::NEVER),
            exit: None,
            cause: None,
            reason: None,
            retry_after: None,
            start_failed: false,
            still_alive: false,
        }
    }

    /// Creates the outcome of an instance that ended with an exit code.
    pub fn exited(code: i32, at: impl Into<Option<Timestamp>>) -> Self {
        Self { exit: Some(Exit::Code(code)), ..Self::new(at.into()) }
    }

    /// Creates the outcome of an instance that a signal ended.
    pub fn signalled(signal: Signal, at: impl Into<Option<Timestamp>>) -> Self {
        Self { exit: Some(Exit::Signal(signal)), ..Self::new(at.into()) }
    }

    /// Creates the outcome of an instance that failed for a cause, without an exit code.
    pub fn failed(cause: Cause, at: impl Into<Option<Timestamp>>) -> Self {
        Self { cause: Some(cause), ..Self::new(at.into()) }
    }

    /// Creates the outcome of a start that failed: [`Cause::NoCapacity`], [`Cause::StartError`] or a cause of your own.
    pub fn start_failed(cause: Cause, at: impl Into<Option<Timestamp>>) -> Self {
        Self { cause: Some(cause), start_failed: true, ..Self::new(at.into()) }
    }

    /// Sets the cause.
    pub fn cause(mut self, cause: Cause) -> Self {
        self.cause = Some(cause);
        self
    }

    /// Sets the exit code or signal.
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = Some(exit);
        self
    }

    /// Sets the reason: a text for people, and for rules that match `reason`. It is cut to 1,024 bytes.
    pub fn because(mut self, reason: impl Into<Arc<str>>) -> Self {
        self.reason = Some(cut(reason.into()));
        self
    }

    /// Replaces the delay before the restart, up to `max_interval` and at most 10 years.
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(crate::time::nanos(delay));
        self
    }

    /// Merges two reports of one end, in either order. A named cause beats `error`, and a signal beats an exit code, which beats
    /// exit code 0.
    pub(crate) fn merged(self, other: Self) -> Self {
        let rank = |outcome: &Self| match &outcome.cause {
            None => (2, None),
            Some(Cause::Error) => (1, None),
            Some(cause) => (0, Some(cause.clone())),
        };
        let exit_rank = |exit: Exit| match exit {
            Exit::Signal(signal) => (0, i32::from(signal.number())),
            Exit::Code(0) => (2, 0),
            Exit::Code(code) => (1, code),
        };
        let exit = [self.exit, other.exit].into_iter().flatten().min_by_key(|exit| exit_rank(*exit));
        // With equal causes the reasons decide, so that the order of the reports does not.
        let before = (rank(&self), &self.reason.is_none(), &self.reason)
            <= (rank(&other), &other.reason.is_none(), &other.reason);
        let (named, second) = if before { (self, other) } else { (other, self) };
        Self {
            at: named.at.min(second.at),
            exit,
            cause: named.cause,
            reason: named.reason.or(second.reason),
            retry_after: named.retry_after.max(second.retry_after),
            start_failed: named.start_failed && second.start_failed,
            still_alive: named.still_alive && second.still_alive,
        }
    }

    /// Marks the instance as failed but still alive (`unhealthy`, `start-timeout`). The caller stops it, and the delay counts from
    /// its confirmed end: pass that to [`Restart::due_after`](super::Restart::due_after). For depth 1; a
    /// [`ReplicaSet`](crate::ReplicaSet) treats every reported end as an end.
    ///
    /// ```
    /// use std::time::Duration;
    /// use uphold::decide::History;
    /// use uphold::{Cause, Outcome, Policy, RetryPolicy, Timestamp, Verdict};
    ///
    /// let policy = Policy::builder().retry(RetryPolicy::every(Duration::from_secs(20))).build()?;
    /// let mut history = History::new(7, 0.into());
    /// policy.start(&mut history, Timestamp::ZERO);
    /// policy.record_started(&mut history, Timestamp::ZERO);
    /// let outcome = Outcome::failed(Cause::Unhealthy, Timestamp::from_secs(60)).still_alive();
    /// let Verdict::Restart(restart) = policy.decide(&mut history, &outcome)?.verdict else { panic!() };
    /// assert_eq!(restart.due(), None);
    /// // It took 30 seconds to stop.
    /// assert_eq!(restart.due_after(Timestamp::from_secs(90)), Timestamp::from_secs(110));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn still_alive(mut self) -> Self {
        self.still_alive = true;
        self
    }

    /// Returns when the incarnation ended or failed; `None` if that is not known.
    pub fn at(&self) -> Option<Timestamp> {
        self.at.known()
    }

    /// Returns the reason that [`because`](Self::because) set.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Returns the exit code or signal, if known.
    pub fn get_exit(&self) -> Option<Exit> {
        self.exit
    }

    /// Returns the cause that was set. `None` means [`Cause::Error`], unless the outcome is a success.
    pub fn get_cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// Returns whether the start failed, so that nothing ever ran.
    pub fn is_failed_start(&self) -> bool {
        self.start_failed
    }

    /// Returns whether it is exit code 0 without a cause.
    pub fn is_success(&self) -> bool {
        self.cause.is_none() && self.exit.is_some_and(Exit::is_success)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_reports_of_one_end_are_one_in_either_order() {
        let at = Timestamp::from_secs;
        let evicted = Outcome::failed(Cause::Interruption, at(5)).because("evicted");
        let of = |one: &Outcome, other: &Outcome| {
            let merged = one.clone().merged(other.clone());
            assert_eq!(merged, other.clone().merged(one.clone()));
            merged
        };
        let merged = of(&Outcome::exited(143, at(6)), &evicted);
        assert_eq!(
            (merged.exit, merged.cause.clone(), merged.at),
            (Some(Exit::Code(143)), evicted.cause.clone(), at(5))
        );
        assert_eq!(merged.reason(), Some("evicted"));
        assert!(!of(&Outcome::exited(0, at(6)), &evicted).is_success());
        let named_error = Outcome::exited(1, at(6)).cause(Cause::Error).because("exit 1");
        assert_eq!(of(&named_error, &evicted).cause, Some(Cause::Interruption));
        assert_eq!(of(&named_error, &evicted).reason(), Some("evicted"));
        assert_eq!(of(&Outcome::exited(0, at(6)), &Outcome::exited(3, at(6))).exit, Some(Exit::Code(3)));
        let (gpu, disk) = ("gpu".parse().unwrap(), "disk".parse().unwrap());
        of(&Outcome::failed(gpu, at(1)), &Outcome::failed(disk, at(1)));
        of(&evicted.clone().because("a"), &evicted.clone().because("b"));
        assert!(!of(&Outcome::start_failed(Cause::NoCapacity, at(1)), &Outcome::exited(1, at(1))).is_failed_start());
    }

    #[test]
    fn a_reason_is_cut_between_characters_wherever_it_comes_from() {
        let long = "\u{fc}".repeat(50_000);
        let told = Outcome::failed(Cause::Error, Timestamp::ZERO).because(long.clone());
        assert_eq!(told.reason().unwrap().len(), LONGEST_REASON);
        let read: Outcome = serde_json::from_value(serde_json::json!({"reason": format!("a{long}")})).unwrap();
        assert_eq!(read.reason().unwrap().len(), LONGEST_REASON - 1);
    }
}
