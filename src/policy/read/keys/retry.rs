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
        "Restarts in one streak; the failure after that many finds the retry used up.",
    ),
    key(
        "max_duration",
        Kind::Duration,
        "unlimited",
        r#""1h""#,
        "From the streak's first failure; a failure strictly later finds the retry used up.",
    ),
    key(
        "limit",
        Kind::Block(&LIMIT),
        "unlimited",
        r#"{"restarts": 5, "within": "10m"}"#,
        "A sliding window; a restart exactly `within` old no longer counts.",
    ),
    key("placement", Kind::Words(&["same", "elsewhere"]), "same", r#""elsewhere""#, "Where it is started again."),
    key(
        "scope",
        Kind::Words(&["replica", "all", "rest"]),
        "`failure.scope`",
        r#""all""#,
        "Who is restarted: the failed replica, all, or it and those after it.",
    ),
];

static RETRY_ONLY_KEYS: [Key; 4] = [
    key(
        "immediate_first",
        Kind::OneOf(&[Kind::Flag, Kind::Words(&["isolated"])]),
        "false",
        "true",
        "The first restart of a streak comes at once; `isolated`: unless another replica failed within `correlated.within`.",
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
        "Staged retry: the next stage begins when one is used up. At most 100.",
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
        "A give-up by the window that would put `min_available` out of reach waits for room instead.",
    ),
    key(
        "on_events",
        Kind::OneOrMany(&Kind::Words(&["no-capacity", "interruption", "error"])),
        "all",
        r#"["interruption"]"#,
        "dstack's spelling: failures of other causes terminate. `error` is every cause but the other two.",
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

/// A rule's own.
pub(crate) static RULE_RETRY: Block = Block {
    title: RETRY.title,
    about: RETRY.about,
    keys: &[&STAGE_KEYS, &RETRY_ONLY_KEYS],
    requires: ONE_DURATION,
    remarks: &[
        ("attempts", "unknown field; did you mean 'max_attempts'?"),
        ("delay", "unknown field; did you mean 'interval'?"),
        ("factor", "unknown field; write backoff: {exponential: {factor: 2}}"),
        ("on_events", "belongs to the policy's own `retry`; the rule says by `when` what it matches"),
        ("keep_min_available", "belongs to the policy's own `retry`"),
    ],
};

const NOT_OF_A_STAGE: &str = "belongs to `retry`, not to a stage of it";

pub(crate) static STAGE: Block = Block {
    title: "`retry.stages[]`",
    about: "One stage of a staged retry. Pacing, placement and scope that it leaves out are those of `retry`; limits \
            set on `retry` hold for the whole streak.",
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
    about: "A backoff with a setting of its own: exactly one of these.",
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
            "These delays, the last one repeated. 1 to 1000.",
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
    about: "A jitter with a setting of its own.",
    keys: &[&[key(
        "spread",
        Kind::Percentage,
        "required",
        r#""25%""#,
        "Up to so many percent more, 1% to 100%; its base is lowered so that the spread fits under `max_interval`.",
    )]],
    requires: &[],
    remarks: &[],
};

pub(crate) static LIMIT: Block = Block {
    title: "`limit`",
    about: "At most so many counted restarts in a sliding window, which belongs to the replica, not to the streak.",
    keys: &[&[
        key("restarts", Kind::Count(&range::WINDOW_RESTARTS), "required", "5", "How many."),
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
            "Ready for this long without a break.",
        ),
        key(
            "by",
            Kind::Words(&["reset", "step", "never"]),
            "reset",
            r#""step""#,
            "`reset` ends the streak; `step` takes back one level and one attempt for each `after`.",
        ),
    ]],
    requires: &[Requirement::RecoverAfter],
    remarks: &[],
};
