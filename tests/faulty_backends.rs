//! The driver with faulty backends, in virtual time. Whatever a backend reports, the set starts no second instance of a
//! slot while it knows of a live one. Once the backend is repaired, one instance of every replica runs.
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use support::millis;
use tokio::time::sleep;
use uphold::backend::{
    Backend, BackendError, Instance, KillRequest, ListRequest, Reporter, StartRequest, StopRequest, WatchRequest,
};
use uphold::engine::{Ended, InstanceEvent, InstanceState};
use uphold::{
    Event, Incarnation, InstanceId, Outcome, Phase, Policy, ReplicaId, Status, Supervisor, SupervisorHandle, Timestamp,
};

const REPLICAS: u32 = 3;
/// A slot that the set does not have.
const STRAY: ReplicaId = ReplicaId(9);
/// A bound on the entries that the driver keeps: some for each slot, and for each of a dozen strays.
const MAX_ENTRIES: usize = 50 * REPLICAS as usize + 100;

/// What a backend does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    StartDoesNothing,
    StartFailsAndRuns,
    StartLosesItsAnswer,
    StartHangs,
    StartRunsLate,
    StopDoesNothing,
    StopHangs,
    StopFails,
    StopReportsAFalseEnd,
    StopStartsAStray,
    KillDoesNothing,
    ListIsEmpty,
    ListOmitsOne,
    ListIsStale,
    ListHasDuplicates,
    ListShowsStrays,
    ListShowsLaterIncarnations,
    ListShowsLiveAsEnded,
    ListFails,
    ListHangs,
    WatchEndsAtOnce,
    WatchPanics,
    WatchFloods,
    WatchRepeatsOldEvents,
    WatchIsSilent,
    EventsOfUnknownReplicas,
    EventsOfOtherIncarnations,
    ReadinessFlaps,
    EndsAreNotReported,
    EndsAreReportedTwice,
    EventsHaveFutureTimes,
    EventsHavePastTimes,
    EveryCallFails,
    EveryCallPanics,
}

impl Fault {
    /// Returns whether it reports events about instances that do not exist.
    fn is_about_others(self) -> bool {
        matches!(self, Self::EventsOfUnknownReplicas | Self::EventsOfOtherIncarnations)
    }

    /// Returns whether it hides live instances, so that no set could avoid starting another beside them.
    fn hides_live_instances(self) -> bool {
        matches!(
            self,
            Self::StartFailsAndRuns
                | Self::StartRunsLate
                | Self::StopReportsAFalseEnd
                | Self::ListOmitsOne
                | Self::ListShowsLaterIncarnations
                | Self::ListShowsLiveAsEnded
        )
    }
}

/// The instances that are really alive.
#[derive(Default)]
struct ActualState {
    live: BTreeMap<ReplicaId, BTreeSet<Incarnation>>,
    /// The latest incarnation of each slot that has ended.
    ended: BTreeMap<ReplicaId, Incarnation>,
    reporter: Option<Reporter>,
    reported: Vec<Event>,
    /// The first list that showed every replica.
    first_list: Option<Vec<Instance>>,
    repaired: bool,
    /// The number of requested stops and kills.
    stops: usize,
    /// The most instances of one slot that were alive at once.
    max_live: usize,
}

struct FaultyBackend {
    fault: Fault,
    state: Mutex<ActualState>,
}

impl FaultyBackend {
    fn new(fault: Fault) -> Arc<Self> {
        Arc::new(Self { fault, state: Mutex::default() })
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault && !self.state.lock().unwrap().repaired
    }

    fn is_down(&self) -> Result<(), BackendError> {
        assert!(!self.has(Fault::EveryCallPanics), "on purpose");
        if self.has(Fault::EveryCallFails) { Err(BackendError::start_error("out of order")) } else { Ok(()) }
    }

