//! Depth 2: the state machine of one set. No clock, no I/O: events in, outputs and one next deadline out.

use super::counting::Counts;
use super::deadline::{Deadline, DeadlineReason};
use super::deadlines::Deadlines;
use super::event::{Event, merge_reports};
use super::extras::Extras;
use super::output::{Command, Notice, Output, Rejection, StatusShown};
use super::queue::Queue;
use super::replica::{After, Marks, Phase, Replica};
use super::tally::{Tally, bump};
use crate::decide::{Census, Gate, Incarnation, ReplicaId, SetHistory, Status, StatusReason};
use crate::lazy_box::LazyBox;
use crate::places::Places;
use crate::policy::Policy;
use crate::time::Timestamp;

/// A set of replicas under one policy.
///
/// The contract: **one mutation, then drain**. Call one of the methods that take `now`, hand every output to
/// whoever carries it out until [`poll_output`](Self::poll_output) gives `None` (or with
/// [`for_each_output`](Self::for_each_output)), then sleep until
/// [`next_deadline`](Self::next_deadline) and call [`handle_timeout`](Self::handle_timeout). Debug builds check
/// that the outputs were drained. Nothing is commanded before the first `handle_timeout`, so that a set can
/// [`observe`](Self::observe) first what runs already.
///
/// Time that goes backwards stands still, and so does one after [`Timestamp::LATEST`]; a call that comes late is as good as
/// one in time.
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
///     set.handle(now, Event::ready(replica, 1));
///     while set.poll_output().is_some() {}
/// }
/// assert_eq!(set.status(), Status::Healthy);
///
/// now = Timestamp::from_secs(60);
/// set.handle(now, Event::exited(1, 1, 137));
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
    /// The first `handle_timeout` has come: commands may go out.
    pub(super) begun: bool,
    /// It comes up for the first time: what that takes is given back.
    pub(super) coming_up: bool,
    /// The set was ended, and every replica told to stop.
    pub(super) ending: bool,
    pub(super) desired: u32,
    pub(super) replicas: Vec<Replica>,
    pub(super) deadlines: Deadlines,
    pub(super) set: SetHistory,
    pub(super) counts: Counts,
    pub(super) queue: Queue,
    /// When a gate opens by itself.
    pub(super) gate_opens: Timestamp,
    /// When the status must be assessed again.
    pub(super) assess_at: Timestamp,
    /// When a stray is killed next.
    pub(super) strays_due: Timestamp,
    pub(super) outputs: Places<Output>,
    pub(super) shown: Option<StatusShown>,
    pub(super) tally: Tally,
    /// Room for the events of one instant. Not among the extras: `handle_all` is no reason to have these.
    pub(super) batch: LazyBox<Vec<Event>>,
    pub(super) extras: LazyBox<Extras>,
}

impl ReplicaSet {
    /// A set that begins now, every replica due for its first start. `seed` decides all jitter.
    pub fn new(policy: Policy, seed: u64, now: Timestamp) -> Self {
        let mut set = Self::empty(policy, seed, now);
        set.tally.begin(set.now);
        set.rescale(set.policy.replicas());
        set
    }

    pub(super) fn empty(policy: Policy, seed: u64, now: Timestamp) -> Self {
        let now = now.min(Timestamp::LATEST);
        Self {
            policy,
            seed,
            now,
            begun: false,
            coming_up: true,
            ending: false,
            desired: 0,
            replicas: Vec::new(),
            deadlines: Deadlines::default(),
            set: SetHistory::new(now),
            counts: Counts { changed: true, ..Counts::default() },
            queue: Queue::default(),
            gate_opens: Timestamp::MAX,
            assess_at: Timestamp::MAX,
            strays_due: Timestamp::MAX,
            outputs: Places::default(),
            shown: None,
            tally: Tally::default(),
            batch: LazyBox::default(),
            extras: LazyBox::default(),
        }
    }

    /// Tells the set one thing that happened. For the answer to an operator's request, see [`request`](Self::request).
    pub fn handle(&mut self, now: Timestamp, mut event: Event) {
        self.hear(now, &mut event);
        if event.is_plain() {
            // Quicker than to find out again that there is nothing to give back.
            std::mem::forget(event);
        }
    }

