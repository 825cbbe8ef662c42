//! Probes at work: when to ask, and what follows from the answers.

use super::event::{ProbeKind, ProbeNews, ProbeResult};
use super::evidence::Evidence;
use super::health::{KINDS, Line, Lines, Unready, probe_of};
use super::output::{Command, ProbeRequest};
use super::replica::Phase;
use super::set::ReplicaSet;
use crate::decide::ReplicaId;
use crate::time::Timestamp;

impl ReplicaSet {
    /// Makes room for what is known from the probes of replicas up to `count`, where there are probes.
    pub(super) fn make_room_for_probes(&mut self, count: usize) {
        let probes = &self.policy.compiled().probes;
        if KINDS.iter().any(|&kind| probe_of(probes, kind).is_some()) {
            let lines = &mut self.extras.get_or_init().health.lines;
            lines.resize(count.max(lines.len()), Lines::default());
        }
        self.make_room_for_unready(count);
    }

    /// What is known from the probes of a replica, where there are any.
    #[inline]
    pub(super) fn lines(&mut self, id: ReplicaId) -> Option<&mut Lines> {
        self.extras.get_mut()?.health.lines.get_mut(id.index())
    }

    /// It runs: the startup probe is asked until it has passed, then the others; without one, these at once.
    pub(super) fn begin_probes(&mut self, id: ReplicaId, at: Timestamp) {
        let probes = self.policy.compiled().probes;
        let Some(lines) = self.lines(id) else { return };
        *lines = Lines { startup: Line::begin(probes.startup, at), ..Lines::default() };
        if probes.startup.is_none() {
            lines.readiness = Line::begin(probes.readiness, at);
            lines.liveness = Line::begin(probes.liveness, at);
        }
    }

    /// Other probes for what runs already: what is ready stays ready until the new probes have answered.
    pub(super) fn renew_probes(&mut self, id: ReplicaId) {
        let phase = self.replica(id).phase;
        if !matches!(phase, Phase::Running | Phase::Ready | Phase::Unknown) {
            return;
        }
        let was_ready = phase == Phase::Ready;
        let (probes, now) = (self.policy.compiled().probes, self.now);
        self.begin_probes(id, now);
        if let Some(lines) = self.lines(id).filter(|_| was_ready) {
            lines.startup = Line { passed: true, ..Line::default() };
            lines.readiness = Line { passed: true, ..Line::begin(probes.readiness, now) };
            lines.liveness = Line::begin(probes.liveness, now);
        }
        self.renew_unready(id);
        self.update_readiness(id, now);
    }

    /// After a restore, perhaps under other probes: what the policy does not ask ends, what is missing begins. A probe
    /// in flight that nobody answers any more is asked again when it is due.
    pub(super) fn resume_probes(&mut self, id: ReplicaId, after_downtime: bool) {
        let (probes, now) = (self.policy.compiled().probes, self.now);
        let (phase, was_ready) = (self.replica(id).phase, self.replica(id).phase == Phase::Ready);
        let up = matches!(phase, Phase::Running | Phase::Ready | Phase::Unknown);
        let Some(lines) = self.lines(id) else { return };
        let started = probes.startup.is_none() || lines.startup.passed || was_ready;
        for kind in KINDS {
            let line = lines.line(kind);
            let wanted = up && (kind == ProbeKind::Startup) != started;
            match probe_of(&probes, kind).filter(|_| wanted) {
                None => *line = Line { passed: kind == ProbeKind::Startup && started, ..Line::default() },
                // Whoever was to answer is gone: that is no silence of the replica.
                Some(_) if !line.next.is_never() && after_downtime => line.asked = Timestamp::MAX,
                Some(_) if !line.next.is_never() => {}
                probe => *line = Line { passed: was_ready, ..Line::begin(probe, now) },
            }
        }
    }

    pub(super) fn end_probes(&mut self, id: ReplicaId) {
        let Some(extras) = self.extras.get_mut() else { return };
        if extras.health.lines.is_empty() && extras.health.unready.is_empty() {
            return;
        }
        if let Some(lines) = extras.health.lines.get_mut(id.index()) {
            *lines = Lines::default();
        }
        if let Some(unready) = extras.health.unready.get_mut(id.index()) {
            *unready = Unready::default();
        }
        self.drop_probe_messages(id);
        self.drop_evidence(id);
    }

