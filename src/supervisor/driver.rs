//! The loop: drain what has come, tell the set, carry out what it commands, sleep until its next deadline.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::sleep_until;

use super::calls::Calls;
use super::driver_message::{DriverMessage, Query};
use super::guarded_recorder::GuardedRecorder;
use super::handle::SetStatus;
use super::listing::{self, LatestReport};
use super::notifications::{Notification, NotificationKind};
use super::readiness_monitor::{self, ReadinessMonitor};
use super::start_token::StartToken;
use super::telemetry::Telemetry;
use crate::backend::{Backend, Instance};
use crate::decide::{Incarnation, ReplicaId};
use crate::engine::{
    Command, Ended, Event, InstanceState, News, Observed, Output, Phase, ProbeResult, RecordedStep, Rejection,
    ReplicaSet, Told,
};
use crate::time::Timestamp;

/// How many messages are taken at once.
const MAX_BATCH: usize = 1024;
/// News that is kept from before the first list, and while the backend lists.
const MAX_BUFFERED: usize = 65_536;
/// So many probes begin in the same millisecond; those after them begin later.
const PROBES_PER_MILLISECOND: u32 = 16;

pub(super) struct Driver<B: Backend> {
    set: ReplicaSet,
    recorder: GuardedRecorder,
    calls: Calls<B>,
    inbox: mpsc::UnboundedReceiver<DriverMessage>,
    status: watch::Sender<SetStatus>,
    notifications: broadcast::Sender<Notification>,
    /// The backend has listed what runs already: commands may go out.
    listed: bool,
    /// What was heard and asked for before that.
    pending_events: Vec<Event>,
    /// The requests among that which somebody waits for.
    pending_requests: Vec<(Event, oneshot::Sender<Result<(), Rejection>>)>,
    /// The latest start of each replica: what stops it comes after it.
    starts: BTreeMap<ReplicaId, (Incarnation, StartToken)>,
    /// Starts that were given up and are being killed: no news of them is wanted.
    abandoned_starts: BTreeSet<(ReplicaId, Incarnation)>,
    /// The instances of which there was news while the backend was listing: the list may be older.
    seen_since_list: BTreeMap<(ReplicaId, Incarnation), LatestReport>,
    shutting_down: bool,
    /// Asked twice to shut down: it force_exit_at then, whatever is still there.
    force_exit_at: Option<Timestamp>,
    /// Since when lists have failed.
    lists_failing_since: Option<Timestamp>,
    /// No instance can be out of contact: a list that says what the set knows is no news.
    all_reachable: bool,
    /// Where instances are, as last seen.
    locations: BTreeMap<ReplicaId, Location>,
    /// What the backend calls running and never ready.
    readiness: ReadinessMonitor,
    telemetry: Telemetry,
}

/// Where an instance is.
#[derive(Debug)]
struct Location {
    incarnation: Incarnation,
    node: Option<String>,
    address: Option<String>,
}

impl<B: Backend> Driver<B> {
    pub(super) fn new(
        set: ReplicaSet,
        recorder: GuardedRecorder,
        calls: Calls<B>,
        inbox: mpsc::UnboundedReceiver<DriverMessage>,
        status: watch::Sender<SetStatus>,
        notifications: broadcast::Sender<Notification>,
    ) -> Self {
        Self {
            set,
            recorder,
            calls,
            inbox,
            status,
            notifications,
            listed: false,
            pending_events: Vec::new(),
            pending_requests: Vec::new(),
            starts: BTreeMap::new(),
            abandoned_starts: BTreeSet::new(),
            seen_since_list: BTreeMap::new(),
            shutting_down: false,
            force_exit_at: None,
            lists_failing_since: None,
            all_reachable: false,
            locations: BTreeMap::new(),
            readiness: ReadinessMonitor::default(),
            telemetry: Telemetry::default(),
        }
    }

