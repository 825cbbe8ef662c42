//! What to run: a command and its surroundings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::backend::{BackendError, InstanceKey, Target};

/// A command to run for each replica.
///
/// In the command, its arguments, environment values, working directory and output file, `{replica}` stands for the
/// replica's number, `{incarnation}` for the number of its start, `{set}` for the set's name, and `{port}` for `port`
/// plus the replica's number. Anything else in braces stays as it is.
///
/// Read from a document, every mistake is found at once: see [`ProcessSpec::read`].
///
/// ```
/// use uphold::backend::process::ProcessSpec;
///
/// let server = ProcessSpec::new("python3").args(["-m", "http.server", "{port}"]).port(8000);
/// # let _ = server;
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ProcessSpec {
    /// The program; looked for in PATH unless it holds a `/`.
    pub(crate) command: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) args: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) env: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cwd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) port: Option<u16>,
    pub(crate) output: ProcessOutput,
    /// Runs `sh -c COMMAND ARGS...` instead.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) shell: bool,
}

/// Where the output of a replica goes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProcessOutput {
    /// Line by line to this program's stdout and stderr, each line with `set/replica | ` before it.
    #[default]
    Prefix,
    /// As it is to this program's stdout and stderr.
    Inherit,
    /// Nowhere.
    Null,
    /// Appended to this file, which is made if need be; its folder must be there.
    File(PathBuf),
}

impl ProcessSpec {
    /// Runs this program, found in PATH unless it holds a `/`.
    pub fn new(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            cwd: None,
            port: None,
            output: ProcessOutput::default(),
            shell: false,
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
        let Some(first) = self.port else {
            return match self.texts().find(|text| text.contains("{port}")) {
                Some(text) => Err(BackendError::start_error(format!("there is no port for '{text}'"))),
                None => Ok(target),
            };
        };
        let port = u64::from(first) + u64::from(key.replica.0);
        if port > u16::MAX.into() {
            return Err(BackendError::start_error(format!("port {port} is beyond 65535")));
        }
        Ok(target.value("port", port))
    }

    /// Every text that placeholders may stand in, but for the output file.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let words = std::iter::once(&self.command).chain(&self.args).chain(self.env.values()).chain(&self.cwd);
        words.map(String::as_str)
    }
}
