//! Probes and loss of contact: the `health` block.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::quantity::Quantity;
use crate::redacted::Redacted;

/// Probes, and when a replica out of contact counts as unknown and as lost.
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
    /// `false` in the document, so that `retry: true` does not set it. Cleared by `resolve`.
    pub(crate) probe_restarts_unlimited: bool,
}

impl HealthPolicy {
    /// No probes, and the defaults of the policy document.
    pub fn new() -> Self {
        Self::default()
    }

    /// Until this succeeds, neither readiness nor liveness is probed; if it fails, the replica has failed.
    #[must_use]
    pub fn startup(mut self, probe: Probe) -> Self {
        self.startup = Some(probe);
        self
    }

    /// Whether the replica can serve. A level: lost and regained it changes the status and restarts nothing.
    #[must_use]
    pub fn readiness(mut self, probe: Probe) -> Self {
        self.readiness = Some(probe);
        self
    }

    /// Whether the replica works; if the probe fails, the replica has failed with cause `unhealthy`.
    #[must_use]
    pub fn liveness(mut self, probe: Probe) -> Self {
        self.liveness = Some(probe);
        self
    }

    /// Up but not ready for this long without a break, a replica has failed with cause `unhealthy`. With a startup probe
    /// it counts from the success of that; time in which the replica is unknown does not count. Default: never.
    #[must_use]
    pub fn unready_timeout(mut self, timeout: Duration) -> Self {
        self.unready_timeout = Some(timeout);
        self
    }

    /// Out of contact or unanswered for this long, a replica is `unknown`: not available, not failed. Default 60 s.
    #[must_use]
    pub fn unknown_after(mut self, duration: Duration) -> Self {
        self.unknown_after = Some(duration);
        self
    }

    /// Unknown for this long, it has failed with cause `node-lost` and is replaced. Default 5 min.
    #[must_use]
    pub fn lost_after(mut self, lost_after: LostAfter) -> Self {
        self.lost_after = Some(lost_after);
        self
    }

    /// How many replicas probe evidence alone may have taken down at a time. One that liveness, a failed startup probe
    /// or `unready_timeout` has taken down counts until it is available again; given up, until it is reset. One may
    /// always be taken down; beyond that, probe evidence never takes the set below `min_available`. Default unlimited.
    #[must_use]
    pub fn max_probe_restarts(mut self, quantity: Quantity) -> Self {
        self.max_probe_restarts = Some(quantity);
        self.probe_restarts_unlimited = false;
        self
    }

    /// Probe evidence may take down any number of replicas, with
    /// [`RetryPolicy::recommended`](crate::RetryPolicy::recommended) too: `max_probe_restarts: false`.
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

    /// Returns how long a replica may be up and not ready; `None` is for ever.
    pub fn get_unready_timeout(&self) -> Option<Duration> {
        self.unready_timeout
    }

    /// Returns how long a replica may be out of contact before it is `unknown`; `None` if left out: the default holds.
    pub fn get_unknown_after(&self) -> Option<Duration> {
        self.unknown_after
    }

    /// Returns when an unknown replica counts as failed; `None` if left out: the default holds.
    pub fn get_lost_after(&self) -> Option<LostAfter> {
        self.lost_after
    }

    /// Returns how many replicas probe evidence may have taken down at a time; `None` is unlimited.
    pub fn get_max_probe_restarts(&self) -> Option<Quantity> {
        self.max_probe_restarts
    }
}

/// When an unknown replica counts as failed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum LostAfter {
    /// After this long.
    After(Duration),
    /// Never: it is not replaced until contact is back or an operator acts.
    Never,
}

