//! Checks of the `health` block.

use super::super::health::{Check, HealthPolicy, HttpCheck, LostAfter, Probe};
use super::super::range;
use super::super::read::Walk;
use super::super::read::text::{Form, is_header_name, is_header_value, is_port, too_long};
use super::failure::{is_none, quantity};
use super::{duration, number, positive};
use std::ops::RangeInclusive;

pub(super) fn check(walk: &mut Walk, health: &HealthPolicy) {
    probe(walk, "startup", health.startup.as_ref(), &range::PROBE_ONCE);
    probe(walk, "readiness", health.readiness.as_ref(), &range::PROBE_RUN);
    probe(walk, "liveness", health.liveness.as_ref(), &range::PROBE_ONCE);
    positive(walk, "unready_timeout", health.unready_timeout);
    duration(walk, "unknown_after", health.unknown_after);
    if let Some(LostAfter::After(time)) = health.lost_after {
        duration(walk, "lost_after", Some(time));
    }
    quantity(walk, "max_probe_restarts", health.max_probe_restarts);
    if is_none(health.max_probe_restarts) {
        walk.field("max_probe_restarts", |walk| {
            walk.problem("must be at least 1 or 1%; to let probes restart nothing leave out `liveness`, `startup` and `unready_timeout`");
        });
    }
}

fn probe(walk: &mut Walk, name: &str, probe: Option<&Probe>, successes: &RangeInclusive<u32>) {
    let Some(probe) = probe else { return };
    walk.field(name, |walk| {
        positive(walk, "interval", probe.interval);
        positive(walk, "timeout", probe.timeout);
        if probe.successes.is_some_and(|given| given > 1 && *successes.end() == 1) {
            walk.field("successes", |walk| walk.problem(format!("must be 1 for a {name} probe; leave it out")));
        } else {
            number(walk, "successes", probe.successes, successes);
        }
        number(walk, "failures", probe.failures, &range::PROBE_RUN);
        duration(walk, "initial_delay", probe.initial_delay);
        target(walk, &probe.check);
    });
}

pub(crate) fn target(walk: &mut Walk, check: &Check) {
    match check {
        Check::Http(check) => walk.field("http", |walk| http(walk, check)),
        Check::Tcp(check) => walk.field("tcp", |walk| {
            port(walk, &check.port);
            host(walk, check.host.as_deref());
        }),
        Check::Exec(words) => walk.field("exec", |walk| exec(walk, words)),
    }
}

fn http(walk: &mut Walk, check: &HttpCheck) {
    port(walk, &check.port);
    host(walk, check.host.as_deref());
    walk.field("path", |walk| text(walk, Form::Path, &check.path));
    walk.field("headers", |walk| {
        if check.headers.len() > range::MAX_HEADERS {
            walk.problem(format!("has {} headers; at most {} are allowed", check.headers.len(), range::MAX_HEADERS));
        }
        for (name, value) in &check.headers {
            walk.field(name, |walk| {
                if !is_header_name(name) {
                    walk.problem("is not the name of a header: letters, digits and '-'");
                }
                if !is_header_value(value) {
                    walk.problem("the value must not hold line breaks or other control characters");
                }
                let problems = [("name", name, range::MAX_HEADER_NAME), ("value", value, range::MAX_HEADER_VALUE)];
                for (what, text, most) in problems {
                    if let Some(problem) = too_long(text, most) {
                        walk.problem(format!("the {what} {problem}"));
                    }
                }
            });
        }
    });
    let (first, last) = check.status;
    if first > last || !range::STATUS.contains(&first.into()) || !range::STATUS.contains(&last.into()) {
        walk.field("status", |walk| {
            walk.problem(format!("{first} to {last} is not a range of statuses: 100 to 599, the lower one first"));
        });
    }
}

fn host(walk: &mut Walk, host: Option<&str>) {
    if let Some(host) = host {
        walk.field("host", |walk| text(walk, Form::Host, host));
    }
}

fn port(walk: &mut Walk, port: &str) {
    walk.field("port", |walk| {
        if !is_port(port) {
            walk.problem("is not a port: a number from 1 to 65535, or a text with placeholders such as '{port}'");
        } else if let Some(problem) = too_long(port, range::MAX_HOST) {
            walk.problem(problem);
        }
    });
}

fn exec(walk: &mut Walk, words: &[String]) {
    if words.first().is_none_or(|command| command.is_empty()) {
        walk.problem("is empty; the first word is the command to run");
    }
    if words.len() > range::MAX_ARGUMENTS {
        walk.problem(format!("has {} words; at most {} are allowed", words.len(), range::MAX_ARGUMENTS));
    }
    for (index, word) in words.iter().enumerate() {
        walk.index(index, |walk| text(walk, Form::Argument, word));
    }
}

/// Reports what is wrong with a text.
pub(super) fn text(walk: &mut Walk, form: Form, text: &str) {
    if let Some(problem) = form.problem(text) {
        walk.problem(problem);
    }
}
