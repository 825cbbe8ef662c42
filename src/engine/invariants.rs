//! The invariants of a set's state between two mutations.
//!
//! [`ReplicaSet::check_kept`] checks the state that a snapshot keeps; `restore` refuses a snapshot that fails it.
//! [`ReplicaSet::check_invariants`] also checks the derived state, in debug builds and property tests.

use super::cause_counts::{CauseCode, CauseSums};
use super::replica::{CensusBucket, NextPhase, Phase, Replica, ReplicaFlags};
use super::slots::{MAX_SLOTS, Role};
use super::state::ReplicaSet;
use super::strays::Strays;
use crate::decide::{Census, Gate, Incarnation, InstanceId, ReplicaId, StartKind, Status};
use crate::time::Timestamp;

/// Debug builds check sets of up to this many replicas after each mutation.
#[cfg(debug_assertions)]
const CHECKED_IN_DEBUG: usize = 32;

macro_rules! invariants {
    ($($(#[$attribute:meta])* $variant:ident = $name:literal, $says:literal;)*) => {
        /// A property of every set's state between two mutations.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[non_exhaustive]
        pub enum Invariant {
            $(#[doc = $says] $(#[$attribute])* $variant,)*
        }

        impl Invariant {
            /// Returns a name for logs.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns what the invariant requires.
            pub const fn statement(self) -> &'static str {
                match self { $(Self::$variant => $says,)* }
            }
        }
    };
}

invariants! {
    KnownReplicas = "known-replicas", "every replica that is referred to exists, and there are at most 5000000";
    PastTimes = "past-times", "no recorded time is later than the last mutation";
    Liveness = "liveness", "a replica is live if and only if its history says so";
    Membership = "membership", "the replicas asked for belong to the set, and all others are removed or being stopped";
    OpenGate = "open-gate", "a waiting replica is due at a known time, or waits for a gate that opens";
    AfterStop = "after-stop", "a replica that stops for a restart then waits for a gate that opens";
    EndTold = "end-told", "a set that has ended starts nothing and has stopped every replica or asked it to stop";
    FinalStatus = "final-status", "a final status agrees with the state of all replicas";
    StartPlaces = "start-places", "only a start in progress occupies a place of max_concurrent_starts";
    Readiness = "readiness", "a ready replica was reported ready by the backend, at a known time";
    Contact = "contact", "an unknown replica is out of contact, and only live replicas are out of contact";
    ProbePlaces = "probe-places", "only a replica that can become available occupies a place of max_probe_restarts";
    Group = "group", "the leader of a group is a member, and is due at a known time or after an awaited end";
    Incident = "incident", "an incident waits for a known time or for starts in progress, and every trial belongs to it";
    Strays = "strays", "a stray is not a current instance, is killed at a known time, and its slot starts nothing";
    Ties = "ties", "an extra slot is tied to a regular one, or to none";
    Drains = "drains", "an open drain is of a replica that is being drained, or of an instance that was asked to stop";
    Exempt = "exempt", "failures of extra slots do not count against the set";
    FreeSlots = "free-slots", "the slots to be used next are no part of the set, and have neither an instance nor a stray";
    CauseNames = "cause-names", "every cause by which a replica failed has a name";
    Counted = "counted", "every replica is counted once, in the bucket of its state";
    Woken = "woken", "the deadline of every replica is that of its next step";
    Queued = "queued", "every queued start is in the queue, behind a closed gate";
    StatusFollows = "status-follows", "the status is a function of the replicas";
    AllDone = "all-done", "nothing is due when a mutation returns";
    Bounded = "bounded", "memory is bounded by the number of replicas";
}

impl std::fmt::Display for Invariant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A violated invariant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
#[error("{}: {invariant}: {}", Place(self.replica), self.invariant.statement())]
pub struct Violation {
    /// The invariant.
    pub invariant: Invariant,
    /// The replica that violates it; `None`: the set as a whole.
    pub replica: Option<ReplicaId>,
}

struct Place(Option<ReplicaId>);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(replica) => write!(f, "replica {replica}"),
            None => f.write_str("the set"),
        }
    }
}

