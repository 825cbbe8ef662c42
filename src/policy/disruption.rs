//! The limits of drains and rollouts: how many replicas they may add, and how many they must leave available.

use super::quantity::Quantity;
use super::rollout::RolloutPolicy;
use super::settings::MAX_REPLICAS;

/// The limits of voluntary disruptions: drains and rollouts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DisruptionLimits {
    surge: Quantity,
    unavailable: Quantity,
}

impl DisruptionLimits {
    pub(super) fn new(rollout: &RolloutPolicy) -> Self {
        let unavailable = Quantity::Count(u32::from(rollout.max_surge.is_none()));
        Self {
            surge: rollout.max_surge.unwrap_or(Quantity::Count(0)),
            unavailable: rollout.max_unavailable.unwrap_or(unavailable),
        }
    }

    /// Returns how many surge slots there may be beside `desired` regular ones, at most [`MAX_REPLICAS`].
    pub(crate) fn max_surge(self, desired: u32) -> u32 {
        self.surge.of_rounded_up(desired).min(MAX_REPLICAS)
    }

    /// Returns how many of `desired` replicas may be down at a time; at least 1 if no surge slot may be started.
    pub(crate) fn max_unavailable(self, desired: u32) -> u32 {
        let least = u32::from(self.max_surge(desired) == 0);
        self.unavailable.of_rounded_down(desired).max(least)
    }

    /// Returns how many replicas a disruption must leave available. `desired` excludes completed slots and those that an
    /// operator has stopped; `need` is `min_available` of it.
    pub(crate) fn floor(self, desired: u32, need: u32) -> u32 {
        need.max(desired.saturating_sub(self.max_unavailable(desired)))
    }
}

#[cfg(test)]
mod tests {
    use super::Quantity::{Count, Percent};
    use super::*;

    fn limits(
        max_surge: impl Into<Option<Quantity>>,
        max_unavailable: impl Into<Option<Quantity>>,
    ) -> DisruptionLimits {
        let (max_surge, max_unavailable) = (max_surge.into(), max_unavailable.into());
        DisruptionLimits::new(&RolloutPolicy { max_surge, max_unavailable, ..RolloutPolicy::default() })
    }

    /// What is allowed with these limits and this many replicas: surge, unavailable.
    fn allowed(limits: DisruptionLimits, desired: u32) -> (u32, u32) {
        (limits.max_surge(desired), limits.max_unavailable(desired))
    }

    #[test]
    fn by_default_one_replica_is_taken_down_at_a_time_unless_there_is_a_surge() {
        assert_eq!(allowed(limits(None, None), 10), (0, 1));
        assert_eq!(allowed(limits(Count(2), None), 10), (2, 0));
        assert_eq!(allowed(limits(None, Count(3)), 10), (0, 3));
        assert_eq!(allowed(limits(Count(2), Count(3)), 10), (2, 3));
    }

    #[test]
    fn percentages_round_up_for_the_surge_and_down_for_the_unavailable() {
        let quarter = limits(Percent(25), Percent(25));
        assert_eq!([1, 3, 4, 5, 10].map(|desired| allowed(quarter, desired)), [(1, 0), (1, 0), (1, 1), (2, 1), (3, 2)]);
    }

    #[test]
    fn something_can_always_be_replaced() {
        for nothing in [Count(0), Percent(0)] {
            assert_eq!(allowed(limits(nothing, nothing), 10), (0, 1));
            assert_eq!(allowed(limits(nothing, None), 10), (0, 1));
            assert_eq!(allowed(limits(None, nothing), 10), (0, 1));
        }
        assert_eq!(allowed(limits(None, Percent(25)), 3), (0, 1));
        assert_eq!(allowed(limits(Percent(25), Percent(25)), 0), (0, 1));
    }

    #[test]
    fn the_floor_is_the_larger_of_need_and_desired_minus_max_unavailable() {
        assert_eq!(limits(None, Count(3)).floor(10, 1), 7);
        assert_eq!(limits(None, Count(3)).floor(10, 8), 8);
        assert_eq!(limits(Count(1), None).floor(10, 1), 10);
        assert_eq!(limits(None, Count(u32::MAX)).floor(10, 0), 0);
        assert_eq!(limits(None, None).floor(0, 0), 0);
    }

    #[test]
    fn a_surge_never_overflows() {
        assert_eq!(limits(Count(u32::MAX), None).max_surge(MAX_REPLICAS), MAX_REPLICAS);
        assert_eq!(limits(Percent(100), None).max_surge(u32::MAX), MAX_REPLICAS);
    }
}
