//! GuardedRecorder what a set was told.

use crate::engine::{RecordedStep, RecordingHeader};

/// Keeps a recording: each call of the set, so that it can be replayed under the same policy or another.
///
/// What it is given holds the values of probes' headers: [`Policy::redacted`](crate::Policy::redacted) is without them. If
/// it panics, recording ends, which a notice tells, and supervision goes on.
///
/// It is called in the driver's loop: what may take long, such as writing a file, belongs in a thread of its own.
pub trait Recorder: Send + 'static {
    /// A recording begins: with a new set, or with the state of one that goes on.
    fn begin(&mut self, header: &RecordingHeader);

    /// The set was told something.
    fn step(&mut self, step: &RecordedStep);

    /// Whether a new recording should begin after this step, because the last one has become large enough.
    fn wants_rotation(&mut self) -> bool {
        false
    }
}
