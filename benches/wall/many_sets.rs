//! 100,000 sets of 3 replicas under `retry: true`, driven from one queue of deadlines: time per event, and bytes per set.
//!
//! Timed: popping the next crash or deadline from the queue, applying it to its set, executing the commands (a started
//! replica is ready at once), and queueing the next deadline and crash. One element is one call of `handle` or
//! `handle_timeout`. Each replica crashes after 10 min on average.
//!
//! The bytes are the growth of the resident memory while the sets are created and brought up, with allocator overhead and
//! the queue. tests/allocations.rs counts exactly what the sets allocate.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use uphold_benches::fleet::Fleet;
use uphold_benches::policies;

const SETS: u32 = 100_000;

/// Must run first, because memory that other benches have freed would be reused before the process grows.
pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("many sets");
    group.throughput(Throughput::Elements(1));
    let mut created = None;
    group.bench_function("100000 sets of 3", |bencher| {
        let fleet = created.get_or_insert_with(fleet);
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
        println!("many sets: {} bytes a set, with its share of the queue", (after - before) / u64::from(SETS));
    }
    // Afterwards most replicas have crashed at least once.
    fleet.run(600_000);
    fleet
}

/// Returns the resident memory of this process, in bytes; `None` except on Linux.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?;
    kibibytes.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}
