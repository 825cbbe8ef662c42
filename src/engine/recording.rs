//! The inputs of a set, each with its time, in a form that can be stored.

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::observe::Observed;
use super::output::Rejection;
use super::snapshot::Snapshot;
use super::state::ReplicaSet;
use crate::policy::Policy;
use crate::sparse::serialize_sparse;
use crate::time::Timestamp;

/// The version of the recordings that this release writes.
pub(crate) const RECORDING_VERSION: u8 = 1;

/// One line of a recording; NDJSON is one such line after the other.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "the large variant comes once")]
#[non_exhaustive]
pub enum RecordedLine {
    /// The first line: how it began.
    Begin(RecordingHeader),
    /// One call of the set.
    Step(RecordedStep),
}

/// How a recording began.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct RecordingHeader {
    /// The version of the format.
    pub version: u8,
    /// The name of the set.
    pub name: String,
    /// The policy it ran under.
    pub policy: Policy,
    /// The seed of its jitter.
    pub seed: u64,
    /// When it began.
    pub began: Timestamp,
    /// The state it went on from; `None`: it began anew.
    #[serde(default)]
    pub snapshot: Option<Snapshot>,
}

serialize_sparse!(RecordingHeader, |this| {
    "version": this.version, absent if false;
    "name": this.name, absent if false;
    "policy": this.policy, absent if false;
    "seed": this.seed, absent if false;
    "began": this.began, absent if false;
    "snapshot": this.snapshot, absent if this.snapshot.is_none();
});

/// One call of the set, and when.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordedStep {
    /// When.
    pub at: Timestamp,
    /// What the set was told.
    #[serde(rename = "told")]
    pub input: Input,
}

/// What a set was told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Input {
    /// Events, known at one instant.
    Events(Vec<Event>),
    /// That time has passed.
    Timeout,
    /// All that the backend lists.
    Observed(Vec<Observed>),
    /// Another policy.
    Policy(Policy),
    /// The owner's cap on starts.
    LimitStarts(Option<u32>),
}

impl RecordingHeader {
    /// The header of a set that begins or goes on now.
    pub fn new(
        name: impl Into<String>,
        policy: Policy,
        seed: u64,
        began: Timestamp,
        snapshot: Option<Snapshot>,
    ) -> Self {
        Self { version: RECORDING_VERSION, name: name.into(), policy, seed, began, snapshot }
    }
}

impl RecordedStep {
    /// What the set was told at `at`.
    pub fn new(at: Timestamp, input: Input) -> Self {
        Self { at, input }
    }

    /// Tells it to a set. If it is one request of an operator, the answer is returned.
    pub(crate) fn apply(&self, set: &mut ReplicaSet) -> Result<(), Rejection> {
        match &self.input {
            Input::Events(events) if events.len() == 1 => return set.request(self.at, events[0].clone()),
            Input::Events(events) => set.handle_all(self.at, events.iter().cloned()),
            Input::Timeout => set.handle_timeout(self.at),
            Input::Observed(listed) => set.observe(self.at, listed),
            Input::Policy(policy) => set.replace_policy(self.at, policy.clone()),
            Input::LimitStarts(at_most) => set.limit_starts(self.at, *at_most),
        }
        Ok(())
    }
}

impl ReplicaSet {
    /// The header of a recording that begins now, in the middle of the set's life: with its state as it is.
    pub fn beginning(&self, name: &str) -> RecordingHeader {
        RecordingHeader::new(name, self.policy().clone(), self.seed(), self.now(), Some(self.snapshot()))
    }
}
