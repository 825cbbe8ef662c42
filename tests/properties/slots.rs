//! Drains, notices and rollouts as steps of a history, and what must hold of extra slots after every mutation and at rest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use uphold::decide::{Gate, StatusReason};
use uphold::engine::{Drain, DrainView, InterruptionNotice, ReplicaView, Role, RolloutPhase};
use uphold::{
    Command, Event, Incarnation, InstanceId, Notice, Output, Phase, ReplicaId, ReplicaSet, Status, Timestamp,
};

/// The revision whose instances never become ready.
pub(crate) const BROKEN: &str = "broken";

/// A request or a notice about slots.
#[derive(Clone, Debug)]
pub(crate) enum SlotStep {
    Drain {
        replicas: Vec<u32>,
        deadline: Option<Due>,
    },
    Undrain(u32),
    /// `incarnation`: the current one, the one before, or one that was never started.
    Notice {
        replica: u32,
        incarnation: u8,
        deadline: Due,
    },
    RollOut(u8),
    Promote,
    RollBack,
}

/// When something is due.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Due {
    /// Seconds before now.
    Past(u32),
    /// Seconds after now.
    Future(u32),
    Never,
}

impl Due {
    fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Past(secs) => now - Duration::from_secs(secs.into()),
            Self::Future(secs) => now + Duration::from_secs(secs.into()),
            Self::Never => Timestamp::MAX,
        }
    }
}

pub(crate) fn slot_steps() -> impl Strategy<Value = SlotStep> {
    let due = || {
        prop_oneof![
            6 => (0..180u32).prop_map(Due::Future),
            1 => (0..180u32).prop_map(Due::Past),
            1 => Just(Due::Future(u32::MAX)),
            1 => Just(Due::Never),
        ]
    };
    let deadline = proptest::option::of(due());
    prop_oneof![
        4 => (proptest::collection::vec(0..10u32, 0..4), deadline)
            .prop_map(|(replicas, deadline)| SlotStep::Drain { replicas, deadline }),
        1 => (0..10u32).prop_map(SlotStep::Undrain),
        2 => (0..10u32, 0..5u8, due())
            .prop_map(|(replica, incarnation, deadline)| SlotStep::Notice { replica, incarnation, deadline }),
        4 => (0..4u8).prop_map(SlotStep::RollOut),
        1 => Just(SlotStep::Promote),
        1 => Just(SlotStep::RollBack),
    ]
}

impl SlotStep {
    pub(crate) fn event(&self, set: &ReplicaSet, now: Timestamp) -> Event {
        match *self {
            Self::Drain { ref replicas, deadline } => {
                let drain = Drain::of(replicas.iter().copied());
                Event::Drain(deadline.into_iter().fold(drain, |drain, due| drain.by(due.at(now))))
            }
            Self::Undrain(replica) => Event::Undrain(vec![ReplicaId(replica)]),
            Self::Notice { replica, incarnation, deadline } => {
                let current = set.get(ReplicaId(replica)).map_or(Incarnation(0), |view| view.incarnation).0;
                let incarnation = match incarnation {
                    0 => current.saturating_sub(1),
                    1 => current.saturating_add(1),
                    _ => current,
                };
                Event::InterruptionNotice(InterruptionNotice {
                    replica: ReplicaId(replica),
                    incarnation: Incarnation(incarnation),
                    deadline: deadline.at(now),
                })
            }
            Self::RollOut(revision) => {
                let revision = ["v1", "v2", "v3", BROKEN][usize::from(revision) % 4];
                Event::RollOut(revision.parse().unwrap())
            }
            Self::Promote => Event::Promote,
            Self::RollBack => Event::RollBack,
        }
    }
}

/// Whether instances of this slot's revision never become ready. Once it has been rolled out completely (to no replicas),
/// they do.
pub(crate) fn is_broken(set: &ReplicaSet, view: &ReplicaView) -> bool {
    let broken = |revision: &uphold::decide::Revision| revision.as_str() == BROKEN;
    view.revision.as_ref().is_some_and(broken) && !set.revision().is_some_and(broken)
}

/// Whether a rollout is under way, whose clocks a restore begins anew.
pub(crate) fn restarts_clocks(set: &ReplicaSet) -> bool {
    set.rollout().is_some()
}

/// The state of a set before a mutation, and what was asked of it.
#[derive(Clone)]
pub(crate) struct SlotChecks {
    serving: u32,
    drains: Vec<DrainView>,
    exempt: BTreeSet<ReplicaId>,
    status: Status,
    started: BTreeSet<InstanceId>,
    asked: Option<Vec<Event>>,
}

impl SlotChecks {
    pub(crate) fn new() -> Self {
        Self {
            serving: 0,
            drains: Vec::new(),
            exempt: BTreeSet::new(),
            status: Status::Pending,
            started: BTreeSet::new(),
            asked: None,
        }
    }

