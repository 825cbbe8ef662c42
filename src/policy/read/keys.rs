//! The table of every key of the document. The reader takes the names it knows from it; the schema and the
//! documentation are made of it.

use std::ops::RangeInclusive;

use super::walk::Known;
use crate::policy::range;

/// A block of keys.
pub(crate) struct Block {
    /// Where it stands, as a heading of the documentation.
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) keys: &'static [&'static [Key]],
    /// Fields that people look for here, and what to tell them.
    pub(crate) remarks: &'static [(&'static str, &'static str)],
}

/// One key.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// What holds when it is left out; "required" if it may not be.
    pub(crate) default: &'static str,
    pub(crate) about: &'static str,
    /// A value that is not the default, as JSON.
    pub(crate) example: &'static str,
}

/// What may stand behind a key.
pub(crate) enum Kind {
    Duration,
    /// A duration longer than zero.
    Positive,
    Count(&'static RangeInclusive<u32>),
    Quantity,
    Percentage,
    Flag,
    Text,
    Factor,
    Port,
    ExitCode,
    Status,
    Signal,
    Words(&'static [&'static str]),
    Headers,
    Block(&'static Block),
    List(&'static Kind),
    OneOrMany(&'static Kind),
    OneOf(&'static [Kind]),
}

impl Block {
    pub(crate) fn all(&self) -> impl Iterator<Item = &'static Key> + use<> {
        self.keys.iter().flat_map(|group| group.iter())
    }
}

impl Known for Block {
    fn names(&self) -> Vec<&'static str> {
        self.all().map(|key| key.name).collect()
    }

    fn remark(&self, field: &str) -> Option<&'static str> {
        self.remarks.iter().find(|(name, _)| *name == field).map(|(_, remark)| *remark)
    }
}

const fn key(name: &'static str, kind: Kind, default: &'static str, example: &'static str, about: &'static str) -> Key {
    Key { name, kind, default, about, example }
}

pub(crate) static DOCUMENT: Block = Block {
    title: "The document",
    about: "A policy. Without `retry` the set is fail-fast: the first failed replica terminates it.",
    keys: &[&[
        key("replicas", Kind::Count(&range::REPLICAS), "1", "3", "How many replicas the set has."),
        key(
            "success",
            Kind::Words(&["restart", "complete", "failure"]),
            "restart",
            r#""complete""#,
            "What exit code 0 means: start again (paced, never charged, never fatal), done, or a failure like any other.",
        ),
        key("min_ready", Kind::Duration, "0s", r#""5s""#, "Ready for this long before a replica counts as available."),
        key(
            "start_timeout",
            Kind::Positive,
            "20m",
            r#""5m""#,
            "Not started by then is a failure with cause `start-timeout`.",
        ),
        key("stop_grace", Kind::Duration, "10s", r#""30s""#, "From the request to stop to the kill."),
        key(
            "retry",
            Kind::OneOf(&[Kind::Flag, Kind::Block(&RETRY)]),
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
            "Probes, and when lost contact counts as what.",
        ),
    ]],
    remarks: &[
        ("scaling", "`scaling` is not there yet in this version; leave it out"),
        ("rollout", "`rollout` is not there yet in this version; leave it out"),
        ("rules", "unknown field; rules belong under `failure`"),
        ("min_available", "unknown field; it belongs under `failure`"),
    ],
};

static RUNG_KEYS: [Key; 9] = [
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

static RETRY_ONLY_KEYS: [Key; 6] = [
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
        Kind::List(&Kind::Block(&STAGE)),
        "none",
        r#"[{"max_attempts": 3}, {"interval": "1m"}]"#,
        "Staged retry: the next stage begins when one is used up. At most 100.",
    ),
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
    key(
        "duration",
        Kind::Duration,
        "1h with `on_events`",
        r#""2h""#,
        "dstack's spelling of `max_duration`; also a whole number of seconds.",
    ),
];

pub(crate) static RETRY: Block = Block {
    title: "`retry`",
    about: "Pacing and limits of one replica's streak of failures. A rule may have a `retry` of its own, without \
            `on_events` and `keep_min_available`.",
    keys: &[&RUNG_KEYS, &RETRY_ONLY_KEYS],
    remarks: &[
        ("attempts", "unknown field; did you mean 'max_attempts'?"),
        ("delay", "unknown field; did you mean 'interval'?"),
        ("factor", "unknown field; write backoff: {exponential: {factor: 2}}"),
    ],
};

const NOT_OF_A_STAGE: &str = "belongs to `retry`, not to a stage of it";

pub(crate) static STAGE: Block = Block {
    title: "`retry.stages[]`",
    about: "One stage of a staged retry. Pacing, placement and scope that it leaves out are those of `retry`; limits \
            set on `retry` hold for the whole streak.",
    keys: &[&RUNG_KEYS],
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
            Kind::List(&Kind::Duration),
            "-",
            r#"["1s", "1s", "30s"]"#,
            "These delays, the last one repeated. 1 to 1000.",
        ),
    ]],
    remarks: &[],
};

