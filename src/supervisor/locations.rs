//! The node and the address of each replica's latest instance, as last reported.

use std::collections::BTreeMap;

use crate::backend::Instance;
use crate::decide::{Incarnation, InstanceId, ReplicaId};

#[derive(Debug)]
struct Location {
    incarnation: Incarnation,
    node: Option<String>,
    address: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Locations(BTreeMap<ReplicaId, Location>);

impl Locations {
    /// Returns the number of entries in its collections.
    pub(super) fn entries(&self) -> usize {
        self.0.len()
    }

    /// Moves node and address out of an instance, unless a later incarnation has been located already.
    pub(super) fn take_from(&mut self, instance: &mut Instance) {
        let (node, address) = (instance.node.take(), instance.address.take());
        let known = self.0.get(&instance.replica).map(|location| location.incarnation);
        if (node.is_some() || address.is_some()) && known.is_none_or(|known| known <= instance.incarnation) {
            self.0.insert(instance.replica, Location { incarnation: instance.incarnation, node, address });
        }
    }

    /// Returns the node that the replica was last seen on, whatever its incarnation.
    pub(super) fn last_node(&self, replica: ReplicaId) -> Option<String> {
        self.0.get(&replica)?.node.clone()
    }

    /// Returns the address of this incarnation. The address of an earlier one may have been reused.
    pub(super) fn address(&self, instance: InstanceId) -> Option<String> {
        self.0.get(&instance.replica).filter(|location| location.incarnation == instance.incarnation)?.address.clone()
    }

    pub(super) fn retain(&mut self, keep: impl Fn(ReplicaId) -> bool) {
        self.0.retain(|replica, _| keep(*replica));
    }
}
