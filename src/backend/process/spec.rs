//! The workload of the process backend.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::backend::{BackendError, InstanceKey, SetName, Target};
use crate::policy::Signal;
use crate::redacted::Redacted;

/// The command that each replica runs, with its environment, output and stop signal.
///
/// Placeholders in the command, its arguments, the values of environment variables, the working directory, the output
/// file and the stop command are replaced: `{replica}` by the replica's number, `{incarnation}` by the number of its start,
/// `{set}` by the set's name, and `{port}` by `port` plus the replica's number. Other text in braces is kept. The process
/// finds the same values in `UPHOLD_REPLICA`, `UPHOLD_INCARNATION`, `UPHOLD_SET` and `UPHOLD_PORT`.
///
/// A spec can also be read from a document: see [`ProcessSpec::read`].
///
/// ```
/// use uphold::backend::process::ProcessSpec;
///
/// let server = ProcessSpec::new("python3").args(["-m", "http.server", "{port}"]).port(8000);
/// // Replica 1 runs `python3 -m http.server 8001`.
/// # let _ = server;
/// ```
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct ProcessSpec {
    /// The program, searched in PATH unless it contains a `/`.
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
    /// Run `sh -c COMMAND sh ARGS...`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) shell: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stop_signal: Option<Signal>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) stop_command: Vec<String>,
}

/// Omits the values of environment variables, which may be secret.
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
    /// To this program's stdout and stderr, each line prefixed with `SET/REPLICA | `. If these are not read for a second,
    /// lines are dropped and counted, so that replicas do not block.
    #[default]
    Prefix,
    /// To this program's stdout and stderr, unchanged.
    Inherit,
    /// Discarded.
    Null,
    /// Appended to this regular file, which is created with mode 0600 if necessary. Its folder must exist; a symbolic link
    /// is not followed.
    File(PathBuf),
}

impl ProcessSpec {
    /// Returns a spec that runs this program, which is searched in PATH unless it contains a `/`.
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

    /// Sets an environment variable. Those of this program are inherited.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Sets environment variables from a file of `NAME=value` lines, which is read at each start. Lines that begin with `#`
    /// are comments. [`env`](Self::env) overrides it. A relative path is relative to this program's working directory.
    #[must_use]
    pub fn env_file(mut self, path: impl Into<String>) -> Self {
        self.env_file = Some(path.into());
        self
    }

    /// Sets the working directory. Default: that of this program.
    #[must_use]
    pub fn cwd(mut self, path: impl Into<String>) -> Self {
        self.cwd = Some(path.into());
        self
    }

    /// Sets the port of replica 0; replica n has this plus n.
    #[must_use]
    pub fn port(mut self, first: u16) -> Self {
        self.port = Some(first);
        self
    }

    /// Sets whether a start fails if another process already listens on the replica's port. Default `true`; use `false` for
    /// servers that share a port. Linux only.
    #[must_use]
    pub fn port_check(mut self, check: bool) -> Self {
        self.port_check = check;
        self
    }

    /// Sets the signal that asks a replica to stop. Default SIGTERM, which also replaces signals that do not ask a process to
    /// stop: realtime signals, SIGSTOP, SIGCONT and SIGCHLD.
    #[must_use]
    pub fn stop_signal(mut self, signal: Signal) -> Self {
        self.stop_signal = Some(signal);
        self
    }

    /// Sets a command that runs before the stop signal, with the replica's environment and working directory; `{pid}` is
    /// replaced by its process id. The signal follows when the command exits or after `stop_grace`. Default: no command.
    pub fn stop_command<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.stop_command = words.into_iter().map(Into::into).collect();
        self
    }

    /// Sets where the output goes. Default [`ProcessOutput::Prefix`].
    #[must_use]
    pub fn output(mut self, output: ProcessOutput) -> Self {
        self.output = output;
        self
    }

    /// Sets whether to run `sh -c COMMAND sh ARGS...`. Default `false`.
    #[must_use]
    pub fn shell(mut self, shell: bool) -> Self {
        self.shell = shell;
        self
    }

    /// Returns the values of the placeholders for one instance.
    pub(super) fn target(&self, key: InstanceKey<'_>) -> Result<Target, BackendError> {
        let target =
            Target::new().value("replica", key.replica).value("incarnation", key.incarnation).value("set", key.set);
        // A valid name contains nothing that a shell or a path interprets.
        if !SetName::is_valid(key.set) {
            if let Some(place) = self.place_of("{set}") {
                let set: String = key.set.chars().take(80).collect();
                return Err(BackendError::start_error(format!(
                    "{set:?} is not a valid set name, so it cannot replace {{set}} in {place}"
                )));
            }
        }
        match (self.port_of(key)?, self.place_of("{port}")) {
            (Some(port), _) => Ok(target.value("port", port)),
            (None, Some(place)) => {
                Err(BackendError::start_error(format!("{place} contains {{port}}, but no port is set")))
            }
            (None, None) => Ok(target),
        }
    }

    /// Returns the port of a replica, if `port` is set.
    pub(super) fn port_of(&self, key: InstanceKey<'_>) -> Result<Option<u16>, BackendError> {
        let Some(first) = self.port else { return Ok(None) };
        let port = u64::from(first) + u64::from(key.replica.0);
        let beyond = |_| BackendError::start_error(format!("port {port} is greater than 65535"));
        u16::try_from(port).map(Some).map_err(beyond)
    }

    /// Returns the key whose value contains a placeholder. The value itself may be secret.
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
        InstanceKey::new(set, (0, 1))
    }

    #[test]
    fn neither_debug_nor_errors_show_values_of_the_environment() {
        let spec = ProcessSpec::new("x").env("TOKEN", "s3cret{port}");
        assert!(!format!("{spec:?} {spec:#?}").contains("s3cret"));
        assert!(format!("{spec:?}").contains("TOKEN"));
        assert_eq!(spec.target(key("web")).unwrap_err().to_string(), "env.TOKEN contains {port}, but no port is set");
    }

    #[test]
    fn an_invalid_set_name_is_not_inserted_into_a_command() {
        let spec = ProcessSpec::new("echo {set}").shell(true);
        assert!(spec.target(key("web")).is_ok());
        let error = spec.target(key("web; touch x")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"web; touch x\" is not a valid set name, so it cannot replace {set} in command"
        );
        assert!(ProcessSpec::new("echo").target(key("Web/1")).is_ok(), "it is not used");
    }
}
