//! The real primitives: parking_lot's locks, crossbeam's parking, the standard library's threads.

pub use crossbeam_utils::sync::{Parker, Unparker};
pub use parking_lot::{Mutex, MutexGuard};

/// How often a mutex is looked at before its waiter gives up its time: some microseconds.
const LOOKS: u32 = 100;

/// Locks a mutex that is held for less time than giving up one's own takes, and that several threads want
/// at once: looks for it for a while before it waits as [`Mutex::lock`] does.
pub fn lock_spinning<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    for _ in 0..LOOKS {
        if let Some(guard) = mutex.try_lock() {
            return guard;
        }
        std::hint::spin_loop();
    }
    mutex.lock()
}

/// parking_lot's condition variable with the standard library's signature, which loom's has too.
#[derive(Debug, Default)]
pub struct Condvar(parking_lot::Condvar);

impl Condvar {
    /// A new condition variable.
    #[must_use]
    pub const fn new() -> Self {
        Self(parking_lot::Condvar::new())
    }

    /// Lets the lock go, waits for a notification, and takes the lock again. Can wake for no reason.
    pub fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(&mut guard);
        guard
    }

    /// Wakes one waiting thread.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes all waiting threads.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

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
