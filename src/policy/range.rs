//! Ranges and bounds of settings, shared by the reader, the validation and the table of keys.

use std::ops::RangeInclusive;

use super::settings::MAX_REPLICAS;

pub(crate) const REPLICAS: RangeInclusive<u32> = 0..=MAX_REPLICAS;
/// The number of one replica.
pub(crate) const REPLICA: RangeInclusive<u32> = 0..=MAX_REPLICAS - 1;
/// How often a replica may be quarantined.
pub(crate) const ROUNDS: RangeInclusive<u32> = 1..=255;
/// `u32::MAX` is reserved: it stands for "no limit".
pub(crate) const ATTEMPTS: RangeInclusive<u32> = 0..=u32::MAX - 1;
/// A replica keeps a list of this many times.
pub(crate) const WINDOW_RESTARTS: RangeInclusive<u32> = 1..=1_000_000;
pub(crate) const BUDGET_RESTARTS: RangeInclusive<u32> = 1..=1_000_000;
pub(crate) const MAX_FAILURES_BEFORE_READY: RangeInclusive<u32> = 1..=1_000_000;
pub(crate) const ROLLOUT_FAILURES: RangeInclusive<u32> = 1..=1_000_000;
pub(crate) const SPREAD: RangeInclusive<u32> = 1..=100;
pub(crate) const PROBE_RUN: RangeInclusive<u32> = 1..=1_000_000;
/// Startup and liveness probes pass at their first success.
pub(crate) const PROBE_ONCE: RangeInclusive<u32> = 1..=1;
pub(crate) const PORT: RangeInclusive<u32> = 1..=65_535;
pub(crate) const STATUS: RangeInclusive<u32> = 100..=599;

/// Each mask of `RuleIndex` has a bit for each rule.
pub(crate) const MAX_RULES: usize = 1000;
pub(crate) const MAX_STAGES: usize = 100;
pub(crate) const MAX_SCHEDULE: usize = 1000;
/// In characters: the name of a rule or of a cause.
pub(crate) const MAX_NAME: usize = 64;
/// In characters: a glob for reasons. Every failure is matched against it.
pub(crate) const MAX_GLOB: usize = 1024;
pub(crate) const MAX_PATH: usize = 2048;
/// In characters: a host, or a port with placeholders. A DNS name has at most 253.
pub(crate) const MAX_HOST: usize = 255;
pub(crate) const MAX_ARGUMENT: usize = 4096;
/// Words of a command.
pub(crate) const MAX_ARGUMENTS: usize = 100;
pub(crate) const MAX_HEADERS: usize = 100;
pub(crate) const MAX_HEADER_NAME: usize = 256;
pub(crate) const MAX_HEADER_VALUE: usize = 4096;
/// Values of one kind of condition (exit codes, signals, causes, reasons, replicas) in all rules together. Compiling
/// takes their number times the number of rules.
pub(crate) const MAX_CONDITIONS: usize = 2000;
/// Stages of the whole policy. Each may have a table of delays.
pub(crate) const MAX_ALL_STAGES: usize = 1000;
/// Window limits of the whole policy. Each replica may keep a list for each.
pub(crate) const MAX_WINDOWS: usize = 1000;
