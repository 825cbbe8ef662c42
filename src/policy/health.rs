//! Probes and loss of contact: the `health` block.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::quantity::Quantity;
use crate::redacted::Redacted;

/// The probes of running replicas, and when a replica out of contact is unknown and when it is lost.
///
/// ```
/// use std::time::Duration;
/// use uphold::policy::{HttpCheck, Probe, ProbeCheck};
/// use uphold::HealthPolicy;
///
/// let check = ProbeCheck::Http(HttpCheck::new("8080").path("/healthz"));
/// let liveness = Probe::new(check).interval(Duration::from_secs(5)).failures(5);
/// let health = HealthPolicy::new().liveness(liveness).unknown_after(Duration::from_secs(30));
/// assert_eq!(health.get_liveness().and_then(Probe::get_failures), Some(5));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct HealthPolicy {
    pub(crate) startup: Option<Probe>,
    pub(crate) readiness: Option<Probe>,
    pub(crate) liveness: Option<Probe>,
    pub(crate) unready_timeout: Option<Duration>,
    pub(crate) unknown_after: Option<Duration>,
    pub(crate) lost_after: Option<LostAfter>,
    pub(crate) max_probe_restarts: Option<Quantity>,
    /// Set to `false`, so that `retry: true` does not set a cap. Cleared by `resolve`.
    pub(crate) probe_restarts_unlimited: bool,
}

impl HealthPolicy {
    /// Creates settings without probes and with the defaults of the policy document.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the startup probe. Until it succeeds, no other probe runs; if it fails, the replica has failed with cause
    /// `unhealthy`. Default none.
    #[must_use]
    pub fn startup(mut self, probe: Probe) -> Self {
        self.startup = Some(probe);
        self
    }

    /// Sets the probe of whether the replica can serve. Its result changes the status and never restarts the replica.
    /// Default none.
    #[must_use]
    pub fn readiness(mut self, probe: Probe) -> Self {
        self.readiness = Some(probe);
        self
    }

    /// Sets the probe of whether the replica works. If it fails, the replica has failed with cause `unhealthy`. Default
    /// none.
    #[must_use]
    pub fn liveness(mut self, probe: Probe) -> Self {
        self.liveness = Some(probe);
        self
    }

    /// Sets how long (above 0 s) a replica may be up and not ready, without a break, before it has failed with cause
    /// `unhealthy`. With a startup probe the time counts from its success; time in which the replica is unknown does
    /// not count. Default unlimited.
    #[must_use]
    pub fn unready_timeout(mut self, timeout: Duration) -> Self {
        self.unready_timeout = Some(timeout);
        self
    }

    /// Sets how long a replica may be out of contact before it is `unknown`: neither available nor failed. Default 60
    /// s.
    #[must_use]
    pub fn unknown_after(mut self, duration: Duration) -> Self {
        self.unknown_after = Some(duration);
        self
    }

    /// Sets how long a replica may be unknown before it has failed with cause `node-lost` and is replaced. Default 5
    /// min.
    #[must_use]
    pub fn lost_after(mut self, lost_after: LostAfter) -> Self {
        self.lost_after = Some(lost_after);
        self
    }

    /// Sets how many replicas may be down because of probe evidence at a time. Percentages round down, to at least 1.
    /// Default unlimited.
    ///
    /// Evidence is a failed liveness or startup probe, or `unready_timeout`. A replica counts until it is available
    /// again; one that was given up counts until it is reset. One may always be taken down. Beyond that, evidence never
    /// takes the set below `min_available`.
    #[must_use]
    pub fn max_probe_restarts(mut self, quantity: Quantity) -> Self {
        self.max_probe_restarts = Some(quantity);
        self.probe_restarts_unlimited = false;
        self
    }

    /// Removes the cap on replicas that are down because of probes, also the one of
    /// [`RetryPolicy::recommended`](crate::RetryPolicy::recommended). In a document: `max_probe_restarts: false`.
    #[must_use]
    pub fn without_max_probe_restarts(mut self) -> Self {
        self.max_probe_restarts = None;
        self.probe_restarts_unlimited = true;
        self
    }