    fn runs(&self, instance: InstanceId) {
        let mut state = self.state.lock().unwrap();
        let slot = state.live.entry(instance.replica).or_default();
        slot.insert(instance.incarnation);
        let live = slot.len();
        state.max_live = state.max_live.max(live);
        drop(state);
        self.report(Event::ready(instance));
    }

    fn ends(&self, instance: InstanceId, end: Event) {
        let InstanceId { replica, incarnation } = instance;
        let mut state = self.state.lock().unwrap();
        if state.live.entry(replica).or_default().remove(&incarnation) {
            state.ended.insert(replica, incarnation);
        }
        drop(state);
        self.report(end);
    }

    /// Ends a live instance of this replica with exit code 1.
    fn crash(&self, replica: ReplicaId) {
        let first = self.state.lock().unwrap().live.get(&replica).and_then(|slot| slot.first().copied());
        if let Some(incarnation) = first {
            let instance = InstanceId { replica, incarnation };
            self.ends(instance, Event::exited(instance, 1));
        }
    }

    fn alive(&self) -> Vec<InstanceId> {
        let state = self.state.lock().unwrap();
        let of_replica = |(&replica, slot): (&ReplicaId, &BTreeSet<Incarnation>)| -> Vec<_> {
            slot.iter().map(|&incarnation| InstanceId { replica, incarnation }).collect()
        };
        state.live.iter().flat_map(of_replica).collect()
    }

    /// Reports an event, changed by the fault.
    fn report(&self, event: Event) {
        let mut state = self.state.lock().unwrap();
        let Some(reporter) = state.reporter.clone() else { return };
        state.reported.push(event.clone());
        let before: Vec<Event> = state.reported.iter().rev().take(20).cloned().collect();
        let repaired = state.repaired;
        drop(state);
        let Some(instance) = event.instance() else { return };
        let InstanceId { replica, incarnation } = instance;
        let mut events = vec![event.clone()];
        match self.fault {
            // The end of a stopped stray is reported as it is. To add events about others there would never end.
            _ if repaired || matches!(event, Event::Stopped(_)) && self.fault.is_about_others() => {}
            Fault::WatchIsSilent => events.clear(),
            Fault::EndsAreNotReported if !matches!(event, Event::Ready(_)) => events.clear(),
            Fault::WatchFloods => events.extend(std::iter::repeat_n(Event::ready(instance), 2000)),
            Fault::WatchRepeatsOldEvents => events.extend(before),
            Fault::EventsOfUnknownReplicas => {
                events.extend([7, 1_000_000, u32::MAX].map(|other| Event::exited((other, incarnation), 1)));
                events.extend([7, 1_000_000, u32::MAX].map(|other| Event::ready((other, incarnation))));
            }
            Fault::EventsOfOtherIncarnations => {
                for other in [0, incarnation.0.saturating_sub(1), incarnation.0 + 1, u64::MAX] {
                    events.push(Event::exited((replica, other), 1));
                    events.push(Event::ready((replica, other)));
                }
            }
            Fault::ReadinessFlaps => {
                for _ in 0..50 {
                    events.push(Event::not_ready(instance));
                    events.push(Event::ready(instance));
                }
            }
            Fault::EndsAreReportedTwice => events.push(event.clone()),
            Fault::EventsHaveFutureTimes => events = vec![dated(event, Timestamp::MAX)],
            Fault::EventsHavePastTimes => {
                let lost = InstanceEvent::new(instance, Some(Timestamp::ZERO));
                events = vec![dated(event, Timestamp::ZERO), Event::Lost(lost)];
            }
            _ => {}
        }
        for event in events {
            reporter.report(event);
        }
    }
}

/// Returns the same event with another time.
fn dated(event: Event, at: Timestamp) -> Event {
    match event {
        Event::Exited(ended) => Event::Exited(Ended { outcome: Outcome::exited(1, at), ..ended }),
        Event::Ready(event) => Event::Ready(InstanceEvent { at: Some(at), ..event }),
        Event::Stopped(event) => Event::Stopped(InstanceEvent { at: Some(at), ..event }),
        other => other,
    }
}

