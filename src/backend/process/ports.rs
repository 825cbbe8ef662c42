//! Finds the process that listens on a port. A replica whose port is in use must not be started, because the other process
//! would answer its probes. A trial `bind` is no substitute, since it also fails for ports in TIME_WAIT.

use std::time::Duration;

use rustix::process::Pid;

/// A process that listens on a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct PortHolder {
    /// `None` if it belongs to another user or has exited since.
    pub(super) pid: Option<Pid>,
    pub(super) name: Option<String>,
}

impl std::fmt::Display for PortHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.pid, &self.name) {
            (Some(pid), Some(name)) => write!(f, "pid {} ({name})", pid.as_raw_nonzero()),
            (Some(pid), None) => write!(f, "pid {}", pid.as_raw_nonzero()),
            (None, _) => f.write_str("a process that cannot be identified"),
        }
    }
}

/// How long the processes of an earlier incarnation may take to free the port.
const EARLIER_GROUP_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a process that cannot be identified may take to free the port, as it may just be exiting.
const UNSEEN_HOLDER_TIMEOUT: Duration = Duration::from_millis(200);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Waits until the port is free, if a process of one of the groups `earlier()` holds it. Blocks.
///
/// # Errors
/// Another process holds the port, or one of these groups does for too long.
pub(super) fn wait_until_free(port: u16, earlier: impl Fn() -> Vec<Pid>) -> Result<(), PortHolder> {
    let mut waited = Duration::ZERO;
    while let Some(inode) = listening_inode(port) {
        let holder = find_holder(inode);
        let group = holder.pid.and_then(|pid| rustix::process::getpgid(Some(pid)).ok());
        let grace = match (holder.pid, group) {
            (Some(_), Some(group)) if earlier().contains(&group) => EARLIER_GROUP_TIMEOUT,
            (Some(_), Some(_)) => Duration::ZERO,
            _ => UNSEEN_HOLDER_TIMEOUT,
        };
        if waited >= grace {
            return Err(holder);
        }
        std::thread::sleep(POLL_INTERVAL);
        waited += POLL_INTERVAL;
    }
    Ok(())
}

/// Returns the inode of a socket that listens on the port, if there is one and /proc shows it.
#[cfg(target_os = "linux")]
fn listening_inode(port: u16) -> Option<u64> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    tables.iter().find_map(|table| find_listening_inode(&std::fs::read_to_string(table).ok()?, port))
}

#[cfg(not(target_os = "linux"))]
fn listening_inode(_: u16) -> Option<u64> {
    None
}

/// Searches a table such as /proc/net/tcp for a socket in state LISTEN.
#[cfg(any(target_os = "linux", test))]
fn find_listening_inode(table: &str, port: u16) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (_, local, _, state) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let (_, local_port) = local.rsplit_once(':')?;
        if state != "0A" || u16::from_str_radix(local_port, 16).ok()? != port {
            return None;
        }
        fields.nth(5)?.parse().ok()
    })
}

/// Finds the process that has this socket open, by searching the descriptors of all processes.
#[cfg(target_os = "linux")]
fn find_holder(inode: u64) -> PortHolder {
    use std::os::unix::ffi::OsStrExt;

    let socket = format!("socket:[{inode}]");
    let holds = |pid: &str| {
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
        let mut links = descriptors.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
        links.any(|link| link.as_os_str().as_bytes() == socket.as_bytes()).then_some(())
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = processes.filter_map(|entry| entry.file_name().into_string().ok());
    let mut pids = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let Some(pid) = pids.find(|pid| holds(pid).is_some()) else { return PortHolder { pid: None, name: None } };
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok().map(|name| name.trim_end().to_owned());
    PortHolder { pid: pid.parse().ok().and_then(Pid::from_raw), name }
}

#[cfg(not(target_os = "linux"))]
fn find_holder(_: u64) -> PortHolder {
    PortHolder { pid: None, name: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_socket_that_listens_counts() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:1F41 00000000:0000 06 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0\n\
            1: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 22 1 0 100 0 0 10 0\n\
            2: nonsense\n";
        assert_eq!(find_listening_inode(table, 8000), Some(22));
        assert_eq!(find_listening_inode(table, 8001), None, "it is in TIME_WAIT");
        let table6 = "head\n   0: 00000000000000000000000001000000:1F42 00000000000000000000000000000000:0000 0A \
            00000000:00000000 00:00000000 00000000     0        0 33 1 0 100 0 0 10 0\n";
        assert_eq!(find_listening_inode(table6, 8002), Some(33));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_holder_of_a_port_is_found() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let holder = wait_until_free(port, Vec::new).expect_err("it is held");
        assert_eq!(holder.pid, Some(rustix::process::getpid()));
        assert!(holder.to_string().starts_with(&format!("pid {} (", std::process::id())), "{holder}");
        drop(listener);
        assert_eq!(wait_until_free(port, Vec::new), Ok(()));
    }
}
