//! An allocator that counts what this thread asks of it.
#![allow(unsafe_code, reason = "an allocator cannot be written without; it hands everything on to the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<i64> = const { Cell::new(0) };
    static MOST: Cell<i64> = const { Cell::new(0) };
}

/// The system's allocator, counted. Put it in place with `#[global_allocator]`.
#[derive(Clone, Copy, Debug)]
pub struct Counting;

fn count(allocations: u64, bytes: i64) {
    // A thread that is ending may free after its counters are gone.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + allocations));
    let held = BYTES.try_with(|count| {
        count.set(count.get() + bytes);
        count.get()
    });
    let _ = held.map(|held| MOST.try_with(|most| most.set(most.get().max(held))));
}

// SAFETY: every call is handed on to `System` unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: as our caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, -(layout.size() as i64));
        // SAFETY: as our caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size as i64 - layout.size() as i64);
        // SAFETY: as our caller promised.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What this thread has allocated so far: how many times, and how many bytes are not freed yet.
pub fn allocated() -> (u64, i64) {
    (ALLOCATIONS.get(), BYTES.get())
}

/// The most bytes that this thread held at a time while it did this, beyond those it held before.
pub fn most_held(does: impl FnOnce()) -> i64 {
    let before = BYTES.get();
    MOST.set(before);
    does();
    MOST.get() - before
}
