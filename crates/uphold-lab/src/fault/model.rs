//! A fault model: what befalls replicas, put together from parts.

use std::time::Duration;

use uphold::{Cause, Outcome, Timestamp};

use super::distribution::Distribution;
use super::episodes::Episodes;
use super::failure::Failure;
use super::surroundings::Surroundings;

/// What befalls the replicas of a set. Nothing does by default, and nothing takes time.
///
/// All that is drawn is a hash of the seed and of what it is drawn for: which replica, which of its starts, which
/// occurrence. So policies that are compared under one seed meet the same faults: the same nodes fail at the same times,
/// and the third incarnation of replica 5 lives as long under each.
///
/// ```
/// use std::time::Duration;
/// use uphold::sim::Simulation;
/// use uphold::{Policy, RetryPolicy};
/// use uphold_lab::fault::{Distribution, Failure, FaultModel};
///
/// let day = Duration::from_secs(86_400);
/// let model = FaultModel::new()
///     .ready_in(Duration::from_secs(120))
///     .failure(Failure::new(Distribution::exponential(day)?));
/// let policy = Policy::builder().replicas(3).retry(RetryPolicy::every(Duration::from_secs(10))).build()?;
/// let run = Simulation::new(policy).run_in(&mut model.surroundings(7, 3), 30 * day)?;
/// assert!(run.restarts() > 60 && run.availability() > 990_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub struct FaultModel {
    pub(super) starts_in: Distribution,
    pub(super) ready_in: Distribution,
    pub(super) stops_in: Distribution,
    pub(super) refused_in: Option<Distribution>,
    pub(super) slower_per_start: f64,
    pub(super) failures: Vec<Failure>,
    pub(super) droughts: Vec<Drought>,
    pub(super) dependencies: Vec<Dependency>,
    pub(super) lost_contact: Vec<LostContact>,
    pub(super) nodes: Option<Nodes>,
}

impl Default for FaultModel {
    fn default() -> Self {
        let at_once = || Distribution::fixed(Duration::ZERO);
        Self {
            starts_in: at_once(),
            ready_in: at_once(),
            stops_in: at_once(),
            refused_in: None,
            slower_per_start: 0.0,
            failures: Vec::new(),
            droughts: Vec::new(),
            dependencies: Vec::new(),
            lost_contact: Vec::new(),
            nodes: None,
        }
    }
}

impl FaultModel {
    /// Nothing happens, and nothing takes time.
    pub fn new() -> Self {
        Self::default()
    }

    /// From the command to start until an instance runs.
    pub fn starts_in(mut self, takes: impl Into<Distribution>) -> Self {
        self.starts_in = takes.into();
        self
    }

    /// From when an instance runs until it can serve, such as the loading of a model.
    pub fn ready_in(mut self, takes: impl Into<Distribution>) -> Self {
        self.ready_in = takes.into();
        self
    }

    /// From the command to stop until an instance has.
    pub fn stops_in(mut self, takes: impl Into<Distribution>) -> Self {
        self.stops_in = takes.into();
        self
    }

    /// From the command to start until it is known that it comes to nothing. Default: as long as a start takes.
    pub fn refused_in(mut self, takes: impl Into<Distribution>) -> Self {
        self.refused_in = Some(takes.into());
        self
    }

    /// Each further start that is under way makes a start, and becoming ready, slower by this share: 0.1 is 10 %.
    /// What is not a number from 0 to 1000 is put to the nearer end; NaN counts as 0. Default 0.
    pub fn slower_per_start(mut self, share: f64) -> Self {
        self.slower_per_start = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1000.0) };
        self
    }

    /// Adds what makes running replicas fail. Of several, the first to come true does.
    pub fn failure(mut self, failure: Failure) -> Self {
        self.failures.push(failure);
        self
    }

    /// Adds times in which starts fail.
    pub fn drought(mut self, drought: Drought) -> Self {
        self.droughts.push(drought);
        self
    }

    /// Adds something that replicas need and that is down at times.
    pub fn dependency(mut self, dependency: Dependency) -> Self {
        self.dependencies.push(dependency);
        self
    }

    /// Adds times in which replicas are out of contact, and live on.
    pub fn lost_contact(mut self, lost: LostContact) -> Self {
        self.lost_contact.push(lost);
        self
    }

    /// Places replicas on nodes that fail as one.
    pub fn nodes(mut self, nodes: Nodes) -> Self {
        self.nodes = Some(nodes);
        self
    }

    /// What befalls a set of so many replicas under this seed: the surroundings for
    /// [`Simulation::run_in`](uphold::sim::Simulation::run_in).
    pub fn surroundings(&self, seed: u64, replicas: u32) -> Surroundings<'_> {
        Surroundings::new(self, seed, replicas)
    }

    /// The highest replica that is named.
    pub(crate) fn highest_replica(&self) -> Option<u32> {
        let failures = self.failures.iter().filter_map(|failure| failure.replicas.as_ref());
        let lost = self.lost_contact.iter().filter_map(|lost| lost.replicas.as_ref());
        failures.chain(lost).flatten().copied().max()
    }
}

/// Times in which starts fail: a capacity drought, a registry that is away.
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub struct Drought {
    pub(super) episodes: Episodes,
    pub(super) share: f64,
    pub(super) cause: Cause,
}

impl Drought {
    /// In these times every start fails for want of capacity.
    pub fn new(episodes: Episodes) -> Self {
        Self { episodes, share: 1.0, cause: Cause::NoCapacity }
    }

