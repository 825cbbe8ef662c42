//! The parameters of backend calls, and the instances that a backend lists.

use std::time::Duration;

use crate::decide::{Incarnation, InstanceId, ReplicaId, Revision, impl_instance};
use crate::engine::{InstanceState, ProbeKind, Role};
use crate::policy::{Placement, ProbeCheck};

/// Identifies an instance in a backend, which serves many sets. Never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub struct InstanceKey<'a> {
    /// The name of the set.
    pub set: &'a str,
    /// The replica.
    pub replica: ReplicaId,
    /// The number of its start.
    pub incarnation: Incarnation,
}

impl<'a> InstanceKey<'a> {
    /// Returns the key of an instance.
    pub fn new(set: &'a str, instance: impl Into<InstanceId>) -> Self {
        let InstanceId { replica, incarnation } = instance.into();
        Self { set, replica, incarnation }
    }
}

impl_instance!(InstanceKey<'_>, Instance);

/// The parameters of [`Backend::start`](super::Backend::start).
///
/// ```
/// use uphold::backend::{InstanceKey, StartRequest};
///
/// let request = StartRequest::new(InstanceKey::new("web", (0, 3)), &"nginx:1.27");
/// assert_eq!(request.key.incarnation, uphold::Incarnation(3));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct StartRequest<'a, W> {
    /// The instance.
    pub key: InstanceKey<'a>,
    /// What the instance runs.
    pub workload: &'a W,
    /// Where to start it, relative to `last_node`.
    pub placement: Placement,
    /// The node of the replica's last instance, if a backend has reported one.
    pub last_node: Option<&'a str>,
    /// The revision whose workload this is, for labels; `None`: the one that the set began with.
    pub revision: Option<&'a Revision>,
    /// What the replica's slot is for.
    pub role: Role,
    /// The regular slot that a stand-in serves for, or that the surge slot of a drain will replace.
    pub tied_to: Option<ReplicaId>,
}

impl<'a, W> StartRequest<'a, W> {
    /// Returns a request to start an instance of a regular slot on the node of the last one.
    pub fn new(key: InstanceKey<'a>, workload: &'a W) -> Self {
        Self {
            key,
            workload,
            placement: Placement::Same,
            last_node: None,
            revision: None,
            role: Role::Regular,
            tied_to: None,
        }
    }

    /// Sets the placement. Default [`Placement::Same`].
    #[must_use]
    pub fn placement(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }
}

/// The parameters of [`Backend::stop`](super::Backend::stop).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct StopRequest<'a> {
    /// The instance.
    pub key: InstanceKey<'a>,
    /// How long the stop may take before the set kills the instance, for backends that pass it on.
    pub grace: Duration,
}

impl<'a> StopRequest<'a> {
    /// Returns a request to stop an instance within `grace`.
    pub fn new(key: InstanceKey<'a>, grace: Duration) -> Self {
        Self { key, grace }
    }
}

/// The parameters of [`Backend::kill`](super::Backend::kill).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct KillRequest<'a> {
    /// The instance.
    pub key: InstanceKey<'a>,
}

impl<'a> KillRequest<'a> {
    /// Returns a request to kill an instance.
    pub fn new(key: InstanceKey<'a>) -> Self {
        Self { key }
    }
}

/// The parameters of [`Backend::list`](super::Backend::list).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ListRequest<'a> {
    /// The name of the set.
    pub set: &'a str,
}

impl<'a> ListRequest<'a> {
    /// Returns a request to list the instances of a set.
    pub fn new(set: &'a str) -> Self {
        Self { set }
    }
}

/// The parameters of [`Backend::watch`](super::Backend::watch).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct WatchRequest<'a> {
    /// The name of the set.
    pub set: &'a str,
}

impl<'a> WatchRequest<'a> {
    /// Returns a request to watch the instances of a set.
    pub fn new(set: &'a str) -> Self {
        Self { set }
    }
}

/// The parameters of [`Backend::probe`](super::Backend::probe).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ProbeRequest<'a> {
    /// The instance.
    pub key: InstanceKey<'a>,
    /// Which probe of the policy's `health`.
    pub probe: ProbeKind,
    /// The check to carry out.
    pub check: &'a ProbeCheck,
    /// How long the answer may take before the probe fails.
    pub timeout: Duration,
    /// The address of the instance, if a backend has reported one.
    pub address: Option<&'a str>,
}

impl<'a> ProbeRequest<'a> {
    /// Returns a request to carry out a check.
    pub fn new(key: InstanceKey<'a>, probe: ProbeKind, check: &'a ProbeCheck, timeout: Duration) -> Self {
        Self { key, probe, check, timeout, address: None }
    }
}

/// An instance that a backend lists or reports.
///
/// ```
/// use uphold::engine::InstanceState;
/// use uphold::backend::Instance;
///
/// let instance = Instance::new((0, 3), InstanceState::Ready).node("node-7").address("10.0.0.7");
/// assert_eq!(instance.node.as_deref(), Some("node-7"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Instance {
    /// The replica.
    pub replica: ReplicaId,
    /// The number of its start.
    pub incarnation: Incarnation,
    /// Its state.
    pub state: InstanceState,
    /// The node that it runs on.
    pub node: Option<String>,
    /// Its address for probes: a host name or an IP address.
    pub address: Option<String>,
}

impl Instance {
    /// Returns an instance without node and address.
    pub fn new(instance: impl Into<InstanceId>, state: InstanceState) -> Self {
        let InstanceId { replica, incarnation } = instance.into();
        Self { replica, incarnation, state, node: None, address: None }
    }

    /// Sets the node that it runs on.
    #[must_use]
    pub fn node(mut self, node: impl Into<String>) -> Self {
        self.node = Some(node.into());
        self
    }

    /// Sets its address for probes: a host name or an IP address.
    #[must_use]
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }
}
