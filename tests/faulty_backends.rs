//! The driver against backends that lie, in virtual time. Whatever a backend says, the set starts no second instance
//! beside one that it could know of, and once the backend tells the truth again every replica runs, once.
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
const STRANGER: ReplicaId = ReplicaId(9);
/// The driver keeps at most so many entries: some for each slot, and for each of a dozen strays.
const MAX_ENTRIES: usize = 50 * REPLICAS as usize + 100;

/// How a backend lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lie {
    StartDoesNothing,
    StartErrsAndRuns,
    StartLosesItsAnswer,
    StartHangs,
    StartComesAboutLate,
    StopDoesNothing,
    StopHangs,
    StopErrs,
    StopTellsAnEndThatIsNone,
    StopBringsAStranger,
    KillDoesNothing,
    ListIsEmpty,
    ListOmitsOne,
    ListIsStale,
    ListRepeatsItself,
    ListShowsStrangers,
    ListShowsTheFuture,
    ListShowsTheLiveAsEnded,
    ListErrs,
    ListHangs,
    WatchEndsAtOnce,
    WatchPanics,
    WatchFloods,
    WatchRepeatsItself,
    WatchIsSilent,
    NewsOfStrangers,
    NewsOfOtherIncarnations,
    ReadinessFlaps,
    EndsAreForgotten,
    EndsAreToldTwice,
    ReportsComeFromTheFuture,
    ReportsComeFromThePast,
    EveryCallErrs,
    EveryCallPanics,
}

impl Lie {
    /// It tells of instances that there are not.
    fn is_of_others(self) -> bool {
        matches!(self, Self::NewsOfStrangers | Self::NewsOfOtherIncarnations)
    }

    /// It hides that an instance is alive, so that no set could help starting another beside it.
    fn hides_life(self) -> bool {
        matches!(
            self,
            Self::StartErrsAndRuns
                | Self::StartComesAboutLate
                | Self::StopTellsAnEndThatIsNone
                | Self::ListOmitsOne
                | Self::ListShowsTheFuture
                | Self::ListShowsTheLiveAsEnded
        )
    }
}

/// What is really alive.
#[derive(Default)]
struct Truth {
    live: BTreeMap<ReplicaId, BTreeSet<Incarnation>>,
    /// The latest of each slot that has ended.
    ended: BTreeMap<ReplicaId, Incarnation>,
    reporter: Option<Reporter>,
    told: Vec<Event>,
    /// The first list that showed every replica.
    first_list: Option<Vec<Instance>>,
    honest: bool,
    /// Stops and kills that the backend was asked for.
    stops: usize,
    /// The most instances of one slot that ever lived together.
    together: usize,
}

struct Liar {
    lie: Lie,
    truth: Mutex<Truth>,
}

impl Liar {
    fn new(lie: Lie) -> Arc<Self> {
        Arc::new(Self { lie, truth: Mutex::default() })
    }

    fn lies(&self, lie: Lie) -> bool {
        self.lie == lie && !self.truth.lock().unwrap().honest
    }

    fn is_down(&self) -> Result<(), BackendError> {
        assert!(!self.lies(Lie::EveryCallPanics), "on purpose");
        if self.lies(Lie::EveryCallErrs) { Err(BackendError::start_error("out of order")) } else { Ok(()) }
    }

    fn runs(&self, instance: InstanceId) {
        let mut truth = self.truth.lock().unwrap();
        let slot = truth.live.entry(instance.replica).or_default();
        slot.insert(instance.incarnation);
        let together = slot.len();
        truth.together = truth.together.max(together);
        drop(truth);
        self.tell(Event::ready(instance));
    }

    fn ends(&self, instance: InstanceId, news: Event) {
        let InstanceId { replica, incarnation } = instance;
        let mut truth = self.truth.lock().unwrap();
        if truth.live.entry(replica).or_default().remove(&incarnation) {
            truth.ended.insert(replica, incarnation);
        }
        drop(truth);
        self.tell(news);
    }

    /// A live instance of this replica crashes.
    fn crash(&self, replica: ReplicaId) {
        let first = self.truth.lock().unwrap().live.get(&replica).and_then(|slot| slot.first().copied());
        if let Some(incarnation) = first {
            let instance = InstanceId { replica, incarnation };
            self.ends(instance, Event::exited(instance, 1));
        }
    }

    fn alive(&self) -> Vec<InstanceId> {
        let truth = self.truth.lock().unwrap();
        let of_replica = |(&replica, slot): (&ReplicaId, &BTreeSet<Incarnation>)| -> Vec<_> {
            slot.iter().map(|&incarnation| InstanceId { replica, incarnation }).collect()
        };
        truth.live.iter().flat_map(of_replica).collect()
    }