type Checked = Result<(), Violation>;

fn of_set(invariant: Invariant, holds: bool) -> Checked {
    if holds { Ok(()) } else { Err(Violation { invariant, replica: None }) }
}

fn of_replica(replica: ReplicaId, invariant: Invariant, holds: bool) -> Checked {
    if holds { Ok(()) } else { Err(Violation { invariant, replica: Some(replica) }) }
}

impl ReplicaSet {
    /// Checks the state that a snapshot keeps, as of its last mutation `at`.
    pub(super) fn check_kept(&self, at: Timestamp) -> Checked {
        self.check_references()?;
        for (id, replica) in self.numbered() {
            self.check_times(id, replica, at)?;
            self.check_phase(id, replica)?;
            self.check_membership(id, replica)?;
            self.check_marks(id, replica)?;
        }
        self.check_end()?;
        self.check_slots()?;
        self.check_strays()?;
        self.check_group(at)?;
        self.check_incident(at)
    }

    /// Checks every invariant.
    #[doc(hidden)]
    pub fn check_invariants(&self) -> Result<(), Violation> {
        self.check_state()?;
        of_set(Invariant::StatusFollows, !self.begun || self.status_follows())
    }

    /// Returns the number of entries in all collections, for tests of bounded memory. Strays are in two.
    #[doc(hidden)]
    pub fn entries(&self) -> usize {
        let histories = self.replicas.iter().map(|replica| replica.history.entries()).sum::<usize>();
        let cold = self.cold.get().map_or(0, |cold| {
            let (contact, health) = (&cold.contact, &cold.health);
            let waiting = cold.in_order.len() + cold.trials.len() + cold.noted.len() + cold.withheld.len();
            let texts = cold.messages.len() + cold.delays.len() + cold.cause_names.len();
            let contact = contact.lost.len() + contact.overdue.len() + contact.last_seen.len();
            waiting + texts + contact + health.entries() + cold.strays.entries()
        });
        let slots = self.slots.get().map_or(0, super::slots::Slots::entries);
        self.replicas.len() + histories + self.set.entries() + self.queue.len() + self.queue.new_len() + cold + slots
    }

    /// Panics if a small set violates an invariant.
    #[cfg(debug_assertions)]
    pub(super) fn assert_invariants(&self) {
        if self.replicas.len() <= CHECKED_IN_DEBUG
            && let Err(violation) = self.check_state()
        {
            panic!("{violation}");
        }
    }

    fn check_state(&self) -> Checked {
        self.check_kept(self.now)?;
        self.check_rebuilt()?;
        self.check_extras()?;
        self.check_queue()?;
        of_set(Invariant::AllDone, !self.begun || self.next_deadline().is_none_or(|next| next.at > self.now))?;
        of_set(Invariant::Bounded, self.queue.len() <= 2 * self.replicas.len() + 65)
    }

    /// Checks the state that is derived from what a snapshot keeps.
    pub(super) fn check_rebuilt(&self) -> Checked {
        for (id, replica) in self.numbered() {
            self.check_derived(id, replica)?;
        }
        self.check_counts()
    }

    fn numbered(&self) -> impl Iterator<Item = (ReplicaId, &Replica)> {
        (0..).map(ReplicaId).zip(&self.replicas)
    }

    fn has(&self, id: ReplicaId) -> bool {
        id.index() < self.replicas.len()
    }

