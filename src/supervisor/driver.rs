//! The driver's loop: takes messages, applies them to the set, executes the set's commands, and sleeps until its deadline.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep_until;

use super::calls::{Calls, StartCall};
use super::driver_message::{DriverMessage, Query};
use super::early_input::EarlyInput;
use super::guarded_recorder::GuardedRecorder;
use super::handle::SetStatus;
use super::listing;
use super::locations::Locations;
use super::notifications::NotificationKind;
use super::operator_request::{OperatorRequest, PendingRequest};
use super::publisher::Publisher;
use super::readiness_monitor::{self, ReadinessMonitor};
use super::revision_workloads::RevisionWorkloads;
use super::seen_since_list::SeenSinceList;
use super::start_token::StartToken;
use super::workload_source::WorkloadSource;
use crate::backend::{Backend, Instance};
use crate::decide::{Incarnation, InstanceId, ReplicaId, Revision, Status};
use crate::engine::{
    Command, Drain, Ended, Event, Input, InstanceEvent, InstanceState, InterruptionNotice, Notice, Observed, Output,
    Phase, ProbeResult, RecordedStep, Rejection, ReplicaSet,
};
use crate::time::Timestamp;

/// Messages that are taken from the inbox at once.
const MAX_BATCH: usize = 1024;
/// Probes that begin in the same millisecond; the others are delayed.
const PROBES_PER_MILLISECOND: u32 = 16;

pub(super) struct Driver<B: Backend> {
    set: ReplicaSet,
    recorder: GuardedRecorder,
    calls: Calls<B>,
    workloads: RevisionWorkloads<B::Workload>,
    inbox: mpsc::UnboundedReceiver<DriverMessage>,
    publisher: Publisher,
    /// Whether the backend has listed its instances once; until then no command is issued.
    has_listed: bool,
    early_input: EarlyInput,
    /// The latest start of each replica; a stop or kill of its instance is ordered after it.
    starts: BTreeMap<ReplicaId, (Incarnation, StartToken)>,
    /// Starts without an answer, whose instances are being killed; events about these are ignored.
    abandoned_starts: BTreeSet<InstanceId>,
    seen_since_list: SeenSinceList,
    is_shutting_down: bool,
    /// When to end without confirmed stops, after a second request to shut down.
    force_exit_at: Option<Timestamp>,
    lists_failing_since: Option<Timestamp>,
    /// Every live instance was in the last list, so an identical list can be skipped.
    all_reachable: bool,
    locations: Locations,
    readiness: ReadinessMonitor,
}

impl<B: Backend> Driver<B> {
    pub(super) fn new(
        set: ReplicaSet,
        recorder: GuardedRecorder,
        calls: Calls<B>,
        workloads: RevisionWorkloads<B::Workload>,
        inbox: mpsc::UnboundedReceiver<DriverMessage>,
        publisher: Publisher,
    ) -> Self {
        Self {
            set,
            recorder,
            calls,
            workloads,
            inbox,
            publisher,
            has_listed: false,
            early_input: EarlyInput::default(),
            starts: BTreeMap::new(),
            abandoned_starts: BTreeSet::new(),
            seen_since_list: SeenSinceList::default(),
            is_shutting_down: false,
            force_exit_at: None,
            lists_failing_since: None,
            all_reachable: false,
            locations: Locations::default(),
            readiness: ReadinessMonitor::default(),
        }
    }