    /// What the next mutation handles. Without this, anything may be the cause of it.
    pub(crate) fn asks(&mut self, events: &[Event]) {
        self.asked = Some(events.to_vec());
    }

    /// Compares the set with what it was before a mutation.
    pub(crate) fn after(&mut self, set: &ReplicaSet, outputs: &[Output]) -> Vec<String> {
        let asked = self.asked.take();
        let mut violations = Vec::new();
        self.starts_are_new(outputs, &mut violations);
        self.disruptions_leave_the_floor(set, outputs, asked.as_deref(), &mut violations);
        self.drains_are_answered_once(set, outputs, asked.as_deref().unwrap_or_default(), &mut violations);
        self.exempt_failures_end_nothing(set, outputs, &mut violations);
        self.serving = set.census().serving();
        self.drains = set.drains().collect();
        let tried = set.rollout().filter(|rollout| rollout.phase != RolloutPhase::RollingBack);
        let tried = tried.filter(|rollout| rollout.revision.as_ref() != set.revision());
        let exempt = |view: &ReplicaView| {
            view.role != Some(Role::Regular) || tried.as_ref().is_some_and(|rollout| rollout.revision == view.revision)
        };
        self.exempt = set.replicas().filter(exempt).map(|view| view.replica).collect();
        self.status = set.status();
        violations
    }

    /// No start is commanded twice.
    fn starts_are_new(&mut self, outputs: &[Output], violations: &mut Vec<String>) {
        for output in outputs {
            if let Output::Command(Command::Start(start)) = output
                && !self.started.insert(start.instance())
            {
                violations.push(format!("{start:?} is commanded twice"));
            }
        }
    }

    /// What the set does by its own decision leaves `disruption_floor` available.
    fn disruptions_leave_the_floor(
        &self,
        set: &ReplicaSet,
        outputs: &[Output],
        asked: Option<&[Event]>,
        violations: &mut Vec<String>,
    ) {
        let draining = |instance: InstanceId| self.drains.iter().any(|drain| drain.replica == instance.replica);
        let voluntary = |event: &Event| match event {
            // An extra slot that is drained is removed whatever it serves for.
            Event::Drain(drain) => {
                drain.deadline.is_none() && !drain.replicas.iter().any(|replica| self.exempt.contains(replica))
            }
            // One that leaves while it is drained has not been taken down.
            Event::Stopped(event) => !draining(event.instance()),
            Event::Started(_) | Event::Ready(_) | Event::Found(_) => true,
            Event::Undrain(_) | Event::RollOut(_) | Event::Promote | Event::RollBack => true,
            _ => false,
        };
        let failed = |output: &Output| match output {
            Output::Notice(Notice::Verdict(_)) => true,
            Output::Notice(Notice::Replica(change)) => change.phase == Phase::Unknown,
            _ => false,
        };
        // Extra slots are removed whatever they serve for: a stand-in when its slot is back.
        let extra = |output: &Output| match output {
            Output::Command(Command::Stop(stop)) => self.exempt.contains(&stop.replica),
            _ => false,
        };
        if outputs.iter().any(extra) {
            return;
        }
        let soon = set.now() + Duration::from_secs(60);
        let timed = |drain: &DrainView| drain.deadline.is_some_and(|deadline| deadline <= soon);
        let own = asked.is_some_and(|asked| asked.iter().all(voluntary));
        if !own || outputs.iter().any(failed) || self.drains.iter().any(timed) || set.status() == Status::Terminating {
            return;
        }
        let census = set.census();
        let (before, after, floor) = (self.serving, census.serving(), set.policy().disruption_floor(&census));
        // Where every replica is needed and there is no surge, a rollout takes down one at a time.
        let all = census.desired() - census.stopped - census.completed;
        let one = set.rollout().is_some() && set.policy().max_surge(set.desired()) == 0 && floor >= all;
        if after < before && after < if one { all.saturating_sub(1) } else { floor } {
            violations.push(format!("from {before} to {after} available under a floor of {floor}: {census:?}"));
        }
    }

