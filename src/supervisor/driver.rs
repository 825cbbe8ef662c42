//! The loop: drain what has come, tell the set, carry out what it commands, sleep until its next deadline.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::sleep_until;

use super::calls::Calls;
use super::facades::Facades;
use super::handle::SetStatus;
use super::listing::{self, NewsKind};
use super::message::{Message, Request};
use super::notices::{Happened, Happening};
use super::recording::Recording;
use super::ticket::Ticket;
use super::unready::{self, Unready};
use crate::backend::{Backend, Instance};
use crate::decide::{Incarnation, ReplicaId};
use crate::engine::{
    Command, Ended, Event, InstanceState, News, Observed, Output, Phase, ProbeResult, RecordedStep, Refused,
    ReplicaSet, Told,
};
use crate::time::Timestamp;

/// How many messages are taken at once.
const AT_ONCE: usize = 1024;
/// News that is kept from before the first list, and while the backend lists.
const MOST_NEWS: usize = 65_536;
/// So many probes begin in the same millisecond; those after them begin later.
const PROBES_AT_ONCE: u32 = 16;

pub(super) struct Driver<B: Backend> {
    set: ReplicaSet,
    record: Recording,
    calls: Calls<B>,
    inbox: mpsc::UnboundedReceiver<Message>,
    status: watch::Sender<SetStatus>,
    notices: broadcast::Sender<Happened>,
    /// The backend has listed what runs already: commands may go out.
    listed: bool,
    /// What was heard and asked for before that.
    early: Vec<Event>,
    /// The requests among that which somebody waits for.
    early_requests: Vec<(Event, oneshot::Sender<Result<(), Refused>>)>,
    /// The latest start of each replica: what stops it comes after it.
    starts: BTreeMap<ReplicaId, (Incarnation, Ticket)>,
    /// Starts that were given up and are being killed: no news of them is wanted.
    giving_up: BTreeSet<(ReplicaId, Incarnation)>,
    /// The instances of which there was news while the backend was listing: the list may be older.
    heard: BTreeMap<(ReplicaId, Incarnation), NewsKind>,
    shutting_down: bool,
    /// Asked twice to shut down: it leaves then, whatever is still there.
    leaves: Option<Timestamp>,
    /// Since when lists have failed.
    blind_since: Option<Timestamp>,
    /// No instance can be out of contact: a list that says what the set knows is no news.
    in_sight: bool,
    /// Where instances are, as last seen.
    places: BTreeMap<ReplicaId, Place>,
    /// What the backend calls running and never ready.
    unready: Unready,
    facades: Facades,
}

/// Where an instance is.
#[derive(Debug)]
struct Place {
    incarnation: Incarnation,
    node: Option<String>,
    address: Option<String>,
}

impl<B: Backend> Driver<B> {
    pub(super) fn new(
        set: ReplicaSet,
        record: Recording,
        calls: Calls<B>,
        inbox: mpsc::UnboundedReceiver<Message>,
        status: watch::Sender<SetStatus>,
        notices: broadcast::Sender<Happened>,
    ) -> Self {
        Self {
            set,
            record,
            calls,
            inbox,
            status,
            notices,
            listed: false,
            early: Vec::new(),
            early_requests: Vec::new(),
            starts: BTreeMap::new(),
            giving_up: BTreeSet::new(),
            heard: BTreeMap::new(),
            shutting_down: false,
            leaves: None,
            blind_since: None,
            in_sight: false,
            places: BTreeMap::new(),
            unready: Unready::default(),
            facades: Facades::default(),
        }
    }

    pub(super) async fn run(mut self) {
        let mut messages = Vec::new();
        let mut timer = pin!(sleep_until(self.calls.clock.instant(Timestamp::MAX)));
        let mut armed = None;
        self.show();
        self.tell_recording_ended(self.calls.clock.now());
        while !self.set.status().is_final() {
            let due = self.due();
            // A deadline that has passed is served without touching a timer: a timer rounds up to the next millisecond.
            if due.is_some_and(|due| due <= self.calls.clock.now()) {
                if self.leaves.is_some_and(|leaves| leaves <= self.calls.clock.now()) {
                    self.leave();
                    break;
                }
                self.tell_unready();
                self.wake();
                // What has come meanwhile, and other tasks, get their turn however much is due.
                tokio::task::yield_now().await;
                self.inbox_now(&mut messages);
                continue;
            }
            if let Some(due) = due.filter(|due| armed != Some(*due)) {
                timer.as_mut().reset(self.calls.clock.instant(due));
                armed = Some(due);
            }
            tokio::select! {
                biased;
                // The inbox stays open: the driver itself could write into it.
                _ = self.inbox.recv_many(&mut messages, AT_ONCE) => self.take_all(&mut messages),
                () = &mut timer, if due.is_some() => armed = None,
            }
        }
        // Whoever asked late is answered before the door closes.
        self.inbox.close();
        while let Some(message) = self.inbox.recv().await {
            self.take(message);
        }
    }

