//! The snapshot of a set: its whole state, to be stored and restored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::contact::{Contact, Lost};
use super::evidence::Health;
use super::group::Group;
use super::invariants::Violation;
use super::messages::Messages;
use super::output::{Command, StatusShown, Stop};
use super::replace::ConfiguredSizes;
use super::replica::{NextPhase, Phase, Replica, ReplicaFlags};
use super::slots::Slots;
use super::state::ReplicaSet;
use super::strays::{Stray, Strays};
use super::tally::Tally;
use crate::decide::{Gate, Incarnation, InstanceId, ReplicaId, SetHistory, StartKind};
use crate::policy::{BudgetEmpty, Cause, CompiledBudget, Layout, Policy};
use crate::time::Timestamp;

/// The version of the snapshots that this release writes.
const VERSION: u8 = 2;

/// The whole state of a set, to be stored in any serde format and restored by [`ReplicaSet::restore`].
///
/// The fields are private. The format carries a version.
///
/// ```
/// use uphold::{Policy, ReplicaSet, Timestamp};
///
/// let policy = Policy::builder().replicas(3).build()?;
/// let set = ReplicaSet::new(policy.clone(), 7, Timestamp::ZERO);
/// let stored = serde_json::to_string(&set.snapshot())?;
///
/// let restored = ReplicaSet::restore(policy, serde_json::from_str(&stored)?, Timestamp::from_secs(60))?;
/// assert_eq!(restored.desired(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    version: u8,
    taken_at: Timestamp,
    seed: u64,
    desired: u32,
    ending: bool,
    /// The rules whose streaks and windows are kept.
    layout: Layout,
    /// The numbers of slots in its policy; `scale` may have changed the number of replicas since.
    configured: ConfiguredSizes,
    /// The budget of its policy: restarts, and nanoseconds.
    budget: Option<(u32, u64)>,
    set: SetHistory,
    replicas: Vec<Replica>,
    group: Option<Group>,
    lost: Vec<(ReplicaId, Lost)>,
    #[serde(default)]
    listed_at: Timestamp,
    #[serde(default)]
    #[serde(rename = "heard_at")]
    last_seen: Vec<Timestamp>,
    #[serde(default)]
    strays: Vec<(ReplicaId, Incarnation, Stray)>,
    health: Health,
    /// Restart delays that count from the end of a failed replica that is being stopped, in nanoseconds.
    #[serde(default)]
    delays: Vec<(ReplicaId, u64)>,
    /// Stops that are withheld until the first `handle_timeout`.
    #[serde(default)]
    withheld: Vec<Stop>,
    #[serde(default)]
    messages: Messages,
    /// The named causes of failures, in the order of their codes.
    #[serde(default)]
    cause_names: Vec<Cause>,
    /// Stand-ins, drains and rollouts.
    #[serde(default)]
    slots: Option<Slots>,
    shown: Option<StatusShown>,
    tally: Tally,
}

/// Why a snapshot cannot be restored.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// It has a version that this release cannot read.
    #[error("version {0} of the snapshot is not known to this release, which reads version {VERSION}")]
    Version(u8),
    /// It violates an invariant.
    #[error("the snapshot is damaged: {0}")]
    Damaged(#[from] Violation),
}

impl ReplicaSet {
    /// Returns the state of the set. All outputs must have been drained; debug builds check this.
    pub fn snapshot(&self) -> Snapshot {
        debug_assert!(self.outputs.is_empty(), "outputs that were not drained are not part of a snapshot");
        let contact = self.cold.get().map(|cold| &cold.contact);
        let strays = self.strays().into_iter().flat_map(Strays::iter);
        Snapshot {
            version: VERSION,
            taken_at: self.now,
            seed: self.seed,
            desired: self.desired,
            ending: self.ending,
            layout: self.policy.layout().clone(),
            configured: self.policy.configured_sizes(),
            budget: self.policy.compiled().budget.map(|budget| (budget.restarts, budget.per)),
            set: self.set.clone(),
            replicas: self.replicas.clone(),
            group: self.group(),
            lost: contact.map(|contact| contact.lost.clone().into_iter().collect()).unwrap_or_default(),
            listed_at: contact.map_or(Timestamp::ZERO, |contact| contact.listed_at),
            last_seen: contact.map(|contact| contact.last_seen.clone()).unwrap_or_default(),
            strays: strays.map(|(id, stray)| (id.replica, id.incarnation, stray)).collect(),
            health: self.health().cloned().unwrap_or_default(),
            delays: self.cold.get().map(|cold| cold.delays.clone().into_iter().collect()).unwrap_or_default(),
            withheld: self.cold.get().map(|cold| cold.withheld_stops().collect()).unwrap_or_default(),
            messages: self.cold.get().map(|cold| cold.messages.clone()).unwrap_or_default(),
            cause_names: self.cold.get().map(|cold| cold.cause_names.clone()).unwrap_or_default(),
            slots: self.slots.get().cloned(),
            shown: self.shown,
            tally: self.tally.counted_up(&self.counts.census, self.now),
        }
    }

