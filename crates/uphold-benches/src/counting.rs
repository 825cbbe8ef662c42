//! An allocator that counts the allocations of each thread.
#![allow(unsafe_code, reason = "an allocator needs it; every call is forwarded to the system allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
}

/// The system allocator with counters. Install it with `#[global_allocator]`.
#[derive(Clone, Copy, Debug)]
pub struct Counting;

fn count(allocations: u64, bytes: i64) {
    // A thread that is ending may free after its counters are gone.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + allocations));
    let held = BYTES.try_with(|count| {
        count.set(count.get() + bytes);
        count.get()
    });
    let _ = held.map(|held| PEAK.try_with(|peak| peak.set(peak.get().max(held))));
}

// SAFETY: every call is forwarded to `System` unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: the caller upholds the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, -(layout.size() as i64));
        // SAFETY: the caller upholds the contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size as i64 - layout.size() as i64);
        // SAFETY: the caller upholds the contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Returns how often this thread has allocated, and how many bytes it has not freed yet.
pub fn allocated() -> (u64, i64) {
    (ALLOCATIONS.get(), BYTES.get())
}

/// Runs `work` and returns the peak of this thread's allocated bytes, less those allocated before.
pub fn peak_bytes(work: impl FnOnce()) -> i64 {
    let before = BYTES.get();
    PEAK.set(before);
    work();
    PEAK.get() - before
}
