//! dstack's selection of causes: the key `on_events`.

/// The causes that dstack's `on_events` selects; `error` stands for every cause but the other two.
///
/// ```
/// use std::time::Duration;
/// use uphold::policy::OnEvents;
/// use uphold::RetryPolicy;
///
/// let events = OnEvents::new().no_capacity().interruption();
/// let retry = RetryPolicy::every(Duration::from_secs(30)).on_events(events);
/// assert_eq!(retry.get_on_events().map(|events| events.get_error()), Some(false));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct OnEvents {
    pub(crate) no_capacity: bool,
    pub(crate) interruption: bool,
    pub(crate) error: bool,
}

impl OnEvents {
    /// Creates a selection of no cause, which a policy refuses.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the cause `no-capacity`.
    #[must_use]
    pub fn no_capacity(mut self) -> Self {
        self.no_capacity = true;
        self
    }

    /// Adds the cause `interruption`.
    #[must_use]
    pub fn interruption(mut self) -> Self {
        self.interruption = true;
        self
    }

    /// Adds every cause except `no-capacity` and `interruption`.
    #[must_use]
    pub fn error(mut self) -> Self {
        self.error = true;
        self
    }

    /// Returns whether `no-capacity` is retried.
    pub fn get_no_capacity(&self) -> bool {
        self.no_capacity
    }

    /// Returns whether `interruption` is retried.
    pub fn get_interruption(&self) -> bool {
        self.interruption
    }

    /// Returns whether every other cause is retried.
    pub fn get_error(&self) -> bool {
        self.error
    }
}
