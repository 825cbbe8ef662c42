//! The struct `ReplicaSet` and its accessors.

use super::cause_counts::CauseCode;
use super::cold_state::ColdState;
use super::counting::CensusCounts;
use super::deadline_tree::Deadlines;
use super::event::Event;
use super::evidence::Health;
use super::group::Group;
use super::output::{Command, IgnoreReason, IgnoredEvent, Notice, Output, StatusShown};
use super::queue::Queue;
use super::replica::{NextPhase, Phase, Replica, ReplicaFlags};
use super::set_deadlines::SetDeadlines;
use super::slots::Slots;
use super::strays::Strays;
use super::tally::Tally;
use crate::decide::{Census, Gate, Incarnation, InstanceId, ReplicaId, SetHistory, Status, StatusReason};
use crate::in_place_queue::InPlaceQueue;
use crate::lazy_box::LazyBox;
use crate::policy::{Cause, Policy};
use crate::time::Timestamp;

/// A set of replicas under one policy.
///
/// The contract is **one mutation, then drain**: call a method that takes `now`; take all outputs with
/// [`poll_output`](Self::poll_output) or [`for_each_output`](Self::for_each_output); sleep until
/// [`next_deadline`](Self::next_deadline) and call [`handle_timeout`](Self::handle_timeout). Debug builds check that the
/// outputs were drained. No command is issued before the first `handle_timeout`, so that a set can first
/// [`observe`](Self::observe) what runs already.
///
/// A `now` before that of the last call, or after [`Timestamp::LATEST`], counts as that of the last call. A late call does
/// everything that was due.
///
/// ```
/// use std::time::Duration;
/// use uphold::{Command, Event, Output, Policy, ReplicaSet, RetryPolicy, Status, Timestamp};
///
/// let policy = Policy::builder().replicas(3).retry(RetryPolicy::every(Duration::from_secs(30))).build()?;
/// let mut now = Timestamp::ZERO;
/// let mut set = ReplicaSet::new(policy, 7, now);
/// set.handle_timeout(now);
/// while let Some(output) = set.poll_output() {
///     if let Output::Command(Command::Start(start)) = output {
///         println!("start replica {}", start.replica);
///     }
/// }
/// for replica in 0..3 {
///     set.handle(now, Event::ready((replica, 1)));
///     while set.poll_output().is_some() {}
/// }
/// assert_eq!(set.status(), Status::Healthy);
///
/// now = Timestamp::from_secs(60);
/// set.handle(now, Event::exited((1, 1), 137));
/// while set.poll_output().is_some() {}
/// assert_eq!(set.status(), Status::Degraded);
/// assert_eq!(set.next_deadline().map(|next| next.at), Some(Timestamp::from_secs(90)));
/// # Ok::<(), uphold::PolicyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ReplicaSet {
    pub(super) policy: Policy,
    pub(super) seed: u64,
    pub(super) now: Timestamp,
    /// The first `handle_timeout` was called, so commands are issued.
    pub(super) begun: bool,
    /// True until the set is up or a replica fails. Until then each burst is smaller than the last, so queues free capacity.
    pub(super) in_startup: bool,
    /// The set was ended, and every replica was asked to stop.
    pub(super) ending: bool,
    pub(super) desired: u32,
    pub(super) replicas: Vec<Replica>,
    pub(super) deadlines: Deadlines,
    pub(super) set: SetHistory,
    pub(super) counts: CensusCounts,
    pub(super) queue: Queue,
    /// When a gate opens next without an event.
    pub(super) gate_opens: Timestamp,
    pub(super) set_deadlines: SetDeadlines,
    pub(super) outputs: InPlaceQueue<Output>,
    pub(super) shown: Option<StatusShown>,
    pub(super) tally: Tally,
    /// The buffer of `handle_all`, kept for its capacity. Not in `cold`, which a set that uses `handle_all` may not need.
    pub(super) batch: LazyBox<Vec<Event>>,
    pub(super) cold: LazyBox<ColdState>,
    pub(super) slots: LazyBox<Slots>,
}

impl ReplicaSet {
    pub(super) fn empty(policy: Policy, seed: u64, now: Timestamp) -> Self {
        let now = now.min(Timestamp::LATEST);
        Self {
            policy,
            seed,
            now,
            begun: false,
            in_startup: true,
            ending: false,
            desired: 0,
            replicas: Vec::new(),
            deadlines: Deadlines::default(),
            set: SetHistory::new(now),
            counts: CensusCounts { changed: true, ..CensusCounts::default() },
            queue: Queue::default(),
            gate_opens: Timestamp::NEVER,
            set_deadlines: SetDeadlines::default(),
            outputs: InPlaceQueue::default(),
            shown: None,
            tally: Tally::default(),
            batch: LazyBox::default(),
            cold: LazyBox::default(),
            slots: LazyBox::default(),
        }
    }

    /// Returns the policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Returns the seed of the jitter.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the time of the last mutation.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns the status.
    pub fn status(&self) -> Status {
        self.set.reported().0
    }

    /// Returns the reason of the status.
    pub fn status_reason(&self) -> StatusReason {
        self.set.reported().1
    }

    /// Returns when the status began.
    pub fn status_since(&self) -> Timestamp {
        self.set.reported().2
    }

    /// Returns the number of replicas in each state.
    pub fn census(&self) -> Census {
        self.counts.census
    }

    /// The number of starts in progress.
    #[inline]
    pub(crate) fn in_flight(&self) -> u32 {
        self.counts.census.in_flight
    }

    /// Returns the number of desired replicas.
    pub fn desired(&self) -> u32 {
        self.desired
    }

