//! The keys of `health`.

use super::*;
use crate::policy::range;

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
            "max_probe_restarts",
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
