//! loom's primitives behind the same names and signatures as the real ones.

use loom::sync::Arc;

/// loom's mutex with parking_lot's signature: `lock` gives the guard itself.
#[derive(Debug, Default)]
pub struct Mutex<T>(loom::sync::Mutex<T>);

/// The guard of a [`Mutex`].
pub type MutexGuard<'a, T> = loom::sync::MutexGuard<'a, T>;

impl<T> Mutex<T> {
    /// A new, unlocked mutex.
    pub fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    /// Locks; a panic of another holder is not passed on.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The value, by unique access.
    pub fn into_inner(self) -> T {
        self.0
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// As [`Mutex::lock`]: a model has no time to spin for.
pub fn lock_spinning<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}

/// loom's condition variable.
#[derive(Debug, Default)]
pub struct Condvar(loom::sync::Condvar);

impl Condvar {
    /// A new condition variable.
    pub fn new() -> Self {
        Self(loom::sync::Condvar::new())
    }

    /// Lets the lock go, waits for a notification, and takes the lock again.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0
            .wait(guard)
            .unwrap_or_else(std::sync::PoisonError::into_inner)
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

#[derive(Debug)]
struct Token {
    given: Mutex<bool>,
    change: Condvar,
}

/// Parks a thread until its [`Unparker`] gives a token; one token is kept, as crossbeam's does.
#[derive(Debug)]
pub struct Parker {
    token: Arc<Token>,
    unparker: Unparker,
}

/// Gives a [`Parker`] its token.
#[derive(Debug, Clone)]
pub struct Unparker(Arc<Token>);

impl Default for Parker {
    fn default() -> Self {
        Self::new()
    }
}

impl Parker {
    /// A parker without a token.
    pub fn new() -> Self {
        let token = Arc::new(Token {
            given: Mutex::new(false),
            change: Condvar::new(),
        });
        Self {
            unparker: Unparker(Arc::clone(&token)),
            token,
        }
    }

    /// Takes the token, waiting for it.
    pub fn park(&self) {
        let mut given = self.token.given.lock();
        while !*given {
            given = self.token.change.wait(given);
        }
        *given = false;
    }

    /// The other half.
    pub fn unparker(&self) -> &Unparker {
        &self.unparker
    }
}

impl Unparker {
    /// Gives the token and wakes the parked thread, if any.
    pub fn unpark(&self) {
        *self.0.given.lock() = true;
        self.0.change.notify_one();
    }
}

std::thread_local! {
    /// All threads of a model run on the one that runs the model.
    static LIGHT: std::cell::Cell<bool> = const { std::cell::Cell::new(true) };
}

/// As natively, of a kernel that a model chooses with [`set_fence_light`].
pub fn is_fence_light() -> bool {
    LIGHT.get()
}

/// Has models run as where the light half of the fence is enough, which they do unless told, or is not.
pub fn set_fence_light(light: bool) {
    LIGHT.set(light);
}

/// A full fence where the light half is enough, for that is what it amounts to then.
pub fn light_fence() {
    if is_fence_light() {
        atomic::fence(atomic::Ordering::SeqCst);
    }
}

/// loom's atomics.
pub mod atomic {
    pub use loom::sync::atomic::{
        AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
}

/// loom's threads.
pub mod thread {
    pub use loom::thread::{Builder, JoinHandle, current, spawn, yield_now};
}

/// Parks until unparked: a model has no time of its own.
pub(crate) fn park_until(parker: &Parker, _until: Option<std::time::Instant>) {
    parker.park();
}
