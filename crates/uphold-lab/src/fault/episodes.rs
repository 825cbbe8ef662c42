//! Episodes: periods in which a fault holds, such as an outage of a dependency.

use std::collections::VecDeque;
use std::time::Duration;

use uphold::Timestamp;

use super::distribution::Distribution;
use super::random::RandomStream;

/// The shortest gap between two episodes, in nanoseconds. It bounds the number of episodes per simulated second.
const MIN_GAP: u64 = 1_000_000_000;

/// The most episodes an [`EpisodeLookup`] caches. It bounds the memory a lookup far in the future can use.
const MAX_LOOKAHEAD: usize = 100_000;

/// The times at which a fault holds: once at a given time, or recurring at random times.
///
/// In documents: `{from: 2h, lasts: 5m}`, or `{every: {exponential: {mean: 7d}}, lasts: 10m}`. `every` is the gap from
/// the end of one episode to the start of the next, at least 1 s. Both `every` and `lasts` are [`Distribution`]s.
/// Without `lasts` an episode lasts until the end of the run.
///
/// ```
/// use std::time::Duration;
/// use uphold_lab::fault::{Distribution, Episodes};
///
/// let maintenance = Episodes::once(Duration::from_secs(3600), Duration::from_secs(300));
/// let outages = Episodes::recurring(
///     Distribution::exponential(Duration::from_secs(7 * 86_400))?,
///     Duration::from_secs(600),
/// );
/// assert_eq!(maintenance.get_from(), Some(uphold::Timestamp::from_secs(3600)));
/// assert_eq!(outages.get_lasts(), &Distribution::fixed(Duration::from_secs(600)));
/// # Ok::<(), uphold_lab::fault::DistributionError>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Episodes {
    schedule: Schedule,
    lasts: Distribution,
}

#[derive(Clone, PartialEq, Debug)]
enum Schedule {
    /// At this time, in nanoseconds.
    Once(u64),
    /// With this gap before each episode.
    Recurring(Distribution),
}

impl Episodes {
    /// Returns a single episode that starts at `from`, counted from the start of the run.
    pub fn once(from: Duration, lasts: impl Into<Distribution>) -> Self {
        let from = (Timestamp::ZERO + from).as_nanos();
        Self { schedule: Schedule::Once(from), lasts: lasts.into() }
    }

    /// Returns recurring episodes. `every` is the gap from the start of the run, or from the end of an episode, to the
    /// start of the next; at least 1 s.
    pub fn recurring(every: impl Into<Distribution>, lasts: impl Into<Distribution>) -> Self {
        Self { schedule: Schedule::Recurring(every.into()), lasts: lasts.into() }
    }

    /// Returns when the single episode starts; `None` if the episodes recur.
    pub fn get_from(&self) -> Option<Timestamp> {
        match &self.schedule {
            Schedule::Once(from) => Some(Timestamp::from_nanos(*from)),
            Schedule::Recurring(_) => None,
        }
    }

    /// Returns the gap before each recurring episode; `None` if there is a single episode.
    pub fn get_every(&self) -> Option<&Distribution> {
        match &self.schedule {
            Schedule::Once(_) => None,
            Schedule::Recurring(every) => Some(every),
        }
    }

    /// Returns how long an episode lasts.
    pub fn get_lasts(&self) -> &Distribution {
        &self.lasts
    }

    /// Returns the episodes drawn from `stream`, in order of time.
    pub(super) fn sample_iter(&self, stream: RandomStream) -> EpisodeIter<'_> {
        EpisodeIter { episodes: self, stream, index: 0, previous_end: 0 }
    }
}

/// One episode: the half-open interval `from..to`, in nanoseconds since the start of the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Episode {
    pub(super) from: u64,
    pub(super) to: u64,
}

/// The iterator that [`Episodes::sample_iter`] returns.
#[derive(Clone, Debug)]
pub(super) struct EpisodeIter<'m> {
    episodes: &'m Episodes,
    stream: RandomStream,
    index: u64,
    previous_end: u64,
}

