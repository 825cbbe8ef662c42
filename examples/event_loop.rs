//! Depth 2: a `ReplicaSet` in an event loop that uses only the standard library.
//!
//! `cargo run --example event_loop`
//!
//! Replicas are threads, one of which crashes repeatedly. The loop starts them, receives their events and sleeps until the
//! set's next deadline. It runs for three seconds.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example prints, and its loop has a clock")]

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use uphold::engine::Start;
use uphold::{Backoff, Command, Event, Notice, Output, Policy, ReplicaSet, RetryPolicy, Timestamp};

fn main() -> Result<(), uphold::PolicyError> {
    let retry = RetryPolicy::every(Duration::from_millis(200)).backoff(Backoff::exponential()).max_attempts(5);
    let policy = Policy::builder().replicas(3).retry(retry).build()?;

    // The set's time is the time since the loop began.
    let began = Instant::now();
    let now = || Timestamp::ZERO + began.elapsed();
    let (sender, events) = channel();

    let mut set = ReplicaSet::new(policy, 7, now());
    set.handle_timeout(now());
    while began.elapsed() < Duration::from_secs(3) {
        while let Some(output) = set.poll_output() {
            match output {
                Output::Command(Command::Start(start)) => run(start, sender.clone()),
                // A real loop stops, kills and probes instances here.
                Output::Command(Command::Stop(_) | Command::Kill(_) | Command::Probe(_)) => {}
                Output::Notice(notice @ (Notice::Status(_) | Notice::Verdict(_))) => {
                    println!("{:>6.2} s  {notice}", began.elapsed().as_secs_f64());
                }
                Output::Notice(_) => {}
            }
        }
        let wait = set.next_deadline().map_or(Duration::from_secs(1), |next| next.at.since(now()));
        match events.recv_timeout(wait) {
            Ok(event) => set.handle(now(), event),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => set.handle_timeout(now()),
        }
    }
    println!("after 3 s: {} ({})", set.status(), set.status_reason());
    Ok(())
}

/// Starts a replica that is ready at once. Replica 1 crashes after 300 ms at every start.
fn run(start: Start, sender: Sender<Event>) {
    thread::spawn(move || {
        // An error means that the loop has ended.
        let _ = sender.send(Event::ready(start.instance()));
        if start.replica == 1.into() {
            thread::sleep(Duration::from_millis(300));
            let _ = sender.send(Event::exited(start.instance(), 137));
        }
    });
}
