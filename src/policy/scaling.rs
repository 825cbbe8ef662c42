//! Bounds of scaling, standbys and stand-ins: the `scaling` block.

use std::time::Duration;

/// The bounds of scaling, and the extra replicas that stand in for missing ones.
///
/// Standbys and stand-ins are refused in a policy that restarts groups (`scope: all` or `rest`, stages and rules included),
/// and with `success: complete`.
///
/// ```
/// use std::time::Duration;
/// use uphold::policy::{ScalingPolicy, StandIns};
/// use uphold::{Policy, RetryPolicy};
///
/// let stand_ins = StandIns::new(2).after(Duration::from_secs(30));
/// let scaling = ScalingPolicy::new().min(2).max(10).standby(1).stand_ins(stand_ins);
/// let policy = Policy::builder().replicas(3).retry(RetryPolicy::recommended()).scaling(scaling).build()?;
/// assert_eq!(policy.scaling().get_max(), Some(10));
/// # Ok::<(), uphold::PolicyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ScalingPolicy {
    pub(crate) min: Option<u32>,
    pub(crate) max: Option<u32>,
    pub(crate) standby: Option<u32>,
    pub(crate) stand_ins: Option<StandIns>,
}

impl ScalingPolicy {
    /// Creates settings without bounds and without extra replicas.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the fewest replicas that the set can be scaled to. Default 0.
    #[must_use]
    pub fn min(mut self, replicas: u32) -> Self {
        self.min = Some(replicas);
        self
    }

    /// Sets the most replicas that the set can be scaled to. Default 1 000 000.
    #[must_use]
    pub fn max(mut self, replicas: u32) -> Self {
        self.max = Some(replicas);
        self
    }

    /// Sets how many extra replicas are kept started. When a replica fails, an available one takes its place at once.
    /// Default 0.
    #[must_use]
    pub fn standby(mut self, replicas: u32) -> Self {
        self.standby = Some(replicas);
        self
    }

    /// Sets when extra replicas are started elsewhere for replicas that stay down. Default never.
    #[must_use]
    pub fn stand_ins(mut self, stand_ins: StandIns) -> Self {
        self.stand_ins = Some(stand_ins);
        self
    }

    /// Returns the fewest replicas that the set can be scaled to; `None` means the default.
    pub fn get_min(&self) -> Option<u32> {
        self.min
    }

    /// Returns the most replicas that the set can be scaled to; `None` means the default.
    pub fn get_max(&self) -> Option<u32> {
        self.max
    }

    /// Returns how many extra replicas are kept started; `None` means the default.
    pub fn get_standby(&self) -> Option<u32> {
        self.standby
    }

    /// Returns when stand-ins are started; `None` means never.
    pub fn get_stand_ins(&self) -> Option<StandIns> {
        self.stand_ins
    }

    /// Returns whether any extra replica can stand in for a missing one.
    pub(crate) fn has_extras(&self) -> bool {
        self.standby.is_some_and(|standby| standby > 0) || self.stand_ins.is_some_and(|stand_ins| stand_ins.max > 0)
    }
}

/// Extra replicas, each started elsewhere for a replica that stays down, and removed when that one is back.
///
/// ```
/// use std::time::Duration;
/// use uphold::policy::StandIns;
///
/// let stand_ins = StandIns::new(2).after(Duration::from_secs(30));
/// assert_eq!((stand_ins.get_max(), stand_ins.get_after()), (2, Some(Duration::from_secs(30))));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct StandIns {
    pub(crate) max: u32,
    pub(crate) after: Option<Duration>,
}

impl StandIns {
    /// Creates settings with at most this many stand-ins at a time, and the default of [`after`](Self::after).
    pub fn new(max: u32) -> Self {
        Self { max, after: None }
    }

    /// Sets how long a replica that was available must be unavailable before it gets a stand-in or an available standby. The
    /// stand-in is removed once the replica has been available again for the same time. Default 1 min.
    #[must_use]
    pub fn after(mut self, duration: Duration) -> Self {
        self.after = Some(duration);
        self
    }

    /// Returns how many stand-ins there may be at a time.
    pub fn get_max(&self) -> u32 {
        self.max
    }

    /// Returns how long a replica is down before it gets a stand-in; `None` means the default.
    pub fn get_after(&self) -> Option<Duration> {
        self.after
    }
}
