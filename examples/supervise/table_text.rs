//! Formats the table of `supervise`: the set's status, and one line for each replica.

use std::time::Duration;

use uphold::decide::Gate;
use uphold::engine::ReplicaView;
use uphold::supervisor::SetStatus;
use uphold::{Phase, Status, Timestamp};

const HEADER: &str = " replica  phase        incarnation  restarts  next restart  last failure";
/// The number of lines besides replicas: status, header, footer, blank lines and the cursor's.
const FRAME: usize = 6;

/// Returns at most `rows` lines of at most `columns` characters each.
pub(crate) fn table(
    status: &SetStatus,
    replicas: &[ReplicaView],
    now: Timestamp,
    (columns, rows): (usize, usize),
    footer: &str,
) -> Vec<String> {
    let clip = |line: &str| line.chars().take(columns).collect::<String>();
    let room = rows.saturating_sub(FRAME).max(1);
    let shown = if replicas.len() > room { room.saturating_sub(1) } else { replicas.len() };
    let mut lines = vec![headline(status, now, columns), String::new(), clip(HEADER)];
    // If not all replicas fit, those that are not ready come first.
    let mut order: Vec<&ReplicaView> = replicas.iter().collect();
    if shown < replicas.len() {
        order.sort_by_key(|view| view.phase == Phase::Ready);
    }
    lines.extend(order.iter().take(shown).map(|view| clip(&row(view, now))));
    if shown < replicas.len() {
        let hidden = &order[shown..];
        let ready = hidden.iter().filter(|view| view.phase == Phase::Ready).count();
        lines.push(clip(&format!(" and {} more, {ready} of them ready", hidden.len())));
    }
    lines.push(String::new());
    lines.push(clip(&format!(" Ctrl-C stops, twice kills; {footer}")));
    lines
}

/// Returns the coloured status of the set and how long it has lasted.
pub(crate) fn headline(status: &SetStatus, now: Timestamp, columns: usize) -> String {
    let colour = match status.status {
        Status::Healthy | Status::Completed => "\x1b[32m",
        Status::Degraded | Status::Pending => "\x1b[33m",
        _ => "\x1b[31m",
    };
    let text = format!(
        "{} for {}, {} of {} available ({})",
        status.status,
        short(now.since(status.since)),
        status.available,
        status.desired,
        status.reason
    );
    let text: String = text.chars().take(columns).collect();
    let word = text.find(' ').unwrap_or(text.len());
    format!("{colour}{}\x1b[0m{}", &text[..word], &text[word..])
}

fn row(view: &ReplicaView, now: Timestamp) -> String {
    let next = match (view.phase, view.gate, view.due) {
        (Phase::Waiting, Some(Gate::Backoff | Gate::Window | Gate::Hold), Some(due))
        | (Phase::Quarantined, _, Some(due)) => format!("in {}", short(due.since(now))),
        (Phase::Waiting | Phase::Stopping, Some(gate), _) => gate.to_string(),
        _ => "-".to_owned(),
    };
    let mut failure = match &view.last_failure {
        Some((cause, Some(exit))) => format!("{cause}, {exit}"),
        Some((cause, None)) => cause.to_string(),
        None => "-".to_owned(),
    };
    if let Some(message) = &view.failure_message {
        failure += &format!(": {message}");
    }
    if let Some(message) = &view.probe_message {
        failure += &format!(" (now {message})");
    }
    let restarts = view.incarnation.0.saturating_sub(1);
    format!(" {:>7}  {:<11}  {:>11}  {restarts:>8}  {next:<12}  {failure}", view.replica, view.phase, view.incarnation)
}

/// `4s`, `3m 20s`, `2h 5m`.
fn short(duration: Duration) -> String {
    let secs = duration.as_secs();
    match (secs / 3600, secs / 60 % 60, secs % 60) {
        (0, 0, secs) => format!("{secs}s"),
        (0, minutes, secs) => format!("{minutes}m {secs}s"),
        (hours, minutes, _) => format!("{hours}h {minutes}m"),
    }
}

#[cfg(test)]
mod tests {
    use uphold::{Event, Policy, ReplicaSet, RetryPolicy};

    use super::*;

    /// A set of `replicas` that are all ready, except that replica 1 has crashed.
    fn set(replicas: u32) -> ReplicaSet {
        let retry = RetryPolicy::every(Duration::from_secs(30));
        let policy = Policy::builder().replicas(replicas).retry(retry).build().unwrap();
        let mut set = ReplicaSet::new(policy, 0, Timestamp::ZERO);
        set.handle_timeout(Timestamp::ZERO);
        while set.poll_output().is_some() {}
        set.handle_all(Timestamp::ZERO, (0..replicas).map(|replica| Event::ready((replica, 1))));
        while set.poll_output().is_some() {}
        set.handle(Timestamp::from_secs(60), Event::exited((1, 1), 137));
        while set.poll_output().is_some() {}
        set
    }

    fn draw(replicas: u32, size: (usize, usize)) -> Vec<String> {
        let set = set(replicas);
        let status = SetStatus::of(&set);
        let views: Vec<_> = set.replicas().collect();
        table(&status, &views, Timestamp::from_secs(65), size, "output in logs")
    }

    #[test]
    fn a_crashed_replica_shows_when_it_is_restarted_and_why_it_failed() {
        assert_eq!(
            draw(3, (100, 30)),
            [
                "\u{1b}[33mdegraded\u{1b}[0m for 5s, 2 of 3 available (replica-failed)",
                "",
                " replica  phase        incarnation  restarts  next restart  last failure",
                "       0  ready                  1         0  -             -",
                "       1  waiting                1         0  in 25s        error, exit code 137",
                "       2  ready                  1         0  -             -",
                "",
                " Ctrl-C stops, twice kills; output in logs",
            ]
        );
    }

    #[test]
    fn a_small_terminal_shows_replicas_that_are_not_ready_first() {
        for size in [(80, 24), (40, 10), (10, 7), (1, 1), (0, 0)] {
            let lines = draw(100, size);
            assert!(lines.len() <= size.1.max(FRAME + 1), "{size:?}: {lines:#?}");
            let visible = |line: &str| line.replace("\x1b[33m", "").replace("\x1b[0m", "").chars().count();
            assert!(lines.iter().all(|line| visible(line) <= size.0), "{size:?}: {lines:#?}");
        }
        let lines = draw(100, (80, 10));
        assert!(lines[3].contains("waiting"), "{lines:#?}");
        assert!(lines.contains(&" and 97 more, 97 of them ready".to_owned()), "{lines:#?}");
    }
}
