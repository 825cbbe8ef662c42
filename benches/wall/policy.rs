//! Reading and compiling policies.

use criterion::Criterion;
use uphold::Policy;
use uphold_benches::policies;

const SMALL: &str = r#"{"replicas": 3, "retry": {"max_duration": "1h", "interval": "30s"}}"#;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("policy");
    let large = serde_json::to_string(&policies::rules(3, 100).policy).expect("a policy serialises");
    for (name, text) in [("small", SMALL), ("100 rules", large.as_str())] {
        // Timed: JSON text to a compiled policy.
        group.bench_function(format!("read {name}"), |bencher| {
            bencher.iter(|| Policy::read(&mut serde_json::Deserializer::from_str(text)));
        });
    }
    group.bench_function("build flat", |bencher| bencher.iter(|| policies::flat(3)));
}
