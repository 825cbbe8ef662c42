//! `assess`: the status of the set, and whether it must end.

use super::census::Census;
use super::set_history::SetHistory;
use super::status::{EndReason, Status, StatusReason};
use crate::policy::retry_schedule::FOREVER;
use crate::policy::{Compiled, Policy};
use crate::time::Timestamp;

/// What [`Policy::assess`] finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Assessment {
    /// What the set is.
    pub status: Status,
    /// Why.
    pub reason: StatusReason,
    /// Since when the status has been this.
    pub since: Timestamp,
    /// How many available replicas the service needs.
    pub need: u32,
    /// Why the set must end: stop every replica.
    pub end: Option<EndReason>,
    /// When to assess again even if nothing happens.
    pub deadline: Option<Timestamp>,
}

impl Policy {
    /// The status of the set, and whether it must end.
    ///
    /// Depth 1 of embedding: a pure function of one row and of counts. Call it after anything has changed the
    /// counts, and at [`Assessment::deadline`].
    ///
    /// ```
    /// use uphold::decide::{Census, SetHistory};
    /// use uphold::{Policy, RetryPolicy, Status, Timestamp};
    /// use std::time::Duration;
    ///
    /// let policy = Policy::builder().replicas(3).retry(RetryPolicy::every(Duration::from_secs(30))).build()?;
    /// let mut set = SetHistory::new(Timestamp::ZERO);
    /// let all = Census { available: 3, live: 3, ..Census::default() };
    /// assert_eq!(policy.assess(&mut set, &all, Timestamp::from_secs(1)).status, Status::Healthy);
    ///
    /// let one_down = Census { available: 2, failed: 1, live: 2, ..Census::default() };
    /// assert_eq!(policy.assess(&mut set, &one_down, Timestamp::from_secs(60)).status, Status::Degraded);
    /// # Ok::<(), uphold::PolicyError>(())
    /// ```
    pub fn assess(&self, set: &mut SetHistory, census: &Census, now: Timestamp) -> Assessment {
        let desired = census.desired();
        let now = set.advance(now);
        let deadline = self.assess_of(set, census, desired, now);
        Assessment {
            status: set.reported.status,
            reason: set.reported.reason,
            since: set.reported.since,
            need: self.compiled().need(census.settled_of(desired)),
            end: set.end_reason(),
            deadline: deadline.known(),
        }
    }

    /// [`Policy::assess`] where the number of desired replicas is known: what it finds is in `set`, when to assess again is
    /// returned. In line, for what every failure comes through.
    #[inline(always)]
    pub(crate) fn assess_of(&self, set: &mut SetHistory, census: &Census, desired: u32, now: Timestamp) -> Timestamp {
        if set.end.is_some() {
            set.show_end(census, now);
            return Timestamp::NEVER;
        }
        let compiled = self.compiled();
        let settled = census.settled_of(desired);
        let need = compiled.need(settled);
        note(set, census, desired, need);
        let (raw, reason) = unfiltered(set, census, desired, need);
        let mut deadline = Timestamp::NEVER;
        if raw != Status::Completed {
            // Before the set was up, an outage counts from the first failure.
            let down = raw == Status::Outage || (raw == Status::Pending && set.failed && !set.up);
            let timed = compiled.outage_deadline != FOREVER;
            if (down && timed) || set.outage.get().is_some() {
                deadline = outage(compiled, set, census, down, need, now);
            }
            if set.max_failures_before_ready.is_some_and(|failures| failures >= compiled.max_failures_before_ready) {
                set.terminate(EndReason::Exhausted, now);
            }
            let capable = settled.saturating_sub(census.given_up);
            if capable < need && !timed {
                set.terminate(EndReason::Unrecoverable, now);
            }
            if set.end.is_some() {
                set.show_end(census, now);
                return Timestamp::NEVER;
            }
        }
        deadline.min(set.reported.update(raw, reason, (desired, census.available), compiled.clear_after, now))
    }