    /// Restores a set from a snapshot, under the same policy or another one.
    ///
    /// No command is issued before the first [`handle_timeout`](Self::handle_timeout), so that
    /// [`observe`](Self::observe) can come first. If several restarts, trials or holds fell due in the meantime, they are
    /// released gradually, as after an incident. A `now` before the snapshot was taken shifts all its times, so that ages
    /// are kept. A changed policy applies as by [`replace_policy`](Self::replace_policy).
    ///
    /// # Errors
    /// The snapshot has an unknown version, or violates an invariant.
    pub fn restore(policy: Policy, snapshot: Snapshot, now: Timestamp) -> Result<Self, RestoreError> {
        if snapshot.version != VERSION {
            return Err(RestoreError::Version(snapshot.version));
        }
        let now = now.min(Timestamp::LATEST);
        let Snapshot { taken_at, seed, desired, ending, layout, configured, budget, .. } = snapshot;
        let mut set = Self::empty(policy, seed, now);
        set.desired = desired;
        set.ending = ending;
        set.set = snapshot.set;
        set.replicas = snapshot.replicas;
        if let Some(group) = snapshot.group {
            set.cold.get_or_init().group = Some(group);
        }
        if !snapshot.lost.is_empty() {
            let lost: BTreeMap<_, _> = snapshot.lost.into_iter().collect();
            let overdue = lost.iter().filter(|(_, lost)| lost.overdue).map(|(id, _)| *id).collect();
            set.cold.get_or_init().contact = Contact { lost, overdue, ..Contact::default() };
        }
        if snapshot.listed_at > Timestamp::ZERO || !snapshot.last_seen.is_empty() {
            let contact = &mut set.cold.get_or_init().contact;
            contact.listed_at = snapshot.listed_at;
            contact.last_seen = snapshot.last_seen;
        }
        for (replica, incarnation, stray) in snapshot.strays {
            set.cold.get_or_init().strays.insert(InstanceId { replica, incarnation }, stray);
        }
        if snapshot.health != Health::default() {
            set.cold.get_or_init().health = snapshot.health;
        }
        if !snapshot.delays.is_empty() {
            set.cold.get_or_init().delays = snapshot.delays.into_iter().collect();
        }
        if !snapshot.messages.is_empty() {
            set.cold.get_or_init().messages = snapshot.messages;
        }
        if !snapshot.cause_names.is_empty() {
            set.cold.get_or_init().cause_names = snapshot.cause_names;
        }
        if let Some(slots) = snapshot.slots {
            *set.slots.get_or_init() = slots;
        }
        set.shown = snapshot.shown;
        let mut tally = snapshot.tally;
        if now < taken_at {
            let ahead = taken_at.nanos_since(now);
            let by = |at: Timestamp| if at.is_never() { at } else { at.minus_nanos(ahead) };
            set.shift(by);
            tally.shift(by);
        }
        set.check_kept(taken_at.min(now))?;
        set.restore_slots();
        for stop in snapshot.withheld {
            if set.waits_for_end_of(stop.instance()) {
                set.cold.get_or_init().withheld.push(Command::Stop(stop));
            }
        }
        set.rearm_strays();
        set.rebuild(taken_at.min(now));
        set.check_rebuilt()?;
        // Replicas were counted in their buckets throughout the downtime.
        tally.repair(now);
        set.tally = tally;
        set.carry_over(&layout);
        let budget = budget.map(|(restarts, per)| CompiledBudget { restarts, per, empty: BudgetEmpty::Wait });
        set.set.rescale_budget(budget, set.policy.compiled().budget, taken_at.min(now));
        // An incident that holds restarts back came from `correlated`; one that came from downtime does not.
        if set.set.is_holding() && set.policy.compiled().correlated.is_none() {
            set.end_incident();
        }
        if !set.has_ended() {
            set.adopt_scaling(configured);
        }
        // A status deadline that passed in the meantime precedes the starts that are due now.
        let mut shown = set.set.clone();
        let next = set.policy.assess_of(&mut shown, &set.counts.census, set.desired, taken_at.min(now));
        set.set_deadlines.set_status(next);
        Ok(set)
    }

