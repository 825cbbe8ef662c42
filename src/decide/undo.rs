//! The charges of recent failures, which an incident takes back if these failures turn out to be part of it.

use std::collections::VecDeque;

use super::streak::Streak;
use crate::time::Timestamp;

/// What one failure charged, and the streak before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Undo {
    /// When the failure happened.
    pub(super) at: Timestamp,
    /// The schedule of the streak, 0 being the policy's own.
    pub(super) schedule: u16,
    /// The streak before the failure.
    pub(super) before: Streak,
    /// How many restarts took a token of the budget: its own, and those of the failures that were merged into it.
    pub(super) charged: u32,
}

/// The number of undo entries kept. Beyond it, the two nearest in time are merged. A merged entry is undone only if its
/// first failure is; this can miss failures of at most a thirtieth of `within`.
const MOST_UNDO: usize = 64;

/// The undo entries of one replica, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct UndoLog(VecDeque<Undo>);

impl UndoLog {
    /// Adds an entry, and drops those that are `within` or more nanoseconds older.
    pub(super) fn push(&mut self, undo: Undo, within: u64) {
        while self.0.front().is_some_and(|oldest| undo.at.nanos_since(oldest.at) >= within) {
            self.0.pop_front();
        }
        self.0.push_back(undo);
        if self.0.len() > MOST_UNDO {
            self.merge_nearest();
        }
    }

    /// Empties the log. Returns the entries less than `within` nanoseconds before `latest`, newest first.
    pub(super) fn take_within(&mut self, latest: Timestamp, within: u64) -> impl Iterator<Item = Undo> + use<> {
        let entries = std::mem::take(&mut self.0).into_iter().rev();
        entries.take_while(move |undo| latest.nanos_since(undo.at) < within)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Undo> {
        self.0.iter()
    }

    /// Moves every time by the same amount.
    pub(super) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp + Copy) {
        for undo in &mut self.0 {
            undo.at = by(undo.at);
            undo.before.shift(by);
        }
    }

    /// Replaces the schedule of every entry by its new index, and drops entries whose schedule no longer exists.
    pub(super) fn carry_over(&mut self, schedule: impl Fn(u16) -> Option<u16>) {
        self.0.retain_mut(|undo| match schedule(undo.schedule) {
            Some(place) => {
                undo.schedule = place;
                true
            }
            None => false,
        });
    }

    /// Merges the two failures of one streak that are nearest in time into the earlier one.
    #[cold]
    fn merge_nearest(&mut self) {
        // The index of the last failure seen, by schedule.
        let mut last: Vec<(u16, usize)> = Vec::new();
        let mut nearest: Option<(u64, usize, usize)> = None;
        for (place, later) in self.0.iter().enumerate() {
            match last.iter_mut().find(|(schedule, _)| *schedule == later.schedule) {
                None => last.push((later.schedule, place)),
                Some((_, earlier)) => {
                    let gap = later.at.nanos_since(self.0[*earlier].at);
                    if nearest.is_none_or(|(least, ..)| gap < least) {
                        nearest = Some((gap, *earlier, place));
                    }
                    *earlier = place;
                }
            }
        }
        if let Some((_, earlier, later)) = nearest {
            let charged = self.0.remove(later).map_or(0, |later| later.charged);
            self.0[earlier].charged = self.0[earlier].charged.saturating_add(charged);
        }
    }
}

impl FromIterator<Undo> for UndoLog {
    fn from_iter<I: IntoIterator<Item = Undo>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEC: u64 = 1_000_000_000;

    fn failure(second: u32, schedule: u16, failures: u32) -> Undo {
        let before = Streak { failures, ..Streak::default() };
        Undo { at: Timestamp::from_secs(second.into()), schedule, before, charged: 1 }
    }

    /// Records 100,000 failures, a second apart. Returns the charges that an incident at the end undoes, the most entries that
    /// the log had, and the failures of the streak afterwards.
    fn taken_back(within: u64) -> (u32, usize, u32) {
        let mut log = UndoLog::default();
        let mut most = 0;
        for second in 0..100_000 {
            log.push(failure(second, 0, second), within * SEC);
            most = most.max(log.len());
        }
        let undone: Vec<Undo> = log.take_within(Timestamp::from_secs(99_999), within * SEC).collect();
        assert_eq!(log.len(), 0);
        (undone.iter().map(|undo| undo.charged).sum(), most, undone.last().unwrap().before.failures)
    }

    #[test]
    fn the_log_is_bounded() {
        assert_eq!(taken_back(30), (30, 30, 99_970), "few failures are kept one by one");
        assert_eq!(taken_back(36_000_000), (100_000, MOST_UNDO, 0), "all failures are within");
        let (charged, most, failures) = taken_back(20_000);
        assert!(most <= MOST_UNDO, "{most}");
        assert!((19_000..=20_000).contains(&charged), "{charged}");
        assert_eq!(failures, 100_000 - charged);
    }

    #[test]
    fn merged_failures_stay_with_their_streak() {
        let mut log = UndoLog::default();
        for second in 0..1000 {
            log.push(failure(second, (second % 2) as u16, second / 2), u64::MAX);
        }
        let undone: Vec<Undo> = log.take_within(Timestamp::from_secs(1000), u64::MAX).collect();
        for schedule in [0, 1] {
            let of_streak: Vec<&Undo> = undone.iter().filter(|undo| undo.schedule == schedule).collect();
            assert_eq!(of_streak.iter().map(|undo| undo.charged).sum::<u32>(), 500);
            assert_eq!(of_streak.last().unwrap().before.failures, 0);
        }
    }
}
