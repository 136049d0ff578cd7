//! A thread that asks the consumers of unmanaged memory again and again.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use mem_pool::Ledger;
use mem_sync::atomic::{AtomicBool, AtomicU64, Ordering};
use mem_sync::{Clock, Parker, Unparker, thread};

use super::registry::UnmanagedRegistry;
use crate::manager::MemoryManager;

/// Polls a registry for one manager, at once and then at the interval of its configuration, until
/// it is dropped or the manager is. What was counted last stays in the manager's books.
///
/// Dropping it waits for a poll that is under way.
#[derive(Debug)]
#[must_use = "dropping the poller stops it"]
pub struct UnmanagedPoller {
    shared: Arc<Shared>,
    unparker: Unparker,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    registry: Arc<UnmanagedRegistry>,
    ledger: Weak<Ledger>,
    clock: Arc<dyn Clock>,
    interval: Duration,
    stopped: AtomicBool,
    polls: AtomicU64,
}

impl UnmanagedPoller {
    /// Starts to poll `registry` for `manager`. `None` where the manager's
    /// `spark.memory.unmanagedMemoryPollingInterval` is not above 0: then unmanaged memory does not
    /// count for it.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(
        registry: Arc<UnmanagedRegistry>,
        manager: &dyn MemoryManager,
    ) -> io::Result<Option<Self>> {
        let interval = manager.resolved().unmanaged_polling_interval_ms;
        let Ok(interval @ 1..) = u64::try_from(interval) else {
            return Ok(None);
        };
        registry.attach(manager.ledger());
        let shared = Arc::new(Shared {
            registry,
            ledger: Arc::downgrade(manager.ledger()),
            clock: Arc::clone(manager.ledger().clock()),
            interval: Duration::from_millis(interval),
            stopped: AtomicBool::new(false),
            polls: AtomicU64::new(0),
        });
        let parker = Parker::new();
        let unparker = parker.unparker().clone();
        let thread = thread::Builder::new()
            .name("hearth-unmanaged".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.run(&parker)
            })?;
        Ok(Some(Self {
            shared,
            unparker,
            thread: Some(thread),
        }))
    }

    /// How often it has polled.
    #[must_use]
    pub fn polls(&self) -> u64 {
        self.shared.polls.load(Ordering::Acquire)
    }
}

impl Shared {
    fn run(&self, parker: &Parker) {
        let mut next = self.clock.now();
        while !self.stopped.load(Ordering::Acquire) {
            if self.clock.now() < next {
                self.clock.park(parker, Some(next));
                continue;
            }
            let Some(ledger) = self.ledger.upgrade() else {
                return;
            };
            self.registry.poll_once(&ledger);
            self.polls.fetch_add(1, Ordering::Release);
            // A fixed rate; polls that were slept through are not made up for.
            next = (next + self.interval).max(self.clock.now());
        }
    }
}

impl Drop for UnmanagedPoller {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        self.unparker.unpark();
        if let Some(thread) = self.thread.take() {
            // A consumer that panicked took the thread with it; there is nothing else to stop.
            drop(thread.join());
        }
    }
}