    /// Whether the set is terminating, terminated or completed, so that it starts nothing.
    pub(super) fn has_ended(&self) -> bool {
        self.set.end_reason().is_some() || self.status().is_final()
    }

    /// Whether a slot is one of the desired ones.
    #[inline]
    pub(super) fn is_regular(&self, id: ReplicaId) -> bool {
        self.replica(id).is_regular()
    }

    /// The slots that are part of the set, in order.
    pub(super) fn member_ids(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        (0..).map(ReplicaId).zip(&self.replicas).filter(|(_, replica)| replica.role.is_some()).map(|(id, _)| id)
    }

    /// The regular slots, in order.
    pub(super) fn regular_ids(&self) -> impl DoubleEndedIterator<Item = ReplicaId> + '_ {
        self.regular_ids_from(ReplicaId(0))
    }

    /// The regular slots from this one on, in order.
    pub(super) fn regular_ids_from(&self, from: ReplicaId) -> impl DoubleEndedIterator<Item = ReplicaId> + '_ {
        (from.0..self.replicas.len() as u32).map(ReplicaId).filter(|&id| self.is_regular(id))
    }

    /// Marks a slot as changed, so that stand-ins, drains and rollouts are checked again.
    #[inline]
    pub(super) fn note_slot_change(&mut self, id: ReplicaId) {
        if let Some(slots) = self.slots.get_mut() {
            slots.record_change(id);
        }
    }

    #[inline]
    pub(super) fn replica(&self, id: ReplicaId) -> &Replica {
        &self.replicas[id.index()]
    }

    #[inline]
    pub(super) fn replica_mut(&mut self, id: ReplicaId) -> &mut Replica {
        &mut self.replicas[id.index()]
    }

    pub(super) fn incarnation(&self, id: ReplicaId) -> Incarnation {
        self.replica(id).history.incarnation()
    }

    /// The current instance of a replica; incarnation 0 before the first start.
    #[inline]
    pub(super) fn current_instance(&self, replica: ReplicaId) -> InstanceId {
        InstanceId { replica, incarnation: self.incarnation(replica) }
    }

    #[inline]
    pub(super) fn command(&mut self, command: Command) {
        if self.begun {
            let entry = self.outputs.push_empty();
            *entry = Some(Output::Command(command));
        } else {
            self.cold.get_or_init().withheld.push(command);
        }
    }

    #[inline]
    pub(super) fn notice(&mut self, notice: Notice) {
        self.outputs.push(Output::Notice(notice));
    }

    #[cold]
    #[inline(never)]
    pub(super) fn ignore(&mut self, instance: InstanceId, why: IgnoreReason) {
        let InstanceId { replica, incarnation } = instance;
        self.tally.ignored(why);
        self.notice(Notice::Ignored(IgnoredEvent { replica, incarnation, why }));
    }

    /// The time of an event: not after now.
    #[inline]
    pub(super) fn when(&self, at: Option<Timestamp>) -> Timestamp {
        at.unwrap_or(self.now).min(self.now)
    }

    /// The time of an event about a replica: neither after now nor before the last event about it.
    #[inline]
    pub(super) fn happened(&self, id: ReplicaId, at: Timestamp) -> Timestamp {
        let replica = self.replica(id);
        let before = match replica.phase {
            Phase::Running | Phase::Ready | Phase::Unknown => replica.history.as_of(),
            _ => replica.since,
        };
        at.max(before).min(self.now)
    }

    /// The gate that a replica waits for.
    pub(super) fn gate_of(&self, replica: &Replica) -> Option<Gate> {
        match replica.phase {
            Phase::Stopping if replica.after == NextPhase::Start => Some(Gate::Stop),
            Phase::Waiting if replica.flags.has(ReplicaFlags::QUEUED) => {
                self.queue.gate(replica.kind).or(Some(replica.gate))
            }
            Phase::Waiting => Some(replica.gate),
            _ => None,
        }
    }

    /// The group that waits to restart together, if there is one.
    #[inline]
    pub(super) fn group(&self) -> Option<Group> {
        self.cold.get()?.group
    }

    #[inline]
    pub(super) fn group_mut(&mut self) -> Option<&mut Group> {
        self.cold.get_mut()?.group.as_mut()
    }

    /// The state of probes; `None` if there never was any.
    #[inline]
    pub(super) fn health(&self) -> Option<&Health> {
        self.cold.get().map(|cold| &cold.health)
    }

    #[inline]
    pub(super) fn strays(&self) -> Option<&Strays> {
        self.cold.get().map(|cold| &cold.strays).filter(|strays| !strays.is_empty())
    }

    /// Whether a start of this slot must wait for the end of a stray.
    #[inline]
    pub(super) fn waits_for_stray(&self, id: ReplicaId) -> bool {
        self.strays().is_some_and(|strays| strays.latest_of(id).is_some())
    }

    /// The number of strays.
    pub(crate) fn stray_count(&self) -> usize {
        self.strays().map_or(0, Strays::len)
    }

    /// The instances that are strays.
    pub(crate) fn stray_instances(&self) -> impl Iterator<Item = InstanceId> + '_ {
        self.strays().into_iter().flat_map(Strays::iter).map(|(instance, _)| instance)
    }

    /// The cause of a code.
    pub(super) fn cause_of(&self, code: CauseCode) -> Option<Cause> {
        let place = usize::from(code.0).checked_sub(1)?;
        match Cause::BUILT_IN.get(place) {
            Some(built_in) => Some(built_in.clone()),
            None => self.cold.get()?.cause_names.get(place - Cause::BUILT_IN.len()).cloned(),
        }
    }
}