    pub(super) async fn run(mut self) {
        let mut messages = Vec::new();
        let mut timer = pin!(sleep_until(self.calls.clock.instant(Timestamp::MAX)));
        let mut armed = None;
        self.export_status();
        self.report_recorder_failure(self.calls.clock.now());
        while !self.set.status().is_final() {
            let due = self.due();
            // A deadline that has passed is served without touching a timer: a timer rounds up to the next millisecond.
            if due.is_some_and(|due| due <= self.calls.clock.now()) {
                if self.force_exit_at.is_some_and(|force_exit_at| force_exit_at <= self.calls.clock.now()) {
                    self.force_exit();
                    break;
                }
                self.warn_never_ready();
                self.handle_timeout();
                // What has come meanwhile, and other tasks, get their turn however much is due.
                tokio::task::yield_now().await;
                self.drain_inbox(&mut messages);
                continue;
            }
            if let Some(due) = due.filter(|due| armed != Some(*due)) {
                timer.as_mut().reset(self.calls.clock.instant(due));
                armed = Some(due);
            }
            tokio::select! {
                biased;
                // The inbox stays open: the driver itself could write into it.
                _ = self.inbox.recv_many(&mut messages, MAX_BATCH) => self.handle_messages(&mut messages),
                () = &mut timer, if due.is_some() => armed = None,
            }
        }
        // Whoever asked late is answered before the door closes.
        self.inbox.close();
        while let Some(message) = self.inbox.recv().await {
            self.handle_message(message);
        }
    }

    /// When something is to be done. Before the backend has listed, nothing is.
    fn due(&self) -> Option<Timestamp> {
        let next = self.set.next_deadline().filter(|_| self.listed).map(|next| next.at);
        [next, self.force_exit_at, self.readiness.next_deadline(self.never_ready_after())].into_iter().flatten().min()
    }

    /// For how long an instance may run before it is said that the backend has never called it ready.
    fn never_ready_after(&self) -> Duration {
        self.set.policy().start_timeout() / 4
    }

    fn warn_never_ready(&mut self) {
        let (now, after) = (self.calls.clock.now(), self.never_ready_after());
        let due = self.readiness.take_overdue(now, after);
        if !due.is_empty() {
            self.publish(now, NotificationKind::Warning(readiness_monitor::warning(&due, after)));
        }
    }

    fn report_recorder_failure(&mut self, now: Timestamp) {
        if let Some(text) = self.recorder.take_warning() {
            self.publish(now, NotificationKind::Warning(text));
        }
    }

    /// Takes down what the backend says of readiness.
    fn note_readiness(&mut self, event: &Event) {
        let Some((replica, incarnation)) = event.instance().filter(|(replica, _)| self.set.get(*replica).is_some())
        else {
            return;
        };
        match event {
            Event::Started(_) => self.readiness.note_running(self.calls.clock.now(), replica, incarnation),
            Event::Ready(_) => self.readiness.note_ready(replica, incarnation),
            Event::Exited(_) | Event::StartFailed(_) | Event::Stopped(_) => {
                self.readiness.note_ended(replica, incarnation)
            }
            _ => {}
        }
    }

    fn note_listed_readiness(&mut self, replica: ReplicaId, incarnation: Incarnation, state: &InstanceState) {
        if self.set.get(replica).is_none() {
            return;
        }
        match state {
            InstanceState::Running => self.readiness.note_running(self.calls.clock.now(), replica, incarnation),
            InstanceState::Ready => self.readiness.note_ready(replica, incarnation),
            InstanceState::Ended(_) => self.readiness.note_ended(replica, incarnation),
            _ => {}
        }
    }

    /// Forgets what is known of instances that the set does not have: a backend may list ever new ones.
    fn prune(&mut self) {
        let set = &self.set;
        self.locations.retain(|replica, _| set.get(*replica).is_some());
        self.readiness.retain(|replica| set.get(replica).is_some());
        self.starts.retain(|_, (_, token)| !token.is_done());
    }

    fn handle_timeout(&mut self) {
        let _ = self.apply(Told::Timeout);
    }

    fn drain_inbox(&mut self, messages: &mut Vec<DriverMessage>) {
        while messages.len() < MAX_BATCH {
            let Ok(message) = self.inbox.try_recv() else { break };
            messages.push(message);
        }
        self.handle_messages(messages);
    }

