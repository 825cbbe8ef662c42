//! What to run: a command and its surroundings.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::backend::{BackendError, InstanceKey, SetName, Target};
use crate::policy::Signal;
use crate::redacted::Redacted;

/// A command to run for each replica.
///
/// In the command, its arguments, environment values, working directory and output file, `{replica}` stands for the
/// replica's number, `{incarnation}` for the number of its start, `{set}` for the set's name, and `{port}` for `port`
/// plus the replica's number. Anything else in braces stays as it is. The same stand in the environment as
/// `UPHOLD_REPLICA`, `UPHOLD_INCARNATION`, `UPHOLD_SET` and `UPHOLD_PORT`.
///
/// Read from a document, every mistake is found at once: see [`ProcessSpec::read`].
///
/// ```
/// use uphold::backend::process::ProcessSpec;
///
/// let server = ProcessSpec::new("python3").args(["-m", "http.server", "{port}"]).port(8000);
/// # let _ = server;
/// ```
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct ProcessSpec {
    /// The program; looked for in PATH unless it holds a `/`.
    pub(crate) command: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) args: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) env: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) env_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cwd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) port: Option<u16>,
    #[serde(skip_serializing_if = "Clone::clone")]
    pub(crate) port_check: bool,
    pub(crate) output: ProcessOutput,
    /// Runs `sh -c COMMAND ARGS...` instead.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) shell: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stop_signal: Option<Signal>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) stop_command: Vec<String>,
}

/// Without the values of environment variables, which may be secret.
impl fmt::Debug for ProcessSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessSpec")
            .field("command", &self.command)
            .field("args", &self.args)
            .field("env", &Redacted(&self.env))
            .field("env_file", &self.env_file)
            .field("cwd", &self.cwd)
            .field("port", &self.port)
            .field("port_check", &self.port_check)
            .field("output", &self.output)
            .field("shell", &self.shell)
            .field("stop_signal", &self.stop_signal)
            .field("stop_command", &self.stop_command)
            .finish()
    }
}

/// Where the output of a replica goes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProcessOutput {
    /// Line by line to this program's stdout and stderr, each line with `set/replica | ` before it. Where these are not
    /// read for a second, lines are dropped, and counted: replicas do not wait for ever.
    #[default]
    Prefix,
    /// As it is to this program's stdout and stderr.
    Inherit,
    /// Nowhere.
    Null,
    /// Appended to this regular file. It is made if need be, readable for this user alone; its folder must be there, and
    /// a symbolic link is not followed.
    File(PathBuf),
}

