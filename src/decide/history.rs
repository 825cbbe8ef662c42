//! The state of one replica between decisions: one row of a database.

use std::sync::Arc;

use super::detail::Detail;
use super::flags::Flags;
use super::ids::{Incarnation, ReplicaId};
use super::jitter;
use super::streak::Streak;
use super::undo::Undo;
use super::window::Window;
use crate::policy::retry_schedule::WindowLimit;
use crate::policy::{Cause, CauseName, Exit, LayoutMapping, Policy, Signal};
use crate::time::Timestamp;

/// The state of one replica: its incarnation, its streaks of failures, and its windows.
///
/// Serialise it into one row, and write the row back after every call of a [`Policy`] method that takes it by `&mut`.
///
/// Streaks and windows of a rule with a `retry` of its own are stored under the **name** of the rule, those of the policy's `retry`
/// under the empty name. The state of a rule that the policy does not have is dropped. A rule without a name is identified by its
/// index, so that inserting a rule before it moves its state to another rule: name the rules whose state matters.
///
/// A time before the latest one in the row counts as that one. A row of another version, or one that no sequence of calls can
/// have written, is refused when it is deserialised.
///
/// ```
/// use uphold::decide::History;
/// use uphold::{Outcome, Policy, RetryPolicy, Timestamp, Verdict};
/// use std::time::Duration;
///
/// let policy = Policy::builder().replicas(3).retry(RetryPolicy::every(Duration::from_secs(30))).build()?;
/// let mut history = History::new(7, 1.into());
/// policy.start(&mut history, Timestamp::ZERO);
/// policy.record_started(&mut history, Timestamp::ZERO);
///
/// let decision = policy.decide(&mut history, &Outcome::exited(137, Timestamp::from_secs(60)))?;
/// let Verdict::Restart(restart) = decision.verdict else { panic!("{decision}") };
/// assert_eq!(restart.due(), Some(Timestamp::from_secs(90)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct History {
    /// The seed of this replica's jitter.
    pub(super) stream: u64,
    pub(super) incarnation: Incarnation,
    /// When the latest incarnation started (with `STARTED`), was admitted, or ended.
    pub(super) instance_changed_at: Timestamp,
    /// When readiness last began or ended.
    pub(super) readiness_changed_at: Timestamp,
    /// The streak under the policy's own `retry`.
    pub(super) streak: Streak,
    pub(super) detail: Option<Box<Detail>>,
    pub(super) replica: ReplicaId,
    /// The exit code or signal of the last failure, as the flags say.
    pub(super) last_exit: i32,
    /// Clean exits in a row whose runs were shorter than the delay before the next.
    pub(super) clean_exits: u16,
    /// The index of the rule that matched the last failure, or `NO_RULE`.
    pub(super) matched_rule: u16,
    /// The cause of the last failure: its index in `Cause::BUILT_IN` plus 1; a larger one: the name in the detail; 0: none.
    pub(super) last_cause: u8,
    pub(super) flags: Flags,
}

const NO_RULE: u16 = u16::MAX;

impl History {
    /// Creates the row of a replica that was never started. Jitter is a hash of the set's `seed` (see
    /// [`seed_of`](crate::decide::seed_of)), the replica and the incarnation.
    pub fn new(seed: u64, replica: ReplicaId) -> Self {
        Self {
            stream: jitter::stream(seed, replica.0),
            incarnation: Incarnation(0),
            instance_changed_at: Timestamp::ZERO,
            readiness_changed_at: Timestamp::ZERO,
            streak: Streak::default(),
            detail: None,
            replica,
            last_exit: 0,
            clean_exits: 0,
            matched_rule: NO_RULE,
            last_cause: 0,
            flags: Flags::default(),
        }
    }

    #[inline]
    pub(super) fn has(&self, flag: Flags) -> bool {
        self.flags.contains(flag)
    }

    #[inline]
    pub(super) fn put(&mut self, flag: Flags, value: bool) {
        self.flags.set(flag, value);
    }

    /// Returns the latest incarnation; 0 before the first start.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Returns whether the latest incarnation was started and its end has not been reported.
    pub fn is_live(&self) -> bool {
        self.has(Flags::LIVE)
    }

    /// Returns the failures in the current streak of the policy's own `retry`, as of the last failure.
    pub fn failures(&self) -> u32 {
        self.streak.failures
    }

    /// Returns since when it has been ready; `None` if it is not.
    pub fn ready_since(&self) -> Option<Timestamp> {
        self.has(Flags::READY).then_some(self.readiness_changed_at)
    }

    /// Returns when the latest incarnation started; `None` if it is not live or was not reported as started.
    pub fn started_at(&self) -> Option<Timestamp> {
        self.has(Flags::STARTED).then_some(self.instance_changed_at)
    }

