//! Reading the `health` block.

use std::collections::BTreeMap;

use super::keys;
use crate::document::Reader;
use crate::document::{Value, clip};
use crate::policy::health::{HealthPolicy, HttpCheck, LostAfter, Probe, ProbeCheck, TcpCheck};
use crate::policy::preset;
use crate::policy::quantity::Quantity;
use crate::policy::range;
use crate::policy::text::{self, ends};
use crate::policy::validate;

pub(super) fn health(reader: &mut Reader, value: &Value) -> Option<HealthPolicy> {
    let fields = reader.fields(value, &&keys::HEALTH)?;
    let is_off = |value: &Value| matches!(value, Value::Null | Value::Bool(false));
    Some(HealthPolicy {
        startup: fields.read(reader, "startup", probe),
        readiness: fields.read(reader, "readiness", probe),
        liveness: fields.read(reader, "liveness", probe),
        unready_timeout: fields.read(reader, "unready_timeout", Reader::duration),
        unknown_after: fields.read(reader, "unknown_after", Reader::duration),
        lost_after: fields.read(reader, "lost_after", lost_after),
        max_probe_restarts: fields.read(reader, "max_probe_restarts", max_probe_restarts),
        probe_restarts_unlimited: fields.get("max_probe_restarts").is_some_and(is_off),
    })
}

fn max_probe_restarts(reader: &mut Reader, value: &Value) -> Option<Quantity> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Bool(true) => Some(preset::MAX_PROBE_RESTARTS),
        value => reader.quantity(value),
    }
}

fn lost_after(reader: &mut Reader, value: &Value) -> Option<LostAfter> {
    match value {
        Value::Str(word) if word == "never" => Some(LostAfter::Never),
        _ => reader.duration(value).map(LostAfter::After),
    }
}

fn probe(reader: &mut Reader, value: &Value) -> Option<Probe> {
    let fields = reader.fields(value, &&keys::PROBE)?;
    let given = ["http", "tcp", "exec"].into_iter().filter(|name| fields.get(name).is_some()).count();
    if given != 1 {
        let found = if given == 0 { "none" } else { "more than one" };
        reader.problem(format!("expected exactly one of 'http', 'tcp' and 'exec', found {found}"));
    }
    let http = fields.read(reader, "http", http).map(ProbeCheck::Http);
    let tcp = fields.read(reader, "tcp", tcp).map(ProbeCheck::Tcp);
    let exec = fields.read(reader, "exec", exec).map(ProbeCheck::Exec);
    let mut checks = [http, tcp, exec].into_iter().flatten();
    // Replaces a check that could not be read, which has been reported.
    let check = checks.next().unwrap_or_else(|| ProbeCheck::Exec(vec!["unread".into()]));
    for unused in checks {
        validate::target(reader, &unused);
    }
    Some(Probe {
        check,
        interval: fields.read(reader, "interval", Reader::duration),
        timeout: fields.read(reader, "timeout", Reader::duration),
        successes: fields.read(reader, "successes", |reader, value| reader.count(value, &range::PROBE_RUN)),
        failures: fields.read(reader, "failures", |reader, value| reader.count(value, &range::PROBE_RUN)),
        initial_delay: fields.read(reader, "initial_delay", Reader::duration),
    })
}

fn http(reader: &mut Reader, value: &Value) -> Option<HttpCheck> {
    let fields = reader.fields(value, &&keys::HTTP)?;
    let port = fields.require(reader, "port", "a number such as 8080, or '{port}'", port);
    let path = fields.read(reader, "path", Reader::text);
    let host = fields.read(reader, "host", Reader::text);
    let headers = fields.read(reader, "headers", headers);
    let status = fields.read(reader, "status", status);
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

fn tcp(reader: &mut Reader, value: &Value) -> Option<TcpCheck> {
    let fields = reader.fields(value, &&keys::TCP)?;
    let port = fields.require(reader, "port", "a number such as 8080, or '{port}'", port);
    let host = fields.read(reader, "host", Reader::text);
    Some(TcpCheck { host: host.map(str::to_owned), port: port.unwrap_or_else(unread_port) })
}

/// Replaces a port that could not be read, so that the rest is checked too.
fn unread_port() -> String {
    "1".to_owned()
}

/// Reads a number or a text; the validation checks whether a text can be a port.
fn port(reader: &mut Reader, value: &Value) -> Option<String> {
    match value {
        Value::Int(_) => reader.count(value, &range::PORT).map(|port| port.to_string()),
        Value::Str(text) => Some(text.clone()),
        other => reader.not_whole("a number from 1 to 65535, or a text with placeholders such as '{port}'", other),
    }
}

fn headers(reader: &mut Reader, value: &Value) -> Option<BTreeMap<String, String>> {
    let Value::Map(entries) = value else {
        // The message does not show the value, which may be secret.
        reader.problem("expected headers, name to value, such as {accept: text/plain}");
        return None;
    };
    let mut headers = BTreeMap::new();
    for (name, value) in entries {
        reader.field(name, |reader| {
            let text = match value {
                Value::Str(_) => reader.text(value).unwrap_or_default(),
                _ => {
                    reader.problem("expected a text; put a number in quotes");
                    ""
                }
            };
            if headers.insert(name.clone(), text.to_owned()).is_some() {
                reader.problem("is given twice; keep one of them");
            }
        });
    }
    Some(headers)
}

fn status(reader: &mut Reader, value: &Value) -> Option<(u16, u16)> {
    const WHAT: &str = "an HTTP status such as 204, or a range such as \"200..=399\"";
    match value {
        Value::Int(_) => {
            let status = u16::try_from(reader.count(value, &range::STATUS)?).ok()?;
            Some((status, status))
        }
        Value::Str(text) => match ends(text).map(|(first, last)| (text::status(first), text::status(last))) {
            Some((Some(first), Some(last))) => Some((first, last)),
            _ => reader.expected(WHAT, value),
        },
        other => reader.not_whole(WHAT, other),
    }
}

fn exec(reader: &mut Reader, value: &Value) -> Option<Vec<String>> {
    if let Value::Str(text) = value {
        reader.problem(format!(
            "expected a list of the command and its arguments, such as [sh, -c, \"...\"], found '{}'",
            clip(text)
        ));
        return None;
    }
    let mut words = Vec::new();
    reader.list(value, "a list of the command and its arguments, such as [pg_isready]", |reader, item| {
        // A placeholder keeps the indices of the other elements.
        words.push(reader.text(item).unwrap_or("unread").to_owned());
    });
    matches!(value, Value::Seq(_) | Value::Null).then_some(words)
}
