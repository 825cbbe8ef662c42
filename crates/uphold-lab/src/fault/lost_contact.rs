//! Lost contact: a network partition between the supervisor and replicas that keep running.

use super::episodes::Episodes;

/// Times at which replicas are out of contact although they keep running.
///
/// ```
/// use std::time::Duration;
/// use uphold_lab::fault::{Episodes, LostContact};
///
/// let partition = Episodes::once(Duration::from_secs(3600), Duration::from_secs(120));
/// let lost = LostContact::new(partition).replicas([0, 1]);
/// assert_eq!(lost.get_replicas(), Some(&[0, 1][..]));
/// ```
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub struct LostContact {
    pub(super) episodes: Episodes,
    pub(super) replicas: Option<Vec<u32>>,
}

impl LostContact {
    /// Returns a loss of contact that affects every replica. Random times are drawn for each replica separately.
    pub fn new(episodes: Episodes) -> Self {
        Self { episodes, replicas: None }
    }

    /// Restricts it to these replicas. Default: all.
    pub fn replicas(mut self, replicas: impl IntoIterator<Item = u32>) -> Self {
        self.replicas = Some(replicas.into_iter().collect());
        self
    }

    /// Returns the times at which contact is lost.
    pub fn get_episodes(&self) -> &Episodes {
        &self.episodes
    }

    /// Returns the replicas that it affects; `None`: all.
    pub fn get_replicas(&self) -> Option<&[u32]> {
        self.replicas.as_deref()
    }
}