    /// Tells what has happened, the way it lies.
    fn tell(&self, event: Event) {
        let mut truth = self.truth.lock().unwrap();
        let Some(reporter) = truth.reporter.clone() else { return };
        truth.told.push(event.clone());
        let before: Vec<Event> = truth.told.iter().rev().take(20).cloned().collect();
        let honest = truth.honest;
        drop(truth);
        let Some(instance) = event.instance() else { return };
        let InstanceId { replica, incarnation } = instance;
        let mut events = vec![event.clone()];
        match self.lie {
            // What a stop of a stranger comes to is no occasion for more news of strangers: that would never end.
            _ if honest || matches!(event, Event::Stopped(_)) && self.lie.is_of_others() => {}
            Lie::WatchIsSilent => events.clear(),
            Lie::EndsAreForgotten if !matches!(event, Event::Ready(_)) => events.clear(),
            Lie::WatchFloods => events.extend(std::iter::repeat_n(Event::ready(instance), 2000)),
            Lie::WatchRepeatsItself => events.extend(before),
            Lie::NewsOfStrangers => {
                events.extend([7, 1_000_000, u32::MAX].map(|other| Event::exited((other, incarnation), 1)));
                events.extend([7, 1_000_000, u32::MAX].map(|other| Event::ready((other, incarnation))));
            }
            Lie::NewsOfOtherIncarnations => {
                for other in [0, incarnation.0.saturating_sub(1), incarnation.0 + 1, u64::MAX] {
                    events.push(Event::exited((replica, other), 1));
                    events.push(Event::ready((replica, other)));
                }
            }
            Lie::ReadinessFlaps => {
                for _ in 0..50 {
                    events.push(Event::not_ready(instance));
                    events.push(Event::ready(instance));
                }
            }
            Lie::EndsAreToldTwice => events.push(event.clone()),
            Lie::ReportsComeFromTheFuture => events = vec![dated(event, Timestamp::MAX)],
            Lie::ReportsComeFromThePast => {
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

/// The same news, as of another time.
fn dated(event: Event, at: Timestamp) -> Event {
    match event {
        Event::Exited(ended) => Event::Exited(Ended { outcome: Outcome::exited(1, at), ..ended }),
        Event::Ready(news) => Event::Ready(InstanceEvent { at: Some(at), ..news }),
        Event::Stopped(news) => Event::Stopped(InstanceEvent { at: Some(at), ..news }),
        other => other,
    }
}

struct Connection(Arc<Liar>);

#[async_trait]
impl Backend for Connection {
    type Workload = ();

    async fn start(&self, request: StartRequest<'_, ()>) -> Result<(), BackendError> {
        let liar = self.0.clone();
        liar.is_down()?;
        let instance = request.key.instance();
        if liar.lies(Lie::StartDoesNothing) {
            return Ok(());
        }
        if liar.lies(Lie::StartHangs) {
            std::future::pending::<()>().await;
        }
        if liar.lies(Lie::StartComesAboutLate) {
            // The request is on its way, whoever waits for its answer.
            let late = tokio::spawn(async move {
                sleep(millis(2500)).await;
                liar.runs(instance);
            });
            return late.await.map_err(|error| BackendError::start_error(error.to_string()));
        }
        liar.runs(instance);
        match liar.lie {
            Lie::StartErrsAndRuns if liar.lies(liar.lie) => Err(BackendError::start_error("it did not work")),
            Lie::StartLosesItsAnswer if liar.lies(liar.lie) => Err(BackendError::lost_answer("who knows")),
            _ => Ok(()),
        }
    }

    async fn stop(&self, request: StopRequest<'_>) -> Result<(), BackendError> {
        let liar = &self.0;
        liar.is_down()?;
        let instance = request.key.instance();
        liar.truth.lock().unwrap().stops += 1;
        if liar.lies(Lie::StopHangs) {
            std::future::pending::<()>().await;
        }
        if liar.lies(Lie::StopErrs) {
            return Err(BackendError::start_error("not now"));
        }
        if liar.lies(Lie::StopBringsAStranger) {
            // A call takes some time, or none would ever pass.
            sleep(millis(10)).await;
            liar.ends(instance, Event::stopped(instance));
            liar.runs(InstanceId::new(STRANGER, instance.incarnation.0 + 1));
        } else if liar.lies(Lie::StopTellsAnEndThatIsNone) {
            liar.tell(Event::stopped(instance));
        } else if !liar.lies(Lie::StopDoesNothing) && !liar.lies(Lie::KillDoesNothing) {
            liar.ends(instance, Event::stopped(instance));
        }
        Ok(())
    }

    async fn kill(&self, request: KillRequest<'_>) -> Result<(), BackendError> {
        let liar = &self.0;
        liar.is_down()?;
        let instance = request.key.instance();
        liar.truth.lock().unwrap().stops += 1;
        if !liar.lies(Lie::KillDoesNothing) {
            liar.ends(instance, Event::stopped(instance));
        }
        Ok(())
    }

    async fn list(&self, _: ListRequest<'_>) -> Result<Vec<Instance>, BackendError> {
        let liar = &self.0;
        liar.is_down()?;
        let alive = liar.alive();
        let ready = |instance| Instance::new(instance, InstanceState::Ready);
        let mut list: Vec<Instance> = alive.into_iter().map(ready).collect();
        if list.len() == REPLICAS as usize {
            liar.truth.lock().unwrap().first_list.get_or_insert_with(|| list.clone());
        }
        let ended = liar.truth.lock().unwrap().ended.clone();
        let ended = if liar.lies(Lie::EndsAreForgotten) { BTreeMap::new() } else { ended };
        for (replica, incarnation) in ended {
            if list.iter().all(|seen| seen.replica != replica) {
                let outcome = Outcome::exited(1, None);
                list.push(Instance::new((replica, incarnation), InstanceState::Ended(outcome)));
            }
        }
        if !liar.lies(liar.lie) {
            return Ok(list);
        }
        match liar.lie {
            Lie::ListIsEmpty => list.clear(),
            Lie::ListOmitsOne => list.retain(|seen| seen.replica != ReplicaId(0)),
            Lie::ListIsStale => list = liar.truth.lock().unwrap().first_list.clone().unwrap_or(list),
            Lie::ListRepeatsItself => list = list.iter().rev().chain(&list).cloned().collect(),
            Lie::ListShowsStrangers => {
                for other in [5, 1_000_000, u32::MAX].map(ReplicaId) {
                    list.extend([0, 1, u64::MAX].map(|number| ready(InstanceId::new(other, number))));
                }
            }
            Lie::ListShowsTheFuture => {
                list.extend([1000, u64::MAX].map(|number| ready(InstanceId::new(0, number))));
            }
            Lie::ListShowsTheLiveAsEnded => {
                for seen in &mut list {
                    seen.state = InstanceState::Ended(Outcome::exited(1, None));
                }
            }
            Lie::ListErrs => return Err(BackendError::start_error("no list")),
            Lie::ListHangs => std::future::pending().await,
            _ => {}
        }
        Ok(list)
    }

    async fn watch(&self, _: WatchRequest<'_>, reporter: Reporter) -> Result<(), BackendError> {
        self.0.is_down()?;
        self.0.truth.lock().unwrap().reporter = Some(reporter);
        if self.0.lies(Lie::WatchEndsAtOnce) {
            return Ok(());
        }
        assert!(!self.0.lies(Lie::WatchPanics), "on purpose");
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

fn lied_to(liar: &Arc<Liar>) -> SupervisorHandle {
    let builder = Supervisor::builder(policy(), Connection(liar.clone()), ()).name("lied-to");
    builder.call_timeout(millis(300)).resync(millis(200)).spawn()
}

/// A set lives with the lie while replicas crash, then with the truth; it heals, and ends when it is asked to.
async fn the_set_heals_from(lie: Lie) {
    let liar = Liar::new(lie);
    let mut handle = lied_to(&liar);
    for second in 0..20u32 {
        sleep(Duration::from_secs(1)).await;
        liar.crash(ReplicaId(second % REPLICAS));
    }
    let together = liar.truth.lock().unwrap().together;
    let most = match lie {
        // Nothing that it says of any instance is true.
        Lie::ListShowsTheLiveAsEnded => usize::MAX,
        _ if lie.hides_life() => 4,
        _ => 1,
    };
    assert!(together <= most, "{together} instances of one slot lived together");
    let entries = handle.entries().await.unwrap();
    assert!(entries <= MAX_ENTRIES, "{entries} entries");
    liar.truth.lock().unwrap().honest = true;
    // Kills are repeated after 5 minutes at the latest, and a watch and a list after 30 seconds.
    sleep(Duration::from_secs(900)).await;
    let alive: Vec<u32> = liar.alive().iter().map(|instance| instance.replica.0).collect();
    let status = handle.status();
    assert_eq!((status.status, alive), (Status::Healthy, vec![0, 1, 2]), "{:?}", handle.replicas().await);
    assert_eq!(handle.shutdown().await.status, Status::Terminated);
    assert_eq!(liar.alive(), []);
}

/// The first stranger is met with a stop, and every stop brings another: one at a time, as fast as the backend stops them.
#[tokio::test(start_paused = true)]
async fn strangers_that_every_stop_brings_are_stopped_one_by_one() {
    let liar = Liar::new(Lie::StopBringsAStranger);
    let mut handle = lied_to(&liar);
    sleep(Duration::from_secs(1)).await;
    liar.runs(InstanceId::new(STRANGER, 1));
    sleep(Duration::from_secs(20)).await;
    let stops = liar.truth.lock().unwrap().stops;
    assert!((1000..=2001).contains(&stops), "{stops} stops in 20 s, each of which takes 10 ms");
    let entries = handle.entries().await.unwrap();
    assert!(entries <= MAX_ENTRIES, "{entries} entries");
    liar.truth.lock().unwrap().honest = true;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(liar.alive().len(), REPLICAS as usize);
    assert_eq!(handle.shutdown().await.status, Status::Terminated);
}

/// An end that neither list nor watch shows is lost contact: first unknown, then `node-lost` and replaced. Where most
/// replicas vanish so, we assume that we are cut off, and replace none.
#[tokio::test(start_paused = true)]
async fn an_end_that_is_forgotten_everywhere_is_lost_contact() {
    let liar = Liar::new(Lie::EndsAreForgotten);
    let mut handle = lied_to(&liar);
    sleep(Duration::from_secs(1)).await;
    liar.crash(ReplicaId(1));
    // The next list, `unknown_after`, `lost_after`, the interval.
    sleep(millis(200 + 1000 + 2000 + 200 + 300)).await;
    let alive = || liar.alive().iter().map(|alive| (alive.replica.0, alive.incarnation.0)).collect::<Vec<_>>();
    assert_eq!(alive(), [(0, 1), (1, 2), (2, 1)]);
    (0..REPLICAS).map(ReplicaId).for_each(|replica| liar.crash(replica));
    sleep(Duration::from_secs(60)).await;
    assert_eq!(alive(), []);
    let views = handle.replicas().await.unwrap();
    assert!(views.iter().all(|view| view.phase == Phase::Unknown), "{views:?}");
    liar.truth.lock().unwrap().honest = true;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(alive(), [(0, 2), (1, 3), (2, 2)]);
    assert_eq!(handle.shutdown().await.status, Status::Terminated);
}

macro_rules! a_set_heals_when {
    ($($name:ident: $lie:ident;)*) => {$(
        #[tokio::test(start_paused = true)]
        async fn $name() {
            the_set_heals_from(Lie::$lie).await;
        }
    )*};
}

a_set_heals_when! {
    a_start_is_accepted_and_nothing_runs: StartDoesNothing;
    a_start_fails_and_runs_all_the_same: StartErrsAndRuns;
    the_answer_to_a_start_is_lost: StartLosesItsAnswer;
    a_start_is_never_answered: StartHangs;
    a_start_comes_about_after_it_was_given_up: StartComesAboutLate;
    a_stop_is_accepted_and_ignored: StopDoesNothing;
    a_stop_is_never_answered: StopHangs;
    a_stop_fails: StopErrs;
    a_stop_tells_an_end_that_is_none: StopTellsAnEndThatIsNone;
    stop_and_kill_are_accepted_and_ignored: KillDoesNothing;
    lists_are_empty: ListIsEmpty;
    lists_omit_one: ListOmitsOne;
    lists_are_stale: ListIsStale;
    lists_show_everything_twice: ListRepeatsItself;
    lists_show_strangers: ListShowsStrangers;
    lists_show_incarnations_that_no_start_had: ListShowsTheFuture;
    lists_show_the_live_as_ended: ListShowsTheLiveAsEnded;
    lists_fail: ListErrs;
    lists_never_come: ListHangs;
    the_watch_ends_at_once: WatchEndsAtOnce;
    the_watch_panics: WatchPanics;
    the_watch_floods: WatchFloods;
    the_watch_repeats_old_news: WatchRepeatsItself;
    the_watch_is_silent: WatchIsSilent;
    news_is_of_replicas_that_there_are_not: NewsOfStrangers;
    news_is_of_other_incarnations: NewsOfOtherIncarnations;
    readiness_flaps: ReadinessFlaps;
    ends_are_told_twice: EndsAreToldTwice;
    reports_come_from_the_future: ReportsComeFromTheFuture;
    reports_come_from_the_past: ReportsComeFromThePast;
    every_call_fails: EveryCallErrs;
    every_call_panics: EveryCallPanics;
}