    /// Returns the time of the last call. Earlier times are replaced by it.
    #[inline]
    pub(crate) fn as_of(&self) -> Timestamp {
        self.instance_changed_at.max(self.readiness_changed_at)
    }

    /// Returns `as_of` for times before it, and for times after [`Timestamp::LATEST`], which no later call could exceed.
    #[inline]
    pub(super) fn clamp_time(&self, at: Timestamp) -> Timestamp {
        let known = self.as_of();
        if at > known && at <= Timestamp::LATEST { at } else { known }
    }

    /// Returns the number of entries in its collections.
    pub(crate) fn entries(&self) -> usize {
        self.detail.as_deref().map_or(0, Detail::entries)
    }

    /// Returns the latest of all times in it.
    pub(crate) fn latest(&self) -> Timestamp {
        let detail = self.detail.as_deref().map_or(Timestamp::ZERO, Detail::latest);
        self.as_of().max(self.streak.latest()).max(detail)
    }

    /// Returns the cause and the exit of the last failure; `None` if it never failed.
    pub fn last_failure(&self) -> Option<(Cause, Option<Exit>)> {
        let place = usize::from(self.last_cause).checked_sub(1)?;
        let cause = match Cause::BUILT_IN.get(place) {
            Some(cause) => cause.clone(),
            None => self.detail.as_ref()?.cause.as_deref()?.parse().ok()?,
        };
        Some((cause, self.last_exit()))
    }

    pub(crate) fn record_started(&mut self, at: Timestamp) {
        if self.is_live() && !self.has(Flags::STARTED) {
            self.instance_changed_at = self.clamp_time(at);
            self.put(Flags::STARTED, true);
            self.put(Flags::REPAIRING, false);
        }
    }

    /// Whether the latest incarnation has been ready.
    pub(crate) fn was_ready(&self) -> bool {
        self.has(Flags::WAS_READY)
    }

    pub(crate) fn record_ready(&mut self, at: Timestamp) {
        if self.is_live() {
            self.record_started(at);
            if !self.has(Flags::READY) {
                self.readiness_changed_at = self.clamp_time(at);
                self.put(Flags::READY, true);
                self.put(Flags::WAS_READY, true);
            }
        }
    }

    /// Ends readiness. Returns for how many nanoseconds it was ready; `None` if it was not.
    #[inline]
    pub(super) fn record_not_ready(&mut self, at: Timestamp) -> Option<u64> {
        if !self.has(Flags::READY) {
            return None;
        }
        self.put(Flags::READY, false);
        let since = self.readiness_changed_at;
        self.readiness_changed_at = self.clamp_time(at);
        Some(self.readiness_changed_at.nanos_since(since))
    }

    /// Makes `incarnation` the latest: live, neither started nor ready.
    pub(super) fn begin(&mut self, incarnation: Incarnation) {
        self.incarnation = incarnation;
        self.put(Flags::STARTED.and(Flags::READY).and(Flags::WAS_READY), false);
        self.put(Flags::LIVE, true);
    }

    pub(crate) fn reset(&mut self) {
        self.streak = Streak::default();
        self.clean_exits = 0;
        if let Some(detail) = &mut self.detail {
            let cause = detail.cause.take();
            **detail = Detail { cause, ..detail.without_failures() };
        }
        self.cancel_window_wait();
        self.put(Flags::REPAIRING, false);
        self.matched_rule = NO_RULE;
    }

    /// Returns the index of the rule that matched the last failure.
    #[inline]
    pub(super) fn matched_rule(&self) -> Option<u16> {
        (self.matched_rule != NO_RULE).then_some(self.matched_rule)
    }

    /// Stores the index of the rule that matched. It refers to the detail's layout, which [`adapt`](Self::adapt) has updated.
    #[inline]
    pub(super) fn set_matched_rule(&mut self, rule: Option<u16>, policy: &Policy) {
        self.matched_rule = rule.unwrap_or(NO_RULE);
        if rule.is_some() && self.detail.is_none() {
            self.detail_mut(policy);
        }
    }

    /// Clears everything but the incarnation, for a slot that is used again after a scale-down.
    pub(crate) fn reset_keep_incarnation(&mut self) {
        let Self { stream, incarnation, instance_changed_at, readiness_changed_at, replica, .. } = *self;
        let mut detail = self.detail.take();
        if let Some(detail) = &mut detail {
            **detail = detail.without_failures();
        }
        *self =
            Self { stream, incarnation, instance_changed_at, readiness_changed_at, detail, ..Self::new(0, replica) };
    }

    /// Makes an incarnation that a list shows alive the latest.
    pub(crate) fn adopt(&mut self, incarnation: Incarnation) {
        self.begin(incarnation);
    }

