//! Carries out probes over the network: a TCP connection, or an HTTP/1.1 GET.
//!
//! A probe needs the status only: it sends one request and reads the header section up to a limit, without body,
//! redirects or keep-alive.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::probe_answer::ProbeAnswer;
use crate::policy::{HttpCheck, ProbeCheck, TcpCheck};

/// The maximum size of status line and headers, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// The host if neither the check nor the instance has one.
const LOCALHOST: &str = "127.0.0.1";

/// The host and the placeholders' values of one instance.
///
/// ```
/// use uphold::backend::Target;
///
/// let target = Target::new().host("10.0.0.7").value("port", 8001);
/// assert_eq!(target.fill("{port}"), "8001");
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Target {
    host: Option<String>,
    values: Vec<(String, String)>,
}

impl Target {
    /// Returns a target at 127.0.0.1 without placeholders.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the host, which a host in the check overrides. Default 127.0.0.1.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Sets the value of `{name}` in the host, port, path and headers of the check.
    #[must_use]
    pub fn value(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.values.push((name.into(), value.to_string()));
        self
    }

    /// Returns the value of a placeholder.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the text with its placeholders replaced; unknown ones are kept.
    pub fn fill(&self, text: &str) -> String {
        self.values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    fn address(&self, host: Option<&str>, port: &str) -> Option<(String, u16)> {
        let host = host.or(self.host.as_deref()).unwrap_or(LOCALHOST);
        Some((self.fill(host), self.fill(port).parse().ok()?))
    }
}

/// Carries out a TCP or HTTP check. Returns `None` for `exec`, which only the backend can carry out.
///
/// No answer within `within` is a failure. An error of the prober, such as a port that is not a number, is unanswered.
pub async fn run_network_check(check: &ProbeCheck, target: &Target, within: Duration) -> Option<ProbeAnswer> {
    let (what, answer) = match check {
        ProbeCheck::Tcp(tcp) => ("connecting".to_owned(), timeout(within, connect(tcp, target)).await),
        ProbeCheck::Http(http) => (request_label(http, target), timeout(within, get(http, target)).await),
        ProbeCheck::Exec(_) => return None,
    };
    Some(answer.unwrap_or_else(|_| ProbeAnswer::failure(format!("{what} timed out after {within:?}"))))
}

/// Returns the request for messages, without its query, which may contain secrets.
fn request_label(http: &HttpCheck, target: &Target) -> String {
    let path = target.fill(&http.path);
    format!("GET {}", path.split(['?', '#']).next().unwrap_or("/"))
}

async fn connect(tcp: &TcpCheck, target: &Target) -> ProbeAnswer {
    let Some((host, port)) = target.address(tcp.host.as_deref(), &tcp.port) else { return not_a_port(&tcp.port) };
    match TcpStream::connect((without_brackets(&host), port)).await {
        Ok(_) => ProbeAnswer::success(),
        Err(error) => cannot_connect(&format!("connecting to {}", authority(&host, port)), &error),
    }
}

async fn get(http: &HttpCheck, target: &Target) -> ProbeAnswer {
    let Some((host, port)) = target.address(http.host.as_deref(), &http.port) else { return not_a_port(&http.port) };
    let name = request_label(http, target);
    let Some(request) = http_request(http, target, &host, port) else {
        return ProbeAnswer::unanswered(format!("{name} cannot be sent: it would contain a control character"));
    };
    let mut stream = match TcpStream::connect((without_brackets(&host), port)).await {
        Ok(stream) => stream,
        Err(error) => return cannot_connect(&name, &error),
    };
    if stream.write_all(request.as_bytes()).await.is_err() {
        return ProbeAnswer::failure(format!("{name}: the connection broke"));
    }
    match read_status(&mut stream).await {
        Some(status) if (http.status.0..=http.status.1).contains(&status) => ProbeAnswer::success(),
        Some(status) => ProbeAnswer::failure(format!("{name} answered {status}")),
        None => ProbeAnswer::failure(format!("{name}: the response is not HTTP/1")),
    }
}

fn not_a_port(port: &str) -> ProbeAnswer {
    ProbeAnswer::unanswered(format!("'{port}' is not a port"))
}

/// Returns the request (RFC 9110, 9112). Headers of the check replace the defaults. `None` if a value contains a control
/// character, which would allow to inject headers.
fn http_request(http: &HttpCheck, target: &Target, host: &str, port: u16) -> Option<String> {
    let mut lines = vec![format!("GET {} HTTP/1.1", target.fill(&http.path))];
    let host = authority(host, port);
    for (name, value) in [("Host", &*host), ("User-Agent", "uphold"), ("Accept", "*/*"), ("Connection", "close")] {
        if !http.headers.keys().any(|known| known.eq_ignore_ascii_case(name)) {
            lines.push(format!("{name}: {value}"));
        }
    }
    lines.extend(http.headers.iter().map(|(name, value)| format!("{name}: {}", target.fill(value))));
    let clean = lines.iter().all(|line| !line.contains(|char: char| char.is_control() && char != '\t'));
    clean.then(|| lines.join("\r\n") + "\r\n\r\n")
}

/// Returns host and port as in a URI: an IPv6 address in brackets and without its zone.
fn authority(host: &str, port: u16) -> String {
    let host = without_brackets(host);
    if host.contains(':') {
        let address = host.split('%').next().unwrap_or(host);
        format!("[{address}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// Returns the host as name resolution expects it.
fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Returns the final status once its header section is complete; `None` if the response is invalid or too large.
async fn read_status(stream: &mut TcpStream) -> Option<u16> {
    let mut head = Vec::with_capacity(1024);
    let mut begin = 0;
    loop {
        let read = stream.read_buf(&mut head).await.ok()?;
        while let Some(end) = head[begin..].windows(4).position(|four| four == b"\r\n\r\n") {
            let status = parse_status(&head[begin..])?;
            if status >= 200 {
                return Some(status);
            }
            // An interim response, which the final one follows (RFC 9110, 15.2).
            begin += end + 4;
        }
        if head.len() > MAX_HEAD_BYTES || read == 0 {
            return None;
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

/// Returns the answer of a failed connection. A refused connection is a failure of the replica; exhausted file descriptors
/// or memory are one of the prober.
fn cannot_connect(what: &str, error: &std::io::Error) -> ProbeAnswer {
    use std::io::ErrorKind;
    let reason = match error.kind() {
        ErrorKind::ConnectionRefused => "was refused",
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => "was reset",
        ErrorKind::TimedOut => "timed out",
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "did not reach its host",
        _ => return ProbeAnswer::unanswered(format!("{what}: {error}")),
    };
    ProbeAnswer::failure(format!("{what} {reason}"))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::engine::ProbeResult;

    const SOON: Duration = Duration::from_secs(5);

    /// Starts a server that answers every request with these bytes, endlessly if `endless` is set.
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
        run_network_check(&ProbeCheck::Http(http), &Target::new(), within).await.unwrap().result
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
            (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", ProbeResult::Success),
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
        let tcp = ProbeCheck::Tcp(TcpCheck::new(port));
        assert_eq!(run_network_check(&tcp, &Target::new(), SOON).await, Some(ProbeAnswer::success()));
    }

    #[tokio::test]
    async fn a_refused_connection_is_a_failure_and_an_invalid_port_is_unanswered() {
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

    #[tokio::test]
    async fn a_failure_says_what_the_probe_received() {
        let text = |answer: Option<ProbeAnswer>| answer.unwrap().message.unwrap().to_string();
        let target = Target::new();
        let port = server(b"HTTP/1.1 404 Not Found\r\n\r\n", false).await;
        let http = ProbeCheck::Http(HttpCheck::new(port.to_string()).path("/nope?token=secret"));
        assert_eq!(text(run_network_check(&http, &target, SOON).await), "GET /nope answered 404");
        let port = server(b"SSH-2.0-x\r\n\r\n", false).await;
        let http = ProbeCheck::Http(HttpCheck::new(port.to_string()));
        assert_eq!(text(run_network_check(&http, &target, SOON).await), "GET /: the response is not HTTP/1");

        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let http = ProbeCheck::Http(HttpCheck::new(port.to_string()));
        assert_eq!(
            text(run_network_check(&http, &target, Duration::from_millis(50)).await),
            "GET / timed out after 50ms"
        );
        drop(listener);
        assert_eq!(text(run_network_check(&http, &target, SOON).await), "GET / was refused");
        let tcp = ProbeCheck::Tcp(TcpCheck::new(port.to_string()));
        assert_eq!(
            text(run_network_check(&tcp, &target, SOON).await),
            format!("connecting to 127.0.0.1:{port} was refused")
        );
    }

    #[test]
    fn a_request_has_each_field_once_and_brackets_around_an_ipv6_address() {
        let http = HttpCheck::new("8080").path("/up").header("accept", "text/plain").header("connection", "keep-alive");
        for host in ["::1", "[::1]", "::1%lo"] {
            assert_eq!(
                http_request(&http, &Target::new(), host, 8080).unwrap(),
                "GET /up HTTP/1.1\r\nHost: [::1]:8080\r\nUser-Agent: uphold\r\naccept: text/plain\r\n\
                 connection: keep-alive\r\n\r\n"
            );
        }
        let named = http_request(&HttpCheck::new("80"), &Target::new(), "db", 80).unwrap();
        assert!(named.contains("\r\nHost: db:80\r\n") && named.ends_with("Connection: close\r\n\r\n"), "{named}");
    }

    #[test]
    fn a_value_that_would_end_its_line_is_not_sent() {
        let http = HttpCheck::new("80").header("X-Set", "{set}");
        let target = Target::new().value("set", "a\r\nHost: evil");
        assert_eq!(http_request(&http, &target, "db", 80), None);
    }
}
