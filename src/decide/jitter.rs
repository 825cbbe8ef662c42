//! Jitter of delays: a hash of (seed, replica, incarnation), so that a replay gives the same delays.
//!
//! The hash is SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). It never changes between releases. Full, equal and
//! decorrelated jitter are those of "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015); spread is the `wait.Jitter` of
//! Kubernetes. In terms of the nominal delay of an attempt, the `interval`, the cap `max_interval` and the delay before:
//!
//! - none: `nominal`
//! - full: `random(0, nominal)`
//! - equal: `random(nominal / 2, nominal)`
//! - decorrelated: `random(interval, min(cap, 3 * previous))`; the blog caps the result, which accumulates delays at the cap
//! - spread by p %: `random(nominal, nominal * (1 + p / 100))`, where nominal is lowered so that the result stays within the cap

use crate::policy::Jitter;
use crate::policy::retry_schedule::{Pacing, share, with_room_for};

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of SplitMix64.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Returns a seed for a set's name, so that sets with different names do not restart in step. It is the 64-bit FNV-1a hash of
/// the name's bytes, and never changes between releases.
///
/// ```
/// assert_ne!(uphold::decide::seed_of("web"), uphold::decide::seed_of("db"));
/// ```
#[must_use]
pub const fn seed_of(name: &str) -> u64 {
    let (mut seed, mut bytes) = (0xcbf2_9ce4_8422_2325, name.as_bytes());
    while let [byte, rest @ ..] = bytes {
        seed = (seed ^ *byte as u64).wrapping_mul(0x0100_0000_01b3);
        bytes = rest;
    }
    seed
}

/// Returns the stream of one replica: a hash of the seed and the replica.
pub(crate) const fn stream(seed: u64, replica: u32) -> u64 {
    mix(mix(seed.wrapping_add(GOLDEN_GAMMA)) ^ (replica as u64).wrapping_mul(GOLDEN_GAMMA).wrapping_add(GOLDEN_GAMMA))
}

/// Returns the random number of one incarnation.
pub(crate) const fn draw(stream: u64, incarnation: u64) -> u64 {
    mix(stream.wrapping_add(incarnation.wrapping_mul(GOLDEN_GAMMA)))
}

/// Maps `draw` to a number from `low` to `high`, both included, by multiplying and shifting (Lemire 2019) without rejection: the
/// bias is below `span / 2^64`.
pub(crate) const fn between(low: u64, high: u64, draw: u64) -> u64 {
    let span = high.saturating_sub(low) as u128 + 1;
    low + ((draw as u128 * span) >> 64) as u64
}

/// Returns the delay in nanoseconds of level `level + more` under `pacing`. `previous` is the delay before it in the streak; 0 if
/// there is none.
#[inline]
pub(crate) fn delay(pacing: &Pacing, level: u32, more: u32, previous: u64, draw: impl FnOnce() -> u64) -> u64 {
    let nominal = pacing.nominal(level.saturating_add(more));
    if pacing.jitter == Jitter::None { nominal } else { jittered(pacing, nominal, more, previous, draw()) }
}

