//! The supervisor with real processes. Tests wait for notifications, never for a time.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod harness;
mod leftovers;
mod restarts;
mod rollouts;
mod start_errors;
mod stopping;
#[path = "../support/mod.rs"]
mod support;

use support::{TEST_TIMEOUT, is_alive, millis, wait_until_gone};
