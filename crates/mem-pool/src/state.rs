//! Everything that the ledger's one lock protects, and the transitions made under it.
//!
//! Nothing here blocks, does I/O or calls foreign code; [`Policy::decide`] is pure. Wakers that are
//! due are put aside and called by the ledger once the lock is let go, and what is done with is
//! dropped only then: dropping a waker can run anything.

mod armed;
mod at_once;
mod counters;
mod ending;
mod leftover;
mod looking;
mod slack;

use std::sync::Arc;
use std::task::Waker;

use mem_block::MemoryMode;

use crate::books::Books;
use crate::policy::{Cause, Decision, Policy, Round, Shift};
use crate::step::ActionOutcome;
use crate::sum::add;
use crate::task::TaskId;
use crate::waiter::{Attempt, Ended, Fate, Queue, Status, Waiter};
use armed::Armed;
pub use counters::Counters;
use leftover::Leftover;

/// What an examination of a request came to.
#[derive(Debug)]
pub(crate) enum Outcome {
    Granted { bytes: u64, sequence: u64 },
    Evict { need: u64 },
    Wait,
    Ended(Ended),
}

/// What a ticket finds on taking a step.
#[derive(Debug)]
pub(crate) enum Arrival {
    Granted {
        bytes: u64,
        sequence: u64,
    },
    /// Queued; this thread (or a helper of its) is to evict `need` bytes.
    Act {
        id: u64,
        need: u64,
    },
    /// Queued, and it rests: it waits, or else its eviction runs on another thread.
    Parked {
        id: u64,
        waits: bool,
    },
    Ended(Ended),
}

impl Arrival {
    /// The same, for records.
    pub(crate) fn outcome(&self) -> ActionOutcome {
        match self {
            Self::Granted { bytes, .. } => ActionOutcome::Granted(*bytes),
            Self::Act { id, need } => ActionOutcome::Evict {
                request: *id,
                need: *need,
            },
            Self::Parked { id, .. } => ActionOutcome::Parked { request: *id },
            Self::Ended(ended) => ActionOutcome::Refused(ended.name()),
        }
    }
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) books: [Books; 2],
    pub(crate) queue: Queue,
    pub(crate) counters: Counters,
    pub(crate) leftover: Leftover,
    /// Who may use slack.
    armed: Armed,
    tells_steps: bool,
    /// That storage is full is known outside of the lock.
    pub(crate) says_full: bool,
    pub(crate) policy: Arc<dyn Policy>,
    detect_deadlock: bool,
    /// Something has happened by which requests may be stuck that were not before.
    changed: bool,
    sequence: u64,
    /// Steps made so far, for records.
    steps: u64,
}

impl State {
    pub(crate) fn new(
        books: [Books; 2],
        policy: Arc<dyn Policy>,
        detect_deadlock: bool,
        tells_steps: bool,
    ) -> Self {
        Self {
            books,
            queue: Queue::default(),
            counters: Counters::default(),
            leftover: Leftover::default(),
            armed: Armed::default(),
            tells_steps,
            says_full: false,
            policy,
            detect_deadlock,
            changed: false,
            sequence: 0,
            steps: 0,
        }
    }

    pub(crate) fn books(&self, mode: MemoryMode) -> &Books {
        match mode {
            MemoryMode::OnHeap => &self.books[0],
            MemoryMode::OffHeap => &self.books[1],
        }
    }

    #[inline]
    pub(crate) fn books_mut(&mut self, mode: MemoryMode) -> &mut Books {
        match mode {
            MemoryMode::OnHeap => &mut self.books[0],
            MemoryMode::OffHeap => &mut self.books[1],
        }
    }

    /// The number of the step that is being made.
    #[inline]
    pub(crate) fn next_sequence(&mut self) -> u64 {
        self.sequence = add(self.sequence, 1);
        self.sequence
    }

    /// A request comes. It is answered, or queued; `waker` is how it can be told later, and without
    /// one it does not wait.
    pub(crate) fn arrive(&mut self, mut attempt: Attempt, waker: &mut Option<Waker>) -> Arrival {
        if attempt.task().is_some() && attempt.bytes == 0 {
            // Nothing asked, nothing owed: it does not even make the task count.
            self.return_credit(attempt);
            return Arrival::Granted {
                bytes: 0,
                sequence: self.next_sequence(),
            };
        }
        self.recall_for(attempt);
        if let Some(task) = attempt.task() {
            let execution = &mut self.books_mut(attempt.mode).execution;
            // mutant(registering-counts by new_task_wakes): delete
            attempt.owed.registration = execution.count_in(task);
        }
        let (need, answer) = match self.examine(&mut attempt) {
            Outcome::Granted { bytes, sequence } => {
                (None, Some(Arrival::Granted { bytes, sequence }))
            }
            Outcome::Ended(ended) => (None, Some(self.refused(ended))),
            Outcome::Wait if waker.is_none() => (None, Some(self.refused(Ended::WouldWait))),
            Outcome::Wait => (None, None),
            Outcome::Evict { need } => (Some(need), None),
        };
        if let Some(answer) = answer {
            self.pay(attempt.owed, u64::MAX);
            return answer;
        }
        let id = self.enqueue(attempt, need, waker);
        if let Some(need) = need {
            return Arrival::Act { id, need };
        }
        self.rest(id);
        Arrival::Parked { id, waits: true }
    }

