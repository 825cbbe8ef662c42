//! A recording, replayed: under the policy it was made with, it gives the same verdicts.

use super::collector::Collector;
use super::run::Run;
use crate::engine::{
    Command, Output, RECORDING_VERSION, RecordedLine, RecordedStep, RecordingHeader, ReplicaSet, RestoreError, Told,
};
use crate::time::Timestamp;

/// Why a recording cannot be replayed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// It does not begin with how it began.
    #[error("the first line does not say how it began: this is no recording, or its beginning is cut off")]
    NoBeginning,
    /// It was written by a release that writes them otherwise.
    #[error("version {0} of the recording is not known to this release, which reads version {RECORDING_VERSION}")]
    Version(u8),
    /// It begins again in the middle.
    #[error("line {0} begins another recording; replay one at a time")]
    SecondBeginning(usize),
    /// The state it goes on from does not hold together.
    #[error(transparent)]
    Snapshot(#[from] RestoreError),
}

/// A recording.
#[derive(Clone, Debug)]
pub struct Recording {
    header: RecordingHeader,
    steps: Vec<RecordedStep>,
}

impl Recording {
    /// Puts the lines of a recording together. Whoever reads them says what to make of a last line that is cut off.
    ///
    /// # Errors
    /// It does not begin with its header, begins twice, or is of another version.
    pub fn from_lines(lines: impl IntoIterator<Item = RecordedLine>) -> Result<Self, RecordingError> {
        let mut lines = lines.into_iter();
        let Some(RecordedLine::Begin(header)) = lines.next() else { return Err(RecordingError::NoBeginning) };
        if header.version != RECORDING_VERSION {
            return Err(RecordingError::Version(header.version));
        }
        let mut steps = Vec::new();
        for (index, line) in lines.enumerate() {
            match line {
                RecordedLine::Step(step) => steps.push(step),
                RecordedLine::Begin(_) => return Err(RecordingError::SecondBeginning(index + 2)),
            }
        }
        Ok(Self { header, steps })
    }

    /// How it began.
    pub fn header(&self) -> &RecordingHeader {
        &self.header
    }

    /// What the set was told.
    pub fn steps(&self) -> &[RecordedStep] {
        &self.steps
    }

    /// When it ended: the last that the set was told.
    pub fn ended(&self) -> Timestamp {
        self.steps.last().map_or(self.header.began, |step| step.at)
    }

    /// The set as it was at the beginning.
    pub(super) fn initial_set(&self) -> Result<ReplicaSet, RecordingError> {
        let RecordingHeader { policy, seed, began, snapshot, .. } = self.header.clone();
        Ok(match snapshot {
            Some(snapshot) => ReplicaSet::restore(policy, snapshot, began)?,
            None => ReplicaSet::new(policy, seed, began),
        })
    }

    /// Replays it under the policy it was made with: the same verdicts at the same times. Times count from its
    /// beginning.
    ///
    /// # Errors
    /// The state it goes on from does not hold together.
    pub fn replay(&self) -> Result<Run, RecordingError> {
        let mut set = self.initial_set()?;
        let began = self.header.began;
        let mut collector = Collector::new(&set, began, true);
        for step in &self.steps {
            if let Told::Events(events) = &step.told {
                let mut events: Vec<_> = events.iter().collect();
                events.sort_by_key(|event| event.turn());
                events.into_iter().for_each(|event| collector.record_event(event, step.at));
            }
            // What is refused is among the notices.
            let _ = step.tell(&mut set);
            collector.record_in_flight(set.in_flight());
            while let Some(output) = set.poll_output() {
                collector.record_output(&output, step.at);
                if let Output::Command(Command::Start(start)) = output {
                    collector.stats.restarted(start.replica.0, start.incarnation.0);
                }
            }
            collector.end_instant(step.at);
        }
        Ok(collector.finish(set, self.ended()))
    }
}
