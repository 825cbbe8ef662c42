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
            "Tried in order; the first match decides. Without a match: retry if there is a `retry`, else terminate. At most 1000.",
        ),
        key(
            "scope",
            Kind::Words(&["replica", "all", "rest"]),
            "replica",
            r#""rest""#,
            "Which replicas are restarted: the failed one, all, or it and those after it.",
        ),
        key(
            "exhausted",
            Kind::OneOf(&[Kind::Words(&["degrade", "terminate", "hold"]), Kind::Block(&EXHAUSTED)]),
            "degrade",
            r#""terminate""#,
            "What happens to a replica whose retry is exhausted.",
        ),
        key(
            "min_available",
            Kind::Quantity,
            "1",
            r#""50%""#,
            "How many available replicas the service needs; percentages round up.",
        ),
        key("outage_deadline", Kind::Duration, "never", r#""10m""#, "An outage this long terminates the set."),
        key(
            "max_failures_before_ready",
            Kind::Count(&range::MAX_FAILURES_BEFORE_READY),
            "never",
            "9",
            "This many failures before any replica was ever available terminate the set.",
        ),
        key(
            "clear_after",
            Kind::Duration,
            "0s",
            r#""30s""#,
            "How long the condition must be over before `degraded` or `outage` clears.",
        ),
        key(
            "budget",
            Kind::Block(&BUDGET),
            "off",
            r#"{"restarts": 10, "per": "10m"}"#,
            "A token bucket of restarts shared by the whole set.",
        ),
        key(
            "max_concurrent_starts",
            Kind::OneOf(&[Kind::QuantityAboveZero, Kind::Flag, Kind::Empty]),
            "off; 25% with `retry: true`",
            r#""10%""#,
            "How many restarts may be under way at once; the others queue by due time. Percentages round down, to at least 1. `false` is off.",
        ),
        key(
            "correlated",
            Kind::OneOf(&[Kind::Flag, Kind::Empty, Kind::Block(&CORRELATED)]),
            "off; on with `retry: true`",
            r#"{"share": "40%", "within": "20s"}"#,
            "When failures of several replicas are one incident: charged once, restarts held, one canary tried. `true` is 50% within 30s.",
        ),
    ]],
    requires: &[],
    remarks: &[("retry", "unknown field; `retry` belongs at the top of the document, or in a rule")],
};

pub(crate) static EXHAUSTED: Block = Block {
    title: "`failure.exhausted`",
    about: "Gives the replica up for a time.",
    keys: &[&[
        key("quarantine", Kind::Positive, "required", r#""1h""#, "Given up for this long, then one trial start."),
        key(
            "rounds",
            Kind::Count(&range::ROUNDS),
            "unlimited",
            "15",
            "How many quarantines before it is given up for good. The end of the streak and `reset` start the count anew.",
        ),
    ]],
    requires: &[],
    remarks: &[],
};

pub(crate) static RULE: Block = Block {
    title: "`failure.rules[]`",
    about: "One rule: which failures it matches, and what happens then.",
    keys: &[&[
        key(
            "name",
            Kind::Text(Form::RuleName),
            "its index",
            r#""bad-config""#,
            "The name in verdicts, and the key of its state. Unique, not a number, at most 64 characters.",
        ),
        key("when", Kind::Block(&WHEN), "every failure", r#"{"exit_code": 2}"#, "Which failures it matches."),
        key(
            "then",
            Kind::OneOf(&[Kind::Words(&["retry", "degrade", "terminate", "hold"]), Kind::Block(&HOLD)]),
            "required",
            r#""terminate""#,
            "What happens after such a failure.",
        ),
        key(
            "charge",
            Kind::Flag,
            "true",
            "false",
            "`false`: its restarts count towards no limit of `retry` and take no token of the budget; the delay still grows.",
        ),
        key(
            "retry",
            Kind::OneOf(&[Kind::True, Kind::Block(&RULE_RETRY)]),
            "the policy's",
            r#"{"interval": "5s"}"#,
            "The rule's own pacing and limits, with a separate streak.",
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
    about: "Leaves the replica down for a time.",
    keys: &[&[key(
        "hold",
        Kind::Positive,
        "required",
        r#""30m""#,
        "How long the replica stays down, unless an operator acts earlier.",
    )]],
    requires: &[],
    remarks: &[],
};

pub(crate) static WHEN: Block = Block {
    title: "`failure.rules[].when`",
    about: "All given conditions must hold; a condition with several values holds if any value matches.",
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
             `start-error`, or a custom one: 1 to 64 of `a-z0-9._-`, beginning with a letter.",
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
            "Matches when the attempt number of the streak is greater than this.",
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
            "Matches an incarnation that ran for less than this; one that never started ran for 0s.",
        ),
        key("was_ready", Kind::Flag, "any", "false", "Matches by whether this incarnation was ever ready."),
    ]],
    requires: &[],
    remarks: &[
        ("exit_codes", "unknown field; did you mean 'exit_code'?"),
        ("replicas", "unknown field; did you mean 'replica'?"),
        ("then", "unknown field; `then` belongs beside `when`, not in it"),
    ],
};

pub(crate) static BUDGET: Block = Block {
    title: "`failure.budget`",
    about: "A token bucket: starts full and refills evenly.",
    keys: &[&[
        key("restarts", Kind::Count(&range::BUDGET_RESTARTS), "required", "10", "How many tokens it holds."),
        key("per", Kind::Positive, "required", r#""10m""#, "The time in which an empty bucket refills."),
        key(
            "empty",
            Kind::Words(&["wait", "terminate"]),
            "wait",
            r#""terminate""#,
            "What happens to a restart that finds no token.",
        ),
    ]],
    requires: &[],
    remarks: &[("within", "unknown field; did you mean 'per'?")],
};

pub(crate) static CORRELATED: Block = Block {
    title: "`failure.correlated`",
    about: "How many failures of different replicas, within which time, are one incident.",
    keys: &[&[
        key(
            "share",
            Kind::QuantityAboveZero,
            "50%",
            r#""40%""#,
            "The share of distinct replicas, rounded up; at least 2, and at least 3 in a set of 5 or more.",
        ),
        key("within", Kind::Positive, "30s", r#""20s""#, "The time within which they must fail."),
    ]],
    requires: &[],
    remarks: &[],
};