    fn check_references(&self) -> Checked {
        let known = Invariant::KnownReplicas;
        of_set(known, self.replicas.len() <= MAX_SLOTS)?;
        of_set(Invariant::Membership, self.regular_ids().count() == self.desired as usize)?;
        if let Some(cold) = self.cold.get() {
            of_set(known, cold.contact.last_seen.len() <= self.replicas.len())?;
            of_set(Invariant::Bounded, self.stray_count() <= super::strays::most(self.replicas.len()))?;
            for &id in cold.contact.lost.keys().chain(cold.health.evidence.keys()).chain(cold.delays.keys()) {
                of_replica(id, known, self.has(id))?;
            }
        }
        for (&id, &delay) in self.cold.get().iter().flat_map(|cold| &cold.delays) {
            of_replica(id, Invariant::AfterStop, delay < crate::policy::retry_schedule::FOREVER)?;
        }
        let names = self.cold.get().map_or(0, |cold| cold.cause_names.len());
        let codes = self.replicas.iter().map(|replica| replica.failed_by).chain(self.shown.map(|shown| shown.cause));
        of_set(
            Invariant::CauseNames,
            names <= CauseCode::MOST_NAMES && codes.into_iter().all(|code| code.is_known(names)),
        )?;
        if let Some(group) = self.group() {
            of_replica(
                group.leader,
                known,
                self.replicas.get(group.leader.index()).is_some_and(Replica::is_regular) && group.from <= group.leader,
            )?;
        }
        self.set.canary().map_or(Ok(()), |canary| of_replica(canary, known, self.has(canary)))
    }

    fn check_times(&self, id: ReplicaId, replica: &Replica, at: Timestamp) -> Checked {
        let lost = self.lost_contact(id).map(|lost| lost.since.max(lost.unknown_since.unwrap_or(Timestamp::ZERO)));
        let heard = self.cold.get().and_then(|cold| cold.contact.last_seen.get(id.index())).copied();
        let contact = lost.max(heard).unwrap_or(Timestamp::ZERO);
        let released = if replica.phase.is_up() { replica.due } else { Timestamp::ZERO };
        let latest = replica.since.max(replica.history.latest()).max(contact).max(released);
        of_replica(id, Invariant::PastTimes, latest <= at)
    }

    fn check_phase(&self, id: ReplicaId, replica: &Replica) -> Checked {
        let live = replica.phase.is_live();
        let agrees = match replica.phase {
            // A failed instance that is being stopped has a history that has ended.
            Phase::Stopping => true,
            _ => live == replica.history.is_live(),
        };
        of_replica(id, Invariant::Liveness, agrees && !(live && replica.history.incarnation() == Incarnation(0)))?;
        let in_group = replica.gate != Gate::Group || self.group().is_some_and(|group| id >= group.from);
        match replica.phase {
            Phase::Waiting => {
                let opens = match replica.gate {
                    // Opens at an operator's request, or when it is due.
                    Gate::Hold => true,
                    Gate::Stop => self.waits_for_stray(id),
                    Gate::Group => in_group,
                    Gate::Order => self.policy.compiled().starts_in_order || !self.begun,
                    Gate::Backoff | Gate::Window => !replica.due.is_never(),
                    _ => false,
                };
                let first = replica.kind == StartKind::First;
                of_replica(id, Invariant::OpenGate, opens && !(first && replica.gate == Gate::Hold))
            }
            Phase::Stopping if replica.after == NextPhase::Start => {
                let gate = matches!(replica.gate, Gate::Backoff | Gate::Window | Gate::Stop | Gate::Hold | Gate::Group);
                of_replica(id, Invariant::AfterStop, gate && in_group)
            }
            Phase::Ready => {
                let ready = replica.flags.has(ReplicaFlags::BACKEND_READY) && replica.history.ready_since().is_some();
                of_replica(id, Invariant::Readiness, ready)
            }
            Phase::Unknown => of_replica(id, Invariant::Contact, replica.flags.has(ReplicaFlags::LOST)),
            _ => Ok(()),
        }
    }