    /// Handles an operator's request, and answers it. `Ok`: it is done, or nothing had to be done for it. To
    /// [`handle`](Self::handle) it as an event does the same without an answer.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use uphold::{Event, Policy, Rejection, ReplicaSet, Timestamp};
    /// # let policy = Policy::builder().replicas(3).build()?;
    /// # let mut set = ReplicaSet::new(policy, 7, Timestamp::ZERO);
    /// assert_eq!(set.request(Timestamp::ZERO, Event::Scale(5)), Ok(()));
    /// assert_eq!(set.request(Timestamp::ZERO, Event::Restart(9.into())), Err(Rejection::NoSuchReplica(9.into())));
    /// # Ok::<(), uphold::PolicyError>(())
    /// ```
    ///
    /// # Errors
    /// The reason why the request is refused. It is also a [`Notice::Refused`], and counted; nothing else changes. News of
    /// instances is never refused.
    pub fn request(&mut self, now: Timestamp, mut event: Event) -> Result<(), Rejection> {
        self.begin_mutation(now);
        self.note_failures(std::slice::from_ref(&event));
        let answer = self.apply(&mut event);
        self.settle();
        answer
    }

    /// Tells the set one thing that happened, from where it lies; of what it says, nothing is needed afterwards.
    #[inline(never)]
    pub(crate) fn hear(&mut self, now: Timestamp, event: &mut Event) {
        self.begin_mutation(now);
        if self.policy.compiled().watches_failures {
            self.note_failures(std::slice::from_ref(event));
        }
        if !self.exited(event) {
            // Who wants an answer calls `request`.
            let _ = self.apply(event);
        }
        self.settle_in_line();
    }

    /// Tells the set all that is known at one instant. Incidents are recognised first, then replicas are judged
    /// by id: the order of the events of different replicas makes no difference.
    pub fn handle_all(&mut self, now: Timestamp, events: impl IntoIterator<Item = Event>) {
        self.begin_mutation(now);
        let mut batch = std::mem::take(self.batch.get_or_init());
        batch.extend(events);
        if batch.len() > 1 {
            batch.sort_by_key(Event::turn);
            merge_reports(&mut batch);
        }
        self.note_failures(&batch);
        for event in &mut batch {
            let _ = self.apply(event);
        }
        batch.clear();
        *self.batch.get_or_init() = batch;
        self.settle();
    }