    /// Whether this instance was asked to stop and its end is not confirmed.
    fn waits_for_end_of(&self, instance: InstanceId) -> bool {
        let stops = |replica: &Replica| {
            replica.phase == Phase::Stopping && replica.history.incarnation() == instance.incarnation
        };
        self.is_stray(instance) || self.replicas.get(instance.replica.index()).is_some_and(stops)
    }

    fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp + Copy) {
        self.set.shift(by);
        if let Some(cold) = self.cold.get_mut() {
            cold.health.shift(by);
            cold.contact.shift(by);
            cold.strays.shift(by);
            cold.group.iter_mut().for_each(|group| group.not_before = by(group.not_before));
        }
        if let Some(slots) = self.slots.get_mut() {
            slots.shift(by);
        }
        for replica in &mut self.replicas {
            replica.history.shift(by);
            replica.due = by(replica.due);
            replica.since = by(replica.since);
        }
    }

    /// Rebuilds counts, deadlines and the queue, which are derived from the replicas.
    fn rebuild(&mut self, taken_at: Timestamp) {
        let count = self.replicas.len();
        self.deadlines.grow(count);
        self.make_room_for_probes(count);
        self.make_room_for_unready(count);
        if let Some(cold) = self.cold.get_mut() {
            cold.health.acted = 0;
            cold.group.iter_mut().for_each(|group| group.stopping = 0);
        }
        let (mut overdue, mut group_in_flight) = (0, 0);
        for index in 0..count as u32 {
            let id = ReplicaId(index);
            let now = self.now;
            let replica = &mut self.replicas[id.index()];
            let flags = replica.flags;
            let available = replica.bucket.is_available() && replica.phase == Phase::Ready;
            replica.bucket = super::replica::CensusBucket::None;
            for transient in [ReplicaFlags::AWAITING, ReplicaFlags::ENDING, ReplicaFlags::EXEMPT_GIVEN_UP] {
                replica.flags.clear(transient);
            }
            let timed = match replica.phase {
                Phase::Waiting => {
                    matches!(replica.kind, StartKind::Restart { .. } | StartKind::Exempt)
                        && !flags.has(ReplicaFlags::QUEUED)
                }
                phase => phase == Phase::Quarantined,
            };
            overdue += u32::from(timed && replica.due > taken_at && replica.due <= now);
            self.counts.census.live += u32::from(self.replicas[id.index()].phase.is_live());
            self.counts.census.in_flight += u32::from(flags.has(ReplicaFlags::IN_FLIGHT));
            self.counts.census.starting += u32::from(flags.has(ReplicaFlags::HOLDS_PLACE));
            let stops = replica_stops_for_group(&self.replicas[id.index()]);
            if let Some(group) = self.group_mut().filter(|group| stops && id >= group.from) {
                group.stopping += 1;
            }
            group_in_flight += u32::from(flags.has(ReplicaFlags::IN_GROUP));
            if flags.has(ReplicaFlags::ACTED) {
                self.cold.get_or_init().health.acted += 1;
            }
            let joining = flags.has(ReplicaFlags::JOINING);
            self.counts.census.joining += u32::from(joining);
            self.recount(id);
            if available {
                self.make_available(id);
            }
            if flags.has(ReplicaFlags::QUEUED) {
                self.enqueue(id);
            }
            self.resume_probes(id, now > taken_at);
            self.resume_evidence(id, now.nanos_since(taken_at));
            self.resume_order(id);
            if flags.has(ReplicaFlags::ON_TRIAL) {
                self.cold.get_or_init().trials.insert(id);
            }
            self.retime(id);
        }
        self.queue.forget_new();
        if group_in_flight > 0 {
            self.cold.get_or_init().group_in_flight = group_in_flight;
            self.counts.census.starting += 1;
        }
        if overdue > 1 {
            self.set.resume_gradually(self.now);
        }
    }
}

impl Snapshot {
    /// Returns when the snapshot was taken, in the time of the set.
    pub fn taken_at(&self) -> Timestamp {
        self.taken_at
    }
}

/// Whether its group waits for its end.
fn replica_stops_for_group(replica: &Replica) -> bool {
    replica.phase == Phase::Stopping && replica.after == NextPhase::Start && replica.gate == Gate::Group
}