    fn check_membership(&self, id: ReplicaId, replica: &Replica) -> Checked {
        let leaves = match replica.phase {
            Phase::Removed => true,
            Phase::Stopping => replica.after == NextPhase::Remove,
            _ => false,
        };
        if self.ending {
            let completes = replica.phase == Phase::Completed
                || (replica.phase == Phase::Stopping && replica.after == NextPhase::Complete);
            return of_replica(id, Invariant::EndTold, leaves || completes);
        }
        of_replica(id, Invariant::Membership, leaves == replica.role.is_none())
    }

    fn check_marks(&self, id: ReplicaId, replica: &Replica) -> Checked {
        let (flags, phase) = (replica.flags, replica.phase);
        let under_way = flags.has(ReplicaFlags::IN_FLIGHT);
        let places = (!flags.any(ReplicaFlags::HOLDS_PLACE.and(ReplicaFlags::IN_GROUP)) || under_way)
            && (!under_way || matches!(phase, Phase::Starting | Phase::Running | Phase::Unknown))
            && (!flags.has(ReplicaFlags::QUEUED) || phase == Phase::Waiting);
        of_replica(id, Invariant::StartPlaces, places)?;
        let lost = self.lost_contact(id);
        let contact = flags.has(ReplicaFlags::LOST) == lost.is_some() && lost.is_none_or(|lost| lost.was.is_live());
        of_replica(id, Invariant::Contact, contact && (!flags.has(ReplicaFlags::LOST) || phase.is_live()))?;
        let gone = matches!(phase, Phase::Stopped | Phase::Completed | Phase::Removed);
        of_replica(id, Invariant::ProbePlaces, !(flags.has(ReplicaFlags::ACTED) && gone))?;
        // A running trial ends at a known time after its start.
        let started = phase == Phase::Starting || replica.history.started_at().is_some();
        let on_trial = self.set.has_incident() && phase.is_up() && started;
        of_replica(id, Invariant::Incident, !flags.has(ReplicaFlags::ON_TRIAL) || on_trial)
    }

    fn check_end(&self) -> Checked {
        of_set(Invariant::EndTold, self.set.end_reason().is_some() == self.ending)?;
        let all = |is: fn(&Replica) -> bool| self.replicas.iter().filter(|replica| replica.is_regular()).all(is);
        let status = self.status();
        let holds = match status {
            Status::Completed => !self.ending && all(|replica| replica.phase == Phase::Completed),
            Status::Terminated => self.ending && self.replicas.iter().all(|replica| !replica.phase.is_live()),
            _ => self.ending == (status == Status::Terminating),
        };
        of_set(Invariant::FinalStatus, holds)
    }

    fn check_slots(&self) -> Checked {
        for (id, replica) in self.numbered() {
            let extra = replica.role.is_some() && !replica.is_regular();
            of_replica(id, Invariant::Exempt, !extra || replica.flags.has(ReplicaFlags::EXEMPT))?;
            let draining = replica.flags.has(ReplicaFlags::DRAINING);
            // The drain of a slot that was removed before the set began is answered when it begins.
            let drained = self.is_drained(id) && replica.role.is_some();
            of_replica(id, Invariant::Drains, draining == drained && (!draining || replica.is_regular()))?;
        }
        let Some(slots) = self.slots.get() else { return Ok(()) };
        of_set(Invariant::KnownReplicas, slots.revisions.len() <= self.replicas.len())?;
        for (extra, regular) in slots.ties.iter() {
            let tied = |id: ReplicaId| self.replicas.get(id.index()).and_then(|replica| replica.role);
            let holds =
                matches!(tied(extra), Some(Role::Surge | Role::StandIn)) && tied(regular) == Some(Role::Regular);
            of_replica(extra, Invariant::Ties, holds)?;
        }
        slots.named().try_for_each(|id| of_replica(id, Invariant::KnownReplicas, self.has(id)))
    }

