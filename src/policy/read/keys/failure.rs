//! The keys of `failure`.

use super::*;
use crate::policy::range;

pub(crate) static FAILURE: Block = Block {
    title: "`failure`",
    about: "What a failure means, by kind of failure and for the set as a whole.",
    keys: &[&[
        key(
            "rules",
            Kind::List(&Kind::Block(&RULE), 0, range::MAX_RULES),
            "none",
            r#"[{"then": "degrade"}]"#,
            "In order, the first match decides. No match: retry if there is a `retry`, else terminate. At most 1000.",
        ),
        key("scope", Kind::Words(&["replica", "all", "rest"]), "replica", r#""rest""#, "Who is restarted."),
        key(
            "exhausted",
            Kind::OneOf(&[Kind::Words(&["degrade", "terminate", "hold"]), Kind::Block(&EXHAUSTED)]),
            "degrade",
            r#""terminate""#,
            "What becomes of a replica whose retry is used up.",
        ),
        key("min_available", Kind::Quantity, "1", r#""50%""#, "What the service needs; percent round up."),
        key("outage_deadline", Kind::Duration, "never", r#""10m""#, "An outage this long terminates the set."),
        key(
            "max_failures_before_ready",
            Kind::Count(&range::MAX_FAILURES_BEFORE_READY),
            "never",
            "9",
            "So many failures before any replica was ever available terminate the set.",
        ),
        key(
            "clear_after",
            Kind::Duration,
            "0s",
            r#""30s""#,
            "`degraded` and `outage` are cleared after this long without a break.",
        ),
        key(
            "budget",
            Kind::Block(&BUDGET),
            "off",
            r#"{"restarts": 10, "per": "10m"}"#,
            "A token bucket of restarts that the whole set shares.",
        ),
        key(
            "max_concurrent_starts",
            Kind::OneOf(&[Kind::QuantityAboveZero, Kind::Flag, Kind::Empty]),
            "off; 25% with `retry: true`",
            r#""10%""#,
            "At least 1; the rest queue, oldest due first. Percent round down. `false` is off.",
        ),
        key(
            "correlated",
            Kind::OneOf(&[Kind::Flag, Kind::Empty, Kind::Block(&CORRELATED)]),
            "off; on with `retry: true`",
            r#"{"share": "40%", "within": "20s"}"#,
            "So many together is one incident: charged once, held, one canary tried. `true` is 50% within 30s.",
        ),
    ]],
    requires: &[],
    remarks: &[("retry", "unknown field; `retry` stands at the top of the document, or in a rule")],
};

pub(crate) static EXHAUSTED: Block = Block {
    title: "`failure.exhausted`",
    about: "Given up for a time.",
    keys: &[&[
        key("quarantine", Kind::Positive, "required", r#""1h""#, "Given up for this long, then one trial start."),
        key(
            "rounds",
            Kind::Count(&range::ROUNDS),
            "no end",
            "15",
            "So many quarantines, then given up for good. The end of the streak and `reset` give them back.",
        ),
    ]],
    requires: &[],
    remarks: &[],
};

pub(crate) static RULE: Block = Block {
    title: "`failure.rules[]`",
    about: "One rule: what it matches, and what becomes of it.",
    keys: &[&[
        key(
            "name",
            Kind::Text(Form::RuleName),
            "its index",
            r#""bad-config""#,
            "What verdicts call it, and what state is kept under. Unique, not a number, at most 64 characters.",
        ),
        key("when", Kind::Block(&WHEN), "every failure", r#"{"exit_code": 2}"#, "What it matches."),
        key(
            "then",
            Kind::OneOf(&[Kind::Words(&["retry", "degrade", "terminate", "hold"]), Kind::Block(&HOLD)]),
            "required",
            r#""terminate""#,
            "What becomes of such a failure.",
        ),
        key(
            "charge",
            Kind::Flag,
            "true",
            "false",
            "`false` uses up no limit of `retry` and no budget; the delay grows all the same.",
        ),
        key(
            "retry",
            Kind::OneOf(&[Kind::True, Kind::Block(&RULE_RETRY)]),
            "the policy's",
            r#"{"interval": "5s"}"#,
            "A retry of its own, with a streak of its own.",
        ),
    ]],
    requires: &[],
    remarks: &[
        ("exit_code", "unknown field; conditions belong under `when`"),
        ("signal", "unknown field; conditions belong under `when`"),
        ("cause", "unknown field; conditions belong under `when`"),
        ("reason", "unknown field; conditions belong under `when`"),
        ("attempts_over", "unknown field; conditions belong under `when`"),
        ("replica", "unknown field; conditions belong under `when`"),
        ("ran_under", "unknown field; conditions belong under `when`"),
        ("was_ready", "unknown field; conditions belong under `when`"),
        ("action", "unknown field; did you mean 'then'?"),
    ],
};

pub(crate) static HOLD: Block = Block {
    title: "`failure.rules[].then`",
    about: "Left down for a time.",
    keys: &[&[key(
        "hold",
        Kind::Positive,
        "required",
        r#""30m""#,
        "Left down for this long, or until an operator acts.",
    )]],
    requires: &[],
    remarks: &[],
};

pub(crate) static WHEN: Block = Block {
    title: "`failure.rules[].when`",
    about: "All conditions that are given must hold; of several values of one, any does.",
    keys: &[&[
        key(
            "exit_code",
            Kind::OneOrMany(&Kind::ExitCode),
            "any",
            r#"[2, "64..=78"]"#,
            "Exit codes, or ranges with both ends included.",
        ),
        key("signal", Kind::OneOrMany(&Kind::Signal), "any", r#"["SIGKILL", 15]"#, "Signals by name or number."),
        key(
            "cause",
            Kind::OneOrMany(&Kind::Text(Form::Cause)),
            "any",
            r#""interruption""#,
            "`error`, `interruption`, `no-capacity`, `out-of-memory`, `start-timeout`, `unhealthy`, `node-lost`, \
             `start-error`, or a name of your own: 1 to 64 of `a-z0-9._-`, beginning with a letter.",
        ),
        key(
            "reason",
            Kind::OneOrMany(&Kind::Text(Form::Glob)),
            "any",
            r#""quota*""#,
            "The reason text; `*` stands for any run of characters. At most 1024 characters.",
        ),
        key(
            "attempts_over",
            Kind::Count(&range::ATTEMPTS),
            "any",
            "3",
            "The streak's attempt number is greater than this.",
        ),
        key(
            "replica",
            Kind::OneOrMany(&Kind::Replica),
            "any",
            r#"[0, "2..=3"]"#,
            "Replicas by number, or ranges with both ends included.",
        ),
        key(
            "ran_under",
            Kind::Positive,
            "any",
            r#""60s""#,
            "The incarnation ran for less than this; one that never started ran for 0s.",
        ),
        key("was_ready", Kind::Flag, "any", "false", "Whether this incarnation had ever been ready."),
    ]],
    requires: &[],
    remarks: &[
        ("exit_codes", "unknown field; did you mean 'exit_code'?"),
        ("replicas", "unknown field; did you mean 'replica'?"),
        ("then", "unknown field; `then` stands beside `when`, not in it"),
    ],
};

pub(crate) static BUDGET: Block = Block {
    title: "`failure.budget`",
    about: "It starts full and refills evenly.",
    keys: &[&[
        key("restarts", Kind::Count(&range::BUDGET_RESTARTS), "required", "10", "How many tokens it holds."),
        key("per", Kind::Positive, "required", r#""10m""#, "The time in which that many are refilled."),
        key(
            "empty",
            Kind::Words(&["wait", "terminate"]),
            "wait",
            r#""terminate""#,
            "What becomes of a restart that finds none.",
        ),
    ]],
    requires: &[],
    remarks: &[("within", "unknown field; did you mean 'per'?")],
};

pub(crate) static CORRELATED: Block = Block {
    title: "`failure.correlated`",
    about: "When so many replicas fail together that it is one incident.",
    keys: &[&[
        key(
            "share",
            Kind::QuantityAboveZero,
            "50%",
            r#""40%""#,
            "Distinct replicas, rounded up; at least 2, and 3 from 5 replicas on.",
        ),
        key("within", Kind::Positive, "30s", r#""20s""#, "How near together they fail."),
    ]],
    requires: &[],
    remarks: &[],
};