pub(crate) static EXPONENTIAL: Block = Block {
    title: "`backoff.exponential`",
    about: "Growth by a factor.",
    keys: &[&[key("factor", Kind::Factor, "2", "3", "The factor, 1.01 to 100, with at most two decimals.")]],
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
    remarks: &[],
};

pub(crate) static LIMIT: Block = Block {
    title: "`limit`",
    about: "At most so many counted restarts in a sliding window, which belongs to the replica, not to the streak.",
    keys: &[&[
        key("restarts", Kind::Count(&range::WINDOW_RESTARTS), "required", "5", "How many."),
        key("within", Kind::Positive, "required", r#""10m""#, "The length of the window."),
    ]],
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
    remarks: &[],
};

pub(crate) static FAILURE: Block = Block {
    title: "`failure`",
    about: "What a failure means, by kind of failure and for the set as a whole.",
    keys: &[&[
        key(
            "rules",
            Kind::List(&Kind::Block(&RULE)),
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
            Kind::OneOf(&[Kind::Quantity, Kind::Flag]),
            "off; 25% with `retry: true`",
            r#""10%""#,
            "At least 1; the rest queue, oldest due first. Percent round down. `false` is off.",
        ),
        key(
            "correlated",
            Kind::OneOf(&[Kind::Flag, Kind::Block(&CORRELATED)]),
            "off; on with `retry: true`",
            r#"{"share": "40%", "within": "20s"}"#,
            "So many together is one incident: charged once, held, one canary tried. `true` is 50% within 30s.",
        ),
    ]],
    remarks: &[("retry", "unknown field; `retry` stands at the top of the document, or in a rule")],
};

pub(crate) static EXHAUSTED: Block = Block {
    title: "`failure.exhausted`",
    about: "Given up for a time.",
    keys: &[&[key(
        "quarantine",
        Kind::Positive,
        "required",
        r#""1h""#,
        "Given up for this long, then one trial start.",
    )]],
    remarks: &[],
};

pub(crate) static RULE: Block = Block {
    title: "`failure.rules[]`",
    about: "One rule: what it matches, and what becomes of it.",
    keys: &[&[
        key(
            "name",
            Kind::Text,
            "its index",
            r#""bad-config""#,
            "What verdicts call it, and what state is kept under. Unique, not a number.",
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
            Kind::OneOf(&[Kind::Flag, Kind::Block(&RETRY)]),
            "the policy's",
            r#"{"interval": "5s"}"#,
            "A retry of its own, with a streak of its own.",
        ),
    ]],
    remarks: &[
        ("exit_code", "unknown field; conditions belong under `when`"),
        ("signal", "unknown field; conditions belong under `when`"),
        ("cause", "unknown field; conditions belong under `when`"),
        ("reason", "unknown field; conditions belong under `when`"),
        ("attempts_over", "unknown field; conditions belong under `when`"),
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
            Kind::OneOrMany(&Kind::Text),
            "any",
            r#""interruption""#,
            "`error`, `interruption`, `no-capacity`, `out-of-memory`, `start-timeout`, `unhealthy`, `node-lost`, \
             `start-error`, or a name of your own.",
        ),
        key(
            "reason",
            Kind::OneOrMany(&Kind::Text),
            "any",
            r#""quota*""#,
            "The reason text; `*` stands for any run of characters.",
        ),
        key(
            "attempts_over",
            Kind::Count(&range::ATTEMPTS),
            "any",
            "3",
            "The streak's attempt number is greater than this.",
        ),
    ]],
    remarks: &[
        ("exit_codes", "unknown field; did you mean 'exit_code'?"),
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
    remarks: &[("within", "unknown field; did you mean 'per'?")],
};

