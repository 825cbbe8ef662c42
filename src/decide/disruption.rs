//! Voluntary disruptions: which replica a drain, a rollout or a scale-down may take down, and which one first.

use super::census::Census;
use super::ids::ReplicaId;
use super::set_history::SetHistory;
use crate::policy::Policy;

/// The reason for taking down a replica that has not failed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Disruption {
    /// A drain without a deadline: it waits until enough other replicas are available.
    Drain,
    /// A drain with a deadline. It starts even during an incident.
    DrainByDeadline,
    /// A rollout: the replica is replaced by one of another revision.
    Rollout,
}

/// One slot of a set that is scaled down; the argument of [`Policy::who_goes`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::exhaustive_structs, reason = "filled in by the caller, from rows of its own")]
pub struct SlotRow {
    /// The slot.
    pub replica: ReplicaId,
    /// Whether its replica is available.
    pub available: bool,
    /// Whether its replica is being drained.
    pub draining: bool,
    /// Whether its revision differs from the set's target revision.
    pub outdated: bool,
}

impl SlotRow {
    /// Creates a slot whose replica is available and has the target revision.
    pub fn available(replica: impl Into<ReplicaId>) -> Self {
        Self { replica: replica.into(), available: true, draining: false, outdated: false }
    }
}

/// Counts of a set's slots during a rollout. Completed slots and those that an operator has stopped are not counted.
///
/// Each field is one aggregate over the rows of the slots, such as `SELECT min(replica) ... WHERE revision <> 'v2'`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "filled in by the caller, from counts of its own")]
pub struct RolloutCensus {
    /// The number of regular slots of another revision.
    pub old: u32,
    /// The lowest-numbered old slot that is not available. An unknown one counts as available. Without a surge, leave out those
    /// that a scale-up has added and that start for the first time: they are replaced once they are available.
    pub old_down: Option<ReplicaId>,
    /// The lowest-numbered old slot that is available.
    pub old_available: Option<ReplicaId>,
    /// The number of regular slots of the new revision.
    pub updated: u32,
    /// Regular slots of the new revision that are available.
    pub updated_available: u32,
    /// The number of surge slots of the rollout.
    pub surge: u32,
    /// Surge slots of the rollout that are available.
    pub surge_available: u32,
    /// The lowest-numbered surge slot of the rollout that is available.
    pub surge_ready: Option<ReplicaId>,
    /// The number of surge slots of drains.
    pub surge_of_drains: u32,
    /// Whether the other slots may follow: the canaries were promoted, or there are none.
    pub promoted: bool,
}

impl RolloutCensus {
    /// Returns the number of replicas of the new revision.
    pub(crate) fn new_replicas(&self) -> u32 {
        self.updated.saturating_add(self.surge)
    }

    /// Returns the number of available replicas of the new revision.
    pub(crate) fn new_available(&self) -> u32 {
        self.updated_available.saturating_add(self.surge_available)
    }
}

/// The next step of a rollout.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::exhaustive_enums, reason = "an ignored step would stop a rollout in silence")]
pub enum RolloutStep {
    /// Start a surge slot of the new revision.
    StartSurge,
    /// Make this available surge slot regular, and stop and remove this old slot.
    Swap {
        /// The surge slot.
        surge: ReplicaId,
        /// The old slot.
        old: ReplicaId,
    },
    /// Remove a surge slot, because there is no old slot left for it to replace, or because there are more than `max_surge`;
    /// prefer one that is not available.
    RemoveSurge,
    /// Stop this old slot, and start it again at the new revision.
    Replace(ReplicaId),
    /// Wait for `bake` or for an operator, because the canaries are available. Then set [`RolloutCensus::promoted`].
    Bake,
    /// Do nothing until the counts change.
    Wait,
    /// End the rollout: every slot is available at the new revision.
    Complete,
}

impl Census {
    /// Returns how many of `desired` replicas are missing for any reason. A replica that starts for the first time and has
    /// not failed is not missing.
    #[inline]
    pub(crate) const fn missing_of(&self, desired: u32) -> u32 {
        let there = self.available.saturating_add(self.fresh).saturating_add(self.completed);
        desired.saturating_sub(there)
    }

    /// Returns the number of replicas that serve: available regular ones, and stand-ins up to the number of missing ones.
    #[inline]
    pub const fn serving(&self) -> u32 {
        self.serving_of(self.desired())
    }