    pub(super) async fn run(mut self) {
        let mut messages = Vec::new();
        let mut timer = pin!(sleep_until(self.calls.clock.instant(Timestamp::MAX)));
        let mut armed = None;
        self.publisher.export_status(self.now());
        self.warn_of_recorder_failure(self.now());
        while !self.set.status().is_final() {
            let deadline = self.next_deadline();
            // tokio's timers round up to a millisecond, so a deadline in the past is served without one.
            if deadline.is_some_and(|deadline| deadline <= self.now()) {
                if self.force_exit_at.is_some_and(|at| at <= self.now()) {
                    self.warn_of_forced_exit();
                    break;
                }
                self.warn_of_unready_instances();
                self.handle_timeout();
                // Many deadlines may be due: the inbox and other tasks are served in between.
                tokio::task::yield_now().await;
                self.drain_inbox(&mut messages);
                continue;
            }
            if let Some(deadline) = deadline.filter(|deadline| armed != Some(*deadline)) {
                timer.as_mut().reset(self.calls.clock.instant(deadline));
                armed = Some(deadline);
            }
            tokio::select! {
                biased;
                // Never closed while the driver runs, because `calls` holds a sender.
                _ = self.inbox.recv_many(&mut messages, MAX_BATCH) => self.handle_messages(&mut messages),
                () = &mut timer, if deadline.is_some() => armed = None,
            }
        }
        // Requests that were sent before the inbox closes still get an answer.
        self.inbox.close();
        while let Some(message) = self.inbox.recv().await {
            self.handle_message(message);
        }
    }

    fn now(&self) -> Timestamp {
        self.calls.clock.now()
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let set = self.set.next_deadline().filter(|_| self.has_listed).map(|next| next.at);
        [set, self.force_exit_at, self.readiness.next_deadline(self.unready_warning_after())]
            .into_iter()
            .flatten()
            .min()
    }

    fn unready_warning_after(&self) -> Duration {
        self.set.policy().start_timeout() / 4
    }

    fn warn_of_unready_instances(&mut self) {
        let (now, after) = (self.now(), self.unready_warning_after());
        let overdue = self.readiness.take_overdue(now, after);
        if !overdue.is_empty() {
            self.publisher.warn(now, readiness_monitor::warning(&overdue, after));
        }
    }

    fn warn_of_recorder_failure(&mut self, now: Timestamp) {
        if let Some(warning) = self.recorder.take_warning() {
            self.publisher.warn(now, warning);
        }
    }

    fn warn_of_forced_exit(&self) {
        let warning = if self.has_listed {
            "second request to shut down: the supervisor ends although not every instance is confirmed to have stopped"
        } else {
            "second request to shut down: the supervisor ends although the backend has not listed its instances yet"
        };
        self.publisher.warn(self.now(), warning);
    }

    fn drain_inbox(&mut self, messages: &mut Vec<DriverMessage>) {
        while messages.len() < MAX_BATCH {
            let Ok(message) = self.inbox.try_recv() else { break };
            messages.push(message);
        }
        self.handle_messages(messages);
    }

    /// Handles messages in order; adjacent events are applied together, so that failures at one time can be correlated.
    fn handle_messages(&mut self, messages: &mut Vec<DriverMessage>) {
        let mut batch = Vec::new();
        for message in messages.drain(..) {
            match message {
                DriverMessage::Event(event) => batch.push(event),
                other => {
                    self.handle_events(std::mem::take(&mut batch));
                    self.handle_message(other);
                }
            }
        }
        self.handle_events(batch);
    }

    fn handle_message(&mut self, message: DriverMessage) {
        let now = self.now();
        match message {
            DriverMessage::Event(event) => self.handle_events(vec![event]),
            DriverMessage::OperatorRequest(request) => self.handle_request(request),
            DriverMessage::StateReport(instance) => self.handle_state_report(instance),
            DriverMessage::AbandoningStart(instance) => {
                self.abandoned_starts.insert(instance);
            }
            DriverMessage::StartAbandoned(ended) => {
                self.abandoned_starts.remove(&ended.instance());
                self.handle_events(vec![Event::StartFailed(ended)]);
            }
            DriverMessage::ListStarted => self.seen_since_list.clear(),
            DriverMessage::ListCompleted(instances) => self.handle_list(instances),
            DriverMessage::ListFailed(asked_at, error) => {
                self.publisher.publish(now, NotificationKind::BackendError(format!("list: {error}")));
                self.handle_failed_list(asked_at);
            }
            DriverMessage::BackendError(text) => self.publisher.publish(now, NotificationKind::BackendError(text)),
            DriverMessage::Shutdown if self.is_shutting_down => self.kill_all(now),
            DriverMessage::Shutdown => {
                self.is_shutting_down = true;
                self.handle_events(vec![Event::Terminate]);
            }
            DriverMessage::ReplacePolicy(policy) => drop(self.apply(Input::Policy(policy))),
            DriverMessage::LimitStarts(at_most) => drop(self.apply(Input::LimitStarts(at_most))),
            DriverMessage::Query(query) => self.answer(query, now),
        }
    }