    /// Returns the startup probe.
    pub fn get_startup(&self) -> Option<&Probe> {
        self.startup.as_ref()
    }

    /// Returns the readiness probe.
    pub fn get_readiness(&self) -> Option<&Probe> {
        self.readiness.as_ref()
    }

    /// Returns the liveness probe.
    pub fn get_liveness(&self) -> Option<&Probe> {
        self.liveness.as_ref()
    }

    /// Returns how long a replica may be up and not ready; `None` means unlimited.
    pub fn get_unready_timeout(&self) -> Option<Duration> {
        self.unready_timeout
    }

    /// Returns how long a replica may be out of contact before it is `unknown`; `None` means the default.
    pub fn get_unknown_after(&self) -> Option<Duration> {
        self.unknown_after
    }

    /// Returns how long a replica may be unknown before it has failed; `None` means the default.
    pub fn get_lost_after(&self) -> Option<LostAfter> {
        self.lost_after
    }

    /// Returns how many replicas may be down because of probe evidence at a time; `None` means unlimited.
    pub fn get_max_probe_restarts(&self) -> Option<Quantity> {
        self.max_probe_restarts
    }
}

/// How long a replica may be unknown before it counts as failed.
///
/// ```
/// use uphold::policy::LostAfter;
/// use uphold::HealthPolicy;
///
/// let health = HealthPolicy::new().lost_after(LostAfter::Never);
/// assert_eq!(health.get_lost_after(), Some(LostAfter::Never));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum LostAfter {
    /// After this long.
    After(Duration),
    /// Without limit: it stays unknown until contact is back or an operator acts.
    Never,
}

/// A check of a running replica, repeated at an interval.
///
/// ```
/// use std::time::Duration;
/// use uphold::policy::{Probe, ProbeCheck};
///
/// let check = ProbeCheck::Exec(vec!["pg_isready".into(), "--quiet".into()]);
/// let probe = Probe::new(check).interval(Duration::from_secs(5)).timeout(Duration::from_secs(2)).failures(5);
/// assert_eq!(probe.get_failures(), Some(5));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Probe {
    pub(crate) check: ProbeCheck,
    pub(crate) interval: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) successes: Option<u32>,
    pub(crate) failures: Option<u32>,
    pub(crate) initial_delay: Option<Duration>,
}

impl Probe {
    /// Creates a probe that makes this check, with the defaults of the policy document.
    pub fn new(check: ProbeCheck) -> Self {
        Self { check, interval: None, timeout: None, successes: None, failures: None, initial_delay: None }
    }

    /// Sets the time from the beginning of one probe to the beginning of the next, above 0 s. Default 10 s.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Sets how long an answer may take (above 0 s); a later one is a failure. Default 1 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets how many consecutive successes (1 to 1 000 000) make the probe pass. Default 1; always 1 for startup and
    /// liveness.
    #[must_use]
    pub fn successes(mut self, successes: u32) -> Self {
        self.successes = Some(successes);
        self
    }

    /// Sets how many consecutive failures (1 to 1 000 000) make the probe fail. Default 3.
    #[must_use]
    pub fn failures(mut self, failures: u32) -> Self {
        self.failures = Some(failures);
        self
    }

    /// Sets the time from the start of the incarnation to its first probe. Default 0 s.
    #[must_use]
    pub fn initial_delay(mut self, delay: Duration) -> Self {
        self.initial_delay = Some(delay);
        self
    }

    /// Returns what the probe checks.
    pub fn get_check(&self) -> &ProbeCheck {
        &self.check
    }

    /// Returns the time from one probe to the next; `None` means the default.
    pub fn get_interval(&self) -> Option<Duration> {
        self.interval
    }

    /// Returns how long an answer may take; `None` means the default.
    pub fn get_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Returns how many consecutive successes make the probe pass; `None` means the default.
    pub fn get_successes(&self) -> Option<u32> {
        self.successes
    }

    /// Returns how many consecutive failures make the probe fail; `None` means the default.
    pub fn get_failures(&self) -> Option<u32> {
        self.failures
    }

