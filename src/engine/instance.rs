//! News of instances: what each event of a replica means.

use super::deadline::DeadlineReason;
use super::event::{Ended, Event, News, STOPPED_BY_SOMEBODY_ELSE};
use super::output::{Command, IgnoredNews, IgnoredWhy, Notice, Output, Rejection, ReplicaChange, Stop};
use super::replica::{After, Marks, Phase, Replica};
use super::set::ReplicaSet;
use crate::decide::{Gate, Incarnation, Outcome, ReplicaId, StartKind, StartOutcome};
use crate::policy::Cause;
use crate::time::Timestamp;

impl ReplicaSet {
    /// Handles one event. An error is the answer to an operator: it is counted and noticed already.
    #[inline(never)]
    pub(super) fn apply(&mut self, event: &mut Event) -> Result<(), Rejection> {
        if let Some((id, incarnation)) = event.instance() {
            if let Some(why) = self.unbelievable(id, incarnation) {
                self.disbelieve(event, id, incarnation, why);
                return Ok(());
            }
            if self.replicas[id.index()].marks.has(Marks::LOST) && event.shows_alive() {
                self.found(id);
            }
        }
        match event {
            Event::Exited(ended) => self.ended(ended),
            Event::StartFailed(ended) => {
                // It may come about yet.
                self.replicas[ended.replica.index()].marks.set(Marks::UNCONFIRMED);
                ended.outcome.start_failed = true;
                self.ended(ended);
            }
            Event::Started(news) => self.started(*news),
            Event::Ready(news) => self.backend_ready(*news, true),
            Event::NotReady(news) => self.backend_ready(*news, false),
            Event::Probed(news) => self.probed(news),
            Event::Lost(news) => self.lost(news.replica, self.when(news.at)),
            Event::Found(news) => self.note_alive(news.replica, self.when(news.at)),
            Event::Stopped(news) => self.stopped(*news),
            Event::Scale(replicas) => return self.scale(*replicas),
            Event::Restart(id) => return self.restart(*id),
            Event::Stop(id) => return self.stop_requested(*id),
            Event::Start(id) => return self.start_requested(*id),
            Event::Reset(selection) => return self.reset(selection),
            Event::RetryNow(selection) => return self.retry_now(selection),
            Event::Drain(id) => return self.drain(*id),
            Event::Terminate => return self.terminate(),
        }
        Ok(())
    }

    /// News of an instance that is not current, or not alive any more, changes nothing, except that it may be of a stray.
    #[cold]
    fn disbelieve(&mut self, event: &Event, id: ReplicaId, incarnation: Incarnation, why: IgnoredWhy) {
        let ends = matches!(event, Event::Exited(_) | Event::StartFailed(_) | Event::Stopped(_));
        if ends && self.stray_gone(id, incarnation) {
            return;
        }
        if self.shows_stray(event, id, why) {
            self.heard_stray(id, incarnation, why);
        } else {
            self.ignore(id, incarnation, why);
        }
    }

    /// Whether news that changes nothing shows a stray.
    fn shows_stray(&self, event: &Event, id: ReplicaId, why: IgnoredWhy) -> bool {
        // An answer to a probe may only be late.
        let alive = event.shows_alive() && !matches!(event, Event::Probed(_));
        alive
            && match (self.replicas.get(id.index()), why) {
                // Its end has been told: this is older, and came later.
                (Some(replica), IgnoredWhy::Duplicate) => replica.marks.has(Marks::UNCONFIRMED),
                // A later incarnation may be a start that a restored state does not know of: a list tells.
                (Some(_), IgnoredWhy::Unheard) => false,
                (None, _) => self.begun,
                (Some(_), IgnoredWhy::Stale | IgnoredWhy::OutOfRange) => true,
            }
    }

    /// When something happened: never in the future.
    #[inline]
    pub(super) fn when(&self, at: Option<Timestamp>) -> Timestamp {
        at.unwrap_or(self.now).min(self.now)
    }

