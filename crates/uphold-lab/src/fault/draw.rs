//! Draws: hashes of what is drawn, so that a run can be repeated and several policies see the same random numbers.
//!
//! SplitMix64's finaliser (Steele, Lea and Flood, OOPSLA 2014), chained over the parts of the key. A stream never
//! changes between releases.

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A source of draws of one kind. What comes out depends on the key alone, not on what was drawn before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Draws(u64);

/// What is drawn. The numbers are part of the streams: they never change and are never given to something else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub(super) enum Kind {
    Start = 1,
    Ready = 2,
    Stop = 3,
    Refused = 4,
    Failure = 5,
    Cause = 6,
    Drought = 7,
    Refuses = 8,
    Dependency = 9,
    DependencyCrash = 10,
    Contact = 11,
    Node = 12,
    Zone = 13,
    Placement = 14,
}

impl Draws {
    /// The draws of one kind under a seed; `place` is which of several of that kind.
    pub(super) const fn new(seed: u64, kind: Kind, place: u64) -> Self {
        Self(mix(seed.wrapping_add(GOLDEN_GAMMA))).of(kind as u64).of(place)
    }

    /// The draws for one thing among these, such as a replica.
    pub(super) const fn of(self, key: u64) -> Self {
        Self(mix(self.0.wrapping_add(key.wrapping_add(1).wrapping_mul(GOLDEN_GAMMA))))
    }

    #[cfg(test)]
    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    /// The draw as a number between 0 and 1, neither included.
    pub(super) const fn uniform(self) -> f64 {
        ((self.0 >> 12) as f64 + 0.5) * (1.0 / (1u64 << 52) as f64)
    }

    /// The draw as one of `count` places; 0 if there is none.
    pub(super) const fn below(self, count: u64) -> u64 {
        ((self.0 as u128 * count as u128) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_the_same_in_every_release() {
        let draws = Draws::new(7, Kind::Failure, 0);
        assert_eq!([draws.bits(), draws.of(0).bits(), draws.of(1).of(2).bits()], GOLDEN);
    }

    const GOLDEN: [u64; 3] = [708_016_018_272_819_395, 2_760_123_683_465_345_295, 9_901_736_053_413_794_075];

    #[test]
    fn every_part_of_the_key_tells_draws_apart() {
        let draws = Draws::new(7, Kind::Failure, 0);
        let others = [Draws::new(8, Kind::Failure, 0), Draws::new(7, Kind::Cause, 0), Draws::new(7, Kind::Failure, 1)];
        for other in others {
            assert_ne!(draws.of(1).of(2).bits(), other.of(1).of(2).bits());
        }
        assert_ne!(draws.of(1).of(2).bits(), draws.of(2).of(1).bits());
        assert_ne!(draws.of(0).bits(), draws.bits());
    }

    #[test]
    fn uniform_draws_are_spread_evenly_and_never_0_or_1() {
        let mut parts = [0u32; 10];
        for index in 0..10_000 {
            let draw = Draws::new(3, Kind::Start, 0).of(index).uniform();
            assert!(draw > 0.0 && draw < 1.0, "{draw}");
            parts[(draw * 10.0) as usize] += 1;
        }
        assert!(parts.iter().all(|count| (850..1150).contains(count)), "{parts:?}");
        assert!(Draws(0).uniform() > 0.0);
        assert!(Draws(u64::MAX).uniform() < 1.0);
    }

    #[test]
    fn places_are_below_their_count() {
        assert_eq!(Draws(u64::MAX).below(3), 2);
        assert_eq!(Draws(0).below(3), 0);
        assert_eq!(Draws(u64::MAX).below(0), 0);
    }
}