    /// Returns the time from the start of the incarnation to its first probe; `None` means the default.
    pub fn get_initial_delay(&self) -> Option<Duration> {
        self.initial_delay
    }
}

/// What a probe checks.
///
/// ```
/// use uphold::policy::{ProbeCheck, TcpCheck};
///
/// let port = ProbeCheck::Tcp(TcpCheck::new("5432"));
/// let command = ProbeCheck::Exec(vec!["pg_isready".into()]);
/// assert_ne!(port, command);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ProbeCheck {
    /// An HTTP GET, which succeeds if the status is in the range.
    Http(HttpCheck),
    /// A TCP connection, which succeeds if it opens.
    Tcp(TcpCheck),
    /// A command and its arguments, run in the replica's environment, which succeeds with exit code 0. At most 100
    /// words of 4096 characters.
    Exec(Vec<String>),
}

/// An HTTP GET.
///
/// Host, port, path and header values may contain placeholders of the backend, such as `{port}`. `Debug` hides the
/// values of headers, which may be secret.
///
/// ```
/// use uphold::policy::HttpCheck;
///
/// let check = HttpCheck::new("{port}").path("/healthz").header("accept", "text/plain").status(200, 299);
/// assert_eq!(check.get_path(), "/healthz");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HttpCheck {
    pub(crate) host: Option<String>,
    pub(crate) port: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) status: (u16, u16),
}

impl fmt::Debug for HttpCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpCheck")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("path", &self.path)
            .field("headers", &Redacted(&self.headers))
            .field("status", &self.status)
            .finish()
    }
}

impl HttpCheck {
    pub(crate) const STATUS: (u16, u16) = (200, 399);

    /// Creates a GET of `/` at this port of the replica; a status from 200 to 399 is a success. The port is a number,
    /// or a text with placeholders.
    pub fn new(port: impl Into<String>) -> Self {
        Self { host: None, port: port.into(), path: "/".into(), headers: BTreeMap::new(), status: Self::STATUS }
    }

    /// Sets the path to get, beginning with `/`; at most 2048 characters. Default `/`.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Sets the host to connect to, at most 255 characters. Default: the address of the replica, or 127.0.0.1.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Adds a header to send; at most 100, with names of 256 and values of 4096 characters.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// Sets the range of statuses that are a success, 100 to 599, both ends included. Default 200 to 399.
    #[must_use]
    pub fn status(mut self, first: u16, last: u16) -> Self {
        self.status = (first, last);
        self
    }

    /// Returns the host; `None` means the address of the replica, or 127.0.0.1.
    pub fn get_host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Returns the port, which may contain placeholders.
    pub fn get_port(&self) -> &str {
        &self.port
    }

    /// Returns the path, which may contain placeholders.
    pub fn get_path(&self) -> &str {
        &self.path
    }

    /// Returns the headers. Their values may be secret.
    pub fn get_headers(&self) -> &BTreeMap<String, String> {
        &self.headers
    }

    /// Returns the first and the last status that is a success.
    pub fn get_status(&self) -> (u16, u16) {
        self.status
    }
}

/// A TCP connection.
///
/// Host and port may contain placeholders of the backend, such as `{port}`.
///
/// ```
/// use uphold::policy::TcpCheck;
///
/// let check = TcpCheck::new("5432").host("localhost");
/// assert_eq!(check.get_port(), "5432");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TcpCheck {
    pub(crate) host: Option<String>,
    pub(crate) port: String,
}

impl TcpCheck {
    /// Creates a connection to this port of the replica. The port is a number, or a text with placeholders.
    pub fn new(port: impl Into<String>) -> Self {
        Self { host: None, port: port.into() }
    }

    /// Sets the host to connect to, at most 255 characters. Default: the address of the replica, or 127.0.0.1.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Returns the host; `None` means the address of the replica, or 127.0.0.1.
    pub fn get_host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Returns the port, which may contain placeholders.
    pub fn get_port(&self) -> &str {
        &self.port
    }
}
