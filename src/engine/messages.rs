//! Messages of failures, for people: why a replica failed last, and what its failing probes received.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::ProbeKind;
use super::probes::{KINDS, probe_of};
use super::state::ReplicaSet;
use crate::decide::{Message, ReplicaId};

/// The texts of the replicas that have any.
pub(super) type Messages = BTreeMap<ReplicaId, ReplicaMessages>;

/// The texts of one replica.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ReplicaMessages {
    /// The message of its last failure.
    failure: Option<Message>,
    startup: Option<Message>,
    readiness: Option<Message>,
    liveness: Option<Message>,
}

impl ReplicaMessages {
    fn of_probe(&mut self, kind: ProbeKind) -> &mut Option<Message> {
        match kind {
            ProbeKind::Startup => &mut self.startup,
            ProbeKind::Readiness => &mut self.readiness,
            ProbeKind::Liveness => &mut self.liveness,
        }
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl ReplicaSet {
    fn messages_of(&self, id: ReplicaId) -> Option<&ReplicaMessages> {
        self.cold.get()?.messages.get(&id)
    }

    /// Whether any text is kept. If so, a failure without a text must remove the replica's old one.
    #[inline]
    pub(super) fn has_messages(&self) -> bool {
        self.cold.get().is_some_and(|cold| !cold.messages.is_empty())
    }

    fn change_messages(&mut self, id: ReplicaId, change: impl FnOnce(&mut ReplicaMessages)) {
        let messages = &mut self.cold.get_or_init().messages;
        let of_replica = messages.entry(id).or_default();
        change(of_replica);
        if of_replica.is_empty() {
            messages.remove(&id);
        }
    }

    /// Keeps the text of the replica's last failure.
    pub(super) fn keep_failure_message(&mut self, id: ReplicaId, text: Option<&Message>) {
        if text.is_some() || self.has_messages() {
            self.change_messages(id, |messages| messages.failure = text.cloned());
        }
    }

    /// Keeps what a failing probe received; `None`: it passed, or failed without a text.
    pub(super) fn keep_probe_message(&mut self, id: ReplicaId, kind: ProbeKind, text: Option<&Message>) {
        if text.is_some() || self.has_messages() {
            self.change_messages(id, |messages| *messages.of_probe(kind) = text.cloned());
        }
    }

    /// Drops the texts of probes, because the probed instance is gone.
    pub(super) fn drop_probe_messages(&mut self, id: ReplicaId) {
        if self.messages_of(id).is_some() {
            self.change_messages(id, |messages| {
                *messages = ReplicaMessages { failure: messages.failure.take(), ..ReplicaMessages::default() };
            });
        }
    }

    /// Why probe evidence fails this replica: the probe, what it received last, and how often in a row it failed.
    pub(super) fn probe_failure_message(&self, id: ReplicaId) -> Option<Message> {
        let probes = &self.policy.compiled().probes;
        let mut states = *self.health()?.probes.get(id.index())?;
        let (kind, run) = KINDS.into_iter().find_map(|kind| {
            let (state, probe) = (*states.get_mut(kind), probe_of(probes, kind)?);
            let failed = kind != ProbeKind::Readiness && !state.good && state.run >= probe.failures;
            failed.then_some((kind, state.run))
        })?;
        let mut messages = self.messages_of(id).cloned().unwrap_or_default();
        let text = messages.of_probe(kind).take()?;
        let times = if run == 1 { "once".to_owned() } else { format!("{run} times") };
        Some(format!("{}: {} ({times})", kind.as_str(), text.as_str()).into())
    }

    /// The text that came with the replica's last failure.
    pub(super) fn failure_message(&self, id: ReplicaId) -> Option<Message> {
        self.messages_of(id)?.failure.clone()
    }

    /// The texts of the last failures, of the first `most` replicas that have one.
    pub(super) fn failure_messages(&self, most: usize) -> BTreeMap<ReplicaId, Message> {
        let messages = self.cold.get().into_iter().flat_map(|cold| &cold.messages);
        messages.filter_map(|(id, messages)| Some((*id, messages.failure.clone()?))).take(most).collect()
    }

    /// What the first of the replica's failing probes received, with the probe's name.
    pub(super) fn probe_message(&self, id: ReplicaId) -> Option<Message> {
        let mut messages = self.messages_of(id)?.clone();
        KINDS.into_iter().find_map(|kind| {
            let text = messages.of_probe(kind).take()?;
            Some(format!("{}: {}", kind.as_str(), text.as_str()).into())
        })
    }
}
