//! Reading a spec: every mistake at once, each with its path.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::de::{Deserialize, Deserializer, Error as _};

use super::command::is_stop_signal;
use super::spec::{ProcessOutput, ProcessSpec};
use crate::policy::read::walk::Fields;
use crate::policy::read::{Value, Walk};
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
    /// Reads a spec from any self-describing format, and keeps apart what went wrong: the format's own error, or the
    /// list of everything that is wrong with the spec.
    ///
    /// `ProcessSpec` is also `Deserialize`; the error of the format then carries the same text, one mistake a line.
    ///
    /// # Errors
    /// The text is not a document of the format, or the document is not a valid spec.
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
    let mut walk = Walk::new();
    let spec = spec(&mut walk, value);
    walk.finish()?;
    spec.ok_or_else(PolicyError::unspecified)
}

fn spec(walk: &mut Walk, value: &Value) -> Option<ProcessSpec> {
    let fields = walk.fields(value, &KEYS)?;
    let has_port = fields.get("port").is_some();
    let mut spec = ProcessSpec::new(command(walk, fields, has_port).unwrap_or_default());
    if let Some(args) = fields.get("args") {
        walk.field("args", |walk| {
            walk.list(args, "a list of arguments", |walk, arg| spec.args.extend(text(walk, arg, has_port)));
        });
    }
    spec.env = fields.read(walk, "env", |walk, value| env(walk, value, has_port)).unwrap_or_default();
    spec.env_file = fields.read(walk, "env_file", |walk, value| text(walk, value, true));
    spec.cwd = fields.read(walk, "cwd", |walk, value| text(walk, value, has_port));
    spec.port = fields
        .read(walk, "port", |walk, value| walk.count(value, &(1..=u16::MAX.into())))
        .and_then(|port| u16::try_from(port).ok());
    spec.port_check = fields.read(walk, "port_check", Walk::flag).unwrap_or(true);
    spec.output = fields.read(walk, "output", |walk, value| output(walk, value, has_port)).unwrap_or_default();
    spec.shell = fields.read(walk, "shell", Walk::flag).unwrap_or_default();
    spec.stop_signal = fields.read(walk, "stop_signal", stop_signal);
    if let Some(words) = fields.get("stop_command") {
        walk.field("stop_command", |walk| {
            walk.list(words, "a command and its arguments, such as [nginx, -s, quit]", |walk, word| {
                spec.stop_command.extend(text(walk, word, has_port));
            });
        });
    }
    Some(spec)
}

/// A signal that a process can be asked to stop with.
fn stop_signal(walk: &mut Walk, value: &Value) -> Option<Signal> {
    let signal = walk.signal(value)?;
    if !is_stop_signal(signal) {
        walk.problem(format!("{signal} does not ask a process to stop: SIGTERM, SIGINT or SIGQUIT does"));
    }
    Some(signal)
}

fn command(walk: &mut Walk, fields: Fields<'_>, has_port: bool) -> Option<String> {
    let command = fields.require(walk, "command", "the program to run, such as python3", |walk, value| {
        let command = text(walk, value, has_port)?;
        if command.trim().is_empty() {
            return walk.expected("the program to run, such as python3", value);
        }
        Some(command)
    })?;
    let shell = matches!(fields.get("shell"), Some(Value::Bool(true)));
    if !shell && command.trim().contains(char::is_whitespace) && !command.contains('/') {
        let words: Vec<&str> = command.split_whitespace().collect();
        walk.field("command", |walk| {
            walk.problem(format!(
                "is one program, not a line: write command: {} and args: [{}], or set shell: true",
                words[0],
                words[1..].join(", ")
            ));
        });
    }
    Some(command)
}

/// A text that goes to the operating system; numbers are as good as their digits there.
fn text(walk: &mut Walk, value: &Value, has_port: bool) -> Option<String> {
    let text = match value {
        Value::Int(number) => number.to_string(),
        other => walk.text(other)?.to_owned(),
    };
    if text.contains('\0') {
        walk.problem("holds a NUL character, which no program can be given");
        return None;
    }
    if !has_port && text.contains("{port}") {
        walk.problem("{port} stands for nothing: give the first port, such as port: 8000");
    }
    Some(text)
}

fn env(walk: &mut Walk, value: &Value, has_port: bool) -> Option<BTreeMap<String, String>> {
    let Value::Map(entries) = value else {
        // Without what it is: it may be secret.
        walk.problem("expected names and values, such as {LEVEL: info}");
        return None;
    };
    let mut env = BTreeMap::new();
    for (name, value) in entries {
        // What follows a '=' may be a value, and secret.
        walk.field(name.split('=').next().unwrap_or_default(), |walk| {
            if name.is_empty() || name.contains(['=', '\0']) {
                walk.problem("is no name of a variable: it must not be empty or hold '='");
            }
            if env.contains_key(name) {
                walk.problem("is given twice");
            } else if let Some(value) = text(walk, value, has_port) {
                env.insert(name.clone(), value);
            }
        });
    }
    Some(env)
}

fn output(walk: &mut Walk, value: &Value, has_port: bool) -> Option<ProcessOutput> {
    let words = [("prefix", ProcessOutput::Prefix), ("inherit", ProcessOutput::Inherit), ("null", ProcessOutput::Null)];
    match value {
        // YAML reads the word `null` so.
        Value::Null => Some(ProcessOutput::Null),
        Value::Map(_) => {
            let fields = walk.fields(value, &["file"])?;
            let file = fields.require(walk, "file", "a path, such as logs/{set}-{replica}.log", |walk, value| {
                text(walk, value, has_port)
            })?;
            Some(ProcessOutput::File(PathBuf::from(file)))
        }
        other => walk.word(other, &words, &["{file: PATH}"]),
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
    fn every_mistake_is_told_with_its_path() {
        let json = r#"{"args": "x", "env": {"A=B": "c", "D": [1], "P": "{port}"}, "cwd": true, "output": "prefx",
            "shell": "yes", "comand": "x"}"#;
        assert_eq!(
            read(json).unwrap_err(),
            [
                "comand: unknown field; did you mean 'command'? known: command, args, env, env_file, cwd, port, \
                 port_check, output, shell, stop_signal, stop_command",
                "'command' is missing: the program to run, such as python3",
                "args: expected a list of arguments, found 'x'",
                "env.A: is no name of a variable: it must not be empty or hold '='",
                "env.D: expected a text, found a list",
                "env.P: {port} stands for nothing: give the first port, such as port: 8000",
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
                "stop_signal: SIGSTOP does not ask a process to stop: SIGTERM, SIGINT or SIGQUIT does",
                "stop_command: expected a command and its arguments, such as [nginx, -s, quit], found 'x'",
            ]
        );
        assert_eq!(
            read(r#"{"command": "sleep 10", "port": 0, "output": {}}"#).unwrap_err(),
            [
                "command: is one program, not a line: write command: sleep and args: [10], or set shell: true",
                "port: 0 is out of range: 1 to 65535",
                "output: 'file' is missing: a path, such as logs/{set}-{replica}.log",
            ]
        );
    }
}
