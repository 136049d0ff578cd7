//! The real primitives: parking_lot's locks, crossbeam's parking, the standard library's threads.

pub use crossbeam_utils::sync::{Parker, Unparker};
pub use parking_lot::{Condvar, Mutex, MutexGuard};

/// The standard library's atomics.
pub mod atomic {
    pub use std::sync::atomic::{
        AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
}

/// The standard library's threads.
pub mod thread {
    pub use std::thread::{Builder, JoinHandle, current, scope, spawn, yield_now};
}

/// Parks until unparked, or until `until` of the system's clock has passed, or for no reason.
pub(crate) fn park_until(parker: &Parker, until: Option<std::time::Instant>) {
    match until {
        Some(until) => {
            parker.park_deadline(until);
        }
        None => parker.park(),
    }
}