    fn handle_messages(&mut self, messages: &mut Vec<DriverMessage>) {
        let mut together = Vec::new();
        for message in messages.drain(..) {
            match message {
                // What came together is known at one instant.
                DriverMessage::Event(event) => together.push(event),
                other => {
                    self.apply_events(std::mem::take(&mut together));
                    self.handle_message(other);
                }
            }
        }
        self.apply_events(together);
    }

    /// Every call of the set: recorded, made, and what it commands carried out. Returns the answer to an operator.
    fn apply(&mut self, told: Told) -> Result<(), Rejection> {
        let step = RecordedStep::new(self.calls.clock.now(), told);
        self.recorder.step(&step);
        let now = step.at;
        let answer = step.tell(&mut self.set);
        self.drain_outputs(now);
        if self.recorder.wants_rotation() {
            self.recorder.begin(&self.set.beginning(&self.calls.name));
            // A restored set commands nothing before its first time-out; this one has had it.
            self.recorder.step(&RecordedStep::new(now, Told::Timeout));
        }
        self.report_recorder_failure(now);
        answer
    }

    fn apply_events(&mut self, mut events: Vec<Event>) {
        events.retain(|event| event.instance().is_none_or(|instance| !self.abandoned_starts.contains(&instance)));
        if !self.listed {
            // The set does not know yet what they are about.
            self.pending_events.append(&mut events);
            if self.pending_events.len() > MAX_BUFFERED {
                // The list that is awaited knows better than the oldest news.
                let mut news = 0;
                self.pending_events.reverse();
                self.pending_events.retain(|event| {
                    news += usize::from(event.instance().is_some());
                    event.instance().is_none() || news <= MAX_BUFFERED / 2
                });
                self.pending_events.reverse();
            }
        }
        if events.is_empty() {
            return;
        }
        for event in &events {
            self.note_readiness(event);
            let bounded = |(replica, _): &(ReplicaId, Incarnation)| {
                self.seen_since_list.len() < MAX_BUFFERED || self.set.get(*replica).is_some()
            };
            if let Some(instance) = event.instance().filter(bounded) {
                LatestReport::of(event).merge_into(self.seen_since_list.entry(instance));
            }
            self.all_reachable &= match event {
                Event::Lost(_) => false,
                Event::Probed(news) => news.result != ProbeResult::Unanswered,
                _ => true,
            };
        }
        if self.has_listeners() {
            let now = self.calls.clock.now();
            for event in &events {
                self.publish(now, NotificationKind::Event(event.clone()));
            }
        }
        let _ = self.apply(Told::Events(events));
    }

    /// A request of an operator. One from before the first list is answered after it.
    fn request(&mut self, event: Event, answer: oneshot::Sender<Result<(), Rejection>>) {
        if !self.listed {
            self.pending_requests.push((event, answer));
            return;
        }
        if self.has_listeners() {
            self.publish(self.calls.clock.now(), NotificationKind::Event(event.clone()));
        }
        // Whoever asked may have gone away.
        let _ = answer.send(self.apply(Told::Events(vec![event])));
    }

    fn handle_message(&mut self, message: DriverMessage) {
        let now = self.calls.clock.now();
        match message {
            DriverMessage::Event(event) => self.apply_events(vec![event]),
            DriverMessage::OperatorRequest(event, answer) => self.request(event, answer),
            DriverMessage::StateReport(instance) => self.apply_state_report(instance),
            DriverMessage::AbandoningStart(replica, incarnation) => {
                self.abandoned_starts.insert((replica, incarnation));
            }
            DriverMessage::StartAbandoned(ended) => {
                self.abandoned_starts.remove(&(ended.replica, ended.incarnation));
                self.apply_events(vec![Event::StartFailed(ended)]);
            }
            DriverMessage::ListStarted => self.seen_since_list.clear(),
            DriverMessage::ListCompleted(instances) => self.listed(instances),
            DriverMessage::ListFailed(asked, error) => {
                self.publish(now, NotificationKind::BackendError(format!("list: {error}")));
                self.note_failed_list(asked);
            }
            DriverMessage::BackendError(text) => self.publish(now, NotificationKind::BackendError(text)),
            DriverMessage::Shutdown if self.shutting_down => self.kill_all(now),
            DriverMessage::Shutdown => {
                self.shutting_down = true;
                self.apply_events(vec![Event::Terminate]);
            }
            DriverMessage::ReplacePolicy(policy) => drop(self.apply(Told::Policy(policy))),
            DriverMessage::LimitStarts(at_most) => drop(self.apply(Told::LimitStarts(at_most))),
            // Whoever asked may have gone away.
            DriverMessage::Query(Query::Replicas(answer)) => drop(answer.send(self.set.replicas().collect())),
            DriverMessage::Query(Query::Summary(answer)) => drop(answer.send(self.set.summary(now))),
            DriverMessage::Query(Query::Snapshot(answer)) => drop(answer.send(self.set.snapshot())),
        }
    }