#[inline(never)]
fn jittered(pacing: &Pacing, nominal: u64, more: u32, previous: u64, draw: u64) -> u64 {
    let delay = match pacing.jitter {
        Jitter::None => nominal,
        Jitter::Equal => between(nominal - nominal / 2, nominal, draw),
        Jitter::Full => between(0, nominal, draw),
        Jitter::Decorrelated => {
            let base = pacing.interval.min(pacing.cap);
            // The delays of the `more` levels were not drawn: take the longest that they could have been.
            let grown = previous.max(base).saturating_mul(3u64.saturating_pow(more.saturating_add(1)));
            between(base, grown.max(base).min(pacing.cap), draw)
        }
        Jitter::Spread(percent) => {
            let base = nominal.min(with_room_for(pacing.cap, percent));
            between(base, base.saturating_add(share(base, percent)), draw)
        }
    };
    delay.min(pacing.cap)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::policy::retry_schedule::RetrySchedule;
    use crate::policy::{Backoff, RetryPolicy, Scope};

    const SEC: u64 = 1_000_000_000;

    fn pacing(retry: &RetryPolicy) -> Pacing {
        RetrySchedule::new("", retry, Scope::Replica, &mut 0).stages[0].pacing.clone()
    }

    fn jittered(jitter: Jitter) -> Pacing {
        let retry = RetryPolicy::every(Duration::from_secs(10)).backoff(Backoff::exponential());
        pacing(&retry.max_interval(Duration::from_secs(60)).jitter(jitter))
    }

    #[test]
    fn the_stream_is_the_same_in_every_release() {
        let draws: Vec<u64> = (1..=3).map(|incarnation| draw(stream(7, 1), incarnation)).collect();
        assert_eq!(draws, GOLDEN);
        assert_ne!(stream(0, 0), stream(0, 1));
        assert_ne!(stream(0, 1), stream(1, 0));
    }

    #[test]
    fn a_name_makes_the_same_seed_in_every_release() {
        // The test vectors of FNV-1a.
        assert_eq!(seed_of(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(seed_of("foobar"), 0x8594_4171_f739_67e8);
    }

    const GOLDEN: [u64; 3] = [8_350_474_363_831_309_248, 13_753_071_746_207_231_761, 4_740_190_731_173_404_358];

    /// 10 000 draws in ten equal parts of [low, high]: each part gets its share, and none lies outside.
    fn assert_spread(pacing: &Pacing, level: u32, low: u64, high: u64) {
        let mut parts = [0u32; 10];
        for incarnation in 0..10_000 {
            let delay = delay(pacing, level, 0, 0, || draw(stream(3, 5), incarnation));
            assert!((low..=high).contains(&delay), "{delay} is outside {low}..={high}");
            parts[((delay - low) * 10 / (high - low + 1)) as usize] += 1;
        }
        assert!(parts.iter().all(|&count| (850..1150).contains(&count)), "not spread evenly: {parts:?}");
    }

    #[test]
    fn each_jitter_spreads_evenly_within_its_bounds() {
        assert_spread(&jittered(Jitter::Equal), 1, 10 * SEC, 20 * SEC);
        assert_spread(&jittered(Jitter::Full), 1, 0, 20 * SEC);
        assert_spread(&jittered(Jitter::Decorrelated), 0, 10 * SEC, 30 * SEC);
        assert_spread(&jittered(Jitter::Spread(25)), 1, 20 * SEC, 25 * SEC);
    }

    #[test]
    fn the_cap_is_hard_and_keeps_its_spread() {
        assert_spread(&jittered(Jitter::Equal), 9, 30 * SEC, 60 * SEC);
        assert_spread(&jittered(Jitter::Spread(25)), 9, 48 * SEC, 60 * SEC);
        let pacing = jittered(Jitter::Decorrelated);
        for incarnation in 0..1000 {
            assert!(delay(&pacing, 0, 0, 59 * SEC, || draw(1, incarnation)) <= 60 * SEC);
        }
    }

    #[test]
    fn steps_beyond_the_level_grow_every_delay() {
        let pacing = jittered(Jitter::Decorrelated);
        let longest = |more| (0..1000).map(|n| delay(&pacing, 0, more, 0, || draw(1, n))).max().unwrap();
        assert!(longest(0) <= 30 * SEC && longest(1) > 50 * SEC && longest(9) <= 60 * SEC);
        assert_eq!(delay(&jittered(Jitter::None), 1, 1, 0, || 1), 40 * SEC);
    }

    #[test]
    fn without_jitter_the_delay_is_the_nominal_one() {
        let pacing = jittered(Jitter::None);
        assert_eq!((0..4).map(|level| delay(&pacing, level, 0, 0, || 1) / SEC).collect::<Vec<_>>(), [10, 20, 40, 60]);
    }

    #[test]
    fn the_ends_of_the_range_do_not_overflow() {
        let longest = RetryPolicy::every(Duration::MAX).max_interval(Duration::MAX);
        for jitter in [Jitter::Equal, Jitter::Full, Jitter::Decorrelated, Jitter::Spread(100), Jitter::None] {
            for draw in [0, u64::MAX] {
                let _ = delay(&pacing(&longest.clone().jitter(jitter)), u32::MAX, u32::MAX, u64::MAX, || draw);
            }
        }
        assert_eq!(between(0, u64::MAX, u64::MAX), u64::MAX);
        assert_eq!(between(5, 5, u64::MAX), 5);
    }
}
