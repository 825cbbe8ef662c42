//! Lints: what is legal and surely not meant.

/// A warning about a policy that is legal and surely not meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lint {}
