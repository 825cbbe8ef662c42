//! Reading the `health` block.

use std::collections::BTreeMap;

use super::keys;
use super::text::{self, ends};
use super::value::{Value, clip};
use super::walk::Walk;
use crate::policy::check;
use crate::policy::health::{Check, HealthPolicy, HttpCheck, LostAfter, Probe, TcpCheck};
use crate::policy::preset;
use crate::policy::quantity::Quantity;
use crate::policy::range;

pub(super) fn health(walk: &mut Walk, value: &Value) -> Option<HealthPolicy> {
    let fields = walk.fields(value, &&keys::HEALTH)?;
    let is_off = |value: &Value| matches!(value, Value::Null | Value::Bool(false));
    Some(HealthPolicy {
        startup: fields.read(walk, "startup", probe),
        readiness: fields.read(walk, "readiness", probe),
        liveness: fields.read(walk, "liveness", probe),
        unready_timeout: fields.read(walk, "unready_timeout", Walk::duration),
        unknown_after: fields.read(walk, "unknown_after", Walk::duration),
        lost_after: fields.read(walk, "lost_after", lost_after),
        max_probe_restarts: fields.read(walk, "max_probe_restarts", max_probe_restarts),
        probe_restarts_unlimited: fields.get("max_probe_restarts").is_some_and(is_off),
    })
}

fn max_probe_restarts(walk: &mut Walk, value: &Value) -> Option<Quantity> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Bool(true) => Some(preset::MAX_PROBE_RESTARTS),
        value => walk.quantity(value),
    }
}

fn lost_after(walk: &mut Walk, value: &Value) -> Option<LostAfter> {
    match value {
        Value::Str(word) if word == "never" => Some(LostAfter::Never),
        _ => walk.duration(value).map(LostAfter::After),
    }
}

fn probe(walk: &mut Walk, value: &Value) -> Option<Probe> {
    let fields = walk.fields(value, &&keys::PROBE)?;
    let given = ["http", "tcp", "exec"].into_iter().filter(|name| fields.get(name).is_some()).count();
    if given != 1 {
        let found = if given == 0 { "none" } else { "more than one" };
        walk.problem(format!("expected exactly one of 'http', 'tcp' and 'exec', found {found}"));
    }
    let http = fields.read(walk, "http", http).map(Check::Http);
    let tcp = fields.read(walk, "tcp", tcp).map(Check::Tcp);
    let exec = fields.read(walk, "exec", exec).map(Check::Exec);
    let mut checks = [http, tcp, exec].into_iter().flatten();
    // Stands in for a check that could not be read, and that has been reported.
    let check = checks.next().unwrap_or_else(|| Check::Exec(vec!["unread".into()]));
    for unused in checks {
        check::target(walk, &unused);
    }
    Some(Probe {
        check,
        interval: fields.read(walk, "interval", Walk::duration),
        timeout: fields.read(walk, "timeout", Walk::duration),
        successes: fields.read(walk, "successes", |walk, value| walk.count(value, &range::PROBE_RUN)),
        failures: fields.read(walk, "failures", |walk, value| walk.count(value, &range::PROBE_RUN)),
        initial_delay: fields.read(walk, "initial_delay", Walk::duration),
    })
}

fn http(walk: &mut Walk, value: &Value) -> Option<HttpCheck> {
    let fields = walk.fields(value, &&keys::HTTP)?;
    let port = fields.require(walk, "port", "a number such as 8080, or '{port}'", port);
    let path = fields.read(walk, "path", Walk::text);
    let host = fields.read(walk, "host", Walk::text);
    let headers = fields.read(walk, "headers", headers);
    let status = fields.read(walk, "status", status);
    let mut check = HttpCheck::new(port.unwrap_or_else(unread_port));
    check.host = host.map(str::to_owned);
    check.headers = headers.unwrap_or_default();
    if let Some(path) = path {
        check.path = path.to_owned();
    }
    if let Some(status) = status {
        check.status = status;
    }
    Some(check)
}

fn tcp(walk: &mut Walk, value: &Value) -> Option<TcpCheck> {
    let fields = walk.fields(value, &&keys::TCP)?;
    let port = fields.require(walk, "port", "a number such as 8080, or '{port}'", port);
    let host = fields.read(walk, "host", Walk::text);
    Some(TcpCheck { host: host.map(str::to_owned), port: port.unwrap_or_else(unread_port) })
}

/// Stands in for a port that could not be read, so that the rest is checked too.
fn unread_port() -> String {
    "1".to_owned()
}

/// A number, or a text of which the checks say whether it can be a port.
fn port(walk: &mut Walk, value: &Value) -> Option<String> {
    match value {
        Value::Int(_) => walk.count(value, &range::PORT).map(|port| port.to_string()),
        Value::Str(text) => Some(text.clone()),
        other => walk.not_whole("a number from 1 to 65535, or a text with placeholders such as '{port}'", other),
    }
}

fn headers(walk: &mut Walk, value: &Value) -> Option<BTreeMap<String, String>> {
    let Value::Map(entries) = value else {
        // Without what it is: it may be secret.
        walk.problem("expected headers, name to value, such as {accept: text/plain}");
        return None;
    };
    let mut headers = BTreeMap::new();
    for (name, value) in entries {
        walk.field(name, |walk| {
            let text = match value {
                Value::Str(_) => walk.text(value).unwrap_or_default(),
                _ => {
                    walk.problem("expected a text, in quotes where it is a number");
                    ""
                }
            };
            if headers.insert(name.clone(), text.to_owned()).is_some() {
                walk.problem("is given twice");
            }
        });
    }
    Some(headers)
}

fn status(walk: &mut Walk, value: &Value) -> Option<(u16, u16)> {
    const WHAT: &str = "an HTTP status such as 204, or a range such as \"200..=399\"";
    match value {
        Value::Int(_) => {
            let status = u16::try_from(walk.count(value, &range::STATUS)?).ok()?;
            Some((status, status))
        }
        Value::Str(text) => match ends(text).map(|(first, last)| (text::status(first), text::status(last))) {
            Some((Some(first), Some(last))) => Some((first, last)),
            _ => walk.expected(WHAT, value),
        },
        other => walk.not_whole(WHAT, other),
    }
}

fn exec(walk: &mut Walk, value: &Value) -> Option<Vec<String>> {
    if let Value::Str(text) = value {
        walk.problem(format!(
            "expected a list of the command and its arguments, such as [sh, -c, \"...\"], found '{}'",
            clip(text)
        ));
        return None;
    }
    let mut words = Vec::new();
    walk.list(value, "a list of the command and its arguments, such as [pg_isready]", |walk, item| {
        // One that cannot be read keeps its place.
        words.push(walk.text(item).unwrap_or("unread").to_owned());
    });
    matches!(value, Value::Seq(_) | Value::Null).then_some(words)
}