struct Connection(Arc<FaultyBackend>);

#[async_trait]
impl Backend for Connection {
    type Workload = ();

    async fn start(&self, request: StartRequest<'_, ()>) -> Result<(), BackendError> {
        let backend = self.0.clone();
        backend.is_down()?;
        let instance = request.key.instance();
        if backend.has(Fault::StartDoesNothing) {
            return Ok(());
        }
        if backend.has(Fault::StartHangs) {
            std::future::pending::<()>().await;
        }
        if backend.has(Fault::StartRunsLate) {
            // The request has been sent; that the caller stops waiting does not undo it.
            let late = tokio::spawn(async move {
                sleep(millis(2500)).await;
                backend.runs(instance);
            });
            return late.await.map_err(|error| BackendError::start_error(error.to_string()));
        }
        backend.runs(instance);
        match backend.fault {
            Fault::StartFailsAndRuns if backend.has(backend.fault) => Err(BackendError::start_error("it did not work")),
            Fault::StartLosesItsAnswer if backend.has(backend.fault) => Err(BackendError::lost_answer("who knows")),
            _ => Ok(()),
        }
    }

    async fn stop(&self, request: StopRequest<'_>) -> Result<(), BackendError> {
        let backend = &self.0;
        backend.is_down()?;
        let instance = request.key.instance();
        backend.state.lock().unwrap().stops += 1;
        if backend.has(Fault::StopHangs) {
            std::future::pending::<()>().await;
        }
        if backend.has(Fault::StopFails) {
            return Err(BackendError::start_error("not now"));
        }
        if backend.has(Fault::StopStartsAStray) {
            // A call takes time; otherwise virtual time would not advance.
            sleep(millis(10)).await;
            backend.ends(instance, Event::stopped(instance));
            backend.runs(InstanceId::new(STRAY, instance.incarnation.0 + 1));
        } else if backend.has(Fault::StopReportsAFalseEnd) {
            backend.report(Event::stopped(instance));
        } else if !backend.has(Fault::StopDoesNothing) && !backend.has(Fault::KillDoesNothing) {
            backend.ends(instance, Event::stopped(instance));
        }
        Ok(())
    }

    async fn kill(&self, request: KillRequest<'_>) -> Result<(), BackendError> {
        let backend = &self.0;
        backend.is_down()?;
        let instance = request.key.instance();
        backend.state.lock().unwrap().stops += 1;
        if !backend.has(Fault::KillDoesNothing) {
            backend.ends(instance, Event::stopped(instance));
        }
        Ok(())
    }

    async fn list(&self, _: ListRequest<'_>) -> Result<Vec<Instance>, BackendError> {
        let backend = &self.0;
        backend.is_down()?;
        let alive = backend.alive();
        let ready = |instance| Instance::new(instance, InstanceState::Ready);
        let mut list: Vec<Instance> = alive.into_iter().map(ready).collect();
        if list.len() == REPLICAS as usize {
            backend.state.lock().unwrap().first_list.get_or_insert_with(|| list.clone());
        }
        let ended = backend.state.lock().unwrap().ended.clone();
        let ended = if backend.has(Fault::EndsAreNotReported) { BTreeMap::new() } else { ended };
        for (replica, incarnation) in ended {
            if list.iter().all(|seen| seen.replica != replica) {
                let outcome = Outcome::exited(1, None);
                list.push(Instance::new((replica, incarnation), InstanceState::Ended(outcome)));
            }
        }
        if !backend.has(backend.fault) {
            return Ok(list);
        }
        match backend.fault {
            Fault::ListIsEmpty => list.clear(),
            Fault::ListOmitsOne => list.retain(|seen| seen.replica != ReplicaId(0)),
            Fault::ListIsStale => list = backend.state.lock().unwrap().first_list.clone().unwrap_or(list),
            Fault::ListHasDuplicates => list = list.iter().rev().chain(&list).cloned().collect(),
            Fault::ListShowsStrays => {
                for other in [5, 1_000_000, u32::MAX].map(ReplicaId) {
                    list.extend([0, 1, u64::MAX].map(|number| ready(InstanceId::new(other, number))));
                }
            }
            Fault::ListShowsLaterIncarnations => {
                list.extend([1000, u64::MAX].map(|number| ready(InstanceId::new(0, number))));
            }
            Fault::ListShowsLiveAsEnded => {
                for seen in &mut list {
                    seen.state = InstanceState::Ended(Outcome::exited(1, None));
                }
            }
            Fault::ListFails => return Err(BackendError::start_error("no list")),
            Fault::ListHangs => std::future::pending().await,
            _ => {}
        }
        Ok(list)
    }

