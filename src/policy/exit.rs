//! How a process ended: its exit code or the signal that killed it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a process ended.
///
/// Codes and signals are kept apart. The exit code 137 that a shell or a container engine reports for SIGKILL is a
/// code, and only `exit_code` conditions match it.
///
/// ```
/// use uphold::{Exit, Signal};
///
/// assert!(Exit::Code(0).is_success());
/// assert_eq!(Exit::Signal(Signal::KILL).to_string(), "SIGKILL");
/// assert_ne!(Exit::Code(137), Exit::Signal(Signal::KILL));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "a process ends by itself or by a signal; there is no third way")]
pub enum Exit {
    /// The process exited with this code; 0 is success.
    Code(i32),
    /// This signal ended the process.
    Signal(Signal),
}

impl Exit {
    /// Returns whether the exit code is 0.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "{signal}"),
        }
    }
}

/// A signal by its number, 1 to 64.
///
/// Documents name it by number or by name, such as `SIGKILL` or `KILL`. Names are those of Linux on the common
/// architectures.
///
/// ```
/// use uphold::Signal;
///
/// assert_eq!(Signal::from_name("sigterm"), Some(Signal::TERM));
/// assert_eq!(Signal::from_number(9), Some(Signal::KILL));
/// assert_eq!(Signal::from_number(65), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(u8);

impl Signal {
    /// Names of the signals 1 to 31, in order.
    pub(crate) const NAMES: [&str; 31] = [
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGILL",
        "SIGTRAP",
        "SIGABRT",
        "SIGBUS",
        "SIGFPE",
        "SIGKILL",
        "SIGUSR1",
        "SIGSEGV",
        "SIGUSR2",
        "SIGPIPE",
        "SIGALRM",
        "SIGTERM",
        "SIGSTKFLT",
        "SIGCHLD",
        "SIGCONT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGVTALRM",
        "SIGPROF",
        "SIGWINCH",
        "SIGIO",
        "SIGPWR",
        "SIGSYS",
    ];

    /// SIGKILL.
    pub const KILL: Self = Self(9);
    /// SIGTERM.
    pub const TERM: Self = Self(15);

    /// Returns the signal of that number; `None` outside 1 to 64.
    pub const fn from_number(number: i64) -> Option<Self> {
        if number >= 1 && number <= 64 { Some(Self(number as u8)) } else { None }
    }

    /// Returns the signal of that name, with or without `SIG`, in any case; `None` for an unknown name.
    pub fn from_name(name: &str) -> Option<Self> {
        let upper = name.to_ascii_uppercase();
        let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
        Self::NAMES.iter().position(|known| &known[3..] == bare).map(|index| Self(index as u8 + 1))
    }

    /// Returns the number of the signal.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.get(usize::from(self.0) - 1) {
            Some(name) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Signal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.0)
    }
}

impl<'de> Deserialize<'de> for Signal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = if deserializer.is_human_readable() {
            i64::deserialize(deserializer)?
        } else {
            u8::deserialize(deserializer)?.into()
        };
        Self::from_number(number).ok_or_else(|| serde::de::Error::custom("a signal is a number from 1 to 64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_read_by_name_with_or_without_its_prefix() {
        assert_eq!(Signal::from_name("SIGKILL"), Some(Signal::KILL));
        assert_eq!(Signal::from_name("term"), Some(Signal::TERM));
        assert_eq!(Signal::from_name("SIGNAL"), None);
        assert_eq!(Signal::from_number(0), None);
        assert_eq!(Signal::from_number(65), None);
        assert_eq!(Signal::from_number(40).unwrap().to_string(), "signal 40");
    }
}