    fn check_strays(&self) -> Checked {
        for (InstanceId { replica: id, incarnation }, stray) in self.strays().into_iter().flat_map(Strays::iter) {
            let own = |replica: &Replica| replica.phase.is_live() && replica.history.incarnation() == incarnation;
            let starts = |replica: &Replica| replica.flags.has(ReplicaFlags::QUEUED);
            let slot = self.replicas.get(id.index());
            let holds = !stray.due.is_never() && slot.is_none_or(|replica| !own(replica) && !starts(replica));
            of_replica(id, Invariant::Strays, holds)?;
        }
        Ok(())
    }

    fn check_group(&self, at: Timestamp) -> Checked {
        let Some(group) = self.group() else { return Ok(()) };
        let leader = self.replica(group.leader);
        let waits =
            leader.phase == Phase::Waiting || (leader.phase == Phase::Stopping && leader.after == NextPhase::Start);
        let counts = |id: &ReplicaId| {
            let member = self.replica(*id);
            member.gate == Gate::Group && member.counts_from_its_end()
        };
        let pending = || self.cold.get().is_some_and(|cold| cold.delays.keys().any(counts));
        let holds = waits && leader.gate == Gate::Group && (!leader.due.is_never() || pending());
        // A group that is due and has stopped waits for nothing else.
        let held = || self.regular_ids_from(group.from).any(|member| self.waits_for_stray(member));
        let goes = leader.flags.has(ReplicaFlags::QUEUED) || self.stopping_members() > 0 || held();
        let goes = !group.is_due || (leader.due <= at && goes);
        of_replica(group.leader, Invariant::Group, holds && goes && !self.ending)
    }

    fn stopping_members(&self) -> usize {
        let from = self.group().map_or(ReplicaId(u32::MAX), |group| group.from);
        let stops = |replica: &&Replica| {
            replica.phase == Phase::Stopping && replica.after == NextPhase::Start && replica.gate == Gate::Group
        };
        self.regular_ids_from(from).map(|id| self.replica(id)).filter(stops).count()
    }

    fn check_incident(&self, at: Timestamp) -> Checked {
        let trials = self.replicas.iter().filter(|replica| replica.flags.has(ReplicaFlags::ON_TRIAL)).count();
        let listed = self.cold.get().map_or(Timestamp::ZERO, |cold| cold.contact.listed_at);
        of_set(Invariant::PastTimes, self.set.latest().max(listed) <= at)?;
        of_set(Invariant::Incident, self.set.can_progress(trials))?;
        let Some(canary) = self.set.canary() else { return Ok(()) };
        of_replica(canary, Invariant::Incident, self.replica(canary).flags.has(ReplicaFlags::ON_TRIAL))
    }

    /// Checks the indexes that are kept beside the replicas.
    fn check_derived(&self, id: ReplicaId, replica: &Replica) -> Checked {
        of_replica(id, Invariant::Counted, replica.bucket == replica.census_bucket())?;
        let evidence = self.health().is_some_and(|health| health.evidence.contains_key(&id));
        of_replica(id, Invariant::ProbePlaces, replica.flags.has(ReplicaFlags::UNHEALTHY) == evidence)?;
        let ready = replica.phase != Phase::Ready || self.probes_ready(id);
        of_replica(id, Invariant::Readiness, ready)?;
        of_replica(id, Invariant::Woken, self.wakes_in_time(id))
    }

    fn check_counts(&self) -> Checked {
        let mut census = Census::default();
        let mut causes = CauseSums::default();
        let (mut members, mut awaiting) = (0, 0);
        for replica in &self.replicas {
            let flags = replica.flags;
            if let Some(count) = super::counting::count_of(&mut census, replica.bucket) {
                *count += 1;
            }
            if replica.bucket.is_failed() {
                causes.add(replica.failed_by);
            }
            census.live += u32::from(replica.phase.is_live());
            census.in_flight += u32::from(flags.has(ReplicaFlags::IN_FLIGHT));
            census.starting += u32::from(flags.has(ReplicaFlags::HOLDS_PLACE));
            census.joining += u32::from(flags.has(ReplicaFlags::JOINING));
            let given_up = replica.bucket == CensusBucket::GivenUp;
            census.exempt_given_up += u32::from(flags.has(ReplicaFlags::EXEMPT) && given_up);
            members += u32::from(flags.has(ReplicaFlags::IN_GROUP));
            awaiting += u32::from(flags.has(ReplicaFlags::AWAITING));
        }
        census.starting += u32::from(members > 0);
        let in_group = self.cold.get().map_or(0, |cold| cold.group_in_flight);
        let same = census == self.counts.census
            && causes == self.counts.causes
            && awaiting == self.counts.awaiting
            && members == in_group;
        of_set(Invariant::Counted, same)
    }

