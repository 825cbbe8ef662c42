//! Reads a spec from a document and reports every mistake with its path.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::de::{Deserialize, Deserializer, Error as _};

use super::signal::is_stop_signal;
use super::spec::{ProcessOutput, ProcessSpec};
use crate::document::Fields;
use crate::document::{Reader, Value};
use crate::policy::{PolicyError, ReadError, Signal};

const KEYS: [&str; 11] = [
    "command",
    "args",
    "env",
    "env_file",
    "cwd",
    "port",
    "port_check",
    "output",
    "shell",
    "stop_signal",
    "stop_command",
];

impl ProcessSpec {
    /// Reads a spec from any self-describing serde format. The error is either the format's own, or the list of all mistakes
    /// in the spec.
    ///
    /// `ProcessSpec` also implements `Deserialize`, whose errors have the same text, one mistake a line.
    ///
    /// # Errors
    /// The input is not valid in its format, or is not a valid spec.
    pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, ReadError<D::Error>> {
        let value = Value::deserialize(deserializer).map_err(ReadError::Format)?;
        from_value(&value).map_err(ReadError::Policy)
    }
}

impl<'de> Deserialize<'de> for ProcessSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_value(&Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

fn from_value(value: &Value) -> Result<ProcessSpec, PolicyError> {
    let mut reader = Reader::new();
    let spec = spec(&mut reader, value);
    reader.finish()?;
    spec.ok_or_else(PolicyError::unspecified)
}

fn spec(reader: &mut Reader, value: &Value) -> Option<ProcessSpec> {
    let fields = reader.fields(value, &KEYS)?;
    let has_port = fields.get("port").is_some();
    let mut spec = ProcessSpec::new(command(reader, fields, has_port).unwrap_or_default());
    if let Some(args) = fields.get("args") {
        reader.field("args", |reader| {
            reader.list(args, "a list of arguments", |reader, arg| spec.args.extend(text(reader, arg, has_port)));
        });
    }
    spec.env = fields.read(reader, "env", |reader, value| env(reader, value, has_port)).unwrap_or_default();
    spec.env_file = fields.read(reader, "env_file", |reader, value| text(reader, value, true));
    spec.cwd = fields.read(reader, "cwd", |reader, value| text(reader, value, has_port));
    spec.port = fields
        .read(reader, "port", |reader, value| reader.count(value, &(1..=u16::MAX.into())))
        .and_then(|port| u16::try_from(port).ok());
    spec.port_check = fields.read(reader, "port_check", Reader::flag).unwrap_or(true);
    spec.output = fields.read(reader, "output", |reader, value| output(reader, value, has_port)).unwrap_or_default();
    spec.shell = fields.read(reader, "shell", Reader::flag).unwrap_or_default();
    spec.stop_signal = fields.read(reader, "stop_signal", stop_signal);
    if let Some(words) = fields.get("stop_command") {
        reader.field("stop_command", |reader| {
            reader.list(words, "a command and its arguments, such as [nginx, -s, quit]", |reader, word| {
                spec.stop_command.extend(text(reader, word, has_port));
            });
        });
    }
    Some(spec)
}

/// Reads the stop signal.
fn stop_signal(reader: &mut Reader, value: &Value) -> Option<Signal> {
    let signal = reader.signal(value)?;
    if !is_stop_signal(signal) {
        reader.problem(format!("{signal} cannot be the stop signal; use SIGTERM, SIGINT or SIGQUIT"));
    }
    Some(signal)
}

fn command(reader: &mut Reader, fields: Fields<'_>, has_port: bool) -> Option<String> {
    let command = fields.require(reader, "command", "the program to run, such as python3", |reader, value| {
        let command = text(reader, value, has_port)?;
        if command.trim().is_empty() {
            return reader.expected("the program to run, such as python3", value);
        }
        Some(command)
    })?;
    let shell = matches!(fields.get("shell"), Some(Value::Bool(true)));
    if !shell && command.trim().contains(char::is_whitespace) && !command.contains('/') {
        let words: Vec<&str> = command.split_whitespace().collect();
        reader.field("command", |reader| {
            reader.problem(format!(
                "must be a program without arguments: write command: {} and args: [{}], or set shell: true",
                words[0],
                words[1..].join(", ")
            ));
        });
    }
    Some(command)
}

/// Reads a string for the operating system; integers are converted.
fn text(reader: &mut Reader, value: &Value, has_port: bool) -> Option<String> {
    let text = match value {
        Value::Int(number) => number.to_string(),
        other => reader.text(other)?.to_owned(),
    };
    if text.contains('\0') {
        reader.problem("contains a NUL character");
        return None;
    }
    if !has_port && text.contains("{port}") {
        reader.problem("uses {port}, but no port is set; add port: 8000");
    }
    Some(text)
}

fn env(reader: &mut Reader, value: &Value, has_port: bool) -> Option<BTreeMap<String, String>> {
    let Value::Map(entries) = value else {
        // The message does not quote the value, which may be secret.
        reader.problem("expected names and values, such as {LEVEL: info}");
        return None;
    };
    let mut env = BTreeMap::new();
    for (name, value) in entries {
        // The path omits what follows a '=', which may be a secret value.
        reader.field(name.split('=').next().unwrap_or_default(), |reader| {
            if name.is_empty() || name.contains(['=', '\0']) {
                reader.problem("is not a valid name of a variable: it must not be empty or contain '='");
            }
            if env.contains_key(name) {
                reader.problem("is given twice");
            } else if let Some(value) = text(reader, value, has_port) {
                env.insert(name.clone(), value);
            }
        });
    }
    Some(env)
}

fn output(reader: &mut Reader, value: &Value, has_port: bool) -> Option<ProcessOutput> {
    let words = [("prefix", ProcessOutput::Prefix), ("inherit", ProcessOutput::Inherit), ("null", ProcessOutput::Null)];
    match value {
        // The unquoted YAML word `null`.
        Value::Null => Some(ProcessOutput::Null),
        Value::Map(_) => {
            let fields = reader.fields(value, &["file"])?;
            let file =
                fields.require(reader, "file", "a path, such as logs/{set}-{replica}.log", |reader, value| {
                    text(reader, value, has_port)
                })?;
            Some(ProcessOutput::File(PathBuf::from(file)))
        }
        other => reader.word(other, &words, &["{file: PATH}"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<ProcessSpec, Vec<String>> {
        match ProcessSpec::read(&mut serde_json::Deserializer::from_str(json)) {
            Ok(spec) => Ok(spec),
            Err(ReadError::Policy(error)) => Err(error.problems().iter().map(ToString::to_string).collect()),
            Err(ReadError::Format(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn a_spec_reads_back_as_it_was_written() {
        let specs = [
            ProcessSpec::new("true"),
            ProcessSpec::new("python3").args(["-m", "http.server", "{port}"]).port(8000).cwd("work"),
            ProcessSpec::new("echo a; echo b").shell(true).env("A", "b").output(ProcessOutput::Null),
            ProcessSpec::new("a")
                .port(1)
                .port_check(false)
                .env_file(".env")
                .stop_signal(Signal::from_number(2).unwrap()),
            ProcessSpec::new("a").stop_command(["nginx", "-s", "quit"]),
            ProcessSpec::new("a").output(ProcessOutput::File("x-{replica}.log".into())),
        ];
        for spec in specs {
            assert_eq!(read(&serde_json::to_string(&spec).unwrap()), Ok(spec));
        }
    }

    #[test]
    fn numbers_are_arguments_too() {
        let spec = read(r#"{"command": "sleep", "args": [1000], "env": {"N": 3}}"#);
        assert_eq!(spec, Ok(ProcessSpec::new("sleep").args(["1000"]).env("N", "3")));
    }

    #[test]
    fn every_mistake_is_reported_with_its_path() {
        let json = r#"{"args": "x", "env": {"A=B": "c", "D": [1], "P": "{port}"}, "cwd": true, "output": "prefx",
            "shell": "yes", "comand": "x"}"#;
        assert_eq!(
            read(json).unwrap_err(),
            [
                "comand: unknown field; did you mean 'command'? known: command, args, env, env_file, cwd, port, \
                 port_check, output, shell, stop_signal, stop_command",
                "'command' is missing: the program to run, such as python3",
                "args: expected a list of arguments, found 'x'",
                "env.A: is not a valid name of a variable: it must not be empty or contain '='",
                "env.D: expected a text, found a list",
                "env.P: uses {port}, but no port is set; add port: 8000",
                "cwd: expected a text, found true",
                "output: unknown word 'prefx'; did you mean 'prefix'? known: prefix, inherit, null, {file: PATH}",
                "shell: expected true or false, found 'yes'",
            ]
        );
        assert_eq!(
            read(r#"{"command": "a", "stop_signal": "SIGSTOP", "stop_command": "x", "env": "TOKEN=s3cret"}"#)
                .unwrap_err(),
            [
                "env: expected names and values, such as {LEVEL: info}",
                "stop_signal: SIGSTOP cannot be the stop signal; use SIGTERM, SIGINT or SIGQUIT",
                "stop_command: expected a command and its arguments, such as [nginx, -s, quit], found 'x'",
            ]
        );
        assert_eq!(
            read(r#"{"command": "sleep 10", "port": 0, "output": {}}"#).unwrap_err(),
            [
                "command: must be a program without arguments: write command: sleep and args: [10], or set shell: true",
                "port: 0 is out of range: 1 to 65535",
                "output: 'file' is missing: a path, such as logs/{set}-{replica}.log",
            ]
        );
    }
}
