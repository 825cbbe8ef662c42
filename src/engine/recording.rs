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

/// One line of a recording. A recording in NDJSON is a sequence of these.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "the large variant comes once")]
#[non_exhaustive]
pub enum RecordedLine {
    /// The first line.
    Begin(RecordingHeader),
    /// A call of the set.
    Step(RecordedStep),
}

/// The first line of a recording: the policy and state of the set at its beginning.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct RecordingHeader {
    /// The version of the format.
    pub version: u8,
    /// The name of the set.
    pub name: String,
    /// The policy.
    pub policy: Policy,
    /// The seed of the jitter.
    pub seed: u64,
    /// When the recording began.
    pub began: Timestamp,
    /// The state at the beginning; `None`: the set was new.
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

/// A call of the set, with its time.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordedStep {
    /// The time of the call.
    pub at: Timestamp,
    /// The input.
    #[serde(rename = "told")]
    pub input: Input,
}

/// The input of a call of the set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Input {
    /// A batch of events.
    Events(Vec<Event>),
    /// A timeout.
    Timeout,
    /// A list of the backend.
    Observed(Vec<Observed>),
    /// A replacement of the policy.
    Policy(Policy),
    /// A limit on concurrent starts, by the owner of several sets.
    LimitStarts(Option<u32>),
}

impl RecordingHeader {
    /// Returns the header of a set that begins now, or continues from `snapshot`.
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
    /// Returns a call at `at`.
    pub fn new(at: Timestamp, input: Input) -> Self {
        Self { at, input }
    }

    /// Applies the call to a set. Returns the answer if the input is a single request of an operator.
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
    /// Returns the header of a recording that begins now, with the state of the set.
    pub fn beginning(&self, name: &str) -> RecordingHeader {
        RecordingHeader::new(name, self.policy().clone(), self.seed(), self.now(), Some(self.snapshot()))
    }
}
