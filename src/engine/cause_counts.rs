//! Counts missing replicas by cause. The status names the cause if all of them have the same one.

use serde::{Deserialize, Serialize};

use crate::policy::Cause;

/// A cause in one byte: a built-in one by its place, or a name of the user's own by its place among the set's names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct CauseCode(pub(super) u8);

/// The code of the first name.
pub(super) const FIRST_NAME: usize = 1 + Cause::BUILT_IN.len();

impl CauseCode {
    /// No cause.
    pub(crate) const NONE: Self = Self(0);
    /// A name that came when there were codes for no more.
    pub(super) const UNNAMED: Self = Self(u8::MAX);

    /// For so many names there are codes.
    pub(super) const MOST_NAMES: usize = u8::MAX as usize - FIRST_NAME;

    pub(super) fn of_built_in(place: usize) -> Self {
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
