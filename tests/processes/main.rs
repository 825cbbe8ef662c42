//! The supervisor with real processes. Tests wait for notifications, never for a time.
#![cfg(unix)]

mod harness;
mod leftovers;
mod restarts;
mod start_errors;
mod stopping;

use uphold_tests::{TEST_TIMEOUT, is_alive, millis, wait_until_gone};
