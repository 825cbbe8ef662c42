//! The keys of `rollout`.

use super::*;
use crate::policy::range;

pub(crate) static ROLLOUT: Block = Block {
    title: "`rollout`",
    about: "How a new revision replaces the old one. Drains use `max_surge` and `max_unavailable` too.",
    keys: &[&[
        key(
            "max_surge",
            Kind::Quantity,
            "0",
            "1",
            "How many extra replicas may be started before old ones are stopped; percentages round up.",
        ),
        key(
            "max_unavailable",
            Kind::Quantity,
            "0 with a `max_surge`, else 1",
            r#""25%""#,
            "How many replicas may be taken down at a time, as far as `min_available` allows; percentages round down. If this \
             and `max_surge` are 0, it is 1.",
        ),
        key(
            "canaries",
            Kind::Count(&range::REPLICAS),
            "0",
            "1",
            "How many replicas of the new revision are tried before the rest follow; with a `max_surge`, at most that many.",
        ),
        key(
            "bake",
            Kind::Duration,
            "0s",
            r#""5m""#,
            "How long the canaries must stay available before the rest follow.",
        ),
        key(
            "promote",
            Kind::Words(&["auto", "manual"]),
            "auto",
            r#""manual""#,
            "Whether the rest follow the canaries automatically, or when an operator promotes the rollout.",
        ),
        key(
            "progress_deadline",
            Kind::Positive,
            "never",
            r#""10m""#,
            "A rollout without progress for this long has failed. Time spent baking, waiting for an operator or in an incident \
             does not count.",
        ),
        key(
            "max_failures",
            Kind::Count(&range::ROLLOUT_FAILURES),
            "3; 1 without `retry`",
            "5",
            "How many failures of the new revision fail the rollout.",
        ),
        key(
            "on_failure",
            Kind::Words(&["rollback", "pause"]),
            "rollback",
            r#""pause""#,
            "What happens to a rollout that has failed: back to the last complete revision, or wait for an operator.",
        ),
    ]],
    requires: &[],
    remarks: &[],
};
