//! `assess`: computes the status of the set, and whether the set must end.

use super::census::Census;
use super::set_history::SetHistory;
use super::status::{EndReason, Status, StatusReason};
use crate::policy::retry_schedule::FOREVER;
use crate::policy::{Compiled, Policy};
use crate::time::Timestamp;

/// The answer of [`Policy::assess`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Assessment {
    /// The status of the set, after `clear_after` has been applied.
    pub status: Status,
    /// The reason of the status.
    pub reason: StatusReason,
    /// When the status last changed.
    pub since: Timestamp,
    /// *Need*: the number of replicas that must be available, `min_available` of the desired ones.
    pub need: u32,
    /// Why the set must end; `None` if it continues. If it must end, stop every replica and start none.
    pub end: Option<EndReason>,
    /// When the status changes without an event; `None` if it does not. Assess again then.
    pub deadline: Option<Timestamp>,
}

impl Policy {
    /// Returns the status of the set, and whether the set must end.
    ///
    /// A pure function of the row of the set and of counts. Call it after every change of the counts, and at
    /// [`Assessment::deadline`]. If `now` is before the time of the last call, that time is used instead.
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

    /// Assesses like [`Policy::assess`], for callers that know the number of desired replicas. Stores the status in `set` and
    /// returns when to assess again, or never.
    #[inline]
    pub(crate) fn assess_of(&self, set: &mut SetHistory, census: &Census, desired: u32, now: Timestamp) -> Timestamp {
        if set.end.is_some() {
            set.show_end(census, now);
            return Timestamp::NEVER;
        }
        let compiled = self.compiled();
        let settled = census.settled_of(desired);
        let need = compiled.need(settled);
        let serving = census.serving_of(desired);
        record_census(set, census, desired, serving >= need);
        let (raw, reason) = unfiltered(set, census, desired, need, serving);
        let mut deadline = Timestamp::NEVER;
        if raw != Status::Completed {
            // Before the set was up, an outage counts from the first failure.
            let down = raw == Status::Outage || (raw == Status::Pending && set.failed && !set.up);
            let timed = compiled.outage_deadline != FOREVER;
            if (down && timed) || set.outage.get().is_some() {
                deadline = advance_outage(compiled, set, census, down, need, now);
            }
            if set.failures_before_ready.is_some_and(|failures| failures >= compiled.max_failures_before_ready) {
                set.terminate(EndReason::Exhausted, now);
            }
            if census.given_up > 0 && !timed && cannot_reach(compiled, census, settled, need, 0) {
                set.terminate(EndReason::Unrecoverable, now);
            }
            if set.end.is_some() {
                set.show_end(census, now);
                return Timestamp::NEVER;
            }
        }
        deadline.min(set.reported.update(raw, reason, (desired, serving), compiled.clear_after, now))
    }

    /// Whether `min_available` can be reached if so many more replicas are given up, with the help of stand-ins.
    pub(crate) fn can_spare(&self, census: &Census, more: u32) -> bool {
        let (compiled, settled) = (self.compiled(), census.settled());
        !cannot_reach(compiled, census, settled, compiled.need(settled), more)
    }

    /// Records what [`Policy::assess`] remembers of a census: whether the set was ever up, and whether any replica failed.
    pub(crate) fn record_census(&self, set: &mut SetHistory, census: &Census, desired: u32) {
        if set.end.is_none() {
            let need = self.compiled().need(census.settled_of(desired));
            record_census(set, census, desired, census.serving_of(desired) >= need);
        }
    }
}

/// Advances the outage clock and ends the set if the outage has lasted for `outage_deadline`. Returns when to assess again,
/// or never. Without a deadline there is no clock; a deadline that a new policy adds counts from then on.
#[inline(never)]
fn advance_outage(
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

/// Whether so many replicas are given up, or would be with `more`, that *need* cannot be reached, not even with stand-ins.
#[cold]
fn cannot_reach(compiled: &Compiled, census: &Census, settled: u32, need: u32, more: u32) -> bool {
    let given_up = census.given_up.saturating_sub(census.exempt_given_up).saturating_add(more);
    // Standbys take over one after the other, without limit.
    let stand_ins = if compiled.scaling.standby > 0 { u32::MAX } else { compiled.scaling.stand_ins };
    settled.saturating_sub(given_up.saturating_sub(stand_ins)) < need
}

/// Records whether a set that has not ended was ever up, and whether any replica failed. `enough`: *need* is reached.
#[inline]
fn record_census(set: &mut SetHistory, census: &Census, desired: u32, enough: bool) {
    if desired == 0 {
        // A set that is scaled to zero and back starts over.
        set.up = false;
        set.failed = false;
        set.failures_before_ready = Some(0);
        return;
    }
    if census.available > 0 || census.completed > 0 {
        set.failures_before_ready = None;
    }
    set.failed |= census.failed > 0 || census.given_up > 0;
    if !set.up {
        let all = census.available.saturating_add(census.completed) == desired;
        set.up = all || (enough && set.failed);
    }
}

impl SetHistory {
    /// Sets the status of an ended set: `terminating` while replicas are live, then `terminated`.
    #[inline(never)]
    fn show_end(&mut self, census: &Census, now: Timestamp) {
        if let Some(end) = self.end_reason() {
            // `terminated` is final, even if a live stray is found later.
            let terminated = census.live == 0 || self.reported.status == Status::Terminated;
            let status = if terminated { Status::Terminated } else { Status::Terminating };
            self.reported.show(status, end.into(), now);
        }
    }
}

/// Returns the status of a set that has not ended, before `clear_after` is applied.
#[inline]
fn unfiltered(set: &SetHistory, census: &Census, desired: u32, need: u32, serving: u32) -> (Status, StatusReason) {
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
    } else if census.rolling_out > 0 {
        StatusReason::RollingOut
    } else {
        StatusReason::Starting
    };
    if serving < need {
        if !set.up {
            return (Status::Pending, why);
        }
        // Operators' requests are the reason if there would be no outage without them.
        let restarted = serving.saturating_add(census.requested);
        let rolled_out = restarted.saturating_add(census.rolling_out);
        let why = if restarted >= need {
            StatusReason::ReplicaRestarting
        } else if rolled_out >= need {
            StatusReason::RollingOut
        } else if rolled_out.saturating_add(census.stopped) >= need {
            StatusReason::ReplicaStopped
        } else {
            why
        };
        (Status::Outage, why)
    } else if why != StatusReason::Starting {
        if census.stand_ins > 0 && census.stand_ins >= census.missing_of(desired) {
            return (Status::Healthy, StatusReason::CoveredByStandIns);
        }
        (Status::Degraded, why)
    } else if census.available + census.completed < desired {
        (Status::Healthy, StatusReason::Starting)
    } else {
        (Status::Healthy, StatusReason::AllAvailable)
    }
}
