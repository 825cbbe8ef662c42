//! The loop: drain what has come, tell the set, carry out what it commands, sleep until its next deadline.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::sleep_until;

use super::calls::Calls;
use super::handle::SetStatus;
use super::message::{Message, Request};
use super::notices::{Happened, Happening};
use super::record::Record;
use crate::backend::{Backend, Instance, Report};
use crate::decide::ReplicaId;
use crate::engine::{Command, Event, News, Observed, Output, Phase, RecordedStep, ReplicaSet, Told};
use crate::time::Timestamp;

/// How many messages are taken at once.
const AT_ONCE: usize = 1024;
/// So many probes begin in the same millisecond; those after them begin later.
const PROBES_AT_ONCE: u32 = 16;

pub(super) struct Driver<B: Backend> {
    set: ReplicaSet,
    record: Option<Box<dyn Record>>,
    calls: Calls<B>,
    inbox: mpsc::UnboundedReceiver<Message>,
    reported: mpsc::UnboundedReceiver<Report>,
    status: watch::Sender<SetStatus>,
    notices: broadcast::Sender<Happened>,
    /// The backend has listed what runs already: commands may go out.
    listed: bool,
    shutting_down: bool,
    /// Since when lists have failed.
    blind_since: Option<Timestamp>,
    /// Where instances are reached, as last listed.
    addresses: BTreeMap<ReplicaId, String>,
}

pub(super) fn status_of(set: &ReplicaSet) -> SetStatus {
    SetStatus {
        status: set.status(),
        reason: set.status_reason(),
        since: set.status_since(),
        available: set.census().available,
        desired: set.desired(),
    }
}

/// Why the driver woke up.
enum Woken {
    Messages,
    Reports,
    Deadline,
    Deserted,
}

impl<B: Backend> Driver<B> {
    pub(super) fn new(
        set: ReplicaSet,
        record: Option<Box<dyn Record>>,
        calls: Calls<B>,
        inbox: mpsc::UnboundedReceiver<Message>,
        reported: mpsc::UnboundedReceiver<Report>,
        status: watch::Sender<SetStatus>,
        notices: broadcast::Sender<Happened>,
    ) -> Self {
        Self {
            set,
            record,
            calls,
            inbox,
            reported,
            status,
            notices,
            listed: false,
            shutting_down: false,
            blind_since: None,
            addresses: BTreeMap::new(),
        }
    }