    fn listed(&mut self, instances: Vec<Instance>) {
        self.lists_failing_since = None;
        let mut observed = Vec::with_capacity(instances.len());
        for instance in instances {
            let Instance { replica, incarnation, state, .. } = self.remember_location(instance);
            self.note_listed_readiness(replica, incarnation, &state);
            let older = match self.seen_since_list.get(&(replica, incarnation)) {
                Some(LatestReport::State | LatestReport::Lost) => true,
                Some(LatestReport::ProbeAnswered) => {
                    self.seen_since_list.remove(&(replica, incarnation));
                    false
                }
                Some(LatestReport::ProbeUnanswered) | None => false,
            };
            if !older && !self.abandoned_starts.contains(&(replica, incarnation)) {
                observed.push(Observed { replica, incarnation, state });
            }
        }
        // Of what was heard while the backend listed, the list may know less: the set is told what it knows already.
        let alive = self
            .seen_since_list
            .iter()
            .filter(|(_, news)| matches!(news, LatestReport::State | LatestReport::ProbeAnswered));
        observed.extend(alive.filter_map(|(&instance, _)| listing::known_state(&self.set, instance)));
        if !(self.listed && self.all_reachable && listing::matches_set(&self.set, &observed)) {
            self.all_reachable = listing::covers_live(&self.set, &observed);
            let _ = self.apply(Told::Observed(observed));
        }
        self.prune();
        if !self.listed {
            self.listed = true;
            // Nothing is started that was asked to end before.
            let pending_events = std::mem::take(&mut self.pending_events);
            self.apply_events(pending_events);
            for (event, answer) in std::mem::take(&mut self.pending_requests) {
                self.request(event, answer);
            }
            self.handle_timeout();
        }
    }

    /// Remembers where an instance is.
    fn remember_location(&mut self, mut instance: Instance) -> Instance {
        let (node, address) = (instance.node.take(), instance.address.take());
        let known = self.locations.get(&instance.replica).map(|location| location.incarnation);
        if (node.is_some() || address.is_some()) && known.is_none_or(|known| known <= instance.incarnation) {
            self.locations.insert(instance.replica, Location { incarnation: instance.incarnation, node, address });
        }
        instance
    }

    /// An instance as the watch sees it: tells what is new in that.
    fn apply_state_report(&mut self, instance: Instance) {
        let Instance { replica, incarnation, state, .. } = self.remember_location(instance);
        self.seen_since_list.insert((replica, incarnation), LatestReport::State);
        let view = self.set.get(replica).filter(|view| view.incarnation == incarnation);
        let phase = view.map(|view| view.phase);
        let news = News { replica, incarnation, at: None };
        let event = match state {
            // While lists fail, every sign of life counts.
            InstanceState::Ready if phase == Some(Phase::Ready) && self.lists_failing_since.is_none() => return,
            InstanceState::Ready => Event::Ready(news),
            InstanceState::Running if phase.is_none_or(|phase| phase == Phase::Starting) => Event::Started(news),
            InstanceState::Running => Event::NotReady(news),
            InstanceState::Ended(outcome) => Event::Exited(Ended { replica, incarnation, outcome }),
            _ if phase == Some(Phase::Unknown) => Event::Found(news),
            _ => return,
        };
        self.apply_events(vec![event]);
    }

