//! A counter-based random number generator: each number is a hash of its key, independent of how many were drawn before.
//!
//! A run is therefore reproducible, and policies compared under one seed see common random numbers. The hash is the
//! finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), applied once per part of the key. Streams never change
//! between releases.

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A random stream, identified by its key. Reading a number does not change it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RandomStream(u64);

/// What a stream is used for. The numbers are part of the key: never change or reuse one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub(super) enum StreamId {
    Start = 1,
    Ready = 2,
    Stop = 3,
    StartError = 4,
    Failure = 5,
    Outcome = 6,
    Drought = 7,
    DroughtHit = 8,
    Dependency = 9,
    DependencyCrash = 10,
    LostContact = 11,
    Node = 12,
    Zone = 13,
    Placement = 14,
}

impl RandomStream {
    /// Returns the stream for one use under a seed. `index` distinguishes parts of the same kind, such as two failure
    /// modes.
    pub(super) const fn new(seed: u64, id: StreamId, index: u64) -> Self {
        Self(mix(seed.wrapping_add(GOLDEN_GAMMA))).substream(id as u64).substream(index)
    }

    /// Returns the stream for one key within this stream, such as a replica or one of its starts.
    pub(super) const fn substream(self, key: u64) -> Self {
        Self(mix(self.0.wrapping_add(key.wrapping_add(1).wrapping_mul(GOLDEN_GAMMA))))
    }

    #[cfg(test)]
    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    /// Returns a number uniform in the open interval (0, 1).
    pub(super) const fn uniform(self) -> f64 {
        ((self.0 >> 12) as f64 + 0.5) * (1.0 / (1u64 << 52) as f64)
    }

    /// Returns an integer uniform in `0..bound`; 0 if `bound` is 0.
    pub(super) const fn below(self, bound: u64) -> u64 {
        ((self.0 as u128 * bound as u128) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_the_same_in_every_release() {
        let stream = RandomStream::new(7, StreamId::Failure, 0);
        assert_eq!([stream.bits(), stream.substream(0).bits(), stream.substream(1).substream(2).bits()], GOLDEN);
    }

    const GOLDEN: [u64; 3] = [708_016_018_272_819_395, 2_760_123_683_465_345_295, 9_901_736_053_413_794_075];

    #[test]
    fn every_part_of_the_key_changes_the_stream() {
        let stream = RandomStream::new(7, StreamId::Failure, 0);
        let others = [
            RandomStream::new(8, StreamId::Failure, 0),
            RandomStream::new(7, StreamId::Outcome, 0),
            RandomStream::new(7, StreamId::Failure, 1),
        ];
        for other in others {
            assert_ne!(stream.substream(1).substream(2).bits(), other.substream(1).substream(2).bits());
        }
        assert_ne!(stream.substream(1).substream(2).bits(), stream.substream(2).substream(1).bits());
        assert_ne!(stream.substream(0).bits(), stream.bits());
    }

    #[test]
    fn uniform_numbers_are_spread_evenly_and_never_0_or_1() {
        let mut deciles = [0u32; 10];
        for index in 0..10_000 {
            let number = RandomStream::new(3, StreamId::Start, 0).substream(index).uniform();
            assert!(number > 0.0 && number < 1.0, "{number}");
            deciles[(number * 10.0) as usize] += 1;
        }
        assert!(deciles.iter().all(|count| (850..1150).contains(count)), "{deciles:?}");
        assert!(RandomStream(0).uniform() > 0.0);
        assert!(RandomStream(u64::MAX).uniform() < 1.0);
    }

    #[test]
    fn integers_are_below_their_bound() {
        assert_eq!(RandomStream(u64::MAX).below(3), 2);
        assert_eq!(RandomStream(0).below(3), 0);
        assert_eq!(RandomStream(u64::MAX).below(0), 0);
    }
}
