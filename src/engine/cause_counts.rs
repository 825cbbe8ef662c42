//! Counts missing replicas by cause. The status names the cause if all of them have the same one.

use serde::{Deserialize, Serialize};

use crate::policy::Cause;

/// A cause in one byte: the index of a built-in cause, or of a named cause among the set's names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct CauseCode(pub(super) u8);

/// The code of the first name.
pub(super) const FIRST_NAME: usize = 1 + Cause::BUILT_IN.len();

impl CauseCode {
    /// No cause.
    pub(crate) const NONE: Self = Self(0);
    /// A named cause without a code of its own, because all codes are in use.
    pub(super) const UNNAMED: Self = Self(u8::MAX);

    /// The number of codes for named causes.
    pub(super) const MOST_NAMES: usize = u8::MAX as usize - FIRST_NAME;

    pub(super) fn of_built_in(place: usize) -> Self {
        Self(place as u8 + 1)
    }

    /// Whether it is a valid code in a set with `names` named causes.
    pub(super) fn is_known(self, names: usize) -> bool {
        self == Self::UNNAMED || usize::from(self.0) < FIRST_NAME + names
    }
}

/// Sums over the causes of all replicas that are failed or given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct CauseSums {
    codes: u64,
    squares: u64,
}

impl CauseSums {
    #[inline]
    pub(super) fn add(&mut self, cause: CauseCode) {
        let code = u64::from(cause.0);
        self.codes += code;
        self.squares += code * code;
    }

    #[inline]
    pub(super) fn remove(&mut self, cause: CauseCode) {
        let code = u64::from(cause.0);
        self.codes -= code;
        self.squares -= code * code;
    }

    /// Returns the cause that all `count` replicas share, if any. All codes are equal if and only if their variance is 0.
    #[inline]
    pub(super) fn common(self, count: u32) -> CauseCode {
        let count = u64::from(count);
        if count == 0 || count * self.squares != self.codes * self.codes {
            return CauseCode::NONE;
        }
        let code = if count == 1 { self.codes } else { self.codes / count };
        let cause = CauseCode(code as u8);
        if cause == CauseCode::UNNAMED { CauseCode::NONE } else { cause }
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
}
