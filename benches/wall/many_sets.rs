//! 100,000 sets of 3 replicas under `retry: true`, driven from one queue of deadlines: events a second, and bytes a set.
//!
//! Timed: taking the next crash or deadline off the queue, telling its set, obeying what it commands (a started
//! replica is ready at once), queueing its next deadline and the next crash. One element is one call of `handle` or
//! `handle_timeout`; each replica crashes after 10 min on average.
//!
//! The bytes are what the process grows by, in memory that is in use, when the sets are made and brought up: allocator
//! overhead and the queue of deadlines and crashes included. What the sets themselves ask for is counted to the byte
//! in tests/allocations.rs.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use uphold_benches::fleet::Fleet;
use uphold_benches::policies;

const SETS: u32 = 100_000;

/// To be called first: what others have freed would be filled before the process grows.
pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("many sets");
    group.throughput(Throughput::Elements(1));
    let mut made = None;
    group.bench_function("100000 sets of 3", |bencher| {
        let fleet = made.get_or_insert_with(fleet);
        bencher.iter_custom(|iters| {
            let began = Instant::now();
            let mut done = 0;
            while done < iters {
                done += fleet.run(1024.min(iters - done));
            }
            began.elapsed().mul_f64(iters as f64 / done as f64)
        });
    });
}

fn fleet() -> Fleet {
    let before = resident();
    let mut fleet = Fleet::new(&policies::recommended(3).policy, SETS, Duration::from_secs(600));
    if let (Some(before), Some(after)) = (before, resident()) {
        println!("many sets: {} bytes a set, its part of the queue included", (after - before) / u64::from(SETS));
    }
    // Most replicas have crashed by then.
    fleet.run(600_000);
    fleet
}

/// The memory of this process that is in use; known on Linux.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?;
    kibibytes.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}
