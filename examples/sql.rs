//! Depth 1: `decide`, `admit` and `assess` on rows of a database, with no engine and no runtime.
//!
//! `cargo run --example sql`
//!
//! Two maps stand for the tables `replica(id, state, due, history)` and `set(history)`. Such a scheduler is stateless: each
//! of its passes reads rows, decides, and writes them back in one transaction.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use uphold::decide::{Admission, Census, DueStart, History, SetHistory, StartOutcome};
use uphold::{FailurePolicy, Outcome, Policy, Quantity, RetryPolicy, Status, Timestamp, Verdict};

/// A row of `replica`; `history` is a JSON column.
struct Row {
    state: &'static str,
    due: Option<Timestamp>,
    charged: bool,
    history: String,
}

struct Database {
    replica: BTreeMap<u32, Row>,
    set: String,
}

impl Database {
    /// `SELECT state, count(*) FROM replica GROUP BY state`
    fn census(&self) -> Census {
        let count = |state| self.replica.values().filter(|row| row.state == state).count() as u32;
        Census {
            available: count("ready"),
            completed: count("completed"),
            failed: count("waiting") + count("restarting") + count("ended"),
            given_up: count("given-up"),
            fresh: count("starting"),
            live: count("ready") + count("starting") + count("restarting"),
            starting: count("restarting"),
            in_flight: count("restarting") + count("starting"),
            ..Census::default()
        }
    }

    /// `SELECT history FROM replica WHERE id = ? FOR UPDATE`, and the `UPDATE` after it.
    fn with<T>(&mut self, id: u32, change: impl FnOnce(&mut Row, &mut History) -> T) -> Result<T, Box<dyn Error>> {
        let row = self.replica.get_mut(&id).ok_or("no such replica")?;
        let mut history = serde_json::from_str(&row.history)?;
        let result = change(row, &mut history);
        row.history = serde_json::to_string(&history)?;
        Ok(result)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let policy = Policy::builder()
        .replicas(3)
        .retry(RetryPolicy::every(Duration::from_secs(30)).max_attempts(2))
        .failure(FailurePolicy::new().max_concurrent_starts(Quantity::Count(1)))
        .build()?;

    // INSERT INTO replica ...; INSERT INTO set ...
    let begin = Timestamp::from_secs(1_700_000_000);
    let mut database = Database { replica: BTreeMap::new(), set: serde_json::to_string(&SetHistory::new(begin))? };
    for id in 0..policy.replicas() {
        let mut history = History::new(7, id.into());
        policy.start(&mut history, begin);
        policy.record_ready(&mut history, begin);
        let row = Row { state: "ready", due: None, charged: false, history: serde_json::to_string(&history)? };
        database.replica.insert(id, row);
    }

    let crash = begin + Duration::from_secs(60);
    for id in [0, 1] {
        decide_failure(&policy, &mut database, id, &Outcome::exited(137, crash))?;
    }
    assert_eq!(report(&policy, &mut database, crash)?, Status::Degraded);

    // Passes of the scheduler.
    for second in [90, 91, 95] {
        let now = begin + Duration::from_secs(second);
        start_due_replicas(&policy, &mut database, now)?;
        report(&policy, &mut database, now)?;
        for id in 0..policy.replicas() {
            mark_ready(&policy, &mut database, id, now)?;
        }
    }
    let now = begin + Duration::from_secs(100);
    assert_eq!(report(&policy, &mut database, now)?, Status::Healthy);
    Ok(())
}

/// Decides about a replica that has failed, and updates its row.
fn decide_failure(policy: &Policy, database: &mut Database, id: u32, outcome: &Outcome) -> Result<(), Box<dyn Error>> {
    let ends = database.with(id, |row, history| {
        let decision = policy.decide(history, outcome)?;
        println!("replica {id} {decision}");
        row.charged = decision.charged;
        row.due = decision.verdict.due();
        row.state = match decision.verdict {
            Verdict::Restart(_) | Verdict::Hold(_) => "waiting",
            Verdict::Degrade(_) => "given-up",
            Verdict::Complete => "completed",
            Verdict::Terminate => "ended",
        };
        Ok::<_, uphold::decide::DecideError>(decision.ends().map(|reason| (reason, decision.ended_at)))
    })??;
    if let Some((reason, ended_at)) = ends {
        // UPDATE set ...; and stop every live replica.
        let mut set: SetHistory = serde_json::from_str(&database.set)?;
        policy.terminate(&mut set, reason, ended_at);
        database.set = serde_json::to_string(&set)?;
    }
    Ok(())
}

/// `SELECT id FROM replica WHERE state = 'waiting' AND due <= ? ORDER BY due, id`
fn start_due_replicas(policy: &Policy, database: &mut Database, now: Timestamp) -> Result<(), Box<dyn Error>> {
    let mut due: Vec<_> = database
        .replica
        .iter()
        .filter(|(_, row)| row.state == "waiting" && row.due.is_some_and(|due| due <= now))
        .map(|(&id, row)| (row.due, id, row.charged))
        .collect();
    due.sort_unstable();
    for (_, id, charged) in due {
        let mut set: SetHistory = serde_json::from_str(&database.set)?;
        match policy.admit(&mut set, &database.census(), DueStart::restart(id.into(), charged), now) {
            Admission::Start => database.with(id, |row, history| {
                let incarnation = policy.start(history, now);
                row.state = "restarting";
                println!("replica {id} starts, incarnation {incarnation}");
            })?,
            Admission::Wait(wait) => println!("replica {id} waits: {}", wait.gate),
            Admission::Terminate(reason) => policy.terminate(&mut set, reason, now),
        }
        database.set = serde_json::to_string(&set)?;
    }
    Ok(())
}

/// Marks a replica as ready after its start.
fn mark_ready(policy: &Policy, database: &mut Database, id: u32, now: Timestamp) -> Result<(), Box<dyn Error>> {
    let was_starting = database.with(id, |row, history| {
        let was_starting = row.state == "restarting";
        if was_starting {
            policy.record_ready(history, now);
            row.state = "ready";
        }
        was_starting
    })?;
    if was_starting {
        let mut set = serde_json::from_str(&database.set)?;
        policy.record_start_outcome(&mut set, id.into(), StartOutcome::Up);
        database.set = serde_json::to_string(&set)?;
    }
    Ok(())
}

fn report(policy: &Policy, database: &mut Database, now: Timestamp) -> Result<Status, Box<dyn Error>> {
    let mut set = serde_json::from_str(&database.set)?;
    let assessment = policy.assess(&mut set, &database.census(), now);
    database.set = serde_json::to_string(&set)?;
    println!("the set is {} ({})", assessment.status, assessment.reason);
    Ok(assessment.status)
}