    pub(super) async fn run(mut self) {
        let mut messages = Vec::new();
        let mut reports = Vec::new();
        self.show();
        while !self.set.status().is_final() {
            match self.sleep(&mut messages, &mut reports).await {
                Woken::Deserted => return,
                Woken::Deadline => self.wake(),
                Woken::Messages => {
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
                Woken::Reports => {
                    let events: Vec<Event> = reports.drain(..).map(|Report(event)| event).collect();
                    self.tell(events);
                }
            }
        }
        // Whoever asked late is answered before the door closes.
        self.inbox.close();
        while let Some(message) = self.inbox.recv().await {
            self.take(message);
        }
    }

    /// Sleeps until something has come or is due. A deadline that has passed is served without touching a timer:
    /// a timer rounds up to the next millisecond.
    async fn sleep(&mut self, messages: &mut Vec<Message>, reports: &mut Vec<Report>) -> Woken {
        let due = self.set.next_deadline().filter(|_| self.listed || self.shutting_down).map(|next| next.at);
        if due.is_some_and(|due| due <= self.calls.clock.now()) {
            return Woken::Deadline;
        }
        let timer = async {
            match due {
                Some(due) => sleep_until(self.calls.clock.instant(due)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            count = self.reported.recv_many(reports, AT_ONCE) => {
                if count == 0 { Woken::Deserted } else { Woken::Reports }
            }
            count = self.inbox.recv_many(messages, AT_ONCE) => {
                if count == 0 { Woken::Deserted } else { Woken::Messages }
            }
            () = timer => Woken::Deadline,
        }
    }

    fn wake(&mut self) {
        self.call(Told::Timeout);
    }

    /// Every call of the set: recorded, made, and what it commands carried out.
    fn call(&mut self, told: Told) {
        let step = RecordedStep::new(self.calls.clock.now(), told);
        if let Some(record) = &mut self.record {
            record.step(&step);
        }
        let now = step.at;
        step.tell(&mut self.set);
        self.carry_out(now);
        if let Some(record) = &mut self.record {
            if record.wants_beginning() {
                record.begin(&self.set.beginning(&self.calls.name));
                // A restored set commands nothing before its first time-out; this one has had it.
                record.step(&RecordedStep::new(now, Told::Timeout));
            }
        }
    }

    fn tell(&mut self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        if self.is_heard() {
            let now = self.calls.clock.now();
            for event in &events {
                self.publish(now, Happening::Event(event.clone()));
            }
        }
        self.call(Told::Events(events));
    }

    fn take(&mut self, message: Message) {
        let now = self.calls.clock.now();
        match message {
            Message::Event(event) => self.tell(vec![event]),
            Message::Listed(instances) => self.listed(instances),
            Message::ListFailed(asked, error) => {
                self.publish(now, Happening::Trouble(format!("list: {error}")));
                self.blind(asked);
            }
            Message::Trouble(trouble) => self.publish(now, Happening::Trouble(trouble)),
            Message::Shutdown if self.shutting_down => self.kill_all(),
            Message::Shutdown => {
                self.shutting_down = true;
                self.tell(vec![Event::Terminate]);
                self.wake();
            }
            Message::Policy(policy) => self.call(Told::Policy(policy)),
            Message::LimitStarts(at_most) => self.call(Told::LimitStarts(at_most)),
            // Whoever asked may have gone away.
            Message::Request(Request::Replicas(answer)) => drop(answer.send(self.set.replicas().collect())),
            Message::Request(Request::Summary(answer)) => drop(answer.send(self.set.summary(now))),
            Message::Request(Request::Snapshot(answer)) => drop(answer.send(self.set.snapshot())),
        }
    }

    fn listed(&mut self, instances: Vec<Instance>) {
        self.blind_since = None;
        self.addresses.clear();
        let mut observed = Vec::with_capacity(instances.len());
        for instance in instances {
            if let Some(address) = instance.address {
                self.addresses.insert(instance.replica, address);
            }
            let Instance { replica, incarnation, state, .. } = instance;
            observed.push(Observed { replica, incarnation, state });
        }
        self.call(Told::Observed(observed));
        if !self.listed {
            self.listed = true;
            self.wake();
        }
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

    /// Asked twice to shut down: no more grace.
    fn kill_all(&mut self) {
        let live: Vec<_> = self.set.replicas().filter(|view| view.phase.is_live()).collect();
        for view in live {
            self.calls.kill_now(view.replica, view.incarnation);
        }
    }

    fn carry_out(&mut self, now: Timestamp) {
        let mut probes = 0;
        while let Some(output) = self.set.poll_output() {
            match output {
                Output::Command(command) => {
                    self.publish(now, Happening::Command(command));
                    let (replica, _) = command.instance();
                    let mut delay = Duration::ZERO;
                    if matches!(command, Command::Probe(_)) {
                        delay = Duration::from_millis((probes / PROBES_AT_ONCE).into());
                        probes += 1;
                    }
                    let address = self.addresses.get(&replica).cloned();
                    self.calls.spawn(command, self.set.policy(), address, delay);
                }
                Output::Notice(notice) => self.publish(now, Happening::Notice(notice)),
            }
        }
        let status = status_of(&self.set);
        let changed = self.status.send_if_modified(|shown| std::mem::replace(shown, status) != status);
        if changed {
            self.show();
        }
    }

    /// Whether anybody wants to know of events.
    fn is_heard(&self) -> bool {
        cfg!(feature = "tracing") || self.notices.receiver_count() > 0
    }

    /// Shows the present status to whoever collects figures.
    #[cfg_attr(not(feature = "metrics"), expect(clippy::unused_self, reason = "nobody collects figures"))]
    fn show(&self) {
        #[cfg(feature = "metrics")]
        super::metrics::show(&self.calls.name, &self.status.borrow());
    }

    fn publish(&self, at: Timestamp, what: Happening) {
        #[cfg(feature = "tracing")]
        super::tracing::tell(&self.calls.name, &what);
        #[cfg(feature = "metrics")]
        super::metrics::count(&self.calls.name, &what);
        // Nobody may be listening.
        let _ = self.notices.send(Happened { at, what });
    }
}