    /// Every drain is answered by one notice, or still waits.
    fn drains_are_answered_once(
        &self,
        set: &ReplicaSet,
        outputs: &[Output],
        asked: &[Event],
        violations: &mut Vec<String>,
    ) {
        let refused = outputs.iter().any(|output| matches!(output, Output::Notice(Notice::Refused(_))));
        let mut most: BTreeMap<ReplicaId, usize> = self.drains.iter().map(|drain| (drain.replica, 1)).collect();
        let mut required = most.clone();
        for event in asked.iter().filter(|_| !refused) {
            match event {
                Event::Drain(drain) => {
                    for &replica in &drain.replicas {
                        *most.entry(replica).or_default() += 1;
                        required.insert(replica, 1);
                    }
                }
                Event::InterruptionNotice(notice) => *most.entry(notice.replica).or_default() += 1,
                Event::Undrain(replicas) => replicas.iter().for_each(|replica| {
                    most.remove(replica);
                    required.remove(replica);
                }),
                _ => {}
            }
        }
        let mut answers: BTreeMap<ReplicaId, usize> = BTreeMap::new();
        for output in outputs {
            if let Output::Notice(Notice::Drain(answer)) = output {
                *answers.entry(answer.replica).or_default() += 1;
            }
        }
        let open: BTreeSet<ReplicaId> = set.drains().map(|drain| drain.replica).collect();
        for (replica, _) in required {
            // One that is removed with another is not drained any more.
            if !open.contains(&replica) && !answers.contains_key(&replica) {
                violations.push(format!("the drain of replica {replica} is neither answered nor open"));
            }
        }
        for (replica, count) in answers {
            let most = most.get(&replica).copied().unwrap_or(0);
            if count + usize::from(open.contains(&replica)) > most {
                violations.push(format!("{count} answers to {most} drains of replica {replica}"));
            }
        }
        for drain in set.drains() {
            if !matches!(drain.gate, Gate::Disruption | Gate::Stop) {
                violations.push(format!("{drain:?} waits for nothing"));
            }
        }
    }

    /// Failures of slots that are exempt do not end the set.
    fn exempt_failures_end_nothing(&self, set: &ReplicaSet, outputs: &[Output], violations: &mut Vec<String>) {
        let ends = |status: Status| matches!(status, Status::Terminating | Status::Terminated);
        let by_failure =
            matches!(set.status_reason(), StatusReason::FailFast | StatusReason::Rule | StatusReason::Exhausted);
        if ends(self.status) || !ends(set.status()) || !by_failure {
            return;
        }
        let judged: Vec<ReplicaId> = outputs
            .iter()
            .filter_map(|output| match output {
                Output::Notice(Notice::Verdict(made)) => Some(made.replica),
                _ => None,
            })
            .collect();
        if !judged.is_empty() && judged.iter().all(|replica| self.exempt.contains(replica)) {
            violations.push(format!("failures of exempt replicas {judged:?} end the set: {}", set.status_reason()));
        }
    }
}

/// Whether only an operator, or a replica that only an operator brings back, keeps extra slots, drains and the rollout from
/// going on. Otherwise, what they wait for.
pub(crate) fn slots_at_rest(set: &ReplicaSet) -> Result<(), String> {
    let views: Vec<ReplicaView> = set.replicas().collect();
    let regular = |view: &&ReplicaView| view.role == Some(Role::Regular);
    let missing: Vec<ReplicaId> =
        views.iter().filter(regular).filter(|view| view.phase != Phase::Ready).map(|view| view.replica).collect();
    let of = |role: Role| views.iter().filter(move |view| view.role == Some(role));
    let blocked = !missing.is_empty();
    let rollout = set.rollout();
    let waits = matches!(
        rollout.as_ref().map(|rollout| rollout.phase),
        None | Some(RolloutPhase::Paused | RolloutPhase::AwaitingPromotion)
    );
    let (policy, census) = (set.policy(), set.census());
    if !waits && !blocked {
        return Err(format!("{rollout:?} goes on"));
    }
    let (max_surge, surges) = (policy.max_surge(set.desired()), of(Role::Surge).count() as u32);
    for drain in set.drains() {
        let far = drain.deadline.is_none_or(|deadline| deadline > set.now() + Duration::from_secs(86_400));
        let floor = census.serving() <= policy.disruption_floor(&census);
        let gate = if max_surge > 0 { surges >= max_surge } else { floor };
        if drain.gate != Gate::Disruption || !far || !(gate || blocked) {
            return Err(format!("{drain:?} could go on"));
        }
    }
    let drained = |view: &ReplicaView| view.tied_to.is_some_and(|id| set.drains().any(|drain| drain.replica == id));
    if let Some(surge) = of(Role::Surge).find(|view| !drained(view) && rollout.is_none()) {
        return Err(format!("{surge:?} replaces nothing"));
    }
    if surges > max_surge {
        return Err(format!("{surges} surge slots, at most {max_surge} are allowed"));
    }
    if let Some(idle) = of(Role::StandIn).find(|view| view.tied_to.is_none_or(|id| !missing.contains(&id))) {
        return Err(format!("{idle:?} serves for nothing"));
    }
    let standbys = of(Role::Standby).count() as u32;
    let wanted = if set.desired() == 0 { 0 } else { policy.scaling().get_standby().unwrap_or(0) };
    if standbys != wanted {
        return Err(format!("{standbys} standbys instead of {wanted}"));
    }
    let regulars = views.iter().filter(regular).count() as u32;
    if regulars != set.desired() {
        return Err(format!("{regulars} regular slots instead of {}", set.desired()));
    }
    Ok(())
}