    /// A list that failed: every live replica is out of contact, from the first such list on.
    fn note_failed_list(&mut self, asked: Timestamp) {
        let since = *self.lists_failing_since.get_or_insert(asked);
        let live = |phase: Phase| phase.is_live() && phase != Phase::Starting;
        let lost: Vec<Event> = self
            .set
            .replicas()
            .filter(|view| live(view.phase))
            .map(|view| Event::Lost(News { replica: view.replica, incarnation: view.incarnation, at: Some(since) }))
            .collect();
        if !lost.is_empty() {
            self.apply_events(lost);
        }
    }

    /// Asked twice to shut down: no more grace, and no waiting for a backend that does not answer.
    fn kill_all(&mut self, now: Timestamp) {
        let current = self.set.replicas().filter(|view| view.phase.is_live());
        let current = current.map(|view| (view.replica, view.incarnation));
        for (replica, incarnation) in current.chain(self.set.stray_instances()).collect::<Vec<_>>() {
            let start = self.start_of(replica, incarnation);
            self.calls.kill_now(replica, incarnation, start);
        }
        let force_exit_at = if self.listed { now + self.calls.call_timeout } else { now };
        self.force_exit_at.get_or_insert(force_exit_at);
    }

    /// Leaves without a set that has ended.
    fn force_exit(&mut self) {
        let what = if self.listed {
            "the supervisor force_exit_at as asked: not every instance is known to be gone"
        } else {
            "the supervisor force_exit_at as asked: the backend has not listed what there may be"
        };
        self.publish(self.calls.clock.now(), NotificationKind::Warning(what.to_owned()));
    }

    /// The start of that instance, if it may still be under way.
    fn start_of(&self, replica: ReplicaId, incarnation: Incarnation) -> Option<StartToken> {
        self.starts.get(&replica).filter(|(latest, _)| *latest == incarnation).map(|(_, token)| token.clone())
    }

    fn drain_outputs(&mut self, now: Timestamp) {
        let mut probes = 0;
        while let Some(output) = self.set.poll_output() {
            match output {
                Output::Command(command) => {
                    self.publish(now, NotificationKind::Command(command));
                    self.execute(command, &mut probes);
                }
                Output::Notice(notice) => self.publish(now, NotificationKind::Notice(notice)),
            }
        }
        let status = SetStatus::of(&self.set);
        let changed = self.status.send_if_modified(|shown| std::mem::replace(shown, status) != status);
        if changed {
            self.export_status();
        }
    }

    fn execute(&mut self, command: Command, probes: &mut u32) {
        let (replica, incarnation) = command.instance();
        match command {
            Command::Start(start) => {
                let last_node = self.locations.get(&replica).and_then(|location| location.node.clone());
                let token = self.calls.start(start, last_node);
                self.starts.insert(replica, (incarnation, token));
                self.seen_since_list.insert((replica, incarnation), LatestReport::State);
            }
            Command::Stop(stop) => self.calls.stop(stop, self.start_of(replica, incarnation)),
            Command::Kill(kill) => self.calls.kill(kill, self.start_of(replica, incarnation)),
            Command::Probe(probe) => {
                let delay = Duration::from_millis((*probes / PROBES_PER_MILLISECOND).into());
                *probes += 1;
                // Where an earlier instance was reached, something else may be now.
                let location = self.locations.get(&replica).filter(|location| location.incarnation == incarnation);
                let address = location.and_then(|location| location.address.clone());
                self.calls.probe(probe, self.set.policy(), address, delay);
            }
        }
    }

    /// Whether anybody wants to know of events.
    fn has_listeners(&self) -> bool {
        cfg!(feature = "tracing") || self.notifications.receiver_count() > 0
    }

    /// Shows the present status to whoever collects figures.
    fn export_status(&self) {
        let status = *self.status.borrow();
        if let Err(text) = self.telemetry.set_status(&self.calls.name, &status) {
            self.publish(self.calls.clock.now(), NotificationKind::Warning(text));
        }
    }

    fn publish(&self, at: Timestamp, kind: NotificationKind) {
        if let Err(text) = self.telemetry.record(&self.calls.name, &kind) {
            let _ = self.notifications.send(Notification { at, kind: NotificationKind::Warning(text) });
        }
        // Nobody may be listening.
        let _ = self.notifications.send(Notification { at, kind });
    }
}