    /// Takes down what the set has been by now: whether it was ever up, and whether anything failed.
    pub(crate) fn note_standing(&self, set: &mut SetHistory, census: &Census, desired: u32) {
        if set.end.is_none() {
            note(set, census, desired, self.compiled().need(census.settled_of(desired)));
        }
    }
}

/// Lets the clock of an outage run or stand, and ends the set if it has lasted too long. When to look again, or never.
/// There is a clock only under a policy with a deadline: one that another policy brings counts from then on, since how
/// much of the time before would have counted is not known.
#[inline(never)]
fn outage(
    compiled: &Compiled,
    set: &mut SetHistory,
    census: &Census,
    down: bool,
    need: u32,
    now: Timestamp,
) -> Timestamp {
    if compiled.outage_deadline == FOREVER {
        set.outage.take();
        return Timestamp::NEVER;
    }
    let excused = census.available_but_for_excused() >= need;
    match set.outage.get_or_init().run(down, down && excused, compiled.outage_keeps_for, now) {
        Some(lasted) if lasted >= compiled.outage_deadline => {
            set.terminate(EndReason::OutageDeadline, now);
            Timestamp::NEVER
        }
        Some(lasted) if !excused => now.later_by(compiled.outage_deadline - lasted),
        _ => Timestamp::NEVER,
    }
}

/// What the set has been by now, as long as it is not ended.
#[inline(always)]
fn note(set: &mut SetHistory, census: &Census, desired: u32, need: u32) {
    if desired == 0 {
        // Scaling from zero begins anew.
        set.up = false;
        set.failed = false;
        set.max_failures_before_ready = Some(0);
        return;
    }
    if census.available > 0 || census.completed > 0 {
        set.max_failures_before_ready = None;
    }
    set.failed |= census.failed > 0 || census.given_up > 0;
    let all = census.available.saturating_add(census.completed) == desired;
    set.up |= all || (census.available >= need && set.failed);
}

impl SetHistory {
    /// What an ended set is.
    #[inline(never)]
    fn show_end(&mut self, census: &Census, now: Timestamp) {
        if let Some(end) = self.end_reason() {
            // What is final stays so, whatever is found alive after it.
            let terminated = census.live == 0 || self.reported.status == Status::Terminated;
            let status = if terminated { Status::Terminated } else { Status::Terminating };
            self.reported.show(status, end.into(), now);
        }
    }
}

/// The status as a function of what is remembered and counted, before `clear_after`, as long as the set is not ended.
#[inline(always)]
fn unfiltered(set: &SetHistory, census: &Census, desired: u32, need: u32) -> (Status, StatusReason) {
    if desired > 0 && census.completed == desired {
        return (Status::Completed, StatusReason::Completed);
    }
    if desired == 0 {
        return (Status::Healthy, StatusReason::ScaledToZero);
    }
    let why = if census.failed > 0 {
        StatusReason::ReplicaFailed
    } else if census.given_up > 0 {
        StatusReason::ReplicaGivenUp
    } else if census.unknown > 0 {
        StatusReason::ReplicaUnknown
    } else if census.completed_run > 0 {
        StatusReason::CompletedRun
    } else if census.not_ready > 0 {
        StatusReason::ReplicaNotReady
    } else if census.stopped > 0 {
        StatusReason::ReplicaStopped
    } else if census.requested > 0 {
        StatusReason::ReplicaRestarting
    } else {
        StatusReason::Starting
    };
    if census.available < need {
        if !set.up {
            return (Status::Pending, why);
        }
        // What operators asked for explains an outage where there would be none without it.
        let restarted = census.available.saturating_add(census.requested);
        let why = if restarted >= need {
            StatusReason::ReplicaRestarting
        } else if restarted.saturating_add(census.stopped) >= need {
            StatusReason::ReplicaStopped
        } else {
            why
        };
        (Status::Outage, why)
    } else if why != StatusReason::Starting {
        (Status::Degraded, why)
    } else if census.available + census.completed < desired {
        (Status::Healthy, StatusReason::Starting)
    } else {
        (Status::Healthy, StatusReason::AllAvailable)
    }
}
