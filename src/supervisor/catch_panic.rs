//! Calls of users' code from the driver's loop: a panic there is not supervision's end.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls it. A panic becomes its message.
pub(super) fn catch_panic<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
            (Some(text), _) => (*text).to_owned(),
            (None, Some(text)) => text.clone(),
            (None, None) => "no message".to_owned(),
        };
        // What was thrown may itself panic when it is dropped.
        std::mem::forget(panic);
        text
    })
}
