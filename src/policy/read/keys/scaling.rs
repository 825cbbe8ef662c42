//! The keys of `scaling`.

use super::*;
use crate::policy::range;

pub(crate) static SCALING: Block = Block {
    title: "`scaling`",
    about: "The bounds of scaling, and the extra replicas that stand in for missing ones. `standby` and `stand_ins` are \
            refused with `scope: all` or `rest` anywhere in the policy, and with `success: complete`.",
    keys: &[&[
        key("min", Kind::Count(&range::REPLICAS), "0", "2", "The fewest replicas that the set can be scaled to."),
        key("max", Kind::Count(&range::REPLICAS), "1000000", "10", "The most replicas that the set can be scaled to."),
        key(
            "standby",
            Kind::Count(&range::REPLICAS),
            "0",
            "1",
            "How many extra replicas are kept started. When a replica fails, an available one takes its place at once.",
        ),
        key(
            "stand_ins",
            Kind::Block(&STAND_INS),
            "none",
            r#"{"max": 2}"#,
            "Extra replicas, each started elsewhere for a replica that stays down.",
        ),
    ]],
    requires: &[],
    remarks: &[],
};

pub(crate) static STAND_INS: Block = Block {
    title: "`scaling.stand_ins`",
    about: "An extra replica is started for a replica that was available before and stays down, and removed when that one is \
            back.",
    keys: &[&[
        key("max", Kind::Count(&range::REPLICAS), "required", "2", "How many stand-ins there may be at a time."),
        key(
            "after",
            Kind::Duration,
            "1m",
            r#""30s""#,
            "How long a replica is unavailable until it gets a stand-in or an available standby, and how long it must be \
             available again until its stand-in is removed.",
        ),
    ]],
    requires: &[],
    remarks: &[],
};
