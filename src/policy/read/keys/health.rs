//! The keys of `health`.

use super::*;
use crate::policy::range;

pub(crate) static HEALTH: Block = Block {
    title: "`health`",
    about: "What is asked of a running replica, and what its answers mean.",
    keys: &[&[
        key(
            "startup",
            Kind::Block(&PROBE_ONCE),
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
            Kind::Block(&PROBE_ONCE),
            "none",
            r#"{"tcp": {"port": 8080}}"#,
            "Its failure is a failure of the replica, with cause `unhealthy`.",
        ),
        key(
            "unready_timeout",
            Kind::Positive,
            "never",
            r#""10m""#,
            "Up but not ready for this long without a break is a failure with cause `unhealthy`.",
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
            "max_probe_restarts",
            Kind::OneOf(&[Kind::QuantityAboveZero, Kind::Flag, Kind::Empty]),
            "off; 25% with `retry: true`",
            r#""10%""#,
            "How many replicas probe evidence may have taken down, until they are available again; above one of them it never \
             takes the set below `min_available`. Percent round down, never below 1. `false` is off.",
        ),
    ]],
    requires: &[],
    remarks: &[],
};

static CHECK_KEYS: [Key; 3] = [
    key("http", Kind::Block(&HTTP), "-", r#"{"port": 8080}"#, "A GET; a status in the range is a success."),
    key("tcp", Kind::Block(&TCP), "-", r#"{"port": 8080}"#, "A connection; that it opens is a success."),
    key(
        "exec",
        Kind::Command,
        "-",
        r#"["pg_isready"]"#,
        "A command in the replica's environment; exit code 0 is a success. At most 100 words of 4096 characters.",
    ),
];

static PACE_KEYS: [Key; 4] = [
    key("interval", Kind::Positive, "10s", r#""5s""#, "From one probe to the next."),
    key("timeout", Kind::Positive, "1s", r#""2s""#, "A later answer is a failure."),
    key("failures", Kind::Count(&range::PROBE_RUN), "3", "5", "So many in a row until it has failed."),
    key("initial_delay", Kind::Duration, "0s", r#""5s""#, "From the start of the replica to its first probe."),
];

const SUCCESSES: &str = "So many in a row until it has passed; always 1 for `startup` and `liveness`.";
const CHECKS: &[Requirement] = &[Requirement::ExactlyOne(&["http", "tcp", "exec"])];
const PROBE_REMARKS: &[(&str, &str)] = &[("period", "unknown field; did you mean 'interval'?")];

pub(crate) static PROBE: Block = Block {
    title: "`health.startup`, `health.readiness`, `health.liveness`",
    about: "One probe: exactly one of `http`, `tcp` and `exec`.",
    keys: &[&CHECK_KEYS, &PACE_KEYS, &[key("successes", Kind::Count(&range::PROBE_RUN), "1", "2", SUCCESSES)]],
    requires: CHECKS,
    remarks: PROBE_REMARKS,
};

/// A probe whose failure is a failure of the replica passes at its first success.
pub(crate) static PROBE_ONCE: Block = Block {
    title: PROBE.title,
    about: PROBE.about,
    keys: &[&CHECK_KEYS, &PACE_KEYS, &[key("successes", Kind::Count(&range::PROBE_ONCE), "1", "1", SUCCESSES)]],
    requires: CHECKS,
    remarks: PROBE_REMARKS,
};

const HOST_ABOUT: &str = "The host to connect to, at most 255 characters; may hold placeholders of the backend.";
const HOST_DEFAULT: &str = "the replica's address, or 127.0.0.1";
const PORT_ABOUT: &str =
    "A number, or a text with placeholders of the backend such as `{port}`, at most 255 characters.";

pub(crate) static HTTP: Block = Block {
    title: "`http`",
    about: "An HTTP GET.",
    keys: &[&[
        key("port", Kind::Port, "required", "8080", PORT_ABOUT),
        key("path", Kind::Text(Form::Path), "/", r#""/healthz""#, "Begins with `/`; at most 2048 characters."),
        key("host", Kind::Text(Form::Host), HOST_DEFAULT, r#""localhost""#, HOST_ABOUT),
        key(
            "headers",
            Kind::Headers,
            "none",
            r#"{"accept": "text/plain"}"#,
            "Headers to send, name to value: at most 100, names of 256 and values of 4096 characters.",
        ),
        key("status", Kind::Status, "200..=399", r#""200..=299""#, "What counts as a success, both ends included."),
    ]],
    requires: &[],
    remarks: &[],
};

pub(crate) static TCP: Block = Block {
    title: "`tcp`",
    about: "A TCP connection.",
    keys: &[&[
        key("port", Kind::Port, "required", r#""{port}""#, PORT_ABOUT),
        key("host", Kind::Text(Form::Host), HOST_DEFAULT, r#""localhost""#, HOST_ABOUT),
    ]],
    requires: &[],
    remarks: &[],
};
