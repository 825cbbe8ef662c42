//! By which cause the missing replicas failed: the status names it if it is the same for all.

use serde::{Deserialize, Serialize};

use super::counting::Counts;
use super::extras::Extras;
use super::replica::{Replica, Standing};
use super::set::ReplicaSet;
use crate::decide::ReplicaId;
use crate::lazy_box::LazyBox;
use crate::policy::Cause;

/// A cause in one byte: a built-in one by its place, or a name of the user's own by its place among the set's names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct CauseCode(u8);

/// The code of the first name.
const FIRST_NAME: usize = 1 + Cause::BUILT_IN.len();

impl CauseCode {
    /// No cause.
    pub(crate) const NONE: Self = Self(0);
    /// A name that came when there were codes for no more.
    const UNNAMED: Self = Self(u8::MAX);

    /// For so many names there are codes.
    pub(super) const MOST_NAMES: usize = u8::MAX as usize - FIRST_NAME;

    fn of_built_in(place: usize) -> Self {
        Self(place as u8 + 1)
    }

    /// Whether a set with so many names knows it.
    pub(super) fn is_known(self, names: usize) -> bool {
        self == Self::UNNAMED || usize::from(self.0) < FIRST_NAME + names
    }
}

/// The causes of all replicas that count as failed or given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct CauseSums {
    codes: u64,
    squares: u64,
}

impl CauseSums {
    #[inline(always)]
    pub(super) fn add(&mut self, cause: CauseCode) {
        let code = u64::from(cause.0);
        self.codes += code;
        self.squares += code * code;
    }

    #[inline(always)]
    pub(super) fn remove(&mut self, cause: CauseCode) {
        let code = u64::from(cause.0);
        self.codes -= code;
        self.squares -= code * code;
    }

    /// The cause that all of `count` replicas have. The codes are equal if and only if their variance is 0.
    #[inline(always)]
    fn common(self, count: u32) -> CauseCode {
        let count = u64::from(count);
        if count == 0 || count * self.squares != self.codes * self.codes {
            return CauseCode::NONE;
        }
        let code = if count == 1 { self.codes } else { self.codes / count };
        let cause = CauseCode(code as u8);
        if cause == CauseCode::UNNAMED { CauseCode::NONE } else { cause }
    }
}

/// Whether the causes of replicas that stand so are summed.
#[inline(always)]
pub(super) fn is_failed(standing: Standing) -> bool {
    matches!(standing, Standing::Failed | Standing::GivenUp)
}

impl Counts {
    /// The cause by which all missing replicas failed, if all did by one.
    #[inline(always)]
    pub(super) fn cause(&self) -> CauseCode {
        let census = &self.census;
        let others = census.not_ready | census.unknown | census.requested | census.completed_run | census.stopped;
        if others > 0 { CauseCode::NONE } else { self.causes.common(census.failed + census.given_up) }
    }

    /// A replica has failed by this cause.
    #[inline(always)]
    pub(super) fn failed_by(&mut self, replica: &mut Replica, cause: CauseCode) {
        if replica.failed_by != cause {
            if is_failed(replica.standing) {
                self.causes.remove(replica.failed_by);
                self.causes.add(cause);
                self.changed = true;
            }
            replica.failed_by = cause;
        }
    }
}

/// The code of a cause; a new name gets the next.
#[inline(always)]
pub(super) fn code_of(cause: &Cause, extras: &mut LazyBox<Extras>) -> CauseCode {
    match cause {
        Cause::Named(_) => code_of_name(cause, &mut extras.get_or_init().cause_names),
        built_in => CauseCode::of_built_in(built_in.place()),
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

impl ReplicaSet {
    /// A replica has failed by this cause.
    pub(super) fn note_cause(&mut self, id: ReplicaId, cause: &Cause) {
        let code = code_of(cause, &mut self.extras);
        self.counts.failed_by(&mut self.replicas[id.index()], code);
    }

    /// The cause of that code.
    pub(super) fn cause_of(&self, code: CauseCode) -> Option<Cause> {
        let place = usize::from(code.0).checked_sub(1)?;
        match Cause::BUILT_IN.get(place) {
            Some(built_in) => Some(built_in.clone()),
            None => self.extras.get()?.cause_names.get(place - Cause::BUILT_IN.len()).cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_common_only_if_all_have_it() {
        let mut sums = CauseSums::default();
        assert_eq!(sums.common(0), CauseCode::NONE);
        [5, 5, 5].into_iter().for_each(|code| sums.add(CauseCode(code)));
        assert_eq!(sums.common(3), CauseCode(5));
        // The mean is the same.
        sums.remove(CauseCode(5));
        sums.remove(CauseCode(5));
        sums.add(CauseCode(4));
        sums.add(CauseCode(6));
        assert_eq!(sums.common(3), CauseCode::NONE);
    }

    #[test]
    fn there_are_codes_for_so_many_names_and_no_more() {
        let mut extras = LazyBox::<Extras>::default();
        let code = |number: usize, extras: &mut _| code_of(&Cause::named(&format!("own-{number}")).unwrap(), extras);
        let most = CauseCode::MOST_NAMES;
        for number in 0..most {
            assert_eq!(usize::from(code(number, &mut extras).0), FIRST_NAME + number);
        }
        assert_eq!(code(most, &mut extras), CauseCode::UNNAMED);
        assert_eq!(code(0, &mut extras), CauseCode(FIRST_NAME as u8));
    }
}
