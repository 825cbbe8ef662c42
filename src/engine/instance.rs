//! Handles events of instances: rejects stale and duplicate ones, and applies the others to their replica.

use super::event::{Ended, Event, InstanceEvent, ProbeKind, ProbeReport, ProbeResult, STOPPED_BY_SOMEBODY_ELSE};
use super::evidence::Evidence;
use super::output::IgnoreReason;
use super::probes::{ProbeState, probe_of};
use super::replica::{Phase, ReplicaFlags};
use super::state::ReplicaSet;
use crate::decide::{Incarnation, InstanceId, Outcome, ReplicaId, StartOutcome};
use crate::policy::Cause;
use crate::time::Timestamp;

impl ReplicaSet {
    /// Handles an event about an instance.
    #[inline(never)]
    pub(super) fn handle_instance_event(&mut self, event: &mut Event) {
        let Some(instance) = event.instance() else { return };
        if let Some(why) = self.ignore_reason(instance) {
            self.reject(event, instance, why);
            return;
        }
        let id = instance.replica;
        if self.replicas[id.index()].flags.has(ReplicaFlags::LOST) && event.shows_alive() {
            self.contact_regained(id);
        }
        match event {
            Event::Exited(ended) => self.ended(ended),
            Event::StartFailed(ended) => {
                // The instance may still come into existence.
                self.replicas[ended.replica.index()].flags.set(ReplicaFlags::UNCONFIRMED);
                ended.outcome.start_failed = true;
                self.ended(ended);
            }
            Event::Started(event) => self.started(*event),
            Event::Ready(event) => self.backend_ready(*event, true),
            Event::NotReady(event) => self.backend_ready(*event, false),
            Event::Probed(report) => self.probed(report),
            Event::Lost(event) => self.contact_lost(event.replica, self.when(event.at)),
            Event::Found(event) => self.note_alive(event.replica, self.when(event.at)),
            Event::Stopped(event) => self.stopped(*event),
            Event::Scale(_)
            | Event::Restart(_)
            | Event::Stop(_)
            | Event::Start(_)
            | Event::Reset(_)
            | Event::RetryNow(_)
            | Event::InterruptionNotice(_)
            | Event::Drain(_)
            | Event::Undrain(_)
            | Event::RollOut(_)
            | Event::Promote
            | Event::RollBack
            | Event::Terminate => {}
        }
    }

    /// Ignores an event about an instance that is not current or has ended, unless it is about a stray.
    #[cold]
    fn reject(&mut self, event: &Event, instance: InstanceId, why: IgnoreReason) {
        let ends = matches!(event, Event::Exited(_) | Event::StartFailed(_) | Event::Stopped(_));
        if ends && self.stray_gone(instance) {
            return;
        }
        if self.shows_stray(event, instance.replica, why) {
            self.report_stray(instance, why);
        } else {
            self.ignore(instance, why);
        }
    }

    /// Whether an ignored event shows a stray.
    fn shows_stray(&self, event: &Event, id: ReplicaId, why: IgnoreReason) -> bool {
        // An answer to a probe may be late: it does not show that the instance is still alive.
        let alive = event.shows_alive() && !matches!(event, Event::Probed(_));
        alive
            && match (self.replicas.get(id.index()), why) {
                // After a confirmed end, the event is an old one that arrived late.
                (Some(replica), IgnoreReason::Duplicate) => replica.flags.has(ReplicaFlags::UNCONFIRMED),
                // A later incarnation may be a start that the snapshot lacks. Only a list shows that.
                (Some(_), IgnoreReason::Unheard) => false,
                (None, _) => self.begun,
                (Some(_), IgnoreReason::Stale | IgnoreReason::OutOfRange) => true,
            }
    }

    /// Returns why an event about this instance is ignored; `None` if it is not.
    #[inline]
    fn ignore_reason(&self, InstanceId { replica: id, incarnation }: InstanceId) -> Option<IgnoreReason> {
        let Some(replica) = self.replicas.get(id.index()) else { return Some(IgnoreReason::of_unstarted(incarnation)) };
        let current = replica.history.incarnation();
        if incarnation > current || current == Incarnation(0) {
            Some(IgnoreReason::of_unstarted(incarnation))
        } else if incarnation < current {
            Some(IgnoreReason::Stale)
        } else if !replica.phase.is_live() {
            Some(IgnoreReason::Duplicate)
        } else {
            None
        }
    }

    fn started(&mut self, event: InstanceEvent) {
        let at = self.happened(event.replica, self.when(event.at));
        let replica = self.replica_mut(event.replica);
        if replica.phase == Phase::Starting {
            replica.history.record_started(at);
            self.change_phase(event.replica, Phase::Running);
            self.begin_probes(event.replica, at);
            if self.policy.compiled().probes.startup.is_none() {
                self.unready_from(event.replica, at);
            }
            self.retime(event.replica);
        } else {
            self.started_again(event, at);
        }
    }

    /// Handles `Started` for an instance that runs or is being stopped: only a sign of life.
    #[cold]
    fn started_again(&mut self, event: InstanceEvent, at: Timestamp) {
        self.note_alive(event.replica, at);
        if self.replica(event.replica).phase != Phase::Stopping {
            self.ignore(event.instance(), IgnoreReason::Duplicate);
        }
    }

