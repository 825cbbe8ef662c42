//! Fault models: what befalls replicas, drawn from a seed.