    /// Computes [`serving`](Self::serving) from a known number of desired replicas.
    #[inline]
    pub(crate) const fn serving_of(&self, desired: u32) -> u32 {
        if self.stand_ins == 0 {
            return self.available;
        }
        let missing = self.missing_of(desired);
        self.available.saturating_add(if self.stand_ins < missing { self.stand_ins } else { missing })
    }

    /// Returns the number of desired replicas, without completed ones and those that an operator has stopped.
    const fn disruptable(&self) -> u32 {
        self.desired().saturating_sub(self.stopped).saturating_sub(self.completed)
    }

    /// Returns whether at least half of the set and at least two replicas are unknown. We then assume that we are partitioned.
    #[inline]
    pub(crate) const fn assumes_partition(&self, desired: u32) -> bool {
        let half = desired.div_ceil(2);
        self.unknown >= if half > 2 { half } else { 2 }
    }
}

impl Policy {
    /// Returns how many replicas a voluntary disruption must leave available: the larger of *need* and the desired number
    /// less `max_unavailable`. Completed slots and those that an operator has stopped do not count as desired.
    pub fn disruption_floor(&self, census: &Census) -> u32 {
        let compiled = self.compiled();
        compiled.rollout.limits.floor(census.disruptable(), compiled.need(census.settled()))
    }

