//! Probes carried out over the network: a TCP connection, or a strict HTTP/1.1 GET.
//!
//! A probe wants to know one number, so it speaks as little HTTP as that takes: one request, the status line and
//! the header section read within limits, no body, no redirect, no keep-alive.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::engine::ProbeResult;
use crate::policy::{Check, HttpCheck, TcpCheck};

/// The most that status line and headers may take together, in bytes.
const HEAD_LIMIT: usize = 16 * 1024;
/// Where a probe connects when neither the check nor the instance names a host.
const LOCALHOST: &str = "127.0.0.1";

/// What the placeholders of a check stand for, for one instance.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Target {
    host: Option<String>,
    values: Vec<(String, String)>,
}

impl Target {
    /// A target that is reached at 127.0.0.1 and has no placeholders.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the instance is reached, unless the check names a host. Default 127.0.0.1.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// What `{name}` in a host, port, path or header of the check stands for.
    pub fn value(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.values.push((name.into(), value.to_string()));
        self
    }

    /// The text with its placeholders filled in; one that is not known stays as it is.
    pub fn fill(&self, text: &str) -> String {
        self.values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    fn address(&self, host: Option<&str>, port: &str) -> Option<(String, u16)> {
        let host = host.or(self.host.as_deref()).unwrap_or(LOCALHOST);
        Some((self.fill(host), self.fill(port).parse().ok()?))
    }
}

/// Carries out a check that goes over the network. `None`: it does not (`exec`), the backend must do it.
///
/// An answer later than `within` is a failure. What the prober itself cannot do, such as reading a port that is
/// no number, is unanswered.
pub async fn check(check: &Check, target: &Target, within: Duration) -> Option<ProbeResult> {
    let answer = match check {
        Check::Tcp(tcp) => timeout(within, connect(tcp, target)).await,
        Check::Http(http) => timeout(within, get(http, target)).await,
        Check::Exec(_) => return None,
    };
    Some(answer.unwrap_or(ProbeResult::Failure))
}

async fn connect(tcp: &TcpCheck, target: &Target) -> ProbeResult {
    let Some(address) = target.address(tcp.host.as_deref(), &tcp.port) else { return ProbeResult::Unanswered };
    match TcpStream::connect(address).await {
        Ok(_) => ProbeResult::Success,
        Err(error) => cannot_connect(&error),
    }
}

async fn get(http: &HttpCheck, target: &Target) -> ProbeResult {
    let Some((host, port)) = target.address(http.host.as_deref(), &http.port) else {
        return ProbeResult::Unanswered;
    };
    let mut stream = match TcpStream::connect((host.as_str(), port)).await {
        Ok(stream) => stream,
        Err(error) => return cannot_connect(&error),
    };
    let mut request = format!("GET {} HTTP/1.1\r\n", target.fill(&http.path));
    let named = |name: &str| http.headers.keys().any(|known| known.eq_ignore_ascii_case(name));
    if !named("host") {
        request += &format!("Host: {host}:{port}\r\n");
    }
    if !named("user-agent") {
        request += "User-Agent: uphold\r\n";
    }
    for (name, value) in &http.headers {
        request += &format!("{name}: {}\r\n", target.fill(value));
    }
    request += "Accept: */*\r\nConnection: close\r\n\r\n";
    if stream.write_all(request.as_bytes()).await.is_err() {
        return ProbeResult::Failure;
    }
    match read_status(&mut stream).await {
        Some(status) if (http.status.0..=http.status.1).contains(&status) => ProbeResult::Success,
        Some(_) | None => ProbeResult::Failure,
    }
}

/// The status, once the whole header section has come within its limit; `None` for anything else.
async fn read_status(stream: &mut TcpStream) -> Option<u16> {
    let mut head = Vec::with_capacity(1024);
    loop {
        let read = stream.read_buf(&mut head).await.ok()?;
        let ended = head.windows(4).any(|four| four == b"\r\n\r\n");
        if ended || head.len() > HEAD_LIMIT || read == 0 {
            return if ended { parse_status(&head) } else { None };
        }
    }
}

/// `HTTP/1.x NNN ...`
fn parse_status(head: &[u8]) -> Option<u16> {
    let line = head.split(|&byte| byte == b'\r').next()?;
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let (minor, rest) = rest.split_first()?;
    let digits = rest.strip_prefix(b" ")?;
    let ends = digits.get(3).is_none_or(|&byte| byte == b' ');
    if !minor.is_ascii_digit() || digits.len() < 3 || !ends {
        return None;
    }
    let status: u16 = std::str::from_utf8(&digits[..3]).ok()?.parse().ok()?;
    (100..=599).contains(&status).then_some(status)
}

/// A refusal is an answer; want of file descriptors or memory is the prober's own trouble.
fn cannot_connect(error: &std::io::Error) -> ProbeResult {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::TimedOut
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable => ProbeResult::Failure,
        _ => ProbeResult::Unanswered,
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    /// A server that answers every request with these bytes, again and again if it is `endless`.
    async fn server(answer: &'static [u8], endless: bool) -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                while stream.write_all(answer).await.is_ok() && endless {}
            }
        });
        port
    }

    async fn ask(http: HttpCheck, within: Duration) -> ProbeResult {
        check(&Check::Http(http), &Target::new(), within).await.unwrap()
    }

    #[tokio::test]
    async fn a_status_in_the_range_is_a_success_and_any_other_is_not() {
        for (answer, expected) in [
            (&b"HTTP/1.1 200 OK\r\n\r\n"[..], ProbeResult::Success),
            (b"HTTP/1.0 302 Found\r\nLocation: /\r\n\r\n", ProbeResult::Success),
            (b"HTTP/1.1 500 Internal Server Error\r\n\r\n", ProbeResult::Failure),
            (b"HTTP/1.1 404\r\n\r\n", ProbeResult::Failure),
            (b"HTTP/2 200\r\n\r\n", ProbeResult::Failure),
            (b"HTTP/1.1 2000\r\n\r\n", ProbeResult::Failure),
            (b"ready\r\n\r\n", ProbeResult::Failure),
            (b"HTTP/1.1 200 OK\r\n", ProbeResult::Failure),
            (b"", ProbeResult::Failure),
        ] {
            let port = server(answer, false).await;
            let result = ask(HttpCheck::new(port.to_string()), SOON).await;
            assert_eq!(result, expected, "{:?}", String::from_utf8_lossy(answer));
        }
    }

    #[tokio::test]
    async fn endless_headers_are_cut_off() {
        let port = server(b"HTTP/1.1 200 OK\r\nX: y\r\nX: y", true).await;
        assert_eq!(ask(HttpCheck::new(port.to_string()), SOON).await, ProbeResult::Failure);
    }

    #[tokio::test]
    async fn a_server_that_accepts_and_never_answers_fails_at_the_timeout() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        assert_eq!(ask(HttpCheck::new(port.clone()), Duration::from_millis(50)).await, ProbeResult::Failure);
        let tcp = Check::Tcp(TcpCheck::new(port));
        assert_eq!(check(&tcp, &Target::new(), SOON).await, Some(ProbeResult::Success));
    }

    #[tokio::test]
    async fn a_refused_connection_is_a_failure_and_a_port_that_is_none_is_unanswered() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        drop(listener);
        assert_eq!(ask(HttpCheck::new(port), SOON).await, ProbeResult::Failure);
        assert_eq!(ask(HttpCheck::new("{port}"), SOON).await, ProbeResult::Unanswered);
    }

    #[test]
    fn placeholders_are_filled_in() {
        let target = Target::new().value("port", 8001).value("replica", 1);
        assert_eq!(target.fill("/ready/{replica}?on={port}&{else}"), "/ready/1?on=8001&{else}");
        assert_eq!(target.address(None, "{port}"), Some(("127.0.0.1".to_owned(), 8001)));
    }
}
