//! Depth 2: the state machine of one set. No clock, no I/O: events in, outputs and one next deadline out.

use super::event::{Event, merge_reports};
use super::output::{Output, Rejection};
use super::state::ReplicaSet;
use crate::policy::Policy;
use crate::time::Timestamp;

impl ReplicaSet {
    /// Returns a new set in which every replica is due for its first start. `seed` determines the jitter.
    pub fn new(policy: Policy, seed: u64, now: Timestamp) -> Self {
        let mut set = Self::empty(policy, seed, now);
        set.tally.begin(set.now);
        set.rescale(set.policy.replicas());
        set.review_slots();
        set
    }

    /// Applies one event. To get the answer to an operator's request, use [`request`](Self::request).
    pub fn handle(&mut self, now: Timestamp, mut event: Event) {
        self.handle_in_place(now, &mut event);
    }

    /// Applies an operator's request and returns the answer. `Ok` if it was carried out or nothing had to be done.
    /// [`handle`](Self::handle) does the same without the answer.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use uphold::engine::Rejection;
    /// # use uphold::{Event, Policy, ReplicaSet, Timestamp};
    /// # let policy = Policy::builder().replicas(3).build()?;
    /// # let mut set = ReplicaSet::new(policy, 7, Timestamp::ZERO);
    /// assert_eq!(set.request(Timestamp::ZERO, Event::Scale(5)), Ok(()));
    /// assert_eq!(set.request(Timestamp::ZERO, Event::Restart(9.into())), Err(Rejection::NoSuchReplica(9.into())));
    /// # Ok::<(), uphold::PolicyError>(())
    /// ```
    ///
    /// # Errors
    /// The request is refused and changes nothing. The reason is also reported as [`Notice::Refused`](crate::Notice::Refused).
    /// Events about instances are never refused.
    pub fn request(&mut self, now: Timestamp, mut event: Event) -> Result<(), Rejection> {
        self.begin_mutation(now);
        self.note_failures(std::slice::from_ref(&event));
        let answer = self.apply(&mut event);
        self.settle();
        answer
    }

    /// Applies an event, which may be left changed.
    #[inline(never)]
    pub(crate) fn handle_in_place(&mut self, now: Timestamp, event: &mut Event) {
        self.begin_mutation(now);
        if self.policy.compiled().watches_failures {
            self.note_failures(std::slice::from_ref(event));
        }
        // The answer is returned by `request` only.
        let _ = self.apply(event);
        self.settle();
    }

    /// Applies all events of one instant. Incidents are detected first; then events are applied in the order of replicas, so
    /// the order of events about different replicas makes no difference.
    pub fn handle_all(&mut self, now: Timestamp, events: impl IntoIterator<Item = Event>) {
        self.begin_mutation(now);
        let mut batch = std::mem::take(self.batch.get_or_init());
        batch.extend(events);
        if batch.len() > 1 {
            batch.sort_by_key(Event::batch_order);
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

    /// Does everything that is due by now. No command is issued before the first call. If nothing is due, nothing changes.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if !self.begun {
            self.begun = true;
            self.advance(now);
            let withheld = self.cold.get_mut().map(|cold| std::mem::take(&mut cold.withheld));
            withheld.into_iter().flatten().for_each(|command| self.outputs.push(Output::Command(command)));
            self.run_due();
        } else {
            self.begin_mutation(now);
        }
        self.settle();
    }

    /// Applies one event. An error is the answer to an operator's request; it was counted and reported already.
    fn apply(&mut self, event: &mut Event) -> Result<(), Rejection> {
        match event {
            Event::Scale(replicas) => self.scale(*replicas),
            Event::Restart(id) => self.restart(*id),
            Event::Stop(id) => self.stop_requested(*id),
            Event::Start(id) => self.start_requested(*id),
            Event::Reset(selection) => self.reset(selection),
            Event::RetryNow(selection) => self.retry_now(selection),
            Event::Drain(drain) => self.drain(&drain.replicas, drain.deadline),
            Event::Undrain(replicas) => self.undrain(replicas),
            Event::RollOut(revision) => self.roll_out(revision.clone()),
            Event::Promote => self.promote(),
            Event::RollBack => self.roll_back(),
            Event::InterruptionNotice(notice) => {
                self.interruption_notice(notice.instance(), notice.deadline);
                Ok(())
            }
            Event::Terminate => self.terminate(),
            Event::Started(_)
            | Event::Ready(_)
            | Event::NotReady(_)
            | Event::Probed(_)
            | Event::Exited(_)
            | Event::StartFailed(_)
            | Event::Lost(_)
            | Event::Found(_)
            | Event::Stopped(_) => {
                self.handle_instance_event(event);
                Ok(())
            }
        }
    }

    /// Takes the next output; `None` if all are drained.
    #[inline]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop(!self.in_startup)
    }

    /// Drains all outputs in order, as [`poll_output`](Self::poll_output) until `None` does, without moving them. If `each`
    /// panics, its output is lost and the later ones remain.
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
        self.outputs.drain_in_place(!self.in_startup, each);
    }

    /// Limits the number of concurrent starts, including first starts, for an owner of several sets; `None`: no limit.
    pub fn limit_starts(&mut self, now: Timestamp, at_most: Option<u32>) {
        self.begin_mutation(now);
        self.set.limit_starts(at_most);
        self.settle();
    }
}