    async fn watch(&self, _: WatchRequest<'_>, reporter: Reporter) -> Result<(), BackendError> {
        self.0.is_down()?;
        self.0.state.lock().unwrap().reporter = Some(reporter);
        if self.0.has(Fault::WatchEndsAtOnce) {
            return Ok(());
        }
        assert!(!self.0.has(Fault::WatchPanics), "on purpose");
        std::future::pending().await
    }
}

fn policy() -> Policy {
    support::policy(serde_json::json!({
        "replicas": REPLICAS,
        "start_timeout": "5s",
        "stop_grace": "200ms",
        "retry": {"interval": "200ms"},
        "health": {"unknown_after": "1s", "lost_after": "2s"},
        "failure": {"min_available": 0},
    }))
}

fn supervise(backend: &Arc<FaultyBackend>) -> SupervisorHandle {
    let builder = Supervisor::builder(policy(), Connection(backend.clone()), ()).name("faulty");
    builder.call_timeout(millis(300)).resync(millis(200)).spawn()
}

/// Runs a set with a faulty backend while replicas crash, then repairs the backend: the set recovers, and ends on
/// request.
async fn the_set_recovers_from(fault: Fault) {
    let backend = FaultyBackend::new(fault);
    let mut handle = supervise(&backend);
    for second in 0..20u32 {
        sleep(Duration::from_secs(1)).await;
        backend.crash(ReplicaId(second % REPLICAS));
    }
    let max_live = backend.state.lock().unwrap().max_live;
    let most = match fault {
        // It reports nothing true about any instance.
        Fault::ListShowsLiveAsEnded => usize::MAX,
        _ if fault.hides_live_instances() => 4,
        _ => 1,
    };
    assert!(max_live <= most, "{max_live} instances of one slot were alive at once");
    let entries = handle.entries().await.unwrap();
    assert!(entries <= MAX_ENTRIES, "{entries} entries");
    backend.state.lock().unwrap().repaired = true;
    // Kills are repeated after 5 minutes at the latest, and a watch and a list after 30 seconds.
    sleep(Duration::from_secs(900)).await;
    let alive: Vec<u32> = backend.alive().iter().map(|instance| instance.replica.0).collect();
    let status = handle.status();
    assert_eq!((status.status, alive), (Status::Healthy, vec![0, 1, 2]), "{:?}", handle.replicas().await);
    assert_eq!(handle.shutdown().await.status, Status::Terminated);
    assert_eq!(backend.alive(), []);
}

/// The first stray is stopped, and every stop starts another one. They are stopped one at a time, as fast as the
/// backend allows.
#[tokio::test(start_paused = true)]
async fn strays_that_appear_at_every_stop_are_stopped_one_by_one() {
    let backend = FaultyBackend::new(Fault::StopStartsAStray);
    let mut handle = supervise(&backend);
    sleep(Duration::from_secs(1)).await;
    backend.runs(InstanceId::new(STRAY, 1));
    sleep(Duration::from_secs(20)).await;
    let stops = backend.state.lock().unwrap().stops;
    assert!((1000..=2001).contains(&stops), "{stops} stops in 20 s, each of which takes 10 ms");
    let entries = handle.entries().await.unwrap();
    assert!(entries <= MAX_ENTRIES, "{entries} entries");
    backend.state.lock().unwrap().repaired = true;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(backend.alive().len(), REPLICAS as usize);
    assert_eq!(handle.shutdown().await.status, Status::Terminated);
}

