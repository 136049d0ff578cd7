//! Bytes that are freed for one request and kept for it: what is spilled for a request can't be
//! taken by another between the spill and the re-ask.

use std::sync::Arc;

use mem_block::MemoryMode;
use mem_sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::ledger::Ledger;
use crate::policy::Cause;
use crate::probe::{Event, Kind};
use crate::step::{Action, ActionOutcome};
use crate::task::TaskId;
use crate::ticket::Ask;

/// Collects what the consumers of `task` release on behalf of one request of that task.
///
/// Hand it to [`Ledger::acquire_with`]; what the rule then leaves unused falls free and the waiters
/// are told. Dropped, everything falls free. Spark has no counterpart: there a waiter of another
/// task can take what was spilled before its task asks again.
#[derive(Debug)]
pub struct Credit {
    ledger: Arc<Ledger>,
    number: u64,
    task: TaskId,
    mode: MemoryMode,
    /// Changed under the ledger's lock only, both of them.
    bytes: AtomicU64,
    /// Something was released, and the waiters do not know yet.
    released: AtomicBool,
}

impl Credit {
    pub(crate) fn new(ledger: Arc<Ledger>, number: u64, task: TaskId, mode: MemoryMode) -> Self {
        Self {
            ledger,
            number,
            task,
            mode,
            bytes: AtomicU64::new(0),
            released: AtomicBool::new(false),
        }
    }

    /// Takes back at most `bytes` of what the task holds, and keeps them for the request, as far as a
    /// lowered limit does not claim them. Returns how much was taken back.
    pub fn release(&self, bytes: u64) -> u64 {
        let action = Action::ReleaseToCredit {
            credit: self.number,
            task: self.task,
            mode: self.mode,
            bytes,
        };
        let (released, sequence) = self.ledger.commit(action, |state| {
            let books = state.books_mut(self.mode);
            let released = books.execution.release(self.task, bytes);
            books.pay_debt();
            // mutant(credit-kept by spilled_bytes_are_not_stolen): replace books.execution.free() => 0
            let kept = released.min(books.execution.free());
            books.execution.hold(kept);
            self.bytes.fetch_add(kept, Ordering::Relaxed);
            self.released.fetch_or(released > 0, Ordering::Relaxed);
            let result = (released, state.next_sequence());
            (result, ActionOutcome::Released(released))
        });
        let event = Event::Release {
            task: Some(self.task),
            mode: self.mode,
            kind: Kind::Execution,
            bytes: released,
        };
        self.ledger.tell(Some(sequence), event);
        released
    }

    /// Bytes collected and not yet handed over.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether releases of that mode of that task belong here.
    #[must_use]
    pub fn is_for(&self, mode: MemoryMode) -> bool {
        self.mode == mode
    }

    /// Whether it is what was spilled for such a request.
    pub(crate) fn is_of(&self, ledger: &Arc<Ledger>, ask: &Ask) -> bool {
        Arc::ptr_eq(&self.ledger, ledger)
            && (Some(self.task), self.mode) == (ask.task(), ask.mode())
    }

    /// The bytes go over to a request's own keeping; they stay in the pool's escrow. With them goes
    /// the duty to tell the waiters, where there is one.
    ///
    /// The request is `ask`, which is known by `number` until it arrives.
    pub(crate) fn hand_over(&self, ask: &Ask, number: u64) -> (u64, bool) {
        let action = Action::TakeOver {
            credit: self.number,
            number,
            task: ask.task(),
            mode: ask.mode(),
            bytes: ask.bytes(),
        };
        self.ledger.commit(action, |_| {
            let released = self.released.swap(false, Ordering::Relaxed);
            let bytes = self.bytes.swap(0, Ordering::Relaxed);
            ((bytes, released), ActionOutcome::Done)
        })
    }
}

impl Drop for Credit {
    fn drop(&mut self) {
        if self.released.load(Ordering::Relaxed) {
            let credit = self.number;
            self.ledger.commit(Action::DropCredit { credit }, |state| {
                let bytes = self.bytes.swap(0, Ordering::Relaxed);
                let books = state.books_mut(self.mode);
                books.execution.unhold(bytes);
                books.pay_debt();
                // mutant(notify-execution-released by dropped_credit_wakes @ credit dropped): delete
                state.reexamine(Cause::ExecutionReleased, u64::MAX);
                ((), ActionOutcome::Done)
            });
        }
    }
}