/// A check of a running replica at an interval.
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
    /// A probe that makes this check.
    pub fn new(check: ProbeCheck) -> Self {
        Self { check, interval: None, timeout: None, successes: None, failures: None, initial_delay: None }
    }

    /// From the beginning of one probe to the beginning of the next. Default 10 s.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// An answer later than this is a failure. Default 1 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Consecutive successes until it counts as passed. Default 1; always 1 for startup and liveness.
    #[must_use]
    pub fn successes(mut self, successes: u32) -> Self {
        self.successes = Some(successes);
        self
    }

    /// Consecutive failures until it counts as failed. Default 3.
    #[must_use]
    pub fn failures(mut self, failures: u32) -> Self {
        self.failures = Some(failures);
        self
    }

    /// From the start of the incarnation to its first probe. Default 0 s.
    #[must_use]
    pub fn initial_delay(mut self, delay: Duration) -> Self {
        self.initial_delay = Some(delay);
        self
    }

    /// Returns how the probe asks.
    pub fn get_check(&self) -> &ProbeCheck {
        &self.check
    }

    /// Returns the time from one probe to the next; `None` if left out: the default holds.
    pub fn get_interval(&self) -> Option<Duration> {
        self.interval
    }

    /// Returns how late an answer may be; `None` if left out: the default holds.
    pub fn get_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Returns the consecutive successes until it has passed; `None` if left out: the default holds.
    pub fn get_successes(&self) -> Option<u32> {
        self.successes
    }

    /// Returns the consecutive failures until it has failed; `None` if left out: the default holds.
    pub fn get_failures(&self) -> Option<u32> {
        self.failures
    }

    /// Returns the time from the start to the first probe; `None` if left out: the default holds.
    pub fn get_initial_delay(&self) -> Option<Duration> {
        self.initial_delay
    }
}

/// How a probe asks.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ProbeCheck {
    /// An HTTP GET; success is a status in the range.
    Http(HttpCheck),
    /// A TCP connection; success is that it opens.
    Tcp(TcpCheck),
    /// A command in the replica's environment; success is exit code 0.
    Exec(Vec<String>),
}

/// An HTTP GET. `host`, `path`, headers and `port` may hold the placeholders of the backend, such as `{port}`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HttpCheck {
    pub(crate) host: Option<String>,
    pub(crate) port: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) status: (u16, u16),
}

/// Without the values of headers, which may be secret.
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

    /// A GET of `/` at this port of the replica; success is a status from 200 to 399.
    pub fn new(port: impl Into<String>) -> Self {
        Self { host: None, port: port.into(), path: "/".into(), headers: BTreeMap::new(), status: Self::STATUS }
    }

    /// The path to get, beginning with `/`. Default `/`.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// The host to connect to. Default: the address of the replica, or 127.0.0.1.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Sends this header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// The statuses that are a success, both included. Default 200 to 399.
    #[must_use]
    pub fn status(mut self, first: u16, last: u16) -> Self {
        self.status = (first, last);
        self
    }

    /// Returns the host; `None` is the address of the replica, or 127.0.0.1.
    pub fn get_host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Returns the port, which may hold placeholders.
    pub fn get_port(&self) -> &str {
        &self.port
    }

    /// Returns the path.
    pub fn get_path(&self) -> &str {
        &self.path
    }

    /// Returns the headers, which may be secret.
    pub fn get_headers(&self) -> &BTreeMap<String, String> {
        &self.headers
    }

    /// Returns the first and the last status that are a success.
    pub fn get_status(&self) -> (u16, u16) {
        self.status
    }
}

/// A TCP connection. `host` and `port` may hold the placeholders of the backend, such as `{port}`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TcpCheck {
    pub(crate) host: Option<String>,
    pub(crate) port: String,
}

impl TcpCheck {
    /// A connection to this port of the replica.
    pub fn new(port: impl Into<String>) -> Self {
        Self { host: None, port: port.into() }
    }

    /// The host to connect to. Default: the address of the replica, or 127.0.0.1.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Returns the host; `None` is the address of the replica, or 127.0.0.1.
    pub fn get_host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Returns the port, which may hold placeholders.
    pub fn get_port(&self) -> &str {
        &self.port
    }
}
