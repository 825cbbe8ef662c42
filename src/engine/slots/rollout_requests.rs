//! Requests about rollouts: `roll_out`, `promote` and `roll_back`.

use super::super::output::Rejection;
use super::super::state::ReplicaSet;
use super::rollout::{Direction, Rollout, State};
use super::rollout_report::RolloutEvent;
use crate::decide::Revision;

impl ReplicaSet {
    /// Moves every regular slot to this revision.
    pub(in crate::engine) fn roll_out(&mut self, revision: Revision) -> Result<(), Rejection> {
        self.check_request(None)?;
        if let Some(rollout) = self.rollout_state() {
            let same = rollout.tries(Some(&revision));
            if same && rollout.state == State::Paused {
                self.resume_rollout();
                return Ok(());
            }
            if same {
                return self.refuse(Rejection::RolloutUnderWay);
            }
            self.tell_rollout(RolloutEvent::Superseded, None);
            self.remove_surges_of_rollout();
        } else if self.revision() == Some(&revision) {
            let rollout = Rollout::new(Some(revision), Direction::Forward, true, self.now);
            self.notice(rollout.change(RolloutEvent::Started, None));
            self.notice(rollout.change(RolloutEvent::Completed, None));
            return Ok(());
        }
        let promoted = self.policy.compiled().rollout.canaries == 0;
        self.begin_rollout(Rollout::new(Some(revision), Direction::Forward, promoted, self.now));
        self.tell_rollout(RolloutEvent::Started, None);
        Ok(())
    }

    fn resume_rollout(&mut self) {
        let now = self.now;
        if let Some(rollout) = self.rollout_mut() {
            rollout.state = State::Advancing;
            rollout.failures = 0;
            rollout.clock.restart(now);
        }
        if let Some(slots) = self.slots.get_mut() {
            slots.pending = true;
        }
        // Slots that were stopped meanwhile take the revision.
        self.track_rollout_of_all();
        self.tell_rollout(RolloutEvent::Started, None);
    }

    /// The canaries are good: the rest follows.
    pub(in crate::engine) fn promote(&mut self) -> Result<(), Rejection> {
        self.check_request(None)?;
        let canary = self.rollout_state().is_some_and(|rollout| {
            let tried = rollout.index.updated() + rollout.index.surge() > 0;
            !rollout.promoted && !rollout.goes_back() && rollout.state != State::Paused && tried
        });
        if !canary {
            return self.refuse(Rejection::NoCanary);
        }
        self.promote_canaries();
        Ok(())
    }

    /// Every slot goes back to the revision that was last rolled out completely.
    pub(in crate::engine) fn roll_back(&mut self) -> Result<(), Rejection> {
        self.check_request(None)?;
        if self.rollout_state().is_none_or(Rollout::goes_back) {
            return self.refuse(Rejection::NoRollout);
        }
        self.start_rollback();
        Ok(())
    }
}
