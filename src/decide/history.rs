//! What is remembered of one replica: a row of its own, that a scheduler may keep in a database.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::ids::{Incarnation, ReplicaId};
use super::jitter;
use super::row::Row;
use super::streak::Streak;
use super::window::Window;
use crate::policy::ladder::{Ladder, WindowLimit};
use crate::policy::{Cause, CauseName, Exit, Policy, Signal};
use crate::time::Timestamp;

/// What is remembered of one replica: its incarnation, its streaks of failures, its windows.
///
/// Serialise it into one row; what [`Policy::decide`] and [`Policy::start`] change is written back with it.
///
/// ```
/// use uphold::{History, Outcome, Policy, RetryPolicy, Timestamp, Verdict};
/// use std::time::Duration;
///
/// let policy = Policy::builder().replicas(3).retry(RetryPolicy::every(Duration::from_secs(30))).build()?;
/// let mut history = History::new(7, 1.into());
/// policy.start(&mut history, Timestamp::ZERO);
/// history.started(Timestamp::ZERO);
///
/// let decision = policy.decide(&mut history, &Outcome::exited(137, Timestamp::from_secs(60)))?;
/// let Verdict::Restart(restart) = decision.verdict else { panic!("{decision}") };
/// assert_eq!(restart.due, Timestamp::from_secs(90));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub struct History {
    /// The start of this replica's stream of jitter.
    pub(super) stream: u64,
    pub(super) incarnation: Incarnation,
    pub(crate) started_at: Timestamp,
    pub(crate) ready_since: Timestamp,
    /// When its last failure was noted, so that an incident can tell one replica's failures from those of several.
    pub(super) noted_at: Timestamp,
    /// The streak under the policy's own `retry`.
    pub(super) streak: Streak,
    pub(super) detail: Option<Box<Detail>>,
    /// The exit code or signal of the last failure, as the flags say.
    pub(super) last_exit: i32,
    /// The rule that judged the last failure, or `NO_RULE`.
    pub(super) judged_by: u16,
    /// The cause of the last failure: its place in `Cause::BUILT_IN` from 1, beyond it a name in the detail; 0: none.
    pub(super) last_cause: u8,
    pub(super) flags: Flags,
}

const NO_RULE: u16 = u16::MAX;

/// What is true of a replica, as bits: a million histories lie in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Flags(u8);

impl Flags {
    /// The latest incarnation was started and its end has not been told.
    pub(super) const LIVE: Self = Self(1);
    /// Waited for room in the window: counts when it is released.
    pub(super) const COUNTS_ON_START: Self = Self(1 << 1);
    /// A failure is being repaired: there was no successful start since.
    pub(super) const REPAIRING: Self = Self(1 << 2);
    /// An exit 0 has been restarted: the first may be at once, and uses up nothing of a failure's.
    pub(super) const AFTER_SUCCESS: Self = Self(1 << 3);
    /// The last failure had an exit code.
    const EXIT_CODE: Self = Self(1 << 4);
    /// The last failure had a signal.
    const EXIT_SIGNAL: Self = Self(1 << 5);

    fn only(self, flag: Self) -> Self {
        Self(self.0 & flag.0)
    }
}

/// What most replicas never need.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Detail {
    /// One for each window of the policy.
    windows: Vec<Window>,
    /// The streaks under the rules' own `retry`, by ladder from 1.
    streaks: Vec<Streak>,
    /// What an incident would give back, oldest first.
    undo: VecDeque<Undo>,
    /// The name of the last failure's cause, where it is the user's own.
    cause: Option<String>,
}

