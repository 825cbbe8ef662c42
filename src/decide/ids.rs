//! Identifiers of a slot, of its starts, and of the instance that one start made.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// The number of a slot of a set, from 0.
///
/// ```
/// assert_eq!(uphold::ReplicaId::from(2).to_string(), "2");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReplicaId(pub u32);

impl ReplicaId {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

impl From<u32> for ReplicaId {
    fn from(id: u32) -> Self {
        Self(id)
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

/// The number of a start of a replica, from 1.
///
/// It increases with each start and never repeats, so that an event about an earlier start is recognised as stale. 0 is a replica
/// that was never started.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(pub u64);

impl Incarnation {
    /// The highest incarnation that a set adopts from a list or an event: 2^62. Numbering continues after it, within a signed 64-bit
    /// column.
    pub const LAST_ADOPTED: Self = Self(1 << 62);

    /// Returns the next incarnation.
    pub(crate) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl From<u64> for Incarnation {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// One instance: a replica and the number of the start that made it. Events and commands about an instance carry both.
///
/// A pair converts into it, so that `Event::ready((2, 7))` works as well. Ordered by replica, then by incarnation.
///
/// ```
/// use uphold::{Event, InstanceId};
///
/// let instance = InstanceId::new(2, 7);
/// assert_eq!(instance.to_string(), "replica 2 incarnation 7");
/// assert_eq!(Event::ready(instance), Event::ready((2, 7)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "a pair of identifiers")]
pub struct InstanceId {
    /// The replica.
    pub replica: ReplicaId,
    /// The number of the start.
    pub incarnation: Incarnation,
}

impl InstanceId {
    /// Creates the identifier of the instance that one start of a replica made.
    pub fn new(replica: impl Into<ReplicaId>, incarnation: impl Into<Incarnation>) -> Self {
        Self { replica: replica.into(), incarnation: incarnation.into() }
    }

    /// Returns the range of all instances of a replica.
    pub(crate) const fn all_of(replica: ReplicaId) -> RangeInclusive<Self> {
        Self { replica, incarnation: Incarnation(0) }..=Self { replica, incarnation: Incarnation(u64::MAX) }
    }
}

impl<R: Into<ReplicaId>, I: Into<Incarnation>> From<(R, I)> for InstanceId {
    fn from((replica, incarnation): (R, I)) -> Self {
        Self::new(replica, incarnation)
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "replica {} incarnation {}", self.replica, self.incarnation)
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}{:?}", self.replica, self.incarnation)
    }
}

/// Implements `instance` for a struct with the fields `replica` and `incarnation`. The struct has no field of type
/// `InstanceId` because serialised forms are flat, and binary formats do not support `#[serde(flatten)]`.
macro_rules! impl_instance {
    ($($type:ident $(<$lifetime:lifetime>)?),+) => {$(
        impl $type $(<$lifetime>)? {
            /// Returns the instance that this is about.
            #[inline]
            pub const fn instance(&self) -> $crate::decide::InstanceId {
                $crate::decide::InstanceId { replica: self.replica, incarnation: self.incarnation }
            }
        }
    )+};
}

pub(crate) use impl_instance;