    /// Whether the probes, where there are any, call it ready.
    pub(super) fn probes_ready(&self, id: ReplicaId) -> bool {
        let probes = &self.policy.compiled().probes;
        let lines = self.health().and_then(|health| health.lines.get(id.index()));
        let Some(lines) = lines else { return true };
        (probes.startup.is_none() || lines.startup.passed) && (probes.readiness.is_none() || lines.readiness.passed)
    }

    #[inline]
    pub(super) fn next_probe(&self, id: ReplicaId) -> Timestamp {
        self.health().and_then(|health| health.lines.get(id.index())).map_or(Timestamp::MAX, Lines::next)
    }

    /// Asks what is due. A probe that has not answered the last time is not asked twice at once.
    pub(super) fn probe_due(&mut self, id: ReplicaId) {
        let probes = self.policy.compiled().probes;
        let now = self.now;
        for kind in KINDS {
            let Some(line) = self.lines(id).map(|lines| lines.line(kind)) else { return };
            let Some(probe) = probe_of(&probes, kind) else {
                line.next = Timestamp::MAX;
                continue;
            };
            if line.next > now {
                continue;
            }
            // What was missed while nobody called is not made up for.
            let late = now.nanos_since(line.next);
            line.next = line.next.plus_nanos(late - late % probe.interval).plus_nanos(probe.interval);
            // No answer to the last one by now is no answer: contact is lost from then on, and it is asked again.
            let unanswered = std::mem::replace(&mut line.asked, now);
            if let Some(unanswered) = unanswered.known() {
                self.lost(id, unanswered);
            }
            let incarnation = self.incarnation(id);
            let timeout = std::time::Duration::from_nanos(probe.timeout);
            self.command(Command::Probe(ProbeRequest { replica: id, incarnation, probe: kind, timeout }));
        }
        self.retime(id);
    }

    pub(super) fn probed(&mut self, news: &ProbeNews) {
        let id = news.replica;
        let at = self.when(news.at);
        if news.result != ProbeResult::Unanswered {
            self.note_alive(id, at);
        }
        let probes = self.policy.compiled().probes;
        let Some(probe) = probe_of(&probes, news.probe) else { return };
        let Some(line) = self.lines(id).map(|lines| lines.line(news.probe)) else { return };
        if line.next.is_never() {
            return;
        }
        let asked = std::mem::replace(&mut line.asked, Timestamp::MAX);
        let good = match news.result {
            ProbeResult::Success => true,
            ProbeResult::Failure => false,
            ProbeResult::Unanswered => {
                self.keep_probe_message(id, news.probe, news.message.as_ref());
                self.lost(id, asked.known().unwrap_or(at));
                return;
            }
        };
        let verdict = line.answer(good, probe);
        self.keep_probe_message(id, news.probe, news.message.as_ref().filter(|_| !good));
        match (news.probe, verdict) {
            (_, None) => {}
            (ProbeKind::Startup, Some(true)) => self.startup_passed(id, at),
            (ProbeKind::Readiness, Some(passed)) => {
                if let Some(lines) = self.lines(id) {
                    lines.readiness.passed = passed;
                }
                self.update_readiness(id, at);
            }
            (ProbeKind::Liveness, Some(true)) => self.withdraw(id, Evidence::probe),
            (ProbeKind::Startup | ProbeKind::Liveness, Some(false)) => self.add_evidence(id, Evidence::probe, at),
        }
    }

    fn startup_passed(&mut self, id: ReplicaId, at: Timestamp) {
        let probes = self.policy.compiled().probes;
        if let Some(lines) = self.lines(id) {
            lines.startup = Line { passed: true, ..Line::default() };
            lines.readiness = Line::begin(probes.readiness, at);
            lines.liveness = Line::begin(probes.liveness, at);
        }
        self.withdraw(id, Evidence::probe);
        self.unready_from(id, at);
        self.update_readiness(id, at);
        self.retime(id);
    }
}
