//! The floor that other rows are compared with: reading, changing and writing one record of 64 bytes.

use criterion::{BenchmarkId, Criterion};
use uphold_benches::floor::Floor;

use super::batches;
use super::set::SIZES;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("floor");
    for n in SIZES {
        let mut floor = Floor::new(n as usize);
        // The address of each record is in the previous one.
        group.bench_function(BenchmarkId::new("dependent touch", n), |bencher| {
            let touch = |floor: &mut Floor, count: usize| {
                let count = count.min(16_384);
                std::hint::black_box(floor.dependent(count));
                count
            };
            batches(bencher, &mut floor, touch, |_, _| {});
        });
        // All addresses are known in advance. Small arrays are traversed several times in a batch.
        group.bench_function(BenchmarkId::new("independent touch", n), |bencher| {
            let touch = |floor: &mut Floor, count: usize| {
                let (count, mut done) = (count.min(16_384), 0);
                while done < count {
                    done += floor.independent(count - done);
                }
                done
            };
            batches(bencher, &mut floor, touch, |_, _| {});
        });
    }
}