    /// Continues the numbering after an incarnation that was used elsewhere.
    pub(crate) fn raise_incarnation(&mut self, incarnation: Incarnation) {
        self.incarnation = self.incarnation.max(incarnation);
    }

    /// Cancels the wait for room in a window, so that the start will not count in it.
    pub(crate) fn cancel_window_wait(&mut self) {
        self.put(Flags::COUNTS_ON_START, false);
    }

    /// Marks the incarnation as ended for an unknown reason.
    pub(crate) fn mark_ended(&mut self) {
        self.put(Flags::LIVE, false);
    }

    /// Records the end of an incarnation that was asked to stop, which is no failure.
    pub(crate) fn record_stopped(&mut self, policy: &Policy, at: Timestamp) {
        policy.record_not_ready(self, at);
        self.instance_changed_at = self.clamp_time(at);
        self.put(Flags::LIVE.and(Flags::STARTED), false);
    }

    #[inline]
    pub(super) fn draw(&self) -> u64 {
        jitter::draw(self.stream, self.incarnation.0)
    }

    /// Returns the streak of a schedule; 0 is the policy's own.
    #[inline]
    pub(super) fn streak_of(&self, schedule: u16) -> Streak {
        if schedule == 0 {
            return self.streak;
        }
        self.detail.as_ref().map_or_else(Streak::default, |detail| detail.streak_of_rule(schedule))
    }

    #[inline]
    pub(super) fn set_streak(&mut self, schedule: u16, streak: Streak, policy: &Policy) {
        if schedule == 0 { self.streak = streak } else { self.set_streak_of_rule(schedule, streak, policy) }
    }

    /// Moves the streak of a rule's schedule into `streak`, and returns the policy's own for [`swap_back`](Self::swap_back).
    pub(super) fn swap_streak(&mut self, schedule: u16) -> Streak {
        let of_rule = self.streak_of(schedule);
        std::mem::replace(&mut self.streak, of_rule)
    }

    pub(super) fn swap_back(&mut self, schedule: u16, own: Streak, policy: &Policy) {
        let of_rule = std::mem::replace(&mut self.streak, own);
        self.set_streak(schedule, of_rule, policy);
    }

    fn set_streak_of_rule(&mut self, schedule: u16, streak: Streak, policy: &Policy) {
        *self.detail_mut(policy).streak_of_rule_mut(schedule) = streak;
    }

    pub(super) fn window(&self, slot: u16) -> Option<&Window> {
        self.detail.as_ref()?.windows.get(usize::from(slot))
    }

    pub(super) fn window_mut(&mut self, slot: u16, policy: &Policy) -> &mut Window {
        self.detail_mut(policy).window_mut(slot)
    }

    /// Returns how many more restarts fit into a window at `at`.
    #[inline(never)]
    pub(super) fn room(&self, limit: WindowLimit, at: Timestamp) -> u32 {
        self.window(limit.slot).map_or(limit.restarts, |window| window.room(limit, at))
    }

    fn detail_mut(&mut self, policy: &Policy) -> &mut Detail {
        self.detail.get_or_insert_with(|| Box::new(Detail::new(policy.compiled().layout.clone())))
    }

    /// Returns whether it has more state than its own streak: a detail, or clean exits.
    #[inline]
    pub(super) fn has_more(&self) -> bool {
        self.detail.is_some() | (self.clean_exits > 0)
    }

    /// Maps the indices of its streaks, windows and rules to those of `policy`, if they are of another policy. Call it before any
    /// of them is used.
    #[inline]
    pub(super) fn adapt(&mut self, policy: &Policy) {
        if let Some(detail) = &self.detail {
            if !Arc::ptr_eq(&detail.layout, &policy.compiled().layout) {
                self.adapt_with(policy, &mut None);
            }
        }
    }

    /// Adapts many histories: most come from the same policy, so that the caller keeps the `mapping` between calls.
    #[cold]
    #[inline(never)]
    pub(crate) fn adapt_with(&mut self, policy: &Policy, mapping: &mut Option<LayoutMapping>) {
        let Some(detail) = &self.detail else { return };
        if Arc::ptr_eq(&detail.layout, &policy.compiled().layout) {
            return;
        }
        if mapping.as_ref().is_none_or(|mapping| !Arc::ptr_eq(&mapping.from, &detail.layout)) {
            *mapping = Some(LayoutMapping::new(&detail.layout, &policy.compiled().layout));
        }
        if let Some(mapping) = mapping {
            self.carry_over(mapping);
        }
    }

    /// Returns when its last failure was recorded, or never.
    pub(super) fn noted_at(&self) -> Timestamp {
        self.detail.as_ref().and_then(|detail| detail.noted_at).unwrap_or(Timestamp::NEVER)
    }