impl Iterator for EpisodeIter<'_> {
    type Item = Episode;

    fn next(&mut self) -> Option<Episode> {
        let from = match &self.episodes.schedule {
            Schedule::Once(from) => (self.index == 0).then_some(*from)?,
            Schedule::Recurring(every) => {
                let gap = every.sample(self.stream.substream(0), self.index)?.max(MIN_GAP);
                self.previous_end.checked_add(gap)?
            }
        };
        let lasts = self.episodes.lasts.sample(self.stream.substream(1), self.index).unwrap_or(u64::MAX);
        let to = from.saturating_add(lasts);
        self.index += 1;
        self.previous_end = to;
        Some(Episode { from, to })
    }
}

/// Answers whether an episode holds at a given time, now or later. Caches the episodes around the current time.
#[derive(Clone, Debug)]
pub(super) struct EpisodeLookup<'m> {
    upcoming: EpisodeIter<'m>,
    cached: VecDeque<Episode>,
    exhausted: bool,
}

impl<'m> EpisodeLookup<'m> {
    pub(super) fn new(episodes: &'m Episodes, stream: RandomStream) -> Self {
        Self { upcoming: episodes.sample_iter(stream), cached: VecDeque::new(), exhausted: false }
    }

    /// Removes the episodes that have ended by `now`. [`find`](Self::find) must not be called for earlier times
    /// afterwards.
    pub(super) fn discard_until(&mut self, now: u64) {
        while self.cached.front().is_some_and(|episode| episode.to <= now) {
            self.cached.pop_front();
        }
    }

    /// Returns the episode that holds at `at`.
    pub(super) fn find(&mut self, at: u64) -> Option<Episode> {
        while !self.exhausted
            && self.cached.back().is_none_or(|last| last.from <= at)
            && self.cached.len() < MAX_LOOKAHEAD
        {
            match self.upcoming.next() {
                Some(episode) => self.cached.push_back(episode),
                None => self.exhausted = true,
            }
        }
        let first_not_ended = self.cached.partition_point(|episode| episode.to <= at);
        self.cached.get(first_not_ended).copied().filter(|episode| episode.from <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::StreamId;
    use super::*;

    const SEC: u64 = 1_000_000_000;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn stream() -> RandomStream {
        RandomStream::new(7, StreamId::Drought, 0)
    }

    fn times(episodes: &Episodes) -> Vec<(u64, u64)> {
        episodes.sample_iter(stream()).take(3).map(|episode| (episode.from / SEC, episode.to / SEC)).collect()
    }

    #[test]
    fn a_single_episode_occurs_once() {
        assert_eq!(times(&Episodes::once(secs(60), secs(5))), [(60, 65)]);
        assert_eq!(times(&Episodes::once(secs(60), Distribution::never())), [(60, u64::MAX / SEC)]);
    }

    #[test]
    fn the_gap_counts_from_the_end_of_the_previous_episode() {
        assert_eq!(times(&Episodes::recurring(secs(10), secs(5))), [(10, 15), (25, 30), (40, 45)]);
    }

    #[test]
    fn the_shortest_gap_is_a_second() {
        assert_eq!(times(&Episodes::recurring(Duration::ZERO, Duration::ZERO)), [(1, 1), (2, 2), (3, 3)]);
    }

    #[test]
    fn a_lookup_reads_ahead_and_discards_what_has_ended() {
        let episodes = Episodes::recurring(secs(10), secs(5));
        let mut lookup = EpisodeLookup::new(&episodes, stream());
        assert_eq!(lookup.find(27 * SEC), Some(Episode { from: 25 * SEC, to: 30 * SEC }));
        assert_eq!(lookup.find(10 * SEC).map(|episode| episode.to), Some(15 * SEC));
        assert_eq!(lookup.find(15 * SEC), None);
        lookup.discard_until(15 * SEC);
        assert_eq!(lookup.cached.len(), 2);
        assert!(lookup.find(u64::MAX / 2).is_none() && lookup.cached.len() <= MAX_LOOKAHEAD);
    }
}
