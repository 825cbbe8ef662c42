//! When something is the case for a time: once, or again and again.

use std::collections::VecDeque;
use std::time::Duration;

use uphold::Timestamp;

use super::distribution::Distribution;
use super::draw::Draws;

/// The shortest time between two episodes: what happens more often than this is a state, not an episode.
const SHORTEST_GAP: u64 = 1_000_000_000;

/// So many episodes are looked at ahead: enough for any start that people wait for.
const MOST_AHEAD: usize = 100_000;

/// When something is the case for a time: once at a time given, or again and again at times drawn from the seed.
///
/// In documents: `{from: 2h, lasts: 5m}`, or `{every: {exponential: {mean: 7d}}, lasts: 10m}`, where `every` counts
/// from the end of one to the beginning of the next, at least 1 s. Both `every` and `lasts` are [`Distribution`]s;
/// `lasts` left out: to the end.
#[derive(Clone, PartialEq, Debug)]
pub struct Episodes {
    when: When,
    lasts: Distribution,
}

#[derive(Clone, PartialEq, Debug)]
enum When {
    From(u64),
    Every(Distribution),
}

impl Episodes {
    /// Once, from this time after the beginning on.
    pub fn once(from: Duration, lasts: impl Into<Distribution>) -> Self {
        let from = (Timestamp::ZERO + from).as_nanos();
        Self { when: When::From(from), lasts: lasts.into() }
    }

    /// Again and again: `every` is from the end of one (or the beginning) to the beginning of the next, at least 1 s.
    pub fn recurring(every: impl Into<Distribution>, lasts: impl Into<Distribution>) -> Self {
        Self { when: When::Every(every.into()), lasts: lasts.into() }
    }

    pub(super) fn occurrences(&self, draws: Draws) -> Occurrences<'_> {
        Occurrences { episodes: self, draws, index: 0, from: 0 }
    }
}

/// One episode, in nanoseconds since the beginning: `from` is part of it, `to` is not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Episode {
    pub(super) from: u64,
    pub(super) to: u64,
}

/// Episodes in the order of time.
#[derive(Clone, Debug)]
pub(super) struct Occurrences<'m> {
    episodes: &'m Episodes,
    draws: Draws,
    index: u64,
    /// The end of the one before.
    from: u64,
}

impl Iterator for Occurrences<'_> {
    type Item = Episode;

    fn next(&mut self) -> Option<Episode> {
        let from = match &self.episodes.when {
            When::From(from) => (self.index == 0).then_some(*from)?,
            When::Every(every) => self.from.checked_add(every.draw(self.draws.of(0), self.index)?.max(SHORTEST_GAP))?,
        };
        let lasts = self.episodes.lasts.draw(self.draws.of(1), self.index).unwrap_or(u64::MAX);
        self.index += 1;
        self.from = from.saturating_add(lasts);
        Some(Episode { from, to: self.from })
    }
}

/// The episodes about the present, which may be asked for a time to come.
#[derive(Clone, Debug)]
pub(super) struct Window<'m> {
    ahead: Occurrences<'m>,
    known: VecDeque<Episode>,
    over: bool,
}

impl<'m> Window<'m> {
    pub(super) fn new(episodes: &'m Episodes, draws: Draws) -> Self {
        Self { ahead: episodes.occurrences(draws), known: VecDeque::new(), over: false }
    }

    /// What ended by `now` is not asked for any more.
    pub(super) fn forget(&mut self, now: u64) {
        while self.known.front().is_some_and(|episode| episode.to <= now) {
            self.known.pop_front();
        }
    }

    /// The episode that `at` falls into.
    pub(super) fn at(&mut self, at: u64) -> Option<Episode> {
        while !self.over && self.known.back().is_none_or(|last| last.from <= at) && self.known.len() < MOST_AHEAD {
            match self.ahead.next() {
                Some(episode) => self.known.push_back(episode),
                None => self.over = true,
            }
        }
        let after = self.known.partition_point(|episode| episode.to <= at);
        self.known.get(after).copied().filter(|episode| episode.from <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::draw::Kind;
    use super::*;

    const SEC: u64 = 1_000_000_000;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn draws() -> Draws {
        Draws::new(7, Kind::Drought, 0)
    }

    fn times(episodes: &Episodes) -> Vec<(u64, u64)> {
        episodes.occurrences(draws()).take(3).map(|episode| (episode.from / SEC, episode.to / SEC)).collect()
    }

    #[test]
    fn an_episode_that_is_given_comes_once() {
        assert_eq!(times(&Episodes::once(secs(60), secs(5))), [(60, 65)]);
        assert_eq!(times(&Episodes::once(secs(60), Distribution::never())), [(60, u64::MAX / SEC)]);
    }

    #[test]
    fn the_gap_counts_from_the_end_of_the_one_before() {
        assert_eq!(times(&Episodes::recurring(secs(10), secs(5))), [(10, 15), (25, 30), (40, 45)]);
    }

    #[test]
    fn episodes_without_a_gap_are_a_second_apart() {
        assert_eq!(times(&Episodes::recurring(Duration::ZERO, Duration::ZERO)), [(1, 1), (2, 2), (3, 3)]);
    }

    #[test]
    fn a_window_looks_ahead_and_forgets_what_is_over() {
        let episodes = Episodes::recurring(secs(10), secs(5));
        let mut window = Window::new(&episodes, draws());
        assert_eq!(window.at(27 * SEC), Some(Episode { from: 25 * SEC, to: 30 * SEC }));
        assert_eq!(window.at(10 * SEC).map(|episode| episode.to), Some(15 * SEC));
        assert_eq!(window.at(15 * SEC), None);
        window.forget(15 * SEC);
        assert_eq!(window.known.len(), 2);
        assert!(window.at(u64::MAX / 2).is_none() && window.known.len() <= MOST_AHEAD);
    }
}