    /// Only this share of the starts fails; what is not from 0 to 1 is put to the nearer end, NaN counts as 1.
    pub fn share(mut self, share: f64) -> Self {
        self.share = if share.is_nan() { 1.0 } else { share.clamp(0.0, 1.0) };
        self
    }

    /// For this cause. Default [`Cause::NoCapacity`].
    pub fn cause(mut self, cause: Cause) -> Self {
        self.cause = cause;
        self
    }
}

/// Something that replicas need and that is down at times: a database, a model store.
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub struct Dependency {
    pub(super) down: Episodes,
    pub(super) starts: WhenStarted,
    pub(super) running: WhenRunning,
    pub(super) crashes_after: Distribution,
    pub(super) ends: Outcome,
}

/// What becomes of an instance that begins to run while a dependency is down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum WhenStarted {
    /// It runs, and crashes after a while unless the dependency is back before.
    #[default]
    Crash,
    /// It never runs: the start fails.
    Fail,
    /// It runs, and is ready only once the dependency is back.
    Wait,
}

/// What becomes of instances that run when a dependency goes down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum WhenRunning {
    /// They serve on.
    #[default]
    Serve,
    /// They crash after a while unless the dependency is back before.
    Crash,
    /// They are not ready until it is back.
    NotReady,
}

impl Dependency {
    /// It is down in these times. What starts then crashes after 1 s with exit code 1, and what runs serves on.
    pub fn new(down: Episodes) -> Self {
        Self {
            down,
            starts: WhenStarted::default(),
            running: WhenRunning::default(),
            crashes_after: Duration::from_secs(1).into(),
            ends: Outcome::exited(1, Timestamp::ZERO),
        }
    }

    /// What becomes of instances that begin to run then. Default [`WhenStarted::Crash`].
    pub fn starts(mut self, starts: WhenStarted) -> Self {
        self.starts = starts;
        self
    }

    /// What becomes of those that run already. Default [`WhenRunning::Serve`].
    pub fn running(mut self, running: WhenRunning) -> Self {
        self.running = running;
        self
    }

    /// For how long an instance holds out before it crashes. Default 1 s.
    pub fn crashes_after(mut self, after: impl Into<Distribution>) -> Self {
        self.crashes_after = after.into();
        self
    }

    /// How it crashes; the time in it does not matter. Default: exit code 1.
    pub fn ends(mut self, outcome: Outcome) -> Self {
        self.ends = outcome;
        self
    }
}

/// Times in which replicas are out of contact and live on: nobody hears of them, and they hear nothing.
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub struct LostContact {
    pub(super) episodes: Episodes,
    pub(super) replicas: Option<Vec<u32>>,
}

impl LostContact {
    /// Every replica is lost in these times; those that are drawn are drawn for each replica by itself.
    pub fn new(episodes: Episodes) -> Self {
        Self { episodes, replicas: None }
    }

    /// Of these replicas alone. Default: of all.
    pub fn of(mut self, replicas: impl IntoIterator<Item = u32>) -> Self {
        self.replicas = Some(replicas.into_iter().collect());
        self
    }
}

/// Nodes that replicas run on, in zones. Replica r begins on node r modulo their number, and goes elsewhere when the
/// policy says `placement: elsewhere`.
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub struct Nodes {
    pub(super) count: u32,
    pub(super) zones: u32,
    /// Which nodes, `None`: each by itself.
    pub(super) node_fails: Vec<(Option<u32>, Episodes)>,
    pub(super) zone_fails: Vec<(Option<u32>, Episodes)>,
    pub(super) starts: OnFailedNode,
    pub(super) cause: Cause,
    pub(super) silent: bool,
}

/// What becomes of a start on a node that is down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum OnFailedNode {
    /// It fails with [`Cause::NoCapacity`].
    #[default]
    Fail,
    /// It waits until the node is back.
    Wait,
    /// It goes to another node, as with most schedulers.
    Move,
}

/// The most nodes there may be.
pub(super) const MOST_NODES: u32 = 1_000_000;

impl Nodes {
    /// So many nodes, at least 1 and at most 1 000 000, in one zone; none of them fails.
    pub fn new(count: u32) -> Self {
        Self {
            count: count.clamp(1, MOST_NODES),
            zones: 1,
            node_fails: Vec::new(),
            zone_fails: Vec::new(),
            starts: OnFailedNode::default(),
            cause: Cause::NodeLost,
            silent: false,
        }
    }

    /// In so many zones: node n is in zone n modulo their number. At least 1, at most as many as there are nodes.
    pub fn zones(mut self, zones: u32) -> Self {
        self.zones = zones.clamp(1, self.count);
        self
    }

    /// A node is down in these times: this one, or each of them by itself. One that does not exist does not fail.
    pub fn node_fails(mut self, node: Option<u32>, down: Episodes) -> Self {
        self.node_fails.push((node, down));
        self
    }

    /// A zone is down in these times: this one, or each of them by itself. One that does not exist does not fail.
    pub fn zone_fails(mut self, zone: Option<u32>, down: Episodes) -> Self {
        self.zone_fails.push((zone, down));
        self
    }

    /// What becomes of a start on a node that is down. Default [`OnFailedNode::Fail`].
    pub fn starts(mut self, starts: OnFailedNode) -> Self {
        self.starts = starts;
        self
    }

    /// Why what runs on a failed node fails. Default [`Cause::NodeLost`].
    pub fn cause(mut self, cause: Cause) -> Self {
        self.cause = cause;
        self
    }

    /// Nobody is told that a node failed: contact is lost, and that its instances are gone is known when it is back.
    pub fn silent(mut self) -> Self {
        self.silent = true;
        self
    }
}