    /// Answers a query. The caller may have stopped waiting.
    fn answer(&self, query: Query, now: Timestamp) {
        match query {
            Query::Replicas(answer) => drop(answer.send(self.set.replicas().collect())),
            Query::Summary(answer) => drop(answer.send(self.set.summary(now))),
            Query::Snapshot(answer) => drop(answer.send(self.set.snapshot())),
            Query::Entries(answer) => drop(answer.send(self.entries())),
        }
    }

    /// Returns the number of entries in the collections of the driver and of its set.
    fn entries(&self) -> usize {
        let instances = self.starts.len() + self.abandoned_starts.len() + self.seen_since_list.entries();
        let reported = self.early_input.entries() + self.locations.entries() + self.readiness.entries();
        self.set.entries() + instances + reported + self.calls.entries() + self.workloads.entries()
    }

    fn handle_events(&mut self, mut events: Vec<Event>) {
        events.retain(|event| event.instance().is_none_or(|instance| !self.abandoned_starts.contains(&instance)));
        if !self.has_listed {
            self.early_input.push_events(&mut events);
        }
        if events.is_empty() {
            return;
        }
        for event in &events {
            self.note_readiness(event);
            self.seen_since_list.note_event(&self.set, event);
            self.all_reachable &= match event {
                Event::Lost(_) => false,
                Event::Probed(report) => report.result != ProbeResult::Unanswered,
                _ => true,
            };
        }
        if self.publisher.has_listeners() {
            let now = self.now();
            for event in &events {
                self.publisher.publish(now, NotificationKind::Event(event.clone()));
            }
        }
        let _ = self.apply(Input::Events(events));
    }

    /// Applies an operator's request and answers it, after the first list at the earliest.
    fn handle_request(&mut self, pending: PendingRequest) {
        if !self.has_listed {
            self.early_input.push_request(pending);
            return;
        }
        let answer = match pending.request {
            OperatorRequest::Event(event) => self.request(event),
            OperatorRequest::RollOut(revision, workload) => match workload.downcast::<WorkloadSource<B::Workload>>() {
                Ok(workload) => self.roll_out(revision, *workload),
                Err(_) => return,
            },
            OperatorRequest::Notice(replica, deadline) => self.notice(replica, deadline),
        };
        // The caller may have stopped waiting.
        let _ = pending.answer.send(answer);
    }

    fn request(&mut self, event: Event) -> Result<(), Rejection> {
        if self.publisher.has_listeners() {
            self.publisher.publish(self.now(), NotificationKind::Event(event.clone()));
        }
        self.apply(Input::Events(vec![event]))
    }

    /// Rolls out a revision; if that is refused, its workload is not kept.
    fn roll_out(&mut self, revision: Revision, workload: WorkloadSource<B::Workload>) -> Result<(), Rejection> {
        // The rollout may start instances at once.
        let previous = self.workloads.insert(revision.clone(), workload);
        let answer = self.request(Event::RollOut(revision.clone()));
        if answer.is_err() {
            self.workloads.undo_insert(revision, previous);
        }
        answer
    }

