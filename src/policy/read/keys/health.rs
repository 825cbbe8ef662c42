//! The keys of `health`.

use super::*;
use crate::policy::range;

pub(crate) static HEALTH: Block = Block {
    title: "`health`",
    about: "How running replicas are probed, and what the results mean.",
    keys: &[&[
        key(
            "startup",
            Kind::Block(&PROBE_ONCE),
            "none",
            r#"{"tcp": {"port": 8080}}"#,
            "Until it succeeds, no other probe runs; if it fails, the replica has failed with cause `unhealthy`.",
        ),
        key(
            "readiness",
            Kind::Block(&PROBE),
            "none",
            r#"{"tcp": {"port": 8080}}"#,
            "Whether the replica can serve; never restarts it.",
        ),
        key(
            "liveness",
            Kind::Block(&PROBE_ONCE),
            "none",
            r#"{"tcp": {"port": 8080}}"#,
            "If it fails, the replica has failed with cause `unhealthy`.",
        ),
        key(
            "unready_timeout",
            Kind::Positive,
            "never",
            r#""10m""#,
            "A replica that is up but not ready for this long without a break has failed with cause `unhealthy`.",
        ),
        key(
            "unknown_after",
            Kind::Duration,
            "60s",
            r#""30s""#,
            "A replica out of contact for this long is `unknown`, which is not a failure.",
        ),
        key(
            "lost_after",
            Kind::OneOf(&[Kind::Duration, Kind::Words(&["never"])]),
            "5m",
            r#""never""#,
            "A replica that is unknown for this long has failed with cause `node-lost`.",
        ),
        key(
            "max_probe_restarts",
            Kind::OneOf(&[Kind::QuantityAboveZero, Kind::Flag, Kind::Empty]),
            "off; 25% with `retry: true`",
            r#""10%""#,
            "How many replicas may be down because of probes at a time; each counts until it is available again. Beyond the \
             first, probes never take the set below `min_available`. Percentages round down, to at least 1. `false` is off.",
        ),
    ]],
    requires: &[],
    remarks: &[],
};

static CHECK_KEYS: [Key; 3] = [
    key("http", Kind::Block(&HTTP), "-", r#"{"port": 8080}"#, "An HTTP GET; succeeds if the status is in the range."),
    key("tcp", Kind::Block(&TCP), "-", r#"{"port": 8080}"#, "A TCP connection; succeeds if it opens."),
    key(
        "exec",
        Kind::Command,
        "-",
        r#"["pg_isready"]"#,
        "A command run in the replica's environment; succeeds with exit code 0. At most 100 words of 4096 characters.",
    ),
];

static PACE_KEYS: [Key; 4] = [
    key("interval", Kind::Positive, "10s", r#""5s""#, "The time from one probe to the next."),
    key("timeout", Kind::Positive, "1s", r#""2s""#, "How long an answer may take; a later one is a failure."),
    key("failures", Kind::Count(&range::PROBE_RUN), "3", "5", "How many consecutive failures make the probe fail."),
    key("initial_delay", Kind::Duration, "0s", r#""5s""#, "The time from the start of the replica to its first probe."),
];

const SUCCESSES: &str = "How many consecutive successes make the probe pass; always 1 for `startup` and `liveness`.";
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

const HOST_ABOUT: &str = "The host to connect to, at most 255 characters; may contain placeholders of the backend.";
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
