//! State that most sets never need, boxed on first use: probes, groups, lost contact, incidents, strays.

use std::collections::{BTreeMap, BTreeSet};

use super::cause_counts::{CauseCode, FIRST_NAME};
use super::contact::Contact;
use super::evidence::Health;
use super::group::Group;
use super::messages::Messages;
use super::output::{Command, Stop};
use super::strays::Strays;
use crate::decide::ReplicaId;
use crate::lazy_box::LazyBox;
use crate::policy::Cause;

/// State that most sets never need.
#[derive(Clone, Debug, Default)]
pub(super) struct ColdState {
    pub(super) contact: Contact,
    pub(super) health: Health,
    pub(super) strays: Strays,
    pub(super) group: Option<Group>,
    /// Members of a group whose starts are in progress. Together they occupy one place of `max_concurrent_starts`.
    pub(super) group_in_flight: u32,
    /// Replicas that wait until the one before them is ready. Stale entries are dropped when they come up.
    pub(super) in_order: BTreeSet<ReplicaId>,
    /// Replicas whose start is a trial of the open incident.
    pub(super) trials: BTreeSet<ReplicaId>,
    /// Replicas whose failure at this instant was recorded and not decided on yet.
    pub(super) noted: BTreeSet<ReplicaId>,
    /// Messages of failures, for people.
    pub(super) messages: Messages,
    /// Restart delays that count from the end of a failed replica that is being stopped, in nanoseconds.
    pub(super) delays: BTreeMap<ReplicaId, u64>,
    /// The named causes of failures, in the order of their codes.
    pub(super) cause_names: Vec<Cause>,
    /// Commands that are withheld until the first `handle_timeout`.
    pub(super) withheld: Vec<Command>,
}

impl ColdState {
    /// Whether anything in it waits for a change of state, not only for a deadline.
    #[inline]
    pub(super) fn waits(&self) -> bool {
        !self.contact.overdue.is_empty() || self.health.waits() || !self.in_order.is_empty()
    }
}

impl ColdState {
    /// The withheld stops. Withheld starts and probes are derived from the rest of the state.
    pub(super) fn withheld_stops(&self) -> impl Iterator<Item = Stop> + '_ {
        self.withheld.iter().filter_map(|command| match command {
            Command::Stop(stop) => Some(*stop),
            _ => None,
        })
    }
}

/// Returns the code of a cause. A new name gets the next code.
#[inline]
pub(super) fn code_of(cause: &Cause, cold: &mut LazyBox<ColdState>) -> CauseCode {
    match cause {
        Cause::Named(_) => code_of_name(cause, &mut cold.get_or_init().cause_names),
        built_in => CauseCode::of_built_in(built_in.index()),
    }
}

#[cold]
#[inline(never)]
fn code_of_name(name: &Cause, names: &mut Vec<Cause>) -> CauseCode {
    let place = names.iter().position(|known| known == name).unwrap_or_else(|| {
        if names.len() < CauseCode::MOST_NAMES {
            names.push(name.clone());
            names.len() - 1
        } else {
            usize::MAX
        }
    });
    u8::try_from(place.saturating_add(FIRST_NAME)).map_or(CauseCode::UNNAMED, CauseCode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_last_code_have_none_of_their_own() {
        let mut cold = LazyBox::<ColdState>::default();
        let code = |number: usize, cold: &mut _| code_of(&Cause::named(&format!("own-{number}")).unwrap(), cold);
        let most = CauseCode::MOST_NAMES;
        for number in 0..most {
            assert_eq!(usize::from(code(number, &mut cold).0), FIRST_NAME + number);
        }
        assert_eq!(code(most, &mut cold), CauseCode::UNNAMED);
        assert_eq!(code(0, &mut cold), CauseCode(FIRST_NAME as u8));
    }
}
