//! What a decision on one replica needs to know about the set.

/// What a decision on one replica needs to know about the set. The default is a replica without a set.
///
/// [`Policy::failure_context`](crate::Policy::failure_context) computes it for a set;
/// [`Policy::decide_with`](crate::Policy::decide_with) takes it.
///
/// ```
/// use std::time::Duration;
/// use uphold::decide::{DecisionReason, FailureContext, History};
/// use uphold::{Outcome, Policy, RetryPolicy, Timestamp};
///
/// let policy = Policy::builder().replicas(2).retry(RetryPolicy::every(Duration::from_secs(30))).build()?;
/// let mut history = History::new(7, 0.into());
/// policy.start(&mut history, Timestamp::ZERO);
///
/// let mut context = FailureContext::default();
/// context.incident = Some(0);
/// let decision = policy.decide_with(&mut history, &Outcome::exited(1, Timestamp::from_secs(5)), context)?;
/// assert_eq!((decision.reason, decision.charged), (DecisionReason::Incident, false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct FailureContext {
    /// No other replica failed within `correlated.within` before or after, or at the same instant. Read by
    /// `immediate_first: isolated`.
    pub isolated: bool,
    /// Giving this replica up would put `min_available` out of reach. Read with `keep_min_available`.
    pub indispensable: bool,
    /// The number of canaries that have failed in the incident that this failure belongs to. The restart is uncharged,
    /// and its delay grows by one step per failed canary. `None` outside an incident.
    pub incident: Option<u32>,
    /// Another failure at this instant restarts a group that includes this replica. Its restart joins the group and is
    /// uncharged.
    pub joins_group: bool,
    /// The slot is exempt: it is not regular, its revision is being rolled out, or it was added to a set that was up and has
    /// not been ready yet. The failure belongs to no incident, restarts no group and never terminates the set; a verdict
    /// that would is a [`Verdict::Degrade`] of this replica instead. The limits of its own streak apply.
    ///
    /// [`Verdict::Degrade`]: crate::Verdict::Degrade
    pub exempt: bool,
    /// The slot replaces a drained one. It is restarted without limit, even if a rule would give it up.
    pub unlimited: bool,
}

impl Default for FailureContext {
    fn default() -> Self {
        Self {
            isolated: true,
            indispensable: false,
            incident: None,
            joins_group: false,
            exempt: false,
            unlimited: false,
        }
    }
}
