//! Nodes and zones that replicas run on, and how they fail.

use uphold::Cause;

use super::episodes::Episodes;

/// The most nodes a model can have.
pub(super) const MAX_NODES: u32 = 1_000_000;

/// The nodes that replicas run on, grouped in zones. All instances on a node fail together.
///
/// Replica r first runs on node r modulo the number of nodes, and moves to another node when the policy says
/// `placement: elsewhere`. An extra slot that is started elsewhere for another, as a stand-in is, avoids the node of that one.
/// Node n is in zone n modulo the number of zones.
///
/// ```
/// use std::time::Duration;
/// use uphold_lab::fault::{Distribution, Episodes, Nodes};
///
/// let month = Distribution::exponential(Duration::from_secs(30 * 86_400))?;
/// let nodes = Nodes::new(12)
///     .zones(3)
///     .node_fails(None, Episodes::recurring(month, Duration::from_secs(3600)))
///     .zone_fails(Some(1), Episodes::once(Duration::from_secs(6 * 3600), Duration::from_secs(1200)));
/// assert_eq!((nodes.get_count(), nodes.get_zones()), (12, 3));
/// # Ok::<(), uphold_lab::fault::DistributionError>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub struct Nodes {
    pub(super) count: u32,
    pub(super) zones: u32,
    /// Which node; `None`: every node, each with episodes of its own.
    pub(super) node_fails: Vec<(Option<u32>, Episodes)>,
    /// Which zone; `None`: every zone, each with episodes of its own.
    pub(super) zone_fails: Vec<(Option<u32>, Episodes)>,
    pub(super) starts: StartOnFailedNode,
    pub(super) cause: Cause,
    pub(super) silent: bool,
}

/// What happens to a start on a node that is down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum StartOnFailedNode {
    /// The start fails with [`Cause::NoCapacity`].
    #[default]
    Fail,
    /// The start waits until the node is back.
    Wait,
    /// The instance starts on another node, as most schedulers do.
    Move,
}

impl Nodes {
    /// Returns `count` nodes in one zone, none of which fails. `count` is clamped to 1 to 1 000 000.
    pub fn new(count: u32) -> Self {
        Self {
            count: count.clamp(1, MAX_NODES),
            zones: 1,
            node_fails: Vec::new(),
            zone_fails: Vec::new(),
            starts: StartOnFailedNode::default(),
            cause: Cause::NodeLost,
            silent: false,
        }
    }

    /// Sets the number of zones, clamped to 1 to the number of nodes. Default 1.
    pub fn zones(mut self, zones: u32) -> Self {
        self.zones = zones.clamp(1, self.count);
        self
    }

    /// Adds times at which one node is down, or with `None` every node, each with episodes of its own. A node that does
    /// not exist is ignored.
    pub fn node_fails(mut self, node: Option<u32>, down: Episodes) -> Self {
        self.node_fails.push((node, down));
        self
    }

    /// Adds times at which one zone is down, or with `None` every zone, each with episodes of its own. A zone that does
    /// not exist is ignored.
    pub fn zone_fails(mut self, zone: Option<u32>, down: Episodes) -> Self {
        self.zone_fails.push((zone, down));
        self
    }

    /// Sets what happens to a start on a node that is down. Default [`StartOnFailedNode::Fail`].
    pub fn starts(mut self, starts: StartOnFailedNode) -> Self {
        self.starts = starts;
        self
    }

    /// Sets the cause with which instances on a failed node end. Default [`Cause::NodeLost`].
    pub fn cause(mut self, cause: Cause) -> Self {
        self.cause = cause;
        self
    }

    /// Makes node failures silent: contact with the instances is lost, and their end is reported only when the node is
    /// back.
    pub fn silent(mut self) -> Self {
        self.silent = true;
        self
    }

    /// Returns the number of nodes.
    pub fn get_count(&self) -> u32 {
        self.count
    }

    /// Returns the number of zones.
    pub fn get_zones(&self) -> u32 {
        self.zones
    }

    /// Returns the times at which nodes are down; `None` in a pair: every node.
    pub fn get_node_fails(&self) -> &[(Option<u32>, Episodes)] {
        &self.node_fails
    }

    /// Returns the times at which zones are down; `None` in a pair: every zone.
    pub fn get_zone_fails(&self) -> &[(Option<u32>, Episodes)] {
        &self.zone_fails
    }

    /// Returns what happens to a start on a node that is down.
    pub fn get_starts(&self) -> StartOnFailedNode {
        self.starts
    }

    /// Returns the cause with which instances on a failed node end.
    pub fn get_cause(&self) -> &Cause {
        &self.cause
    }

    /// Returns whether node failures are silent.
    pub fn get_silent(&self) -> bool {
        self.silent
    }
}