    /// Gives notice to the present instance of a replica.
    fn notice(&mut self, replica: ReplicaId, deadline: Timestamp) -> Result<(), Rejection> {
        let ends = self.set.status().is_final() || self.set.status() == Status::Terminating;
        match self.set.get(replica).filter(|view| view.role.is_some() && !ends) {
            Some(view) => self.request(Event::InterruptionNotice(InterruptionNotice::new(view.instance(), deadline))),
            // An event about an instance is never refused, so the set refuses the drain that the notice would become.
            None => self.request(Event::Drain(Drain::of([replica]).by(deadline))),
        }
    }

    /// Applies the event that a state reported by the watch implies, unless the set knows the state already.
    fn handle_state_report(&mut self, mut instance: Instance) {
        self.locations.take_from(&mut instance);
        let id = instance.instance();
        self.seen_since_list.note_state(id);
        let view = self.set.get(id.replica).filter(|view| view.incarnation == id.incarnation);
        let phase = view.map(|view| view.phase);
        let event = InstanceEvent::new(id, None);
        let event = match instance.state {
            // While lists fail, a repeated report is evidence that the instance is in contact.
            InstanceState::Ready if phase == Some(Phase::Ready) && self.lists_failing_since.is_none() => return,
            InstanceState::Ready => Event::Ready(event),
            InstanceState::Running if phase.is_none_or(|phase| phase == Phase::Starting) => Event::Started(event),
            InstanceState::Running => Event::NotReady(event),
            InstanceState::Ended(outcome) => Event::Exited(Ended::new(id, outcome)),
            _ if phase == Some(Phase::Unknown) => Event::Found(event),
            _ => return,
        };
        self.handle_events(vec![event]);
    }

    fn handle_list(&mut self, instances: Vec<Instance>) {
        self.lists_failing_since = None;
        let mut observed = Vec::with_capacity(instances.len());
        for mut instance in instances {
            self.locations.take_from(&mut instance);
            let id = instance.instance();
            self.note_listed_readiness(id, &instance.state);
            let overruled = self.seen_since_list.overrules_list(id);
            if !overruled && !self.abandoned_starts.contains(&id) {
                observed.push(Observed::new(id, instance.state));
            }
        }
        // The list may lack instances that were reported while it was made, so they are added as the set knows them.
        let reported = self.seen_since_list.reported_alive();
        observed.extend(reported.filter_map(|instance| listing::known_state(&self.set, instance)));
        if !(self.has_listed && self.all_reachable && listing::matches_set(&self.set, &observed)) {
            self.all_reachable = listing::covers_live(&self.set, &observed);
            let _ = self.apply(Input::Observed(observed));
        }
        self.prune();
        if !self.has_listed {
            self.has_listed = true;
            self.apply_early_input();
        }
    }

    /// Applies the events and requests from before the first list. Only then may the set issue commands.
    fn apply_early_input(&mut self) {
        let (events, requests) = self.early_input.take();
        self.handle_events(events);
        for request in requests {
            self.handle_request(request);
        }
        self.handle_timeout();
    }

    /// Reports every live instance as out of contact since the first of the consecutive lists that failed.
    fn handle_failed_list(&mut self, asked_at: Timestamp) {
        let since = *self.lists_failing_since.get_or_insert(asked_at);
        let live = |phase: Phase| phase.is_live() && phase != Phase::Starting;
        let lost: Vec<Event> = self
            .set
            .replicas()
            .filter(|view| live(view.phase))
            .map(|view| Event::Lost(InstanceEvent::new(view.instance(), Some(since))))
            .collect();
        if !lost.is_empty() {
            self.handle_events(lost);
        }
    }

    /// Kills every instance at once, and bounds the time that the driver waits for their ends.
    fn kill_all(&mut self, now: Timestamp) {
        let live = self.set.replicas().filter(|view| view.phase.is_live());
        let live = live.map(|view| view.instance());
        for instance in live.chain(self.set.stray_instances()).collect::<Vec<_>>() {
            self.calls.kill(instance, self.start_of(instance));
        }
        let force_exit_at = if self.has_listed { now + self.calls.call_timeout } else { now };
        self.force_exit_at.get_or_insert(force_exit_at);
    }