    /// When something is to be done. Before the backend has listed, nothing is.
    fn due(&self) -> Option<Timestamp> {
        let next = self.set.next_deadline().filter(|_| self.listed).map(|next| next.at);
        [next, self.leaves, self.unready.due(self.unready_after())].into_iter().flatten().min()
    }

    /// For how long an instance may run before it is said that the backend has never called it ready.
    fn unready_after(&self) -> Duration {
        self.set.policy().start_timeout() / 4
    }

    fn tell_unready(&mut self) {
        let (now, after) = (self.calls.clock.now(), self.unready_after());
        let due = self.unready.take_due(now, after);
        if !due.is_empty() {
            self.publish(now, Happening::Trouble(unready::message(&due, after)));
        }
    }

    fn tell_recording_ended(&mut self, now: Timestamp) {
        if let Some(trouble) = self.record.take_trouble() {
            self.publish(now, Happening::Trouble(trouble));
        }
    }

    /// Takes down what the backend says of readiness.
    fn note_readiness(&mut self, event: &Event) {
        let Some((replica, incarnation)) = event.instance().filter(|(replica, _)| self.set.get(*replica).is_some())
        else {
            return;
        };
        match event {
            Event::Started(_) => self.unready.runs(self.calls.clock.now(), replica, incarnation),
            Event::Ready(_) => self.unready.is_ready(replica, incarnation),
            Event::Exited(_) | Event::StartFailed(_) | Event::Stopped(_) => self.unready.ended(replica, incarnation),
            _ => {}
        }
    }

    fn note_listed(&mut self, replica: ReplicaId, incarnation: Incarnation, state: &InstanceState) {
        if self.set.get(replica).is_none() {
            return;
        }
        match state {
            InstanceState::Running => self.unready.runs(self.calls.clock.now(), replica, incarnation),
            InstanceState::Ready => self.unready.is_ready(replica, incarnation),
            InstanceState::Ended(_) => self.unready.ended(replica, incarnation),
            _ => {}
        }
    }

    /// Forgets what is known of instances that the set does not have: a backend may list ever new ones.
    fn prune(&mut self) {
        let set = &self.set;
        self.places.retain(|replica, _| set.get(*replica).is_some());
        self.unready.retain(|replica| set.get(replica).is_some());
        self.starts.retain(|_, (_, ticket)| !ticket.is_over());
    }

    fn wake(&mut self) {
        let _ = self.call(Told::Timeout);
    }

    fn inbox_now(&mut self, messages: &mut Vec<Message>) {
        while messages.len() < AT_ONCE {
            let Ok(message) = self.inbox.try_recv() else { break };
            messages.push(message);
        }
        self.take_all(messages);
    }

    fn take_all(&mut self, messages: &mut Vec<Message>) {
        let mut together = Vec::new();
        for message in messages.drain(..) {
            match message {
                // What came together is known at one instant.
                Message::Event(event) => together.push(event),
                other => {
                    self.tell(std::mem::take(&mut together));
                    self.take(other);
                }
            }
        }
        self.tell(together);
    }

    /// Every call of the set: recorded, made, and what it commands carried out. Returns the answer to an operator.
    fn call(&mut self, told: Told) -> Result<(), Refused> {
        let step = RecordedStep::new(self.calls.clock.now(), told);
        self.record.step(&step);
        let now = step.at;
        let answer = step.tell(&mut self.set);
        self.carry_out(now);
        if self.record.wants_beginning() {
            self.record.begin(&self.set.beginning(&self.calls.name));
            // A restored set commands nothing before its first time-out; this one has had it.
            self.record.step(&RecordedStep::new(now, Told::Timeout));
        }
        self.tell_recording_ended(now);
        answer
    }

    fn tell(&mut self, mut events: Vec<Event>) {
        events.retain(|event| event.instance().is_none_or(|instance| !self.giving_up.contains(&instance)));
        if !self.listed {
            // The set does not know yet what they are about.
            self.early.append(&mut events);
            if self.early.len() > MOST_NEWS {
                // The list that is awaited knows better than the oldest news.
                let mut news = 0;
                self.early.reverse();
                self.early.retain(|event| {
                    news += usize::from(event.instance().is_some());
                    event.instance().is_none() || news <= MOST_NEWS / 2
                });
                self.early.reverse();
            }
        }
        if events.is_empty() {
            return;
        }
        for event in &events {
            self.note_readiness(event);
            let bounded = |(replica, _): &(ReplicaId, Incarnation)| {
                self.heard.len() < MOST_NEWS || self.set.get(*replica).is_some()
            };
            if let Some(instance) = event.instance().filter(bounded) {
                NewsKind::of(event).note(self.heard.entry(instance));
            }
            self.in_sight &= match event {
                Event::Lost(_) => false,
                Event::Probed(news) => news.result != ProbeResult::Unanswered,
                _ => true,
            };
        }
        if self.is_heard() {
            let now = self.calls.clock.now();
            for event in &events {
                self.publish(now, Happening::Event(event.clone()));
            }
        }
        let _ = self.call(Told::Events(events));
    }