/// An instance that disappears from list and watch without an end is out of contact: first unknown, then `node-lost`
/// and replaced. If most replicas disappear like this, we assume that we are partitioned, and replace none.
#[tokio::test(start_paused = true)]
async fn an_end_that_is_never_reported_is_lost_contact() {
    let backend = FaultyBackend::new(Fault::EndsAreNotReported);
    let mut handle = supervise(&backend);
    sleep(Duration::from_secs(1)).await;
    backend.crash(ReplicaId(1));
    // The time to the next list, `unknown_after`, `lost_after`, the interval, and a margin.
    sleep(millis(200 + 1000 + 2000 + 200 + 300)).await;
    let alive = || backend.alive().iter().map(|alive| (alive.replica.0, alive.incarnation.0)).collect::<Vec<_>>();
    assert_eq!(alive(), [(0, 1), (1, 2), (2, 1)]);
    (0..REPLICAS).map(ReplicaId).for_each(|replica| backend.crash(replica));
    sleep(Duration::from_secs(60)).await;
    assert_eq!(alive(), []);
    let views = handle.replicas().await.unwrap();
    assert!(views.iter().all(|view| view.phase == Phase::Unknown), "{views:?}");
    backend.state.lock().unwrap().repaired = true;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(alive(), [(0, 2), (1, 3), (2, 2)]);
    assert_eq!(handle.shutdown().await.status, Status::Terminated);
}

macro_rules! a_set_recovers_when {
    ($($name:ident: $fault:ident;)*) => {$(
        #[tokio::test(start_paused = true)]
        async fn $name() {
            the_set_recovers_from(Fault::$fault).await;
        }
    )*};
}

a_set_recovers_when! {
    a_start_is_accepted_and_nothing_runs: StartDoesNothing;
    a_start_fails_and_runs_nevertheless: StartFailsAndRuns;
    the_answer_to_a_start_is_lost: StartLosesItsAnswer;
    a_start_is_never_answered: StartHangs;
    a_start_runs_after_it_was_given_up: StartRunsLate;
    a_stop_is_accepted_and_ignored: StopDoesNothing;
    a_stop_is_never_answered: StopHangs;
    a_stop_fails: StopFails;
    a_stop_reports_a_false_end: StopReportsAFalseEnd;
    stop_and_kill_are_accepted_and_ignored: KillDoesNothing;
    lists_are_empty: ListIsEmpty;
    lists_omit_one: ListOmitsOne;
    lists_are_stale: ListIsStale;
    lists_have_duplicates: ListHasDuplicates;
    lists_show_strays: ListShowsStrays;
    lists_show_later_incarnations: ListShowsLaterIncarnations;
    lists_show_live_instances_as_ended: ListShowsLiveAsEnded;
    lists_fail: ListFails;
    lists_are_never_answered: ListHangs;
    the_watch_ends_at_once: WatchEndsAtOnce;
    the_watch_panics: WatchPanics;
    the_watch_floods: WatchFloods;
    the_watch_repeats_old_events: WatchRepeatsOldEvents;
    the_watch_is_silent: WatchIsSilent;
    events_are_about_unknown_replicas: EventsOfUnknownReplicas;
    events_are_about_other_incarnations: EventsOfOtherIncarnations;
    readiness_flaps: ReadinessFlaps;
    ends_are_reported_twice: EndsAreReportedTwice;
    events_have_future_times: EventsHaveFutureTimes;
    events_have_past_times: EventsHavePastTimes;
    every_call_fails: EveryCallFails;
    every_call_panics: EveryCallPanics;
}