    /// Does what is due by now. The first call begins: from then on commands go out. A call with nothing due
    /// changes nothing.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if !self.begun {
            self.begun = true;
            self.advance(now);
            let withheld = self.extras.get_mut().map(|extras| std::mem::take(&mut extras.withheld));
            withheld.into_iter().flatten().for_each(|command| self.outputs.push(Output::Command(command)));
            self.run_due();
        } else {
            self.begin_mutation(now);
        }
        self.settle_in_line();
    }

    /// The next output; `None` when all are drained. Once the set has been up, the queue keeps its capacity.
    #[inline]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop(!self.coming_up)
    }

    /// Hands out every output that waits, in order, and takes it away: what [`poll_output`](Self::poll_output) does
    /// until `None`, with each output where it lies rather than moved. Of an output at which `each` panics no more is
    /// heard; those after it wait on.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use uphold::{Command, Output, Policy, ReplicaSet, Timestamp};
    /// # let policy = Policy::builder().replicas(3).build()?;
    /// # let mut set = ReplicaSet::new(policy, 7, Timestamp::ZERO);
    /// set.handle_timeout(Timestamp::ZERO);
    /// let mut started = Vec::new();
    /// set.for_each_output(|output| {
    ///     if let Output::Command(Command::Start(start)) = output {
    ///         started.push(start.replica.0);
    ///     }
    /// });
    /// assert_eq!(started, [0, 1, 2]);
    /// assert!(set.poll_output().is_none());
    /// # Ok::<(), uphold::PolicyError>(())
    /// ```
    #[inline]
    pub fn for_each_output(&mut self, each: impl FnMut(&Output)) {
        self.outputs.look_at_all(!self.coming_up, Output::is_plain, each);
    }

    /// The next instant at which [`handle_timeout`](Self::handle_timeout) would do something; `None`: not before
    /// an event. Ask again after every mutation.
    pub fn next_deadline(&self) -> Option<Deadline> {
        if !self.begun {
            return Some(Deadline { at: self.now, why: DeadlineReason::Begin, replica: None });
        }
        let first = self.deadlines.first().map(|replica| (replica, self.replica(replica).wakes_for));
        let mut next = first.map(|(id, why)| Deadline { at: self.deadlines.next(), why, replica: Some(id) });
        for (at, why) in [(self.gate_opens, DeadlineReason::Gate), (self.assess_at, DeadlineReason::Status)] {
            if !at.is_never() && next.is_none_or(|next| at < next.at) {
                next = Some(Deadline { at, why, replica: None });
            }
        }
        let at = self.strays_due;
        if !at.is_never() && next.is_none_or(|next| at < next.at) {
            next = Some(Deadline { at, why: DeadlineReason::KillStray, replica: self.next_stray() });
        }
        next
    }

    /// When [`next_deadline`](Self::next_deadline) is; "never" if there is none.
    #[inline]
    pub(crate) fn wakes_at(&self) -> Timestamp {
        if self.begun { self.next_due().min(self.gate_opens) } else { self.now }
    }

    /// The owner's cap: at most so many starts under way at once, first starts included; `None`: no cap.
    pub fn limit_starts(&mut self, now: Timestamp, at_most: Option<u32>) {
        self.begin_mutation(now);
        self.set.limit_starts(at_most);
        self.settle();
    }

    /// The policy it runs under.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The seed of its jitter.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The time of its last mutation.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// What the set is.
    pub fn status(&self) -> Status {
        self.set.reported().0
    }

    /// Why the status is what it is.
    pub fn status_reason(&self) -> StatusReason {
        self.set.reported().1
    }

    /// Since when the status has been what it is.
    pub fn status_since(&self) -> Timestamp {
        self.set.reported().2
    }

    /// How its replicas stand, counted.
    pub fn census(&self) -> Census {
        self.counts.census
    }

    /// Starts under way.
    #[inline]
    pub(crate) fn in_flight(&self) -> u32 {
        self.counts.census.in_flight
    }

    /// How many replicas are asked for.
    pub fn desired(&self) -> u32 {
        self.desired
    }

    /// Whether it is terminating, terminated or completed: nothing is started any more.
    pub(super) fn has_ended(&self) -> bool {
        self.set.end_reason().is_some() || self.status().is_final()
    }

    #[inline]
    pub(super) fn begin_mutation(&mut self, now: Timestamp) {
        debug_assert!(
            self.outputs.is_empty() || !self.begun,
            "one mutation, then drain: outputs of the last call were not taken with poll_output or for_each_output"
        );
        if self.coming_up {
            self.comes_up();
        }
        self.advance(now);
        if self.begun && self.is_due() {
            self.run_due();
        }
    }

    /// Time goes on to `now`. One that is earlier, or that no clock can show, counts as standing still.
    #[inline(always)]
    fn advance(&mut self, now: Timestamp) {
        if now >= self.now && now <= Timestamp::LATEST {
            self.now = now;
        } else {
            self.reject_time(now);
        }
    }

    #[cold]
    #[inline(never)]
    fn reject_time(&mut self, now: Timestamp) {
        let counts = self.tally.count();
        bump(if now > Timestamp::LATEST { &mut counts.clock_out_of_range } else { &mut counts.clock_went_back });
    }

    /// Until it is up or something fails, every burst is larger than what follows: the room is given back.
    #[cold]
    fn comes_up(&mut self) {
        self.queue.shrink();
        self.coming_up = !self.set.has_been_up() && self.counts.census.failed == 0;
    }

    #[inline]
    pub(super) fn replica(&self, id: ReplicaId) -> &Replica {
        &self.replicas[id.index()]
    }

    #[inline]
    pub(super) fn replica_mut(&mut self, id: ReplicaId) -> &mut Replica {
        &mut self.replicas[id.index()]
    }

    #[inline(always)]
    pub(super) fn command(&mut self, command: Command) {
        if self.begun {
            let place = self.outputs.place();
            *place = Some(Output::Command(command));
        } else {
            self.extras.get_or_init().withheld.push(command);
        }
    }

    #[inline(always)]
    pub(super) fn notice(&mut self, notice: Notice) {
        self.outputs.push(Output::Notice(notice));
    }

    pub(super) fn incarnation(&self, id: ReplicaId) -> Incarnation {
        self.replica(id).history.incarnation()
    }

    /// What a waiting replica waits for.
    pub(super) fn gate_of(&self, replica: &Replica) -> Option<Gate> {
        match replica.phase {
            Phase::Stopping if replica.after == After::Start => Some(Gate::Stop),
            Phase::Waiting if replica.marks.has(Marks::QUEUED) => self.queue.gate(replica.kind).or(Some(replica.gate)),
            Phase::Waiting => Some(replica.gate),
            _ => None,
        }
    }
}
