//! Droughts: times at which starts fail, such as a shortage of capacity or an outage of the image registry.

use uphold::Cause;

use super::episodes::Episodes;

/// Times at which starts fail.
///
/// ```
/// use std::time::Duration;
/// use uphold::Cause;
/// use uphold_lab::fault::{Distribution, Drought, Episodes};
///
/// let no_capacity = Drought::new(Episodes::once(Duration::from_secs(3600), Duration::from_secs(600)));
/// let always = Episodes::once(Duration::ZERO, Distribution::never());
/// let flaky_registry = Drought::new(always).share(0.02).cause(Cause::StartError);
/// assert_eq!(no_capacity.get_cause(), &Cause::NoCapacity);
/// assert_eq!(flaky_registry.get_share(), 0.02);
/// ```
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub struct Drought {
    pub(super) episodes: Episodes,
    pub(super) share: f64,
    pub(super) cause: Cause,
}

impl Drought {
    /// Returns a drought in which every start fails with [`Cause::NoCapacity`].
    pub fn new(episodes: Episodes) -> Self {
        Self { episodes, share: 1.0, cause: Cause::NoCapacity }
    }

    /// Sets the probability with which a start fails, clamped to 0 to 1; NaN counts as 1. Default 1.
    pub fn share(mut self, share: f64) -> Self {
        self.share = if share.is_nan() { 1.0 } else { share.clamp(0.0, 1.0) };
        self
    }

    /// Sets the cause of the failed starts. Default [`Cause::NoCapacity`].
    pub fn cause(mut self, cause: Cause) -> Self {
        self.cause = cause;
        self
    }

    /// Returns the times at which starts fail.
    pub fn get_episodes(&self) -> &Episodes {
        &self.episodes
    }

    /// Returns the probability with which a start fails, from 0 to 1.
    pub fn get_share(&self) -> f64 {
        self.share
    }

    /// Returns the cause of the failed starts.
    pub fn get_cause(&self) -> &Cause {
        &self.cause
    }
}
