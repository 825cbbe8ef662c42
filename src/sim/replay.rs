//! Recordings, and how they are replayed under their own policy.

use super::collector::Collector;
use super::run::Run;
use crate::engine::{
    Command, Input, Output, RECORDING_VERSION, RecordedLine, RecordedStep, RecordingHeader, ReplicaSet, RestoreError,
};
use crate::time::Timestamp;

/// Why a recording cannot be replayed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The first line is not a header.
    #[error(
        "the first line is not the header of a recording: the file is not a recording, or its beginning is missing"
    )]
    NoHeader,
    /// The recording has a version that this release does not read.
    #[error("the recording has version {0}; this release reads version {RECORDING_VERSION}")]
    Version(u8),
    /// There is a second header.
    #[error("line {0} begins another recording; give one recording at a time")]
    SecondHeader(usize),
    /// The snapshot that the recording begins with is inconsistent.
    #[error(transparent)]
    Snapshot(#[from] RestoreError),
}

/// A recording of everything that a set handled, made with a `FileRecorder`.
///
/// ```
/// use uphold::sim::Recording;
/// use uphold::recording::{Input, RecordedLine, RecordedStep, RecordingHeader};
/// use uphold::{Event, Policy, RetryPolicy, Status, Timestamp};
///
/// // Usually the lines are read from a file.
/// let policy = |secs| {
///     let retry = RetryPolicy::every(std::time::Duration::from_secs(secs));
///     Policy::builder().replicas(1).retry(retry).build()
/// };
/// let header = RecordingHeader::new("web", policy(30)?, 7, Timestamp::ZERO, None);
/// let at = |secs, input| RecordedLine::Step(RecordedStep::new(Timestamp::from_secs(secs), input));
/// let recording = Recording::from_lines([
///     RecordedLine::Begin(header),
///     at(0, Input::Timeout),
///     at(1, Input::Events(vec![Event::ready((0, 1))])),
///     at(60, Input::Events(vec![Event::exited((0, 1), 137)])),
///     at(90, Input::Timeout),
///     at(91, Input::Events(vec![Event::ready((0, 2))])),
///     at(300, Input::Timeout),
/// ])?;
/// assert_eq!(recording.replay()?.status_at("75s")?, Status::Outage);
///
/// // With another policy: the restart comes after 10 s, and takes 1 s as recorded.
/// let other = recording.replay_under(policy(10)?)?;
/// assert_eq!(other.run.status_at("71s")?, Status::Healthy);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Recording {
    header: RecordingHeader,
    steps: Vec<RecordedStep>,
}

impl Recording {
    /// Creates a recording from its lines. The caller drops a last line that is incomplete.
    ///
    /// # Errors
    /// The first line is not a header, there is a second header, or the version is unknown.
    pub fn from_lines(lines: impl IntoIterator<Item = RecordedLine>) -> Result<Self, RecordingError> {
        let mut lines = lines.into_iter();
        let Some(RecordedLine::Begin(header)) = lines.next() else { return Err(RecordingError::NoHeader) };
        if header.version != RECORDING_VERSION {
            return Err(RecordingError::Version(header.version));
        }
        let mut steps = Vec::new();
        for (index, line) in lines.enumerate() {
            match line {
                RecordedLine::Step(step) => steps.push(step),
                RecordedLine::Begin(_) => return Err(RecordingError::SecondHeader(index + 2)),
            }
        }
        Ok(Self { header, steps })
    }

    /// Returns the header: policy, seed, beginning, and the snapshot that it continues from, if any.
    pub fn header(&self) -> &RecordingHeader {
        &self.header
    }

    /// Returns what the set handled, in order.
    pub fn steps(&self) -> &[RecordedStep] {
        &self.steps
    }

    /// Returns the time of the last step.
    pub fn ended(&self) -> Timestamp {
        self.steps.last().map_or(self.header.began, |step| step.at)
    }

    /// Returns the set as it was at the beginning.
    pub(super) fn initial_set(&self) -> Result<ReplicaSet, RecordingError> {
        let RecordingHeader { policy, seed, began, snapshot, .. } = self.header.clone();
        Ok(match snapshot {
            Some(snapshot) => ReplicaSet::restore(policy, snapshot, began)?,
            None => ReplicaSet::new(policy, seed, began),
        })
    }

    /// Replays it under its own policy, which gives the same verdicts at the same times. Times of the run count from the
    /// beginning of the recording.
    ///
    /// # Errors
    /// The snapshot that the recording begins with is inconsistent.
    pub fn replay(&self) -> Result<Run, RecordingError> {
        let mut set = self.initial_set()?;
        let began = self.header.began;
        let mut collector = Collector::new(&set, began, true);
        for step in &self.steps {
            if let Input::Events(events) = &step.input {
                // Recorded in the order in which the set handles a batch.
                let mut events: Vec<_> = events.iter().collect();
                events.sort_by_key(|event| event.batch_order());
                events.into_iter().for_each(|event| collector.record_event(event, step.at));
            }
            // The set also reports a rejected request as a notice.
            let _ = step.apply(&mut set);
            collector.record_in_flight(set.in_flight());
            while let Some(output) = set.poll_output() {
                collector.record_output(&output, step.at);
                if let Output::Command(Command::Start(start)) = output {
                    collector.stats.count_restart(start.replica.0, start.incarnation.0);
                }
            }
            collector.end_instant(step.at);
        }
        Ok(collector.finish(set, self.ended()))
    }
}