impl Detail {
    #[inline(never)]
    fn recover(&mut self, ladders: &[Ladder], ready_for: u64) {
        for (streak, ladder) in self.streaks.iter_mut().zip(ladders) {
            streak.recover(ladder, ready_for);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Undo {
    at: Timestamp,
    ladder: u16,
    before: Streak,
    /// How many restarts took a token of the budget: its own, and those of the failures that were merged into it.
    charged: u32,
}

/// So many failures are kept apart for an incident that may give them back; with more, those nearest in time are merged.
/// One that was merged is given back only if the first of them is, so that at most a thirtieth of `within` is not.
const MOST_UNDO: usize = 64;

impl History {
    /// A replica that was never started. `seed` is the seed of its set: jitter is a hash of seed, replica and incarnation.
    pub fn new(seed: u64, replica: ReplicaId) -> Self {
        Self {
            stream: jitter::stream(seed, replica.0),
            incarnation: Incarnation(0),
            started_at: Timestamp::MAX,
            ready_since: Timestamp::MAX,
            noted_at: Timestamp::MAX,
            streak: Streak::default(),
            detail: None,
            last_exit: 0,
            judged_by: NO_RULE,
            last_cause: 0,
            flags: Flags::default(),
        }
    }

    #[inline]
    pub(super) fn has(&self, flag: Flags) -> bool {
        self.flags.only(flag) == flag
    }

    #[inline]
    pub(super) fn put(&mut self, flag: Flags, value: bool) {
        self.flags.0 = if value { self.flags.0 | flag.0 } else { self.flags.0 & !flag.0 };
    }

    /// The latest incarnation; 0 before the first start.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Whether the latest incarnation was started and its end has not been told.
    pub fn is_live(&self) -> bool {
        self.has(Flags::LIVE)
    }

    /// Failures in the present streak under the policy's own `retry`, as of the last failure.
    pub fn failures(&self) -> u32 {
        self.streak.failures
    }

    /// Since when it has been ready without a break.
    pub fn ready_since(&self) -> Option<Timestamp> {
        self.ready_since.known()
    }

    /// The latest that is known of its latest incarnation: since when it has run, or been ready.
    pub(crate) fn last_known(&self) -> Timestamp {
        let known = [self.started_at, self.ready_since].into_iter().filter_map(Timestamp::known);
        known.max().unwrap_or(Timestamp::ZERO)
    }

    /// The cause and exit of the last failure; `None` if it never failed.
    pub fn last_failure(&self) -> Option<(Cause, Option<Exit>)> {
        let place = usize::from(self.last_cause).checked_sub(1)?;
        let cause = match Cause::BUILT_IN.get(place) {
            Some(cause) => cause.clone(),
            None => self.detail.as_ref()?.cause.as_deref()?.parse().ok()?,
        };
        Some((cause, self.last_exit()))
    }

    /// It runs: told once for each incarnation.
    pub fn started(&mut self, at: Timestamp) {
        if self.is_live() && self.started_at.is_never() {
            self.started_at = at;
            self.put(Flags::REPAIRING, false);
        }
    }

    /// It is ready, from `at` on without a break until [`Policy::not_ready`] or its end.
    pub fn ready(&mut self, at: Timestamp) {
        if self.is_live() {
            self.started(at);
            if self.ready_since.is_never() {
                self.ready_since = at;
            }
        }
    }

    /// Forgets all streaks and windows, as an operator's `reset` does. The incarnation stays.
    pub fn reset(&mut self) {
        self.streak = Streak::default();
        self.detail = None;
        self.put(Flags::AFTER_SUCCESS, false);
        self.wait_is_over();
        self.put(Flags::REPAIRING, false);
        self.judged_by = NO_RULE;
    }

    /// The rule that judged the last failure.
    #[inline]
    pub(super) fn judged_by(&self) -> Option<u16> {
        (self.judged_by != NO_RULE).then_some(self.judged_by)
    }

    #[inline]
    pub(super) fn set_judged_by(&mut self, rule: Option<u16>) {
        self.judged_by = rule.unwrap_or(NO_RULE);
    }

    /// A slot that comes back after a scale-down: all is new but the incarnation.
    pub(crate) fn renew(&mut self) {
        let Self { stream, incarnation, noted_at, .. } = *self;
        *self = Self { stream, incarnation, noted_at, ..Self::new(0, ReplicaId(0)) };
    }

    /// Numbers on from an incarnation that was found.
    pub(crate) fn adopt(&mut self, incarnation: Incarnation) {
        self.incarnation = incarnation;
        self.put(Flags::LIVE, true);
        self.started_at = Timestamp::MAX;
        self.ready_since = Timestamp::MAX;
    }

    /// It waits for no room in its window any more: its start counts for nothing.
    pub(crate) fn wait_is_over(&mut self) {
        self.put(Flags::COUNTS_ON_START, false);
    }

    /// The incarnation has ended, nobody knows how.
    pub(crate) fn has_ended(&mut self) {
        self.put(Flags::LIVE, false);
    }

    /// The incarnation is gone without being judged: it was asked to stop.
    pub(crate) fn gone(&mut self, policy: &Policy, at: Timestamp) {
        policy.not_ready(self, at);
        self.put(Flags::LIVE, false);
        self.started_at = Timestamp::MAX;
    }

    #[inline]
    pub(super) fn draw(&self) -> u64 {
        jitter::draw(self.stream, self.incarnation.0)
    }

    /// The streak of a ladder, 0 being the policy's own.
    #[inline]
    pub(super) fn streak_of(&self, ladder: u16) -> Streak {
        if ladder == 0 {
            return self.streak;
        }
        let streaks = self.detail.as_ref().map_or(&[][..], |detail| &detail.streaks);
        streaks.get(usize::from(ladder) - 1).copied().unwrap_or_default()
    }

    #[inline]
    pub(super) fn set_streak(&mut self, ladder: u16, streak: Streak) {
        if ladder == 0 { self.streak = streak } else { self.set_streak_of_rule(ladder, streak) }
    }

    /// Puts the streak of a rule's ladder where the policy's own is, which is returned, until
    /// [`swap_back`](Self::swap_back).
    pub(super) fn swap_streak(&mut self, ladder: u16) -> Streak {
        let judged = self.streak_of(ladder);
        std::mem::replace(&mut self.streak, judged)
    }

    pub(super) fn swap_back(&mut self, ladder: u16, own: Streak) {
        let judged = std::mem::replace(&mut self.streak, own);
        self.set_streak(ladder, judged);
    }

    fn set_streak_of_rule(&mut self, ladder: u16, streak: Streak) {
        let streaks = &mut self.detail_mut().streaks;
        let place = usize::from(ladder) - 1;
        if streaks.len() <= place {
            streaks.resize(place + 1, Streak::default());
        }
        streaks[place] = streak;
    }

    pub(super) fn window(&self, slot: u16) -> Option<&Window> {
        self.detail.as_ref()?.windows.get(usize::from(slot))
    }

    pub(super) fn window_mut(&mut self, slot: u16) -> &mut Window {
        let windows = &mut self.detail_mut().windows;
        let place = usize::from(slot);
        if windows.len() <= place {
            windows.resize_with(place + 1, Window::default);
        }
        &mut windows[place]
    }

    /// How many more restarts fit into a window at `at`.
    #[inline(never)]
    pub(super) fn room(&self, limit: WindowLimit, at: Timestamp) -> u32 {
        self.window(limit.slot).map_or(limit.restarts, |window| window.room(limit, at))
    }

    fn detail_mut(&mut self) -> &mut Detail {
        self.detail.get_or_insert_default()
    }

    /// What `ready_for` nanoseconds ready take back, in every streak.
    #[inline(always)]
    pub(super) fn recover(&mut self, policy: &Policy, ready_for: u64) {
        let ladders = &policy.compiled().ladders;
        if self.streak.recover(&ladders[0], ready_for) {
            self.put(Flags::AFTER_SUCCESS, false);
        }
        if let Some(detail) = self.detail.as_mut().filter(|detail| !detail.streaks.is_empty()) {
            detail.recover(&ladders[1..], ready_for);
        }
    }

    #[inline(always)]
    pub(super) fn remember_failure(&mut self, cause: &Cause, exit: Option<Exit>) {
        self.last_cause = cause.place() as u8 + 1;
        self.set_last_exit(exit);
        if let Cause::Named(name) = cause {
            self.remember_name(name);
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

    #[inline(always)]
    pub(super) fn set_last_exit(&mut self, exit: Option<Exit>) {
        self.put(Flags(Flags::EXIT_CODE.0 | Flags::EXIT_SIGNAL.0), false);
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

    fn remember_name(&mut self, name: &CauseName) {
        let kept = &mut self.detail_mut().cause;
        if kept.as_deref() != Some(name.as_str()) {
            *kept = Some(name.as_str().to_owned());
        }
    }

    /// Keeps what an incident recognised within `within` of now would give back.
    pub(super) fn remember_undo(&mut self, at: Timestamp, within: u64, ladder: u16, before: Streak, charged: bool) {
        let undo = &mut self.detail_mut().undo;
        while undo.front().is_some_and(|oldest| at.nanos_since(oldest.at) >= within) {
            undo.pop_front();
        }
        undo.push_back(Undo { at, ladder, before, charged: charged.into() });
        if undo.len() > MOST_UNDO {
            merge_nearest(undo);
        }
    }

    /// Gives back what failures charged that happened less than `within` before `latest`. How many of them were charged.
    pub(crate) fn undo(&mut self, latest: Timestamp, within: u64) -> u32 {
        let Some(detail) = &mut self.detail else { return 0 };
        let mut since = None;
        let mut charged = 0u32;
        while let Some(last) = detail.undo.pop_back().filter(|last| latest.nanos_since(last.at) < within) {
            let streak = match last.ladder {
                0 => Some(&mut self.streak),
                ladder => detail.streaks.get_mut(usize::from(ladder) - 1),
            };
            if let Some(streak) = streak {
                charged = charged.saturating_add(last.charged);
                *streak = last.before;
            }
            since = Some(last.at);
        }
        detail.undo.clear();
        if let Some(since) = since {
            detail.windows.iter_mut().for_each(|window| window.uncount_since(since));
            self.wait_is_over();
        }
        charged
    }

    /// Moves every time by the same amount, when the clock of the state turns out to be ahead.
    pub(crate) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp + Copy) {
        self.started_at = by(self.started_at);
        self.ready_since = by(self.ready_since);
        self.noted_at = by(self.noted_at);
        self.streak.shift(by);
        if let Some(detail) = &mut self.detail {
            detail.streaks.iter_mut().for_each(|streak| streak.shift(by));
            detail.windows.iter_mut().for_each(|window| window.shift(by));
            detail.undo.iter_mut().for_each(|undo| undo.at = by(undo.at));
        }
    }

    /// Carries streaks and windows over to another policy: the places of the old ladders, windows and rules in the
    /// new policy, `None` where it has none.
    pub(crate) fn carry_over(&mut self, ladders: &[Option<u16>], windows: &[Option<u16>], rules: &[Option<u16>]) {
        let streaks: Vec<Streak> = (0..ladders.len() as u16).map(|ladder| self.streak_of(ladder)).collect();
        let mut kept = Vec::new();
        if let Some(detail) = &mut self.detail {
            kept = std::mem::take(&mut detail.windows);
            detail.streaks.clear();
            detail.undo.clear();
        }
        self.streak = Streak::default();
        for (streak, place) in streaks.into_iter().zip(ladders) {
            if let Some(place) = place.filter(|_| streak != Streak::default()) {
                self.set_streak(place, streak);
            }
        }
        for (window, place) in kept.into_iter().zip(windows) {
            if let Some(place) = place {
                *self.window_mut(*place) = window;
            }
        }
        let judged_by = self.judged_by().and_then(|rule| rules.get(usize::from(rule)).copied().flatten());
        self.set_judged_by(judged_by);
    }

    /// Mends what a row written by hand may hold.
    pub(crate) fn mend(&mut self) {
        if let Some(detail) = &mut self.detail {
            detail.windows.iter_mut().for_each(Window::sort);
        }
    }
}

/// Merges the two failures of one streak that are nearest in time: the earlier one stands for both.
#[cold]
fn merge_nearest(undo: &mut VecDeque<Undo>) {
    // By ladder: the place and time of the last failure seen.
    let mut last: Vec<(u16, usize)> = Vec::new();
    let mut nearest: Option<(u64, usize, usize)> = None;
    for (place, later) in undo.iter().enumerate() {
        match last.iter_mut().find(|(ladder, _)| *ladder == later.ladder) {
            None => last.push((later.ladder, place)),
            Some((_, earlier)) => {
                let gap = later.at.nanos_since(undo[*earlier].at);
                if nearest.is_none_or(|(least, ..)| gap < least) {
                    nearest = Some((gap, *earlier, place));
                }
                *earlier = place;
            }
        }
    }
    if let Some((_, earlier, later)) = nearest {
        let charged = undo.remove(later).map_or(0, |later| later.charged);
        undo[earlier].charged = undo[earlier].charged.saturating_add(charged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_survives_serialisation_and_a_newer_version_is_refused() {
        let mut history = History::new(7, ReplicaId(3));
        history.set_streak(2, Streak { failures: 4, ..Streak::default() });
        let text = serde_json::to_string(&history).unwrap();
        assert_eq!(serde_json::from_str::<History>(&text).unwrap(), history);
        let newer = text.replace("\"version\":1", "\"version\":2");
        let error = serde_json::from_str::<History>(&newer).unwrap_err().to_string();
        assert!(error.contains("version 2"), "{error}");
    }

    /// 100,000 failures a second apart: what an incident at the end gives back, and how many entries that took.
    fn given_back(within: u64) -> (u32, usize, Streak) {
        const SEC: u64 = 1_000_000_000;
        let mut history = History::new(7, ReplicaId(0));
        let mut most = 0;
        for failure in 0..100_000u32 {
            let before = Streak { failures: failure, ..Streak::default() };
            let at = Timestamp::from_secs(failure.into());
            history.remember_undo(at, within * SEC, 0, before, true);
            history.streak.failures = failure + 1;
            most = most.max(history.detail.as_ref().unwrap().undo.len());
        }
        let charged = history.undo(Timestamp::from_secs(99_999), within * SEC);
        (charged, most, history.streak)
    }

    #[test]
    fn what_an_incident_would_give_back_is_bounded() {
        let (charged, most, streak) = given_back(30);
        assert_eq!((charged, most, streak.failures), (30, 30, 99_970), "the few of a short time one by one");
        let (charged, most, streak) = given_back(36_000_000);
        assert_eq!((charged, most, streak.failures), (100_000, MOST_UNDO, 0), "all of a time without end");
        let (charged, most, streak) = given_back(20_000);
        assert!(most <= MOST_UNDO, "{most}");
        assert!((19_000..=20_000).contains(&charged), "{charged}");
        assert_eq!(streak.failures, 100_000 - charged);
    }

    #[test]
    fn merged_failures_stay_with_their_streak() {
        let mut history = History::new(7, ReplicaId(0));
        for failure in 0..1000u32 {
            let ladder = (failure % 2) as u16;
            let before = Streak { failures: failure / 2, ..Streak::default() };
            history.remember_undo(Timestamp::from_secs(failure.into()), u64::MAX, ladder, before, ladder == 0);
            history.set_streak(ladder, Streak { failures: failure / 2 + 1, ..Streak::default() });
        }
        assert_eq!(history.undo(Timestamp::from_secs(1000), u64::MAX), 500);
        assert_eq!((history.streak_of(0).failures, history.streak_of(1).failures), (0, 0));
    }

    #[test]
    fn a_history_fits_in_two_cache_lines() {
        assert!(size_of::<History>() <= 96, "{}", size_of::<History>());
    }
}