    pub(super) fn set_noted_at(&mut self, now: Timestamp, policy: &Policy) {
        self.detail_mut(policy).noted_at = Some(now);
    }

    /// Credits every streak with `ready_for` nanoseconds of readiness.
    #[inline]
    pub(super) fn recover(&mut self, policy: &Policy, ready_for: u64) {
        let schedules = &policy.compiled().schedules;
        self.streak.recover(&schedules[0], ready_for);
        if let Some(detail) = self.detail.as_mut().filter(|detail| !detail.streaks.is_empty()) {
            detail.recover(&schedules[1..], ready_for);
        }
    }

    #[inline]
    pub(super) fn remember_failure(&mut self, cause: &Cause, exit: Option<Exit>, policy: &Policy) {
        self.last_cause = cause.index() as u8 + 1;
        self.set_last_exit(exit);
        if let Cause::Named(name) = cause {
            self.remember_name(name, policy);
        }
    }

    pub(super) fn last_exit(&self) -> Option<Exit> {
        if self.has(Flags::EXIT_CODE) {
            Some(Exit::Code(self.last_exit))
        } else if self.has(Flags::EXIT_SIGNAL) {
            Signal::from_number(self.last_exit.into()).map(Exit::Signal)
        } else {
            None
        }
    }

    #[inline]
    pub(super) fn set_last_exit(&mut self, exit: Option<Exit>) {
        self.put(Flags::EXIT_CODE.and(Flags::EXIT_SIGNAL), false);
        self.last_exit = match exit {
            None => 0,
            Some(Exit::Code(code)) => {
                self.put(Flags::EXIT_CODE, true);
                code
            }
            Some(Exit::Signal(signal)) => {
                self.put(Flags::EXIT_SIGNAL, true);
                signal.number().into()
            }
        };
    }

    fn remember_name(&mut self, name: &CauseName, policy: &Policy) {
        let kept = &mut self.detail_mut(policy).cause;
        if kept.as_deref() != Some(name.as_str()) {
            *kept = Some(name.as_str().to_owned());
        }
    }

    /// Keeps an undo entry for `within` nanoseconds, in which an incident may be detected.
    pub(super) fn remember_undo(&mut self, undo: Undo, within: u64, policy: &Policy) {
        self.detail_mut(policy).undo.push(undo, within);
    }

    /// Undoes the charges of failures less than `within` before `latest`. Returns how many took a budget token.
    pub(crate) fn undo(&mut self, latest: Timestamp, within: u64) -> u32 {
        let Some(detail) = &mut self.detail else { return 0 };
        let mut since = None;
        let mut charged = 0u32;
        for undo in detail.undo.take_within(latest, within) {
            let streak = match undo.schedule {
                0 => Some(&mut self.streak),
                schedule => detail.streaks.get_mut(usize::from(schedule) - 1),
            };
            if let Some(streak) = streak {
                charged = charged.saturating_add(undo.charged);
                *streak = undo.before;
            }
            since = Some(undo.at);
        }
        if let Some(since) = since {
            detail.windows.iter_mut().for_each(|window| window.uncount_since(since));
            self.cancel_window_wait();
        }
        charged
    }

    /// Moves every time by the same amount, for a restore under a clock that is behind the state.
    pub(crate) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp + Copy) {
        self.instance_changed_at = by(self.instance_changed_at);
        self.readiness_changed_at = by(self.readiness_changed_at);
        self.streak.shift(by);
        if let Some(detail) = &mut self.detail {
            detail.shift(by);
        }
    }

    /// Moves its state to the indices of another layout, and drops state without one.
    fn carry_over(&mut self, mapping: &LayoutMapping) {
        let Some(detail) = &mut self.detail else { return };
        detail.carry_over(mapping);
        if let Some(rule) = self.matched_rule() {
            self.matched_rule = mapping.rules.get(usize::from(rule)).copied().flatten().unwrap_or(NO_RULE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_survives_serialisation_and_a_newer_version_is_refused() {
        let mut history = History::new(7, ReplicaId(3));
        history.streak = Streak { failures: 4, ..Streak::default() };
        let text = serde_json::to_string(&history).unwrap();
        assert_eq!(serde_json::from_str::<History>(&text).unwrap(), history);
        let newer = text.replace("\"version\":2", "\"version\":3");
        let error = serde_json::from_str::<History>(&newer).unwrap_err().to_string();
        assert!(error.contains("version 3"), "{error}");
    }

    #[test]
    fn a_history_fits_in_two_cache_lines() {
        assert!(size_of::<History>() <= 96, "{}", size_of::<History>());
    }
}