    fn backend_ready(&mut self, event: InstanceEvent, ready: bool) {
        let replica = self.replica_mut(event.replica);
        let was_ready = replica.phase == Phase::Ready;
        if replica.phase.is_up() {
            if ready {
                replica.flags.set(ReplicaFlags::BACKEND_READY);
                if replica.phase == Phase::Starting {
                    self.started(event);
                }
            } else {
                replica.flags.clear(ReplicaFlags::BACKEND_READY);
            }
            let at = self.happened(event.replica, self.when(event.at));
            self.update_readiness(event.replica, at);
        }
        // Becoming ready is a sign of life that the history records.
        if was_ready || self.replica(event.replica).phase != Phase::Ready {
            self.note_alive(event.replica, self.when(event.at));
        }
    }

    /// Updates whether a replica is ready: both the backend and the probes must say so.
    #[inline]
    pub(super) fn update_readiness(&mut self, id: ReplicaId, at: Timestamp) {
        let ready = self.replica(id).flags.has(ReplicaFlags::BACKEND_READY) && self.probes_ready(id);
        let min_ready = self.policy.compiled().min_ready;
        match self.replica(id).phase {
            Phase::Running if ready => {
                self.replica_mut(id).history.record_ready(at);
                self.change_phase(id, Phase::Ready);
                if self.replica(id).flags.has(ReplicaFlags::EXEMPT) {
                    self.end_exemption(id);
                }
                self.unready_ends(id);
                if self.now.nanos_since(at) >= min_ready {
                    self.make_available(id);
                    self.record_census();
                }
                self.conclude_start(id, StartOutcome::Up);
                self.retime(id);
            }
            Phase::Ready if !ready => {
                self.policy.record_not_ready(&mut self.replicas[id.index()].history, at);
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
            // The set requested the stop, so the end is no failure, whatever its exit code.
            self.confirm_stop(id, self.happened(id, outcome.at));
        } else {
            outcome.at = self.happened(id, outcome.at);
            outcome.still_alive = false;
            self.judge(id, outcome, false);
        }
    }

    fn stopped(&mut self, event: InstanceEvent) {
        if self.replica(event.replica).phase == Phase::Stopping {
            self.confirm_stop(event.replica, self.happened(event.replica, self.when(event.at)));
        } else {
            // The set did not request the stop, so the platform stopped the instance.
            let at = self.happened(event.replica, self.when(event.at));
            let outcome = Outcome::failed(Cause::Interruption, at);
            self.judge(event.replica, &outcome.because(STOPPED_BY_SOMEBODY_ELSE), false);
        }
    }

    /// Records that contact was lost at `at`.
    pub(super) fn contact_lost(&mut self, id: ReplicaId, at: Timestamp) {
        if self.lose_contact(id, at) {
            self.retime(id);
        }
    }

    /// Restores contact. An unknown replica returns to the phase that it had before.
    pub(super) fn contact_regained(&mut self, id: ReplicaId) {
        if !self.replica(id).flags.has(ReplicaFlags::LOST) {
            return;
        }
        let was = self.lost_contact(id).map_or(Phase::Running, |lost| lost.was);
        self.forget_lost(id);
        if self.replica(id).phase == Phase::Unknown {
            let now = self.now;
            // `update_readiness` makes it ready again at once if the last reports of backend and probes still say so.
            let phase = if was == Phase::Ready { Phase::Running } else { was };
            let unknown_since = self.replica(id).since;
            self.set_phase(id, phase);
            self.unready_resumes(id, was == Phase::Ready, unknown_since);
            self.review_evidence(id);
            self.update_readiness(id, now);
        }
        self.retime(id);
    }

    pub(super) fn probed(&mut self, report: &ProbeReport) {
        let id = report.replica;
        let at = self.when(report.at);
        if report.result != ProbeResult::Unanswered {
            self.note_alive(id, at);
        }
        let probes = self.policy.compiled().probes;
        let Some(probe) = probe_of(&probes, report.probe) else { return };
        let Some(state) = self.probes_mut(id).map(|states| states.get_mut(report.probe)) else { return };
        if state.next.is_never() {
            return;
        }
        let asked = std::mem::replace(&mut state.asked, Timestamp::NEVER);
        let good = match report.result {
            ProbeResult::Success => true,
            ProbeResult::Failure => false,
            ProbeResult::Unanswered => {
                self.keep_probe_message(id, report.probe, report.message.as_ref());
                self.contact_lost(id, asked.known().unwrap_or(at));
                return;
            }
        };
        let verdict = state.answer(good, probe);
        self.keep_probe_message(id, report.probe, report.message.as_ref().filter(|_| !good));
        match (report.probe, verdict) {
            (_, None) => {}
            (ProbeKind::Startup, Some(true)) => self.startup_passed(id, at),
            (ProbeKind::Readiness, Some(passed)) => {
                if let Some(states) = self.probes_mut(id) {
                    states.readiness.passed = passed;
                }
                self.update_readiness(id, at);
            }
            (ProbeKind::Liveness, Some(true)) => {
                if self.withdraw(id, Evidence::probe) {
                    self.retime(id);
                }
            }
            (ProbeKind::Startup | ProbeKind::Liveness, Some(false)) => {
                self.add_evidence(id, Evidence::probe, at);
                self.retime(id);
            }
        }
    }

    fn startup_passed(&mut self, id: ReplicaId, at: Timestamp) {
        let probes = self.policy.compiled().probes;
        if let Some(states) = self.probes_mut(id) {
            states.startup = ProbeState { passed: true, ..ProbeState::default() };
            states.readiness = ProbeState::begin(probes.readiness, at);
            states.liveness = ProbeState::begin(probes.liveness, at);
        }
        self.withdraw(id, Evidence::probe);
        self.unready_from(id, at);
        self.update_readiness(id, at);
        self.retime(id);
    }
}