    /// Queues a request that has to wait, or to evict where there is a `need`.
    fn enqueue(&mut self, attempt: Attempt, need: Option<u64>, waker: &mut Option<Waker>) -> u64 {
        if let Some(task) = attempt.task() {
            self.books_mut(attempt.mode).execution.enqueue(task);
        }
        let status = need.map_or(Status::Parked, |_| Status::Acting(Fate::GoesOn));
        let overlooked = self.queue.is_evicting(attempt.mode);
        self.queue.push(Waiter {
            attempt,
            status,
            waker: waker.take(),
            waited: false,
            // mutant(came-beside-an-eviction by came_beside_an_eviction): replace overlooked => overlooked: false
            overlooked,
        })
    }

    /// A queued request is looked at by its own ticket. Without a waker it does not wait any longer.
    pub(crate) fn revisit(&mut self, id: u64, waker: &mut Option<Waker>) -> Arrival {
        if waker.is_none() && self.queue.get_mut(id).is_parked() {
            self.give_up(id, Ended::WouldWait);
        }
        let waiter = self.queue.get_mut(id);
        match &mut waiter.status {
            Status::ToAct { need } => {
                let need = *need;
                waiter.status = Status::Acting(Fate::GoesOn);
                std::mem::swap(&mut waiter.waker, waker);
                Arrival::Act { id, need }
            }
            Status::Acting(Fate::GoesOn) if waker.is_none() => Arrival::Parked { id, waits: false },
            Status::Parked | Status::Acting(Fate::GoesOn) => {
                let waits = waiter.is_parked();
                std::mem::swap(&mut waiter.waker, waker);
                Arrival::Parked { id, waits }
            }
            Status::Acting(fate) => match std::mem::replace(fate, Fate::Abandoned) {
                Fate::Ends(ended) => self.refused(ended),
                Fate::GoesOn | Fate::Abandoned => {
                    unreachable!("an abandoned request has no ticket that could ask")
                }
            },
            Status::Granted { .. } | Status::Ended(_) => {
                let mut waiter = self.leave(id);
                let status = std::mem::replace(&mut waiter.status, Status::Parked);
                // Whoever was told of its end has no waker any more, and nothing else to drop.
                if waiter.waker.is_some() {
                    self.leftover.retire(waiter);
                }
                match status {
                    Status::Granted { bytes, sequence } => Arrival::Granted { bytes, sequence },
                    Status::Ended(ended) => self.refused(ended),
                    Status::Parked | Status::ToAct { .. } | Status::Acting(_) => {
                        unreachable!("matched above, under the same lock")
                    }
                }
            }
        }
    }

    /// Takes back execution memory of `task`, at most what it holds, and tells the waiters. Returns
    /// how much that was, and the step's number.
    #[inline]
    pub(crate) fn release_execution(
        &mut self,
        mode: MemoryMode,
        task: TaskId,
        bytes: u64,
    ) -> (u64, u64) {
        let books = self.books_mut(mode);
        let released = books.execution.release(task, bytes);
        books.pay_debt();
        let sequence = self.next_sequence();
        // mutant(notify-execution-released by release_wakes @ release): delete
        self.reexamine(Cause::ExecutionReleased, u64::MAX);
        (released, sequence)
    }

    /// Takes back all execution memory of `task`, and tells the waiters once it is back in both modes.
    /// Returns how much that was on heap and off, and the step's number.
    pub(crate) fn release_all_execution(&mut self, task: TaskId) -> (u64, u64, u64) {
        let books = self.books_mut(MemoryMode::OnHeap);
        let on_heap = books.execution.release(task, u64::MAX);
        books.pay_debt();
        let (off_heap, sequence) = self.release_execution(MemoryMode::OffHeap, task, u64::MAX);
        (on_heap, off_heap, sequence)
    }

    /// Takes back storage memory, at most what is used, and tells the waiters that care. Returns how
    /// much that was, and the step's number.
    pub(crate) fn release_storage(&mut self, mode: MemoryMode, bytes: u64) -> (u64, u64) {
        let books = self.books_mut(mode);
        let released = books.storage.release(bytes);
        books.pay_debt();
        let sequence = self.next_sequence();
        // mutant(notify-storage-released by storage_release_wakes @ release): delete
        self.reexamine(Cause::StorageReleased, u64::MAX);
        (released, sequence)
    }

