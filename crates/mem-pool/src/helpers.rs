//! The ledger's helper threads, for futures only: one evicts, so that no async worker does file
//! I/O; one ends waits whose time is up. Each starts when it is first needed and ends with the
//! ledger.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock, Weak};

use crossbeam_channel::Sender;
use mem_sync::{Moment, Mutex, Parker, Unparker, thread};

use crate::ledger::Ledger;
use crate::ticket::Reclaim;

#[derive(Debug, Default)]
pub(crate) struct Helpers {
    inline: bool,
    reclaimer: OnceLock<Option<Sender<Reclaim>>>,
    timer: OnceLock<Option<Timer>>,
}

/// The near end of the timer thread.
#[derive(Debug)]
struct Timer {
    due: Arc<Mutex<BTreeSet<(Moment, u64)>>>,
    unparker: Unparker,
}

impl Drop for Timer {
    /// The ledger is gone by now: the thread sees that and ends.
    fn drop(&mut self) {
        // mutant(ledger-end-ends-the-timer by timer_ends_a_wait): delete
        self.unparker.unpark();
    }
}

impl Helpers {
    pub(crate) fn new(inline: bool) -> Self {
        Self {
            inline,
            ..Self::default()
        }
    }

    /// Whether evictions run where futures are polled.
    pub(crate) fn inline(&self) -> bool {
        self.inline
    }

    /// Hands an eviction to the reclaimer; gives it back where there is none.
    pub(crate) fn submit(&self, reclaim: Reclaim) -> Option<Reclaim> {
        let start = || {
            let (sender, jobs) = crossbeam_channel::unbounded::<Reclaim>();
            // An eviction that panics settles itself on the way; it must not take the others along.
            let run = |reclaim: Reclaim| drop(catch_unwind(AssertUnwindSafe(|| reclaim.run())));
            spawn("hearth-reclaim", move || jobs.into_iter().for_each(run)).then_some(sender)
        };
        match self.reclaimer.get_or_init(start) {
            Some(sender) => sender.send(reclaim).err().map(|refused| refused.0),
            None => Some(reclaim),
        }
    }

    /// Has the request ended when `at` has come.
    pub(crate) fn arm(&self, ledger: &Arc<Ledger>, at: Moment, id: u64) {
        if let Some(timer) = self.timer.get_or_init(|| start_timer(ledger)) {
            timer.due.lock().insert((at, id));
            // mutant(arming-wakes-the-timer by timer_ends_a_wait): delete
            timer.unparker.unpark();
        }
    }

    pub(crate) fn disarm(&self, at: Moment, id: u64) {
        if let Some(Some(timer)) = self.timer.get() {
            timer.due.lock().remove(&(at, id));
        }
    }
}

/// False where the system gives no thread; the caller then does the work itself.
fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> bool {
    thread::Builder::new().name(name.into()).spawn(body).is_ok()
}

fn start_timer(ledger: &Arc<Ledger>) -> Option<Timer> {
    let due = Arc::default();
    let parker = Parker::new();
    let unparker = parker.unparker().clone();
    let (clock, ledger) = (Arc::clone(ledger.clock()), Arc::downgrade(ledger));
    let timer = Timer {
        due: Arc::clone(&due),
        unparker,
    };
    let run = move || {
        while let Some(next) = end_waits(&ledger, &due) {
            clock.park(&parker, next);
        }
    };
    spawn("hearth-timer", run).then_some(timer)
}

/// Ends the requests whose time is up. Returns when the next one's is, if there is a next; and
/// nothing where the ledger is gone.
fn end_waits(
    ledger: &Weak<Ledger>,
    due: &Mutex<BTreeSet<(Moment, u64)>>,
) -> Option<Option<Moment>> {
    let ledger = ledger.upgrade()?;
    let now = ledger.clock().now();
    loop {
        let (_, id) = {
            let mut due = due.lock();
            match due.first() {
                Some((at, _)) if *at <= now => due.pop_first()?,
                next => return Some(next.map(|(at, _)| *at)),
            }
        };
        // mutant(timer-ends-waits by timer_ends_a_wait): delete
        ledger.expire(id);
    }
}
