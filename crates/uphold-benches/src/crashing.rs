//! Simulated replicas that crash at random throughout the simulation.

use std::time::Duration;

use uphold::engine::Start;
use uphold::sim::{Environment, InstancePlan, Run, Simulation};
use uphold::{Outcome, Policy, RetryPolicy, Timestamp};

use crate::shuffle::Random;

/// Each start takes 0.5 s, and 1 s more to become ready; each replica crashes after 20 to 40 s.
#[derive(Debug)]
struct RandomCrashes(Random);

impl Environment for RandomCrashes {
    fn plan(&mut self, _start: &Start, _at: Timestamp, _starts_in_flight: u32) -> InstancePlan {
        let runs = Duration::from_millis(20_000 + self.0.below(20_000));
        let plan = InstancePlan::new(Duration::from_millis(500)).ready_after(Duration::from_secs(1));
        plan.ends_after(runs, Outcome::exited(1, Timestamp::ZERO))
    }
}

/// The mean time from one start of a replica to the next.
const CYCLE: Duration = Duration::from_millis(40_500);

/// Events of a set between two starts of a replica: started, ready, exited.
pub const EVENTS_PER_CYCLE: u64 = 3;

/// Returns a policy that restarts replicas 10 s after a crash.
pub fn policy(replicas: u32) -> Policy {
    Policy::builder()
        .replicas(replicas)
        .retry(RetryPolicy::every(Duration::from_secs(10)))
        .build()
        .expect("a valid policy")
}

/// Simulates about `cycles` restarts of every replica, and keeps only statistics.
pub fn run(policy: &Policy, cycles: u32) -> Run {
    let simulation = Simulation::new(policy.clone()).stats_only();
    simulation.run_in(&mut RandomCrashes(Random::new(7)), CYCLE * cycles).expect("it runs")
}
