//! Checks of the `health` block.

use super::super::health::{Check, HealthPolicy, HttpCheck, LostAfter, Probe};
use super::super::range;
use super::super::read::Walk;
use super::failure::{is_none, quantity};
use super::{duration, number, positive};
use std::ops::RangeInclusive;

pub(super) fn check(walk: &mut Walk, health: &HealthPolicy) {
    probe(walk, "startup", health.startup.as_ref(), &range::PROBE_ONCE);
    probe(walk, "readiness", health.readiness.as_ref(), &range::PROBE_RUN);
    probe(walk, "liveness", health.liveness.as_ref(), &range::PROBE_ONCE);
    duration(walk, "unknown_after", health.unknown_after);
    if let Some(LostAfter::After(time)) = health.lost_after {
        duration(walk, "lost_after", Some(time));
    }
    quantity(walk, "max_probe_restarts", health.max_probe_restarts);
    if is_none(health.max_probe_restarts) {
        walk.field("max_probe_restarts", |walk| {
            walk.problem("must be at least 1 or 1%; to let probes restart nothing leave out `liveness` and `startup`");
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
        match &probe.check {
            Check::Http(check) => walk.field("http", |walk| http(walk, check)),
            Check::Tcp(check) => walk.field("tcp", |walk| {
                port(walk, &check.port);
                host(walk, check.host.as_deref());
            }),
            Check::Exec(words) => walk.field("exec", |walk| exec(walk, words)),
        }
    });
}

fn http(walk: &mut Walk, check: &HttpCheck) {
    port(walk, &check.port);
    host(walk, check.host.as_deref());
    walk.field("path", |walk| {
        if !check.path.starts_with('/') {
            walk.problem("must begin with '/'");
        }
        if check.path.contains(|c: char| c.is_control() || c == ' ') {
            walk.problem("must not hold spaces, line breaks or other control characters");
        }
    });
    walk.field("headers", |walk| {
        for (name, value) in &check.headers {
            walk.field(name, |walk| {
                let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
                if name.is_empty() || !name.bytes().all(is_token) {
                    walk.problem("is not the name of a header: letters, digits and '-'");
                }
                if value.contains(|c: char| c.is_control() && c != '\t') {
                    walk.problem("the value must not hold line breaks or other control characters");
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
    if host.is_some_and(|host| host.is_empty() || host.contains(|c: char| c.is_control() || c == ' ' || c == '/')) {
        walk.field("host", |walk| walk.problem("is not a host: a name or an address, without port and path"));
    }
}

fn port(walk: &mut Walk, port: &str) {
    let fine = match port.parse::<u32>() {
        Ok(number) => range::PORT.contains(&number),
        Err(_) => is_pattern(port),
    };
    if !fine {
        walk.field("port", |walk| {
            walk.problem("is not a port: a number from 1 to 65535, or a text with placeholders such as '{port}'");
        });
    }
}

/// Digits and at least one `{placeholder}`.
fn is_pattern(text: &str) -> bool {
    let (mut open, mut found) = (false, false);
    for c in text.chars() {
        match c {
            '{' if !open => open = true,
            '}' if open => (open, found) = (false, true),
            c if open && !c.is_control() && c != '{' => {}
            c if !open && c.is_ascii_digit() => {}
            _ => return false,
        }
    }
    found && !open
}

fn exec(walk: &mut Walk, words: &[String]) {
    if words.first().is_none_or(|command| command.is_empty()) {
        walk.problem("is empty; the first word is the command to run");
    }
    for (index, _) in words.iter().enumerate().filter(|(_, word)| word.contains('\0')) {
        walk.index(index, |walk| walk.problem("must not hold a NUL character"));
    }
}