pub(crate) static CORRELATED: Block = Block {
    title: "`failure.correlated`",
    about: "When so many replicas fail together that it is one incident.",
    keys: &[&[
        key(
            "share",
            Kind::Quantity,
            "50%",
            r#""40%""#,
            "Distinct replicas, rounded up; at least 2, and 3 from 5 replicas on.",
        ),
        key("within", Kind::Positive, "30s", r#""20s""#, "How near together they fail."),
    ]],
    remarks: &[],
};

pub(crate) static HEALTH: Block = Block {
    title: "`health`",
    about: "What is asked of a running replica, and what its answers mean.",
    keys: &[&[
        key(
            "startup",
            Kind::Block(&PROBE),
            "none",
            r#"{"tcp": {"port": 8080}}"#,
            "Until it succeeds nothing else is probed; its failure is a failure of the replica.",
        ),
        key(
            "readiness",
            Kind::Block(&PROBE),
            "none",
            r#"{"tcp": {"port": 8080}}"#,
            "Whether the replica can serve; restarts nothing.",
        ),
        key(
            "liveness",
            Kind::Block(&PROBE),
            "none",
            r#"{"tcp": {"port": 8080}}"#,
            "Its failure is a failure of the replica, with cause `unhealthy`.",
        ),
        key(
            "unknown_after",
            Kind::Duration,
            "60s",
            r#""30s""#,
            "Lost or unanswered for this long a replica is `unknown`, which is not failed.",
        ),
        key(
            "lost_after",
            Kind::OneOf(&[Kind::Duration, Kind::Words(&["never"])]),
            "5m",
            r#""never""#,
            "Unknown for this long is a failure with cause `node-lost`.",
        ),
        key(
            "max_acted",
            Kind::Quantity,
            "unlimited",
            r#""25%""#,
            "How many replicas probe evidence alone may restart at a time. Percent round down, never below 1.",
        ),
    ]],
    remarks: &[],
};

pub(crate) static PROBE: Block = Block {
    title: "`health.startup`, `health.readiness`, `health.liveness`",
    about: "One probe: exactly one of `http`, `tcp` and `exec`.",
    keys: &[&[
        key("http", Kind::Block(&HTTP), "-", r#"{"port": 8080}"#, "A GET; a status in the range is a success."),
        key("tcp", Kind::Block(&TCP), "-", r#"{"port": 8080}"#, "A connection; that it opens is a success."),
        key(
            "exec",
            Kind::List(&Kind::Text),
            "-",
            r#"["pg_isready"]"#,
            "A command in the replica's environment; exit code 0 is a success.",
        ),
        key("interval", Kind::Positive, "10s", r#""5s""#, "From one probe to the next."),
        key("timeout", Kind::Positive, "1s", r#""2s""#, "A later answer is a failure."),
        key(
            "successes",
            Kind::Count(&range::PROBE_RUN),
            "1",
            "2",
            "So many in a row until it has passed; always 1 for `startup` and `liveness`.",
        ),
        key("failures", Kind::Count(&range::PROBE_RUN), "3", "5", "So many in a row until it has failed."),
        key("initial_delay", Kind::Duration, "0s", r#""5s""#, "From the start of the replica to its first probe."),
    ]],
    remarks: &[
        ("period", "unknown field; did you mean 'interval'?"),
        ("path", "unknown field; it belongs under `http`"),
        ("port", "unknown field; it belongs under `http` or `tcp`"),
    ],
};

const HOST_ABOUT: &str = "The host to connect to; may hold placeholders of the backend.";
const HOST_DEFAULT: &str = "the replica's address, or 127.0.0.1";
const PORT_ABOUT: &str = "A number, or a text with placeholders of the backend such as `{port}`.";

pub(crate) static HTTP: Block = Block {
    title: "`http`",
    about: "An HTTP GET.",
    keys: &[&[
        key("port", Kind::Port, "required", "8080", PORT_ABOUT),
        key("path", Kind::Text, "/", r#""/healthz""#, "Begins with `/`."),
        key("host", Kind::Text, HOST_DEFAULT, r#""localhost""#, HOST_ABOUT),
        key("headers", Kind::Headers, "none", r#"{"accept": "text/plain"}"#, "Headers to send, name to value."),
        key("status", Kind::Status, "200..=399", r#""200..=299""#, "What counts as a success, both ends included."),
    ]],
    remarks: &[],
};

pub(crate) static TCP: Block = Block {
    title: "`tcp`",
    about: "A TCP connection.",
    keys: &[&[
        key("port", Kind::Port, "required", r#""{port}""#, PORT_ABOUT),
        key("host", Kind::Text, HOST_DEFAULT, r#""localhost""#, HOST_ABOUT),
    ]],
    remarks: &[],
};