    fn check_extras(&self) -> Checked {
        let free: Vec<ReplicaId> = self.slots.get().into_iter().flat_map(|slots| slots.free.iter().copied()).collect();
        let unused = |(id, replica): &(ReplicaId, &Replica)| {
            replica.role.is_none() && replica.phase == Phase::Removed && !self.waits_for_stray(*id)
        };
        of_set(Invariant::FreeSlots, self.ending || self.numbered().filter(unused).map(|(id, _)| id).eq(free))?;
        let stopping = self.group().map_or(0, |group| group.stopping as usize);
        of_set(Invariant::Group, stopping == self.stopping_members())?;
        let Some(cold) = self.cold.get() else { return Ok(()) };
        let marked = |mark| self.replicas.iter().filter(|replica| replica.flags.has(mark)).count();
        of_set(Invariant::ProbePlaces, cold.health.acted as usize == marked(ReplicaFlags::ACTED))?;
        of_set(Invariant::Incident, cold.trials.len() == marked(ReplicaFlags::ON_TRIAL))?;
        let overdue = cold.contact.lost.values().filter(|lost| lost.overdue).count();
        let partitioned = overdue == 0 || !self.begun || self.is_partitioned();
        of_set(Invariant::Contact, cold.contact.overdue.len() == overdue && partitioned)?;
        let unordered = |(id, replica): (ReplicaId, &Replica)| {
            replica.phase == Phase::Waiting && replica.gate == Gate::Order && !cold.in_order.contains(&id)
        };
        of_set(Invariant::OpenGate, !self.numbered().any(unordered))
    }

    fn check_queue(&self) -> Checked {
        for (id, replica) in self.numbered().filter(|(_, replica)| replica.flags.has(ReplicaFlags::QUEUED)) {
            of_replica(id, Invariant::EndTold, !self.has_ended())?;
            let gate = self.queue.gate(replica.kind);
            let closed = match gate {
                _ if !self.begun => true,
                None => false,
                Some(Gate::Budget) => !self.gate_opens.is_never(),
                Some(Gate::Concurrency) => self.counts.census.in_flight > 0,
                Some(Gate::Incident) => self.set.has_incident(),
                Some(_) => true,
            };
            let stands = self.queue.contains(super::queue::QueueClass::of(replica.kind), replica.due, id);
            of_replica(id, Invariant::Queued, closed && stands)?;
        }
        Ok(())
    }

    fn status_follows(&self) -> bool {
        let mut set = self.set.clone();
        let mut census = self.counts.census;
        if self.ending {
            census.live += self.stray_count() as u32;
        }
        self.policy.assess_of(&mut set, &census, self.desired, self.now);
        let (status, reason, _) = set.reported();
        (status, reason) == (self.status(), self.status_reason())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_names_the_invariant_and_the_replica() {
        let violation = Violation { invariant: Invariant::OpenGate, replica: Some(ReplicaId(3)) };
        let text = "replica 3: open-gate: a waiting replica is due at a known time, or waits for a gate that opens";
        assert_eq!(violation.to_string(), text);
        let violation = Violation { replica: None, ..violation };
        assert!(violation.to_string().starts_with("the set: open-gate: "), "{violation}");
    }
}
