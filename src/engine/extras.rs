//! What most sets never have, together behind one word of the set: without probes, groups, lost contact and watched
//! failures a set stays small, and one look tells that there is nothing of it.

use std::collections::{BTreeMap, BTreeSet};

use super::contact::Contact;
use super::group::Group;
use super::health::Health;
use super::messages::Messages;
use super::output::Command;
use super::set::ReplicaSet;
use super::strays::Strays;
use crate::decide::ReplicaId;
use crate::policy::Cause;

/// What most sets never have.
#[derive(Clone, Debug, Default)]
pub(super) struct Extras {
    pub(super) contact: Contact,
    pub(super) health: Health,
    pub(super) strays: Strays,
    pub(super) group: Option<Group>,
    /// Members of a group whose starts are under way: together they hold one slot.
    pub(super) group_in_flight: u32,
    /// Replicas that wait until the one before them is ready. One that has gone another way is dropped when it comes up.
    pub(super) in_order: BTreeSet<ReplicaId>,
    /// Replicas whose start an open incident waits for.
    pub(super) trials: BTreeSet<ReplicaId>,
    /// Replicas whose failure at this instant is noted beside the others' and not judged yet.
    pub(super) noted: BTreeSet<ReplicaId>,
    /// Texts that came with failures, for people.
    pub(super) messages: Messages,
    /// Of replicas that have failed and are being stopped: how long their restart waits from their end on, in nanoseconds.
    pub(super) delays: BTreeMap<ReplicaId, u64>,
    /// The causes of the user's own by which replicas failed, in the order of their codes.
    pub(super) cause_names: Vec<Cause>,
    /// Commands from before the first `handle_timeout`.
    pub(super) withheld: Vec<Command>,
}

impl Extras {
    /// Whether there is anything in it that waits for more than its time.
    #[inline]
    pub(super) fn waits(&self) -> bool {
        !self.contact.overdue.is_empty() || self.health.waits() || !self.in_order.is_empty()
    }
}

impl ReplicaSet {
    /// The group that waits to restart together, if one does.
    #[inline]
    pub(super) fn group(&self) -> Option<Group> {
        self.extras.get()?.group
    }

    #[inline]
    pub(super) fn group_mut(&mut self) -> Option<&mut Group> {
        self.extras.get_mut()?.group.as_mut()
    }

    /// There is no group any more.
    #[inline]
    pub(super) fn disband(&mut self) {
        if let Some(extras) = self.extras.get_mut() {
            extras.group = None;
        }
    }

    /// What is known from probes, if anything ever was.
    #[inline]
    pub(super) fn health(&self) -> Option<&Health> {
        self.extras.get().map(|extras| &extras.health)
    }
}
