//! A sliding window log of restarts: it keeps the time of each restart, so that it is exact to the nanosecond.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::policy::retry_schedule::WindowLimit;
use crate::time::Timestamp;

/// The restarts that may still be inside the window, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Window {
    counted: VecDeque<Timestamp>,
}

impl Window {
    /// Returns the number of restarts younger than `within` at `at`. One exactly `within` old no longer counts.
    fn younger(&self, limit: WindowLimit, at: Timestamp) -> usize {
        let first = self.counted.partition_point(|&restart| at.nanos_since(restart) >= limit.within);
        self.counted.len() - first
    }

    /// Returns how many more restarts fit at `at`.
    pub(crate) fn room(&self, limit: WindowLimit, at: Timestamp) -> u32 {
        limit.restarts.saturating_sub(u32::try_from(self.younger(limit, at)).unwrap_or(u32::MAX))
    }

    /// Returns when there is room for one more restart if none is counted until then; `at` if there is room now.
    pub(crate) fn room_from(&self, limit: WindowLimit, at: Timestamp) -> Timestamp {
        let younger = self.younger(limit, at);
        if younger < limit.restarts as usize {
            return at;
        }
        let must_age = self.counted.len() - limit.restarts as usize;
        self.counted[must_age].later_by(limit.within).max(at)
    }

    /// Returns the latest restart; zero if there is none.
    pub(crate) fn latest(&self) -> Timestamp {
        self.counted.back().copied().unwrap_or(Timestamp::ZERO)
    }

    pub(super) fn len(&self) -> usize {
        self.counted.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.counted.is_empty()
    }

    /// Counts a restart at `at`, or at the latest restart if that is later. Drops restarts that no longer count, so that the window
    /// never has more entries than its limit.
    pub(crate) fn count(&mut self, limit: WindowLimit, at: Timestamp) {
        while self.counted.front().is_some_and(|&oldest| at.nanos_since(oldest) >= limit.within) {
            self.counted.pop_front();
        }
        if self.counted.capacity() == 0 {
            self.counted.reserve_exact((limit.restarts as usize).min(64));
        }
        self.counted.push_back(self.counted.back().map_or(at, |&last| at.max(last)));
        while self.counted.len() > limit.restarts as usize {
            self.counted.pop_front();
        }
    }

    /// Removes the restarts at `since` or later.
    pub(crate) fn uncount_since(&mut self, since: Timestamp) {
        self.counted.truncate(self.counted.partition_point(|&restart| restart < since));
    }

    pub(crate) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        self.counted.iter_mut().for_each(|restart| *restart = by(*restart));
    }

    /// Sorts the restarts, because a row may have been written by hand.
    pub(crate) fn sort(&mut self) {
        self.counted.make_contiguous().sort_unstable();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: WindowLimit = WindowLimit { slot: 0, restarts: 2, within: 60 };

    fn at(nanos: u64) -> Timestamp {
        Timestamp::from_nanos(nanos)
    }

    #[test]
    fn a_restart_exactly_as_old_as_the_window_no_longer_counts() {
        // supervisors/W10: max 2 per 60 s, failures at 0, 5 and 60.0: all three are restarted.
        let mut window = Window::default();
        window.count(LIMIT, at(0));
        window.count(LIMIT, at(5));
        assert_eq!(window.room(LIMIT, at(59)), 0);
        assert_eq!(window.room(LIMIT, at(60)), 1);
        assert_eq!(window.room_from(LIMIT, at(59)), at(60));
        assert_eq!(window.room_from(LIMIT, at(60)), at(60));
    }

    #[test]
    fn ten_thousand_restarts_in_a_window_are_all_counted() {
        let limit = WindowLimit { slot: 0, restarts: 10_000, within: 1_000_000 };
        let mut window = Window::default();
        for restart in 0..10_000 {
            assert!(window.room(limit, at(restart)) > 0, "restart {restart}");
            window.count(limit, at(restart));
        }
        assert_eq!(window.room(limit, at(10_000)), 0);
        assert_eq!(window.room_from(limit, at(10_000)), at(1_000_000));
    }

    #[test]
    fn time_that_goes_backwards_is_ignored() {
        let mut window = Window::default();
        window.count(LIMIT, at(50));
        window.count(LIMIT, at(10));
        assert_eq!(window.room_from(LIMIT, at(55)), at(110));
    }

    #[test]
    fn undone_restarts_leave_room_again() {
        let mut window = Window::default();
        window.count(LIMIT, at(0));
        window.count(LIMIT, at(10));
        window.uncount_since(at(10));
        assert_eq!(window.room(LIMIT, at(11)), 1);
    }
}
