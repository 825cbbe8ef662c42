//! What a backend is asked, and what it lists.

use std::time::Duration;

use crate::decide::{Incarnation, ReplicaId};
use crate::engine::{InstanceState, ProbeKind};
use crate::policy::{Placement, ProbeCheck};

/// Which instance is meant. The three together are unique in a backend, for ever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub struct InstanceKey<'a> {
    /// The name of the set.
    pub set: &'a str,
    /// Which slot of it.
    pub replica: ReplicaId,
    /// Which start of that.
    pub incarnation: Incarnation,
}

impl<'a> InstanceKey<'a> {
    /// The instance of that set, replica and incarnation.
    pub fn new(set: &'a str, replica: ReplicaId, incarnation: Incarnation) -> Self {
        Self { set, replica, incarnation }
    }
}

/// Start an instance.
#[derive(Debug)]
#[non_exhaustive]
pub struct StartRequest<'a, W> {
    /// Which.
    pub key: InstanceKey<'a>,
    /// What to run.
    pub workload: &'a W,
    /// Where.
    pub placement: Placement,
    /// The node that its last instance was on, as last seen: where it goes again, or not, as `placement` says.
    pub last_node: Option<&'a str>,
}

impl<'a, W> StartRequest<'a, W> {
    /// A start in place.
    pub fn new(key: InstanceKey<'a>, workload: &'a W) -> Self {
        Self { key, workload, placement: Placement::Same, last_node: None }
    }

    /// The same with another placement.
    pub fn placement(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }
}

/// Ask an instance to stop.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct StopRequest<'a> {
    /// Which.
    pub key: InstanceKey<'a>,
    /// How long it may take before the set has it killed. For backends that pass it on.
    pub grace: Duration,
}

impl<'a> StopRequest<'a> {
    /// A request to stop within `grace`.
    pub fn new(key: InstanceKey<'a>, grace: Duration) -> Self {
        Self { key, grace }
    }
}

/// End an instance.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct KillRequest<'a> {
    /// Which.
    pub key: InstanceKey<'a>,
}

impl<'a> KillRequest<'a> {
    /// A request to end it.
    pub fn new(key: InstanceKey<'a>) -> Self {
        Self { key }
    }
}

/// List the instances of a set.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ListRequest<'a> {
    /// The name of the set.
    pub set: &'a str,
}

impl<'a> ListRequest<'a> {
    /// A request to list them.
    pub fn new(set: &'a str) -> Self {
        Self { set }
    }
}

/// Watch the instances of a set.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct WatchRequest<'a> {
    /// The name of the set.
    pub set: &'a str,
}

impl<'a> WatchRequest<'a> {
    /// A request to watch them.
    pub fn new(set: &'a str) -> Self {
        Self { set }
    }
}

/// Ask an instance how it is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ProbeRequest<'a> {
    /// Which.
    pub key: InstanceKey<'a>,
    /// Which probe of `health`.
    pub probe: ProbeKind,
    /// How to ask.
    pub check: &'a ProbeCheck,
    /// When no answer is a failure.
    pub timeout: Duration,
    /// Where it is reached, as last seen.
    pub address: Option<&'a str>,
}

impl<'a> ProbeRequest<'a> {
    /// A request to carry out this check.
    pub fn new(key: InstanceKey<'a>, probe: ProbeKind, check: &'a ProbeCheck, timeout: Duration) -> Self {
        Self { key, probe, check, timeout, address: None }
    }
}

/// One instance that a backend lists.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Instance {
    /// Which slot of the set.
    pub replica: ReplicaId,
    /// Which start of that.
    pub incarnation: Incarnation,
    /// What it is.
    pub state: InstanceState,
    /// The node it is on.
    pub node: Option<String>,
    /// Where it is reached: a host name or an IP address.
    pub address: Option<String>,
}

impl Instance {
    /// An instance of which neither node nor address are known.
    pub fn new(replica: ReplicaId, incarnation: Incarnation, state: InstanceState) -> Self {
        Self { replica, incarnation, state, node: None, address: None }
    }

    /// The node it is on.
    pub fn node(mut self, node: impl Into<String>) -> Self {
        self.node = Some(node.into());
        self
    }

    /// Where it is reached: a host name or an IP address.
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }
}