    /// A request of an operator. One from before the first list is answered after it.
    fn request(&mut self, event: Event, answer: oneshot::Sender<Result<(), Refused>>) {
        if !self.listed {
            self.early_requests.push((event, answer));
            return;
        }
        if self.is_heard() {
            self.publish(self.calls.clock.now(), Happening::Event(event.clone()));
        }
        // Whoever asked may have gone away.
        let _ = answer.send(self.call(Told::Events(vec![event])));
    }

    fn take(&mut self, message: Message) {
        let now = self.calls.clock.now();
        match message {
            Message::Event(event) => self.tell(vec![event]),
            Message::Operator(event, answer) => self.request(event, answer),
            Message::Saw(instance) => self.saw(instance),
            Message::GivingUp(replica, incarnation) => drop(self.giving_up.insert((replica, incarnation))),
            Message::GaveUp(ended) => {
                self.giving_up.remove(&(ended.replica, ended.incarnation));
                self.tell(vec![Event::StartFailed(ended)]);
            }
            Message::Listing => self.heard.clear(),
            Message::Listed(instances) => self.listed(instances),
            Message::ListFailed(asked, error) => {
                self.publish(now, Happening::Trouble(format!("list: {error}")));
                self.blind(asked);
            }
            Message::Trouble(trouble) => self.publish(now, Happening::Trouble(trouble)),
            Message::Shutdown if self.shutting_down => self.kill_all(now),
            Message::Shutdown => {
                self.shutting_down = true;
                self.tell(vec![Event::Terminate]);
            }
            Message::Policy(policy) => drop(self.call(Told::Policy(policy))),
            Message::LimitStarts(at_most) => drop(self.call(Told::LimitStarts(at_most))),
            // Whoever asked may have gone away.
            Message::Request(Request::Replicas(answer)) => drop(answer.send(self.set.replicas().collect())),
            Message::Request(Request::Summary(answer)) => drop(answer.send(self.set.summary(now))),
            Message::Request(Request::Snapshot(answer)) => drop(answer.send(self.set.snapshot())),
        }
    }

    fn listed(&mut self, instances: Vec<Instance>) {
        self.blind_since = None;
        let mut observed = Vec::with_capacity(instances.len());
        for instance in instances {
            let Instance { replica, incarnation, state, .. } = self.place(instance);
            self.note_listed(replica, incarnation, &state);
            let older = match self.heard.get(&(replica, incarnation)) {
                Some(NewsKind::State | NewsKind::Lost) => true,
                Some(NewsKind::Answer) => {
                    self.heard.remove(&(replica, incarnation));
                    false
                }
                Some(NewsKind::Silence) | None => false,
            };
            if !older && !self.giving_up.contains(&(replica, incarnation)) {
                observed.push(Observed { replica, incarnation, state });
            }
        }
        // Of what was heard while the backend listed, the list may know less: the set is told what it knows already.
        let alive = self.heard.iter().filter(|(_, news)| matches!(news, NewsKind::State | NewsKind::Answer));
        observed.extend(alive.filter_map(|(&instance, _)| listing::as_known(&self.set, instance)));
        if !(self.listed && self.in_sight && listing::is_known(&self.set, &observed)) {
            self.in_sight = listing::is_complete(&self.set, &observed);
            let _ = self.call(Told::Observed(observed));
        }
        self.prune();
        if !self.listed {
            self.listed = true;
            // Nothing is started that was asked to end before.
            let early = std::mem::take(&mut self.early);
            self.tell(early);
            for (event, answer) in std::mem::take(&mut self.early_requests) {
                self.request(event, answer);
            }
            self.wake();
        }
    }

    /// Remembers where an instance is.
    fn place(&mut self, mut instance: Instance) -> Instance {
        let (node, address) = (instance.node.take(), instance.address.take());
        let known = self.places.get(&instance.replica).map(|place| place.incarnation);
        if (node.is_some() || address.is_some()) && known.is_none_or(|known| known <= instance.incarnation) {
            self.places.insert(instance.replica, Place { incarnation: instance.incarnation, node, address });
        }
        instance
    }