    /// Returns whether a replica that has not failed may be taken down now. `available` is true for an available and for an
    /// unknown replica.
    ///
    /// - At least [`disruption_floor`](Self::disruption_floor) replicas must stay available.
    /// - A replica that is not available may always be taken down.
    /// - During an incident or an assumed partition, only a drain with a deadline takes replicas down.
    /// - If every replica is needed and there is no surge, a rollout may take down one replica at a time, and a drain none.
    ///
    /// ```
    /// use uphold::Policy;
    /// use uphold::decide::{Census, Disruption, SetHistory};
    ///
    /// let policy: Policy = serde_json::from_str(r#"{"replicas": 3, "failure": {"min_available": 2}, "retry": true}"#)?;
    /// let set = SetHistory::default();
    /// let all = Census { available: 3, live: 3, ..Census::default() };
    /// assert!(policy.may_disrupt(&set, &all, true, Disruption::Drain));
    ///
    /// let one_down = Census { available: 2, requested: 1, live: 2, ..Census::default() };
    /// assert!(!policy.may_disrupt(&set, &one_down, true, Disruption::Drain));
    /// assert!(policy.may_disrupt(&set, &one_down, false, Disruption::Drain));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn may_disrupt(&self, set: &SetHistory, census: &Census, available: bool, why: Disruption) -> bool {
        let holds = set.has_incident() || census.assumes_partition(census.desired());
        if holds && why != Disruption::DrainByDeadline {
            return false;
        }
        let (floor, serving) = (self.disruption_floor(census), census.serving());
        let desired = census.disruptable();
        let one_at_a_time = why == Disruption::Rollout
            && self.max_surge(census.desired()) == 0
            && self.compiled().need(census.settled()) >= desired
            && serving >= desired;
        !available || serving > floor || one_at_a_time
    }

    /// Returns the number of canaries of a rollout.
    pub(crate) fn canaries(&self, desired: u32) -> u32 {
        let max_surge = self.max_surge(desired);
        let most = if max_surge > 0 { max_surge.min(desired) } else { desired };
        self.compiled().rollout.canaries.min(most)
    }

    /// Returns the next step of a rollout. Carry it out, update the counts and call this again, until the step is
    /// [`Wait`](RolloutStep::Wait), [`Bake`](RolloutStep::Bake) or [`Complete`](RolloutStep::Complete).
    ///
    /// With a surge, slots of the new revision are started beside the old ones, and replace them once they are available.
    /// Without a surge, old slots are stopped and started again. Old slots that are not available come first, then the lowest
    /// number.
    ///
    /// ```
    /// use uphold::Policy;
    /// use uphold::decide::{Census, RolloutCensus, RolloutStep, SetHistory};
    ///
    /// let policy: Policy = serde_json::from_str(r#"{"replicas": 2, "retry": true, "rollout": {"max_surge": 1}}"#)?;
    /// let set = SetHistory::default();
    /// let census = Census { available: 2, live: 2, ..Census::default() };
    /// let begun = RolloutCensus { old: 2, old_available: Some(0.into()), promoted: true, ..RolloutCensus::default() };
    /// assert_eq!(policy.next_of_rollout(&set, &census, &begun), RolloutStep::StartSurge);
    ///
    /// let ready = RolloutCensus { surge: 1, surge_available: 1, surge_ready: Some(2.into()), ..begun };
    /// let swap = RolloutStep::Swap { surge: 2.into(), old: 0.into() };
    /// assert_eq!(policy.next_of_rollout(&set, &census, &ready), swap);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn next_of_rollout(&self, set: &SetHistory, census: &Census, rollout: &RolloutCensus) -> RolloutStep {
        let max_surge = self.max_surge(census.desired());
        let canaries = self.canaries(census.desired());
        let promoted = rollout.promoted || canaries == 0;
        if let (true, Some(surge), Some(old)) =
            (promoted, rollout.surge_ready, rollout.old_down.or(rollout.old_available))
        {
            return RolloutStep::Swap { surge, old };
        }
        if rollout.surge > rollout.old.min(max_surge.saturating_sub(rollout.surge_of_drains)) {
            return RolloutStep::RemoveSurge;
        }
        if !promoted && rollout.new_available() >= canaries {
            return RolloutStep::Bake;
        }
        if rollout.old == 0 && rollout.updated == rollout.updated_available {
            return RolloutStep::Complete;
        }
        let blocked = set.has_incident() || census.assumes_partition(census.desired());
        if blocked || (!promoted && rollout.new_replicas() >= canaries) {
            return RolloutStep::Wait;
        }
        if max_surge > 0 {
            let room = rollout.surge.saturating_add(rollout.surge_of_drains) < max_surge;
            return if room && rollout.surge < rollout.old { RolloutStep::StartSurge } else { RolloutStep::Wait };
        }
        if let Some(old) = rollout.old_down {
            return RolloutStep::Replace(old);
        }
        match rollout.old_available {
            Some(old) if self.may_disrupt(set, census, true, Disruption::Rollout) => RolloutStep::Replace(old),
            _ => RolloutStep::Wait,
        }
    }

    /// Returns the `count` slots that a scale-down removes. Slots that are not available come first, then draining ones, those
    /// of another revision, and the highest numbers. Under `scope: all` or `rest` only the number counts.
    ///
    /// ```
    /// use uphold::Policy;
    /// use uphold::decide::SlotRow;
    ///
    /// let policy: Policy = serde_json::from_str(r#"{"replicas": 3, "retry": true}"#)?;
    /// let down = SlotRow { available: false, ..SlotRow::available(0) };
    /// let slots = [down, SlotRow::available(1), SlotRow::available(2)];
    /// assert_eq!(policy.who_goes(slots, 2), [0.into(), 2.into()]);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn who_goes(&self, slots: impl IntoIterator<Item = SlotRow>, count: usize) -> Vec<ReplicaId> {
        let by_number = self.compiled().restarts_groups;
        let rank = |slot: &SlotRow| match by_number {
            true => (false, false, false, std::cmp::Reverse(slot.replica)),
            false => (slot.available, !slot.draining, !slot.outdated, std::cmp::Reverse(slot.replica)),
        };
        let mut slots: Vec<SlotRow> = slots.into_iter().collect();
        if count < slots.len() && count > 0 {
            slots.select_nth_unstable_by_key(count - 1, rank);
        }
        slots.truncate(count);
        slots.sort_unstable_by_key(rank);
        slots.into_iter().map(|slot| slot.replica).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Policy {
        serde_json::from_str(text).unwrap()
    }

    fn available(count: u32) -> Census {
        Census { available: count, live: count, ..Census::default() }
    }

    const OLD: RolloutCensus = RolloutCensus {
        old: 3,
        old_down: None,
        old_available: Some(ReplicaId(0)),
        updated: 0,
        updated_available: 0,
        surge: 0,
        surge_available: 0,
        surge_ready: None,
        surge_of_drains: 0,
        promoted: true,
    };

    fn next(policy: &Policy, census: Census, rollout: RolloutCensus) -> RolloutStep {
        policy.next_of_rollout(&SetHistory::default(), &census, &rollout)
    }

    #[test]
    fn stand_ins_count_up_to_the_number_of_missing_replicas() {
        let census = Census { available: 1, failed: 1, fresh: 1, stand_ins: 5, ..Census::default() };
        assert_eq!(census.serving(), 2);
        assert_eq!(Census { stand_ins: 0, ..census }.serving(), 1);
    }

    #[test]
    fn if_all_are_needed_a_rollout_takes_one_down_at_a_time_and_a_drain_none() {
        let policy = policy(r#"{"replicas": 3, "retry": true, "failure": {"min_available": 3}}"#);
        let (set, all) = (SetHistory::default(), available(3));
        assert!(!policy.may_disrupt(&set, &all, true, Disruption::Drain));
        assert!(policy.may_disrupt(&set, &all, true, Disruption::Rollout));
        let one_down = Census { rolling_out: 1, ..available(2) };
        assert!(!policy.may_disrupt(&set, &one_down, true, Disruption::Rollout));
    }

    #[test]
    fn nothing_is_disrupted_during_an_incident_or_an_assumed_partition() {
        let policy = policy(r#"{"replicas": 4, "retry": true}"#);
        let mut set = SetHistory::default();
        let unknown = Census { unknown: 2, ..available(2) };
        assert!(!policy.may_disrupt(&set, &unknown, false, Disruption::Drain));
        policy.resume_gradually(&mut set, crate::Timestamp::ZERO);
        assert!(!policy.may_disrupt(&set, &available(4), true, Disruption::Drain));
    }

    #[test]
    fn replicas_that_are_down_are_replaced_first() {
        let policy = policy(r#"{"replicas": 3, "retry": true}"#);
        let down = RolloutCensus { old_down: Some(2.into()), ..OLD };
        assert_eq!(next(&policy, Census { failed: 1, ..available(2) }, down), RolloutStep::Replace(2.into()));
        assert_eq!(next(&policy, available(3), OLD), RolloutStep::Replace(0.into()));
    }

    #[test]
    fn canaries_bake_before_the_rest_follow() {
        let policy = policy(r#"{"replicas": 3, "retry": true, "rollout": {"canaries": 1}}"#);
        let begun = RolloutCensus { promoted: false, ..OLD };
        assert_eq!(next(&policy, available(3), begun), RolloutStep::Replace(0.into()));
        let canary = RolloutCensus { old: 2, updated: 1, old_available: Some(1.into()), ..begun };
        assert_eq!(next(&policy, Census { rolling_out: 1, ..available(2) }, canary), RolloutStep::Wait);
        let up = RolloutCensus { updated_available: 1, ..canary };
        assert_eq!(next(&policy, available(3), up), RolloutStep::Bake);
        assert_eq!(next(&policy, available(3), RolloutCensus { promoted: true, ..up }), RolloutStep::Replace(1.into()));
    }

    #[test]
    fn surge_slots_without_an_old_slot_are_removed() {
        let policy = policy(r#"{"replicas": 3, "retry": true, "rollout": {"max_surge": 2}}"#);
        let left = RolloutCensus { old: 0, old_available: None, updated: 3, updated_available: 3, surge: 1, ..OLD };
        assert_eq!(next(&policy, available(3), left), RolloutStep::RemoveSurge);
        assert_eq!(next(&policy, available(3), RolloutCensus { surge: 0, ..left }), RolloutStep::Complete);
    }

    #[test]
    fn drains_and_rollouts_share_the_surge() {
        let policy = policy(r#"{"replicas": 3, "retry": true, "rollout": {"max_surge": 1}}"#);
        assert_eq!(next(&policy, available(3), OLD), RolloutStep::StartSurge);
        assert_eq!(next(&policy, available(3), RolloutCensus { surge_of_drains: 1, ..OLD }), RolloutStep::Wait);
    }

    #[test]
    fn under_a_group_scope_the_highest_number_goes_first() {
        let policy = policy(r#"{"replicas": 3, "retry": true, "failure": {"scope": "rest"}}"#);
        let down = SlotRow { available: false, ..SlotRow::available(0) };
        assert_eq!(policy.who_goes([down, SlotRow::available(1)], 1), [1.into()]);
        assert_eq!(policy.who_goes([down], 5), [0.into()]);
        assert!(policy.who_goes([down], 0).is_empty());
    }
}
