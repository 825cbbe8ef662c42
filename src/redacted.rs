//! Hides secrets in `Debug` output: environment values and header values.

use std::collections::BTreeMap;
use std::fmt;

/// The text shown instead of a secret value.
pub(crate) const REDACTED: &str = "<redacted>";

/// A map of names to secret values that shows only the names in `Debug`.
pub(crate) struct Redacted<'a>(pub(crate) &'a BTreeMap<String, String>);

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.keys().map(|name| (name, REDACTED))).finish()
    }
}