    fn note_readiness(&mut self, event: &Event) {
        let Some(instance) = event.instance().filter(|id| self.set.get(id.replica).is_some()) else { return };
        match event {
            Event::Started(_) => self.readiness.note_running(self.now(), instance),
            Event::Ready(_) => self.readiness.note_ready(instance),
            Event::Exited(_) | Event::StartFailed(_) | Event::Stopped(_) => {
                self.readiness.note_ended(instance);
            }
            _ => {}
        }
    }

    fn note_listed_readiness(&mut self, instance: InstanceId, state: &InstanceState) {
        if self.set.get(instance.replica).is_none() {
            return;
        }
        match state {
            InstanceState::Running => self.readiness.note_running(self.now(), instance),
            InstanceState::Ready => self.readiness.note_ready(instance),
            InstanceState::Ended(_) => self.readiness.note_ended(instance),
            _ => {}
        }
    }

    /// Forgets replicas that the set does not have, so that a backend that lists too many cannot exhaust memory.
    fn prune(&mut self) {
        let set = &self.set;
        self.locations.retain(|replica| set.get(replica).is_some());
        self.readiness.retain(|replica| set.get(replica).is_some());
        self.starts.retain(|_, (_, token)| !token.is_done());
        self.workloads.prune(&self.set);
    }

    fn handle_timeout(&mut self) {
        let _ = self.apply(Input::Timeout);
    }

    /// Records an input, applies it to the set and executes the commands that follow: the only mutation of the set.
    ///
    /// # Errors
    /// The set refuses an operator's request.
    fn apply(&mut self, input: Input) -> Result<(), Rejection> {
        let step = RecordedStep::new(self.now(), input);
        self.recorder.step(&step);
        let now = step.at;
        let answer = step.apply(&mut self.set);
        self.execute_outputs(now);
        if self.recorder.wants_rotation() {
            self.recorder.begin(&self.set.beginning(&self.calls.name));
            // A replay restores the snapshot, and a restored set issues no command before its first timeout.
            self.recorder.step(&RecordedStep::new(now, Input::Timeout));
        }
        self.warn_of_recorder_failure(now);
        answer
    }

    fn execute_outputs(&mut self, now: Timestamp) {
        let mut probes = 0;
        let mut moves_revision = false;
        while let Some(output) = self.set.poll_output() {
            match output {
                Output::Command(command) => {
                    self.publisher.publish(now, NotificationKind::Command(command.clone()));
                    self.execute(command, &mut probes);
                }
                Output::Notice(notice) => {
                    moves_revision |= matches!(notice, Notice::Rollout(_));
                    self.publisher.publish(now, NotificationKind::Notice(notice));
                }
            }
        }
        if moves_revision {
            self.workloads.prune(&self.set);
        }
        self.publisher.set_status(now, SetStatus::of(&self.set));
    }

    fn execute(&mut self, command: Command, probes: &mut u32) {
        let instance = command.instance();
        match command {
            Command::Start(start) => {
                let workload = self.workloads.get(&start.revision);
                let last_node = self.locations.last_node(instance.replica);
                let token = self.calls.start(StartCall { start, workload, last_node });
                self.starts.insert(instance.replica, (instance.incarnation, token));
                self.seen_since_list.note_state(instance);
            }
            Command::Stop(stop) => self.calls.stop(stop, self.start_of(instance)),
            Command::Kill(_) => self.calls.kill(instance, self.start_of(instance)),
            Command::Probe(probe) => {
                let delay = Duration::from_millis((*probes / PROBES_PER_MILLISECOND).into());
                *probes += 1;
                let address = self.locations.address(instance);
                self.calls.probe(probe, self.set.policy(), address, delay);
            }
        }
    }

    /// Returns the token of this instance's start, which may still be running.
    fn start_of(&self, instance: InstanceId) -> Option<StartToken> {
        let (_, token) = self.starts.get(&instance.replica).filter(|(latest, _)| *latest == instance.incarnation)?;
        Some(token.clone())
    }
}
