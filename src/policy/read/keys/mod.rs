//! The table of all keys of the document. The reader takes the names of keys from it; the schema and the documentation
//! are generated from it.

#![cfg_attr(not(test), allow(dead_code, reason = "the documentation is made in a test, the schema with a feature"))]

use std::ops::RangeInclusive;

mod failure;
mod health;
mod retry;
mod rollout;
mod scaling;
#[cfg(test)]
mod tests;

use crate::policy::text::Form;

pub(super) use failure::*;
pub(super) use health::*;
pub(super) use retry::*;
pub(super) use rollout::*;
pub(super) use scaling::*;

/// A block of keys.
pub(crate) struct Block {
    /// Its path, as a heading of the documentation.
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) keys: &'static [&'static [Key]],
    /// Conditions on several keys together.
    pub(crate) requires: &'static [Requirement],
    /// Fields that people look for here, and the hint for each.
    pub(crate) remarks: &'static [(&'static str, &'static str)],
}

/// A condition on several keys of a block together, as far as a schema can express it.
pub(crate) enum Requirement {
    /// Exactly one of them is given.
    ExactlyOne(&'static [&'static str]),
    /// At most one of them is given.
    AtMostOne(&'static [&'static str]),
    /// `after` of `recover`: not with `by: never`, above zero with `by: step`.
    RecoverAfter,
    /// `then: retry` needs a `retry`, of the rule or of the policy.
    SomeRetry,
    /// `replicas` as a range: not beside `scaling.min` and `scaling.max`.
    RangeOrBounds,
    /// Standbys and stand-ins: not beside a `scope` of several replicas, and not with `success: complete`.
    ExtrasOrGroups,
}

/// One key.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The default in words; "required" if there is none, "-" if it is empty.
    pub(crate) default: &'static str,
    pub(crate) about: &'static str,
    /// A value that is not the default, as JSON.
    pub(crate) example: &'static str,
}

/// The kind of value of a key. A block without required keys may be null, except in a list or beside other kinds.
pub(crate) enum Kind {
    Duration,
    /// A duration longer than zero.
    Positive,
    Count(&'static RangeInclusive<u32>),
    Quantity,
    /// At least 1 or 1%.
    QuantityAboveZero,
    /// 1% to 100%.
    Percentage,
    Flag,
    True,
    /// Null, which means off.
    Empty,
    Text(Form),
    /// A command and its arguments.
    Command,
    /// A whole number of seconds.
    Seconds,
    Factor,
    Port,
    ExitCode,
    Replica,
    /// A number of replicas, or a range of such numbers.
    SetSize,
    Status,
    Signal,
    Words(&'static [&'static str]),
    Headers,
    Block(&'static Block),
    /// A list with the least and the most elements. If the least is 0, it may be null.
    List(&'static Kind, usize, usize),
    OneOrMany(&'static Kind),
    OneOf(&'static [Kind]),
}

impl Block {
    pub(crate) fn all(&self) -> impl Iterator<Item = &'static Key> + use<> {
        self.keys.iter().flat_map(|group| group.iter())
    }
}

const fn key(name: &'static str, kind: Kind, default: &'static str, example: &'static str, about: &'static str) -> Key {
    Key { name, kind, default, about, example }
}

pub(crate) static DOCUMENT: Block = Block {
    title: "The document",
    about: "A policy. Without `retry` the set is fail-fast: the first failed replica terminates it.",
    keys: &[&[
        key(
            "replicas",
            Kind::SetSize,
            "1, or the nearest that `scaling` allows",
            "3",
            "How many replicas the set has. `2..10` is `scaling: {min: 2, max: 10}`, starting at 2.",
        ),
        key(
            "success",
            Kind::Words(&["restart", "complete", "failure"]),
            "restart",
            r#""complete""#,
            "What exit code 0 means: restart the replica (paced, never charged, never fatal), treat it as done, or treat it as a failure.",
        ),
        key(
            "min_ready",
            Kind::Duration,
            "0s",
            r#""5s""#,
            "How long a replica must be ready before it counts as available.",
        ),
        key(
            "start_timeout",
            Kind::Positive,
            "20m",
            r#""5m""#,
            "A start that takes longer is a failure with cause `start-timeout`.",
        ),
        key("stop_grace", Kind::Duration, "10s", r#""30s""#, "The time between the request to stop and the kill."),
        key(
            "start_order",
            Kind::Words(&["parallel", "ordered"]),
            "parallel",
            r#""ordered""#,
            "The order of the set's first start, and within a group: all at once, or each after the previous one is ready.",
        ),
        key(
            "retry",
            Kind::OneOf(&[Kind::Flag, Kind::Empty, Kind::Block(&RETRY)]),
            "false",
            "true",
            "How failed replicas are restarted; `true` is the recommended production policy.",
        ),
        key("failure", Kind::Block(&FAILURE), "-", r#"{"scope": "all"}"#, "What a failure means for the set."),
        key(
            "health",
            Kind::Block(&HEALTH),
            "-",
            r#"{"unknown_after": "30s"}"#,
            "Probes, and when a replica out of contact is unknown and when it is lost.",
        ),
        key(
            "scaling",
            Kind::Block(&SCALING),
            "-",
            r#"{"max": 10}"#,
            "The bounds of scaling, and the extra replicas that stand in for missing ones.",
        ),
        key(
            "rollout",
            Kind::Block(&ROLLOUT),
            "-",
            r#"{"max_surge": 1}"#,
            "How a new revision replaces the old one, and what a drain may take down.",
        ),
    ]],
    requires: &[Requirement::SomeRetry, Requirement::RangeOrBounds, Requirement::ExtrasOrGroups],
    remarks: &[
        ("rules", "unknown field; rules belong under `failure`"),
        ("on_failure", "unknown field; rules under `failure` match failures, `rollout.on_failure` is about rollouts"),
        ("replica", "unknown field; did you mean 'replicas'?"),
        ("min_available", "unknown field; it belongs under `failure`"),
    ],
};