impl ProcessSpec {
    /// Runs this program, found in PATH unless it holds a `/`.
    pub fn new(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            env_file: None,
            cwd: None,
            port: None,
            port_check: true,
            output: ProcessOutput::default(),
            shell: false,
            stop_signal: None,
            stop_command: Vec::new(),
        }
    }

    /// Adds arguments.
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable, beside those of this program.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Sets the environment variables of a file too, read at each start: `NAME=value` lines, and comments after `#`.
    /// Where [`env`](Self::env) sets the same, that holds. A relative path counts from this program's working directory.
    pub fn env_file(mut self, path: impl Into<String>) -> Self {
        self.env_file = Some(path.into());
        self
    }

    /// The working directory. Default: that of this program.
    pub fn cwd(mut self, path: impl Into<String>) -> Self {
        self.cwd = Some(path.into());
        self
    }

    /// What `{port}` counts from: replica n gets this plus n.
    pub fn port(mut self, first: u16) -> Self {
        self.port = Some(first);
        self
    }

    /// Whether a start fails where another process listens on the replica's port already. Default `true`; `false` for
    /// servers that share a port. Linux only.
    pub fn port_check(mut self, check: bool) -> Self {
        self.port_check = check;
        self
    }

    /// What asks a replica to stop. Default SIGTERM. Realtime signals and SIGSTOP are taken as SIGTERM.
    pub fn stop_signal(mut self, signal: Signal) -> Self {
        self.stop_signal = Some(signal);
        self
    }

    /// Runs this command in the replica's surroundings to stop it, with `{pid}` for its process id; the stop signal
    /// follows when the command has ended, or `stop_grace` is over. Default: the signal alone.
    pub fn stop_command<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.stop_command = words.into_iter().map(Into::into).collect();
        self
    }

    /// Where output goes. Default [`ProcessOutput::Prefix`].
    pub fn output(mut self, output: ProcessOutput) -> Self {
        self.output = output;
        self
    }

    /// Runs `sh -c COMMAND ARGS...` instead. Default: no shell.
    pub fn shell(mut self, shell: bool) -> Self {
        self.shell = shell;
        self
    }

    /// What the placeholders stand for.
    pub(super) fn target(&self, key: InstanceKey<'_>) -> Result<Target, BackendError> {
        let target =
            Target::new().value("replica", key.replica).value("incarnation", key.incarnation).value("set", key.set);
        // A valid name means nothing to a shell, nor to a path.
        if !SetName::is_valid(key.set) {
            if let Some(place) = self.place_of("{set}") {
                let set: String = key.set.chars().take(80).collect();
                return Err(BackendError::start_error(format!(
                    "{set:?} is no name of a set that could stand in {place}"
                )));
            }
        }
        match (self.port_of(key)?, self.place_of("{port}")) {
            (Some(port), _) => Ok(target.value("port", port)),
            (None, Some(place)) => {
                Err(BackendError::start_error(format!("{place} holds {{port}}, and there is no port")))
            }
            (None, None) => Ok(target),
        }
    }

    /// The port of a replica.
    pub(super) fn port_of(&self, key: InstanceKey<'_>) -> Result<Option<u16>, BackendError> {
        let Some(first) = self.port else { return Ok(None) };
        let port = u64::from(first) + u64::from(key.replica.0);
        let beyond = |_| BackendError::start_error(format!("port {port} is beyond 65535"));
        u16::try_from(port).map(Some).map_err(beyond)
    }

    /// Where a placeholder stands, without what else is there: it may be secret.
    fn place_of(&self, placeholder: &str) -> Option<String> {
        let has = |text: &String| text.contains(placeholder);
        let path = match &self.output {
            ProcessOutput::File(path) => Some(path.to_string_lossy().into_owned()),
            _ => None,
        };
        if has(&self.command) {
            return Some("command".to_owned());
        }
        if self.args.iter().any(has) {
            return Some("args".to_owned());
        }
        if let Some((name, _)) = self.env.iter().find(|(_, value)| has(value)) {
            return Some(format!("env.{name}"));
        }
        if self.cwd.as_ref().is_some_and(has) {
            return Some("cwd".to_owned());
        }
        if self.stop_command.iter().any(has) {
            return Some("stop_command".to_owned());
        }
        path.filter(has).map(|_| "output".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(set: &str) -> InstanceKey<'_> {
        InstanceKey::new(set, 0.into(), 1.into())
    }

    #[test]
    fn neither_debug_nor_errors_show_values_of_the_environment() {
        let spec = ProcessSpec::new("x").env("TOKEN", "s3cret{port}");
        assert!(!format!("{spec:?} {spec:#?}").contains("s3cret"));
        assert!(format!("{spec:?}").contains("TOKEN"));
        assert_eq!(spec.target(key("web")).unwrap_err().to_string(), "env.TOKEN holds {port}, and there is no port");
    }

    #[test]
    fn a_set_of_another_name_than_sets_may_have_is_not_pasted_into_a_command() {
        let spec = ProcessSpec::new("echo {set}").shell(true);
        assert!(spec.target(key("web")).is_ok());
        let error = spec.target(key("web; touch x")).unwrap_err();
        assert_eq!(error.to_string(), "\"web; touch x\" is no name of a set that could stand in command");
        assert!(ProcessSpec::new("echo").target(key("Web/1")).is_ok(), "it stands nowhere");
    }
}