    /// Why news of this instance changes nothing, if so.
    #[inline]
    fn unbelievable(&self, id: ReplicaId, incarnation: Incarnation) -> Option<IgnoredWhy> {
        let Some(replica) = self.replicas.get(id.index()) else { return Some(unheard(incarnation)) };
        let current = replica.history.incarnation();
        if incarnation > current || current == Incarnation(0) {
            Some(unheard(incarnation))
        } else if incarnation < current {
            Some(IgnoredWhy::Stale)
        } else if !replica.phase.is_live() {
            Some(IgnoredWhy::Duplicate)
        } else {
            None
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn ignore(&mut self, replica: ReplicaId, incarnation: Incarnation, why: IgnoredWhy) {
        self.tally.ignored(why);
        self.notice(Notice::Ignored(IgnoredNews { replica, incarnation, why }));
    }

    fn started(&mut self, news: News) {
        let at = self.happened(news.replica, self.when(news.at));
        let replica = self.replica_mut(news.replica);
        if replica.phase == Phase::Starting {
            replica.history.started(at);
            self.change_phase(news.replica, Phase::Running);
            self.begin_probes(news.replica, at);
            if self.policy.compiled().probes.startup.is_none() {
                self.unready_from(news.replica, at);
            }
            self.retime_in(news.replica, Phase::Running);
        } else {
            self.started_again(news, at);
        }
    }

    /// Told before, or being stopped: a sign of life.
    #[cold]
    fn started_again(&mut self, news: News, at: Timestamp) {
        self.note_alive(news.replica, at);
        if self.replica(news.replica).phase != Phase::Stopping {
            self.ignore(news.replica, news.incarnation, IgnoredWhy::Duplicate);
        }
    }

    fn backend_ready(&mut self, news: News, ready: bool) {
        let replica = self.replica_mut(news.replica);
        let was_ready = replica.phase == Phase::Ready;
        if replica.phase.is_up() {
            if ready {
                replica.marks.set(Marks::BACKEND_READY);
                if replica.phase == Phase::Starting {
                    self.started(news);
                }
            } else {
                replica.marks.clear(Marks::BACKEND_READY);
            }
            let at = self.happened(news.replica, self.when(news.at));
            self.update_readiness(news.replica, at);
        }
        // One that becomes ready leaves its trace in its history.
        if was_ready || self.replica(news.replica).phase != Phase::Ready {
            self.note_alive(news.replica, self.when(news.at));
        }
    }

    /// Ready is what both the backend and the probes call ready.
    #[inline(always)]
    pub(super) fn update_readiness(&mut self, id: ReplicaId, at: Timestamp) {
        let ready = self.replica(id).marks.has(Marks::BACKEND_READY) && self.probes_ready(id);
        let min_ready = self.policy.compiled().min_ready;
        match self.replica(id).phase {
            Phase::Running if ready => {
                self.replica_mut(id).history.ready(at);
                self.change_phase(id, Phase::Ready);
                self.unready_ends(id);
                if self.now.nanos_since(at) >= min_ready {
                    self.make_available(id);
                    self.note_standing();
                }
                self.decided(id, StartOutcome::Up);
                self.retime_in(id, Phase::Ready);
            }
            Phase::Ready if !ready => {
                self.policy.not_ready(&mut self.replicas[id.index()].history, at);
                self.set_phase(id, Phase::Running);
                self.unready_from(id, at);
                self.review_evidence(id);
                self.retime(id);
            }
            _ => {}
        }
    }

    fn ended(&mut self, ended: &mut Ended) {
        let (id, outcome) = (ended.replica, &mut ended.outcome);
        if self.replica(id).phase == Phase::Stopping {
            // The stop was asked for: its end is not a failure, whatever it looks like.
            self.finish_stop(id, self.happened(id, outcome.at));
        } else {
            outcome.at = self.happened(id, outcome.at);
            outcome.still_alive = false;
            self.fail(id, outcome, false);
        }
    }

    /// The commonest news, in line: a replica that is up has ended. Whether it was that.
    #[inline(always)]
    pub(super) fn exited(&mut self, event: &mut Event) -> bool {
        let Event::Exited(Ended { replica: id, incarnation, outcome }) = event else { return false };
        let up = |replica: &Replica| replica.phase.is_up() && replica.history.incarnation() == *incarnation;
        if *incarnation == Incarnation(0) || self.replicas.get(id.index()).is_none_or(|replica| !up(replica)) {
            return false;
        }
        self.deadlines.fetch(*id);
        outcome.at = self.happened(*id, outcome.at);
        outcome.still_alive = false;
        self.judge(*id, outcome, false);
        true
    }

    fn stopped(&mut self, news: News) {
        if self.replica(news.replica).phase == Phase::Stopping {
            self.finish_stop(news.replica, self.happened(news.replica, self.when(news.at)));
        } else {
            // Somebody else stopped it: the platform took it away.
            let at = self.happened(news.replica, self.when(news.at));
            let outcome = Outcome::failed(Cause::Interruption, at);
            self.fail(news.replica, &outcome.because(STOPPED_BY_SOMEBODY_ELSE), false);
        }
    }

    /// The end of an instance that was asked to stop is confirmed, as of `at`.
    pub(super) fn finish_stop(&mut self, id: ReplicaId, at: Timestamp) {
        let replica = &mut self.replicas[id.index()];
        replica.marks.clear(Marks::ENDING);
        replica.history.record_stopped(&self.policy, self.now);
        let after = replica.after;
        self.count_delay_from(id, at);
        self.forget_lost(id);
        self.enter(id, after);
        self.member_stopped(id);
    }

    /// Its delay, where it counts from its end, counts from `end`.
    pub(super) fn count_delay_from(&mut self, id: ReplicaId, end: Timestamp) {
        let delay = self.extras.get_mut().and_then(|extras| extras.delays.remove(&id));
        let replica = &mut self.replicas[id.index()];
        let in_group = replica.gate == Gate::Group;
        if !replica.counts_from_its_end() || (in_group && delay.is_none()) {
            return;
        }
        let due = end.later_by(delay.unwrap_or(0));
        replica.due = due;
        if in_group {
            self.member_due(due);
        }
    }

    /// Asks a live replica to stop; `after` is what becomes of it then.
    pub(super) fn stop(&mut self, id: ReplicaId, after: After) {
        self.decided(id, StartOutcome::Gone);
        let replica = &mut self.replicas[id.index()];
        self.policy.not_ready(&mut replica.history, self.now);
        replica.after = after;
        replica.kills = 0;
        // In a batch that tells its end, there is nothing left to stop.
        let ending = replica.marks.has(Marks::ENDING);
        let incarnation = replica.history.incarnation();
        if !ending {
            let grace = std::time::Duration::from_nanos(self.policy.compiled().stop_grace);
            self.command(Command::Stop(Stop { replica: id, incarnation, grace }));
        }
        self.set_phase(id, Phase::Stopping);
        self.end_probes(id);
        self.recount(id);
        self.retime(id);
    }

    /// A replica without an instance goes on to what comes next.
    #[inline(never)]
    pub(super) fn enter(&mut self, id: ReplicaId, after: After) {
        self.go_on(id, after);
    }

    /// [`enter`](Self::enter), in line for what every failure comes through.
    #[inline(always)]
    pub(super) fn go_on(&mut self, id: ReplicaId, after: After) {
        let after = if self.ending && after != After::Complete { After::Remove } else { after };
        if self.extras.is_some() {
            self.end_probes(id);
        }
        let now = self.now;
        let replica = &mut self.replicas[id.index()];
        // Given up, it keeps its place of `max_probe_restarts`.
        if matches!(after, After::Stopped | After::Complete | After::Remove) && replica.marks.has(Marks::ACTED) {
            replica.marks.clear(Marks::ACTED);
            self.extras.get_or_init().health.acted -= 1;
        }
        replica.after = after;
        replica.marks.clear_seldom(Marks::QUEUED);
        let phase = match after {
            After::Start => {
                if replica.kind == StartKind::First {
                    replica.history.reset_keep_incarnation();
                    replica.due = replica.due.min(now);
                }
                if matches!(replica.gate, Gate::Hold | Gate::Stop | Gate::Order) {
                    replica.gate = Gate::Backoff;
                }
                Phase::Waiting
            }
            After::Hold => {
                replica.gate = Gate::Hold;
                Phase::Waiting
            }
            After::Quarantine => Phase::Quarantined,
            After::Stopped => {
                replica.due = Timestamp::MAX;
                replica.gate = Gate::Backoff;
                Phase::Stopped
            }
            After::Complete => Phase::Completed,
            After::Remove => {
                replica.due = Timestamp::MAX;
                Phase::Removed
            }
        };
        let wanted = id.0 < self.desired;
        if replica.phase == phase {
            self.counts.recount(replica, wanted, &mut self.tally, now);
        } else {
            self.counts.change_phase(replica, phase, wanted, &mut self.tally, now);
            let incarnation = replica.history.incarnation();
            let place = self.outputs.place();
            *place = Some(Output::Notice(Notice::Replica(ReplicaChange { replica: id, incarnation, phase })));
        }
        let timed =
            !replica.marks.has(Marks::QUEUED) && !matches!(replica.gate, Gate::Hold | Gate::Group | Gate::Order);
        if replica.phase == Phase::Waiting && timed {
            replica.wakes_for = DeadlineReason::StartDue;
            self.deadlines.set(id, replica.due);
        } else {
            self.retime(id);
        }
    }
}

/// Why news of an instance that the set has not started changes nothing.
pub(super) fn unheard(incarnation: Incarnation) -> IgnoredWhy {
    if incarnation > Incarnation::LAST_ADOPTED { IgnoredWhy::OutOfRange } else { IgnoredWhy::Unheard }
}
