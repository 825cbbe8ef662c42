//! Runs users' code in the driver's task without letting its panics end supervision.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `call`.
///
/// # Errors
/// The message of its panic.
pub(super) fn catch_panic<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
            (Some(text), _) => (*text).to_owned(),
            (None, Some(text)) => text.clone(),
            (None, None) => "no message".to_owned(),
        };
        // Leaked, because dropping a payload of the user's type may panic again.
        std::mem::forget(panic);
        text
    })
}
