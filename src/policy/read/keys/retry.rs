//! The keys of `retry`.

use super::*;
use crate::policy::range;

static STAGE_KEYS: [Key; 9] = [
    key("interval", Kind::Duration, "10s", r#""1s""#, "The first delay, and every delay of a constant backoff."),
    key(
        "backoff",
        Kind::OneOf(&[Kind::Words(&["constant", "linear", "exponential", "fibonacci"]), Kind::Block(&BACKOFF)]),
        "constant",
        r#""exponential""#,
        "How delays grow from failure to failure.",
    ),
    key(
        "max_interval",
        Kind::Positive,
        "5m for a growing backoff, else none",
        r#""60s""#,
        "The hard cap of every delay, jitter included.",
    ),
    key(
        "jitter",
        Kind::OneOf(&[Kind::Words(&["none", "equal", "full", "decorrelated"]), Kind::Block(&JITTER)]),
        "none",
        r#""equal""#,
        "How delays are spread, so that replicas which failed together do not start together.",
    ),
    key(
        "max_attempts",
        Kind::Count(&range::ATTEMPTS),
        "unlimited",
        "10",
        "The most restarts in one streak; the next failure exhausts the retry.",
    ),
    key(
        "max_duration",
        Kind::Duration,
        "unlimited",
        r#""1h""#,
        "Time since the first failure of the streak; a later failure exhausts the retry.",
    ),
    key(
        "limit",
        Kind::Block(&LIMIT),
        "unlimited",
        r#"{"restarts": 5, "within": "10m"}"#,
        "At most this many restarts in a sliding window; one exactly `within` old no longer counts.",
    ),
    key(
        "placement",
        Kind::Words(&["same", "elsewhere"]),
        "same",
        r#""elsewhere""#,
        "Where the replica is restarted: in place, or elsewhere.",
    ),
    key(
        "scope",
        Kind::Words(&["replica", "all", "rest"]),
        "`failure.scope`",
        r#""all""#,
        "Which replicas are restarted: the failed one, all, or it and those after it.",
    ),
];

static RETRY_ONLY_KEYS: [Key; 4] = [
    key(
        "immediate_first",
        Kind::OneOf(&[Kind::Flag, Kind::Words(&["isolated"])]),
        "false",
        "true",
        "Restart without delay after the first failure of a streak; `isolated`: only if no other replica failed within `correlated.within`.",
    ),
    key(
        "recover",
        Kind::OneOf(&[Kind::Words(&["never"]), Kind::Block(&RECOVER)]),
        "a reset after twice the longest delay, at least 1m",
        r#""never""#,
        "What ends a streak.",
    ),
    key(
        "stages",
        Kind::List(&Kind::Block(&STAGE), 0, range::MAX_STAGES),
        "none",
        r#"[{"max_attempts": 3}, {"interval": "1m"}]"#,
        "Staged retry: when a stage is exhausted, the next one begins. At most 100.",
    ),
    key(
        "duration",
        Kind::OneOf(&[Kind::Duration, Kind::Seconds]),
        "1h with `on_events`",
        r#""2h""#,
        "dstack's spelling of `max_duration`; also a whole number of seconds.",
    ),
];

static POLICY_ONLY_KEYS: [Key; 2] = [
    key(
        "keep_min_available",
        Kind::Flag,
        "false",
        "true",
        "When `limit` is exhausted and giving up would put `min_available` out of reach, wait for room in the window instead.",
    ),
    key(
        "on_events",
        Kind::OneOrMany(&Kind::Words(&["no-capacity", "interruption", "error"])),
        "all",
        r#"["interruption"]"#,
        "dstack's spelling: failures with other causes terminate the set. `error` is every cause except the other two.",
    ),
];

const RETRY_REMARKS: &[(&str, &str)] = &[
    ("attempts", "unknown field; did you mean 'max_attempts'?"),
    ("delay", "unknown field; did you mean 'interval'?"),
    ("factor", "unknown field; write backoff: {exponential: {factor: 2}}"),
];
const ONE_DURATION: &[Requirement] = &[Requirement::AtMostOne(&["duration", "max_duration"])];

pub(crate) static RETRY: Block = Block {
    title: "`retry`",
    about: "Pacing and limits of one replica's streak of failures. A rule may have a `retry` of its own, without \
            `on_events` and `keep_min_available`.",
    keys: &[&STAGE_KEYS, &RETRY_ONLY_KEYS, &POLICY_ONLY_KEYS],
    requires: ONE_DURATION,
    remarks: RETRY_REMARKS,
};

/// The `retry` of a rule.
pub(crate) static RULE_RETRY: Block = Block {
    title: RETRY.title,
    about: RETRY.about,
    keys: &[&STAGE_KEYS, &RETRY_ONLY_KEYS],
    requires: ONE_DURATION,
    remarks: &[
        ("attempts", "unknown field; did you mean 'max_attempts'?"),
        ("delay", "unknown field; did you mean 'interval'?"),
        ("factor", "unknown field; write backoff: {exponential: {factor: 2}}"),
        ("on_events", "belongs in the policy's own `retry`; a rule says in `when` which failures it matches"),
        ("keep_min_available", "belongs in the policy's own `retry`"),
    ],
};

const NOT_OF_A_STAGE: &str = "belongs in `retry`, not in one of its stages";

pub(crate) static STAGE: Block = Block {
    title: "`retry.stages[]`",
    about: "One stage of a staged retry. Pacing, placement and scope default to those of `retry`; limits \
            set on `retry` apply to the whole streak.",
    keys: &[&STAGE_KEYS],
    requires: &[],
    remarks: &[
        ("immediate_first", NOT_OF_A_STAGE),
        ("recover", NOT_OF_A_STAGE),
        ("stages", NOT_OF_A_STAGE),
        ("keep_min_available", NOT_OF_A_STAGE),
        ("on_events", NOT_OF_A_STAGE),
        ("duration", "unknown field; in a stage it is called 'max_duration'"),
    ],
};

pub(crate) static BACKOFF: Block = Block {
    title: "`backoff`",
    about: "A backoff with parameters: exactly one of these.",
    keys: &[&[
        key(
            "exponential",
            Kind::Block(&EXPONENTIAL),
            "-",
            r#"{"factor": 3}"#,
            "The interval times a factor for each further failure.",
        ),
        key(
            "schedule",
            Kind::List(&Kind::Duration, 1, range::MAX_SCHEDULE),
            "-",
            r#"["1s", "1s", "30s"]"#,
            "The delays in order; the last one repeats. 1 to 1000.",
        ),
    ]],
    requires: &[Requirement::ExactlyOne(&["exponential", "schedule"])],
    remarks: &[],
};

pub(crate) static EXPONENTIAL: Block = Block {
    title: "`backoff.exponential`",
    about: "Growth by a factor.",
    keys: &[&[key("factor", Kind::Factor, "2", "3", "The factor, 1.01 to 100, with at most two decimals.")]],
    requires: &[],
    remarks: &[],
};

pub(crate) static JITTER: Block = Block {
    title: "`jitter`",
    about: "A jitter with a parameter.",
    keys: &[&[key(
        "spread",
        Kind::Percentage,
        "required",
        r#""25%""#,
        "Adds up to this percentage, 1% to 100%; the delay is lowered first so that the result fits under `max_interval`.",
    )]],
    requires: &[],
    remarks: &[],
};

pub(crate) static LIMIT: Block = Block {
    title: "`limit`",
    about: "At most this many charged restarts in a sliding window. The window belongs to the replica, not to the streak.",
    keys: &[&[
        key("restarts", Kind::Count(&range::WINDOW_RESTARTS), "required", "5", "The most restarts in the window."),
        key("within", Kind::Positive, "required", r#""10m""#, "The length of the window."),
    ]],
    requires: &[],
    remarks: &[("per", "unknown field; did you mean 'within'?")],
};

pub(crate) static RECOVER: Block = Block {
    title: "`retry.recover`",
    about: "What ends a streak.",
    keys: &[&[
        key(
            "after",
            Kind::Duration,
            "twice the longest delay, at least 1m",
            r#""2m""#,
            "How long the replica must be ready without a break.",
        ),
        key(
            "by",
            Kind::Words(&["reset", "step", "never"]),
            "reset",
            r#""step""#,
            "`reset` ends the streak; `step` takes back one level and one attempt per `after`; `never` waits for an operator.",
        ),
    ]],
    requires: &[Requirement::RecoverAfter],
    remarks: &[],
};
