//! Experiments: several policies against the same faults, over many seeds.
