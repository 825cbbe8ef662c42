//! Checks of the `health` block.

use super::super::health::{HealthPolicy, HttpCheck, LostAfter, Probe, ProbeCheck};
use super::super::range;
use super::super::text::{Form, is_header_name, is_header_value, is_port, too_long};
use super::{duration, is_none, number, positive, quantity, text};
use crate::document::Reader;
use std::ops::RangeInclusive;

pub(super) fn validate(reader: &mut Reader, health: &HealthPolicy) {
    probe(reader, "startup", health.startup.as_ref(), &range::PROBE_ONCE);
    probe(reader, "readiness", health.readiness.as_ref(), &range::PROBE_RUN);
    probe(reader, "liveness", health.liveness.as_ref(), &range::PROBE_ONCE);
    positive(reader, "unready_timeout", health.unready_timeout);
    duration(reader, "unknown_after", health.unknown_after);
    if let Some(LostAfter::After(time)) = health.lost_after {
        duration(reader, "lost_after", Some(time));
    }
    quantity(reader, "max_probe_restarts", health.max_probe_restarts);
    if is_none(health.max_probe_restarts) {
        reader.field("max_probe_restarts", |reader| {
            reader.problem("must be at least 1 or 1%; to let probes restart nothing, leave out `liveness`, `startup` and `unready_timeout`");
        });
    }
}

fn probe(reader: &mut Reader, name: &str, probe: Option<&Probe>, successes: &RangeInclusive<u32>) {
    let Some(probe) = probe else { return };
    reader.field(name, |reader| {
        positive(reader, "interval", probe.interval);
        positive(reader, "timeout", probe.timeout);
        if probe.successes.is_some_and(|given| given > 1 && *successes.end() == 1) {
            reader.field("successes", |reader| {
                reader.problem(format!("must be 1 for a {name} probe; write 1, or leave it out"))
            });
        } else {
            number(reader, "successes", probe.successes, successes);
        }
        number(reader, "failures", probe.failures, &range::PROBE_RUN);
        duration(reader, "initial_delay", probe.initial_delay);
        target(reader, &probe.check);
    });
}

pub(crate) fn target(reader: &mut Reader, check: &ProbeCheck) {
    match check {
        ProbeCheck::Http(check) => reader.field("http", |reader| http(reader, check)),
        ProbeCheck::Tcp(check) => reader.field("tcp", |reader| {
            port(reader, &check.port);
            host(reader, check.host.as_deref());
        }),
        ProbeCheck::Exec(words) => reader.field("exec", |reader| exec(reader, words)),
    }
}

fn http(reader: &mut Reader, check: &HttpCheck) {
    port(reader, &check.port);
    host(reader, check.host.as_deref());
    reader.field("path", |reader| text(reader, Form::Path, &check.path));
    reader.field("headers", |reader| {
        if check.headers.len() > range::MAX_HEADERS {
            reader.problem(format!("has {} headers; at most {} are allowed", check.headers.len(), range::MAX_HEADERS));
        }
        for (name, value) in &check.headers {
            reader.field(name, |reader| {
                if !is_header_name(name) {
                    reader.problem("is not the name of a header; write letters, digits and '-'");
                }
                if !is_header_value(value) {
                    reader.problem("the value must not contain line breaks or other control characters");
                }
                let problems = [("name", name, range::MAX_HEADER_NAME), ("value", value, range::MAX_HEADER_VALUE)];
                for (what, text, most) in problems {
                    if let Some(problem) = too_long(text, most) {
                        reader.problem(format!("the {what} {problem}"));
                    }
                }
            });
        }
    });
    let (first, last) = check.status;
    if first > last || !range::STATUS.contains(&first.into()) || !range::STATUS.contains(&last.into()) {
        reader.field("status", |reader| {
            reader.problem(format!(
                "{first} to {last} is not a range of statuses; write 100 to 599, the lower one first"
            ));
        });
    }
}

fn host(reader: &mut Reader, host: Option<&str>) {
    if let Some(host) = host {
        reader.field("host", |reader| text(reader, Form::Host, host));
    }
}

fn port(reader: &mut Reader, port: &str) {
    reader.field("port", |reader| {
        if !is_port(port) {
            reader
                .problem("is not a port; write a number from 1 to 65535, or a text with placeholders such as '{port}'");
        } else if let Some(problem) = too_long(port, range::MAX_HOST) {
            reader.problem(problem);
        }
    });
}

fn exec(reader: &mut Reader, words: &[String]) {
    if words.first().is_none_or(|command| command.is_empty()) {
        reader.problem("is empty; write the command to run as the first word");
    }
    if words.len() > range::MAX_ARGUMENTS {
        reader.problem(format!("has {} words; at most {} are allowed", words.len(), range::MAX_ARGUMENTS));
    }
    for (index, word) in words.iter().enumerate() {
        reader.index(index, |reader| text(reader, Form::Argument, word));
    }
}