    /// An instance as the watch sees it: tells what is new in that.
    fn saw(&mut self, instance: Instance) {
        let Instance { replica, incarnation, state, .. } = self.place(instance);
        self.heard.insert((replica, incarnation), NewsKind::State);
        let view = self.set.get(replica).filter(|view| view.incarnation == incarnation);
        let phase = view.map(|view| view.phase);
        let news = News { replica, incarnation, at: None };
        let event = match state {
            // While lists fail, every sign of life counts.
            InstanceState::Ready if phase == Some(Phase::Ready) && self.blind_since.is_none() => return,
            InstanceState::Ready => Event::Ready(news),
            InstanceState::Running if phase.is_none_or(|phase| phase == Phase::Starting) => Event::Started(news),
            InstanceState::Running => Event::NotReady(news),
            InstanceState::Ended(outcome) => Event::Exited(Ended { replica, incarnation, outcome }),
            _ if phase == Some(Phase::Unknown) => Event::Found(news),
            _ => return,
        };
        self.tell(vec![event]);
    }

    /// A list that failed: every live replica is out of contact, from the first such list on.
    fn blind(&mut self, asked: Timestamp) {
        let since = *self.blind_since.get_or_insert(asked);
        let live = |phase: Phase| phase.is_live() && phase != Phase::Starting;
        let lost: Vec<Event> = self
            .set
            .replicas()
            .filter(|view| live(view.phase))
            .map(|view| Event::Lost(News { replica: view.replica, incarnation: view.incarnation, at: Some(since) }))
            .collect();
        if !lost.is_empty() {
            self.tell(lost);
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
        let leaves = if self.listed { now + self.calls.call_timeout } else { now };
        self.leaves.get_or_insert(leaves);
    }

    /// Leaves without a set that has ended.
    fn leave(&mut self) {
        let what = if self.listed {
            "the supervisor leaves as asked: not every instance is known to be gone"
        } else {
            "the supervisor leaves as asked: the backend has not listed what there may be"
        };
        self.publish(self.calls.clock.now(), Happening::Trouble(what.to_owned()));
    }

    /// The start of that instance, if it may still be under way.
    fn start_of(&self, replica: ReplicaId, incarnation: Incarnation) -> Option<Ticket> {
        self.starts.get(&replica).filter(|(latest, _)| *latest == incarnation).map(|(_, ticket)| ticket.clone())
    }

    fn carry_out(&mut self, now: Timestamp) {
        let mut probes = 0;
        while let Some(output) = self.set.poll_output() {
            match output {
                Output::Command(command) => {
                    self.publish(now, Happening::Command(command));
                    self.obey(command, &mut probes);
                }
                Output::Notice(notice) => self.publish(now, Happening::Notice(notice)),
            }
        }
        let status = SetStatus::of(&self.set);
        let changed = self.status.send_if_modified(|shown| std::mem::replace(shown, status) != status);
        if changed {
            self.show();
        }
    }

    fn obey(&mut self, command: Command, probes: &mut u32) {
        let (replica, incarnation) = command.instance();
        match command {
            Command::Start(start) => {
                let last_node = self.places.get(&replica).and_then(|place| place.node.clone());
                let ticket = self.calls.start(start, last_node);
                self.starts.insert(replica, (incarnation, ticket));
                self.heard.insert((replica, incarnation), NewsKind::State);
            }
            Command::Stop(stop) => self.calls.stop(stop, self.start_of(replica, incarnation)),
            Command::Kill(kill) => self.calls.kill(kill, self.start_of(replica, incarnation)),
            Command::Probe(probe) => {
                let delay = Duration::from_millis((*probes / PROBES_AT_ONCE).into());
                *probes += 1;
                // Where an earlier instance was reached, something else may be now.
                let place = self.places.get(&replica).filter(|place| place.incarnation == incarnation);
                let address = place.and_then(|place| place.address.clone());
                self.calls.probe(probe, self.set.policy(), address, delay);
            }
        }
    }

    /// Whether anybody wants to know of events.
    fn is_heard(&self) -> bool {
        cfg!(feature = "tracing") || self.notices.receiver_count() > 0
    }

    /// Shows the present status to whoever collects figures.
    fn show(&self) {
        let status = *self.status.borrow();
        if let Err(trouble) = self.facades.show(&self.calls.name, &status) {
            self.publish(self.calls.clock.now(), Happening::Trouble(trouble));
        }
    }

    fn publish(&self, at: Timestamp, what: Happening) {
        if let Err(trouble) = self.facades.tell(&self.calls.name, &what) {
            let _ = self.notices.send(Happened { at, what: Happening::Trouble(trouble) });
        }
        // Nobody may be listening.
        let _ = self.notices.send(Happened { at, what });
    }
}