    /// Puts the question to the policy until it gives a final answer, and does as it says.
    #[inline]
    fn examine(&mut self, attempt: &mut Attempt) -> Outcome {
        let credit = std::mem::take(&mut attempt.credit);
        self.books_mut(attempt.mode).execution.unhold(credit);
        let (decision, _) = self.decide(attempt);
        let books = self.books_mut(attempt.mode);
        match decision {
            Decision::Evict {
                reserve_unused,
                need,
            } => {
                // mutant(reserve-unused by no_over_grant_during_eviction): delete
                books.storage.hold(reserve_unused);
                attempt.reserved = reserve_unused;
                // mutant(credit-kept-through-eviction by credit_survives_an_eviction): replace credit => 0
                books.execution.hold(credit);
                attempt.credit = credit;
                Outcome::Evict { need }
            }
            Decision::Grant(bytes) => {
                books.charge(attempt.want, bytes);
                let sequence = self.note_grant(attempt.bytes, bytes);
                Outcome::Granted { bytes, sequence }
            }
            Decision::Wait => {
                books.pay_debt();
                Outcome::Wait
            }
            Decision::Refuse(limit) => {
                books.pay_debt();
                Outcome::Ended(Ended::Limit(limit))
            }
            Decision::Shift(_) => unreachable!("shifts are made, and the question is put again"),
        }
    }

    /// The policy's final answer, which is no shift, and the shift that it wanted before, which is
    /// made.
    #[inline]
    fn decide(&mut self, attempt: &mut Attempt) -> (Decision, Option<Shift>) {
        let [on_heap, off_heap] = &mut self.books;
        let books = match attempt.mode {
            MemoryMode::OnHeap => on_heap,
            MemoryMode::OffHeap => off_heap,
        };
        let mut made = None;
        loop {
            match self.policy.decide(books, &attempt.request()) {
                Decision::Shift(shift) => {
                    assert!(
                        attempt.round != Round::Shifted,
                        "a policy shifts once in a round"
                    );
                    books.shift(shift);
                    attempt.round = Round::Shifted;
                    made = Some(shift);
                }
                decision => return (decision, made),
            }
        }
    }

    fn refused(&mut self, ended: Ended) -> Arrival {
        self.counters.refusals = add(self.counters.refusals, 1);
        Arrival::Ended(ended)
    }

    #[inline]
    fn note_grant(&mut self, asked: u64, granted: u64) -> u64 {
        self.counters.grants = add(self.counters.grants, 1);
        self.counters.short_grants = add(self.counters.short_grants, u64::from(granted < asked));
        self.next_sequence()
    }

    fn examine_to_status(&mut self, attempt: &mut Attempt, may_wait: bool) -> Status {
        match self.examine(attempt) {
            Outcome::Granted { bytes, sequence } => Status::Granted { bytes, sequence },
            Outcome::Evict { need } => Status::ToAct { need },
            Outcome::Wait if may_wait => Status::Parked,
            Outcome::Wait => Status::Ended(Ended::WouldWait),
            Outcome::Ended(ended) => Status::Ended(ended),
        }
    }

    /// Writes a request's new standing down, and wakes its ticket where there is something for it.
    fn place(&mut self, id: u64, attempt: Attempt, status: Status) {
        let waiter = self.queue.get_mut(id);
        waiter.attempt = attempt;
        waiter.status = status;
        if !waiter.is_parked() {
            // mutant(news-wakes by release_wakes): delete
            self.wake(id);
        }
    }

    /// Bytes that were kept for a request that never came fall free.
    pub(crate) fn return_credit(&mut self, mut attempt: Attempt) {
        self.let_go(&mut attempt);
        self.pay(attempt.owed, u64::MAX);
    }

    /// What was kept for a request falls free.
    fn let_go(&mut self, attempt: &mut Attempt) {
        let reserved = std::mem::take(&mut attempt.reserved);
        let credit = std::mem::take(&mut attempt.credit);
        let books = self.books_mut(attempt.mode);
        // mutant(cancel-returns-reserve by cancel_versus_grant_with_eviction): delete
        books.storage.unhold(reserved);
        // mutant(cancel-returns-credit by cancel_returns_credit): delete
        books.execution.unhold(credit);
        books.pay_debt();
    }

    fn leave(&mut self, id: u64) -> Waiter {
        self.changed = true;
        let waiter = self.queue.remove(id);
        if let Some(task) = waiter.attempt.task() {
            self.books_mut(waiter.attempt.mode).execution.dequeue(task);
        }
        waiter
    }
}
