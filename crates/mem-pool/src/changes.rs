//! What changes the books, one transaction each, and the one place where the lock is taken.

use std::task::Waker;

use mem_block::MemoryMode;

use crate::ledger::Ledger;
use crate::policy::Cause;
use crate::probe::{Event, Kind};
use crate::state::{Arrival, State};
use crate::step::{Action, ActionOutcome};
use crate::task::TaskId;
use crate::waiter::{Attempt, Ended};

impl Ledger {
    /// Makes the ledger keep the task's peaks until [`end_task`](Self::end_task). Does not count the
    /// task in N: its first request does.
    pub fn register_task(&self, task: TaskId) {
        self.register_weighted(task, 1);
    }

    /// The same for a task that counts as `weight` tasks (1 at least), and may hold what they might: one
    /// that works on several cores, where others work on one. Has to come before its first request; the
    /// weight of a task that counts already stays as it is. Spark's tasks all weigh the same.
    pub fn register_weighted(&self, task: TaskId, weight: u32) {
        self.commit(Action::RegisterTask { task, weight }, |state| {
            for books in &mut state.books {
                books.execution.register(task, weight);
            }
            ((), ActionOutcome::Done)
        });
    }

    /// The task is over: takes back what it still holds, ends its waits, forgets it, and tells every
    /// waiter. Returns the bytes taken back, on heap and off: a leak where they are not 0.
    pub fn end_task(&self, task: TaskId) -> (u64, u64) {
        let (on_heap, off_heap, sequence) = self.commit(Action::EndTask { task }, |state| {
            state.recall_task(task);
            // mutant(task-end-ends-waits by task_end_ends_its_waits): delete
            state.end_waits_of(task);
            let [on_heap, off_heap] = state.books.each_mut().map(|books| {
                let released = books.execution.end(task);
                books.pay_debt();
                released
            });
            let sequence = state.next_sequence();
            // mutant(notify-execution-released by task_end_wakes @ end_task): delete
            state.reexamine(Cause::ExecutionReleased, u64::MAX);
            let outcome = ActionOutcome::Released(crate::sum::add(on_heap, off_heap));
            ((on_heap, off_heap, sequence), outcome)
        });
        self.tell(
            Some(sequence),
            Event::TaskEnd {
                task,
                on_heap,
                off_heap,
            },
        );
        (on_heap, off_heap)
    }

    /// Has every waiter looked at again. Spark's executor does that when a task ends.
    pub fn notify_all(&self) {
        self.commit(Action::NotifyAll, |state| {
            // mutant(notify-notify-all by notify_all_wakes): delete
            state.reexamine(Cause::NotifyAll, u64::MAX);
            ((), ActionOutcome::Done)
        });
    }

    /// Says how much memory is in use outside the ledger that counts against `mode`.
    pub fn set_unmanaged(&self, mode: MemoryMode, bytes: u64) {
        self.commit(Action::SetUnmanaged { mode, bytes }, |state| {
            state.books_mut(mode).unmanaged = bytes;
            // mutant(notify-unmanaged-changed by unmanaged_change_wakes): delete
            state.reexamine(Cause::UnmanagedChanged, u64::MAX);
            ((), ActionOutcome::Done)
        });
    }

    pub(crate) fn release_execution(&self, task: TaskId, mode: MemoryMode, bytes: u64) -> u64 {
        let holder = (Some(task), Kind::Execution);
        self.release(holder, mode, bytes, |state| {
            state.release_execution(mode, task, bytes)
        })
    }

    /// Takes back all that `task` holds, of both modes at once: who waits is looked at afterwards.
    pub(crate) fn release_all_execution(&self, task: TaskId) -> u64 {
        let (on_heap, off_heap, sequence) = self.commit(Action::ReleaseAll { task }, |state| {
            let (on_heap, off_heap, sequence) = state.release_all_execution(task);
            let outcome = ActionOutcome::Released(crate::sum::add(on_heap, off_heap));
            ((on_heap, off_heap, sequence), outcome)
        });
        let modes = [
            (MemoryMode::OnHeap, on_heap),
            (MemoryMode::OffHeap, off_heap),
        ];
        for (mode, bytes) in modes {
            let (task, kind) = (Some(task), Kind::Execution);
            self.tell(
                Some(sequence),
                Event::Release {
                    task,
                    mode,
                    kind,
                    bytes,
                },
            );
        }
        crate::sum::add(on_heap, off_heap)
    }

    pub(crate) fn release_storage(&self, mode: MemoryMode, bytes: u64, kind: Kind) -> u64 {
        self.release((None, kind), mode, bytes, |state| {
            state.release_storage(mode, bytes)
        })
    }

    fn release(
        &self,
        (task, kind): (Option<TaskId>, Kind),
        mode: MemoryMode,
        bytes: u64,
        take_back: impl FnOnce(&mut State) -> (u64, u64),
    ) -> u64 {
        let (released, sequence) = self.locked(take_back, |(released, _)| {
            let action = Action::Release {
                task,
                mode,
                kind,
                bytes,
            };
            Some((action, ActionOutcome::Released(*released)))
        });
        if self.probe.is_some() {
            let event = Event::Release {
                task,
                mode,
                kind,
                bytes: released,
            };
            self.tell(Some(sequence), event);
        }
        released
    }

    /// A queued request is looked at by its own ticket.
    pub(crate) fn revisit(&self, request: u64, waker: &mut Option<Waker>) -> Arrival {
        let may_wait = waker.is_some();
        self.commit(Action::Revisit { request, may_wait }, |state| {
            let arrival = state.revisit(request, waker);
            let outcome = arrival.outcome();
            (arrival, outcome)
        })
    }

    /// The eviction for a queued request is over. Returns the step's number.
    pub(crate) fn settle(&self, request: u64, freed: u64, mut failure: Option<Ended>) -> u64 {
        let action = Action::Settle {
            request,
            freed,
            failed: failure.is_some(),
        };
        self.commit(action, |state| {
            (
                state.settle(request, freed, &mut failure),
                ActionOutcome::Done,
            )
        })
    }

    /// The ticket of a queued request goes away.
    pub(crate) fn abandon(&self, request: u64) {
        self.commit(Action::Abandon { request }, |state| {
            state.abandon(request);
            ((), ActionOutcome::Done)
        });
    }

    /// The ticket of a request that took over a credit goes away before it arrived.
    pub(crate) fn return_credit(&self, number: u64, attempt: Attempt) {
        self.commit(Action::Return { number }, |state| {
            state.return_credit(attempt);
            ((), ActionOutcome::Done)
        });
    }

    /// Ends a queued request early, unless it was granted in the meantime.
    pub(crate) fn give_up(&self, request: u64, deadline: bool) {
        let ended = if deadline {
            Ended::Deadline
        } else {
            Ended::Cancelled
        };
        self.commit(Action::GiveUp { request, deadline }, |state| {
            state.give_up(request, ended);
            ((), ActionOutcome::Done)
        });
    }

    /// Ends a queued request whose time is up, where it is still queued, and wakes its ticket.
    pub(crate) fn expire(&self, request: u64) {
        self.locked(
            |state| {
                let queued = state.queue.contains(request);
                state.expire(request);
                queued
            },
            |queued| {
                let deadline = true;
                queued.then_some((Action::GiveUp { request, deadline }, ActionOutcome::Done))
            },
        );
    }

    /// Makes a step: runs `body` under the lock, and tells the probe.
    #[inline]
    pub(crate) fn commit<R>(
        &self,
        action: Action,
        body: impl FnOnce(&mut State) -> (R, ActionOutcome),
    ) -> R {
        let (result, _) = self.locked(body, |(_, outcome)| Some((action, *outcome)));
        result
    }

    /// Looks at the state.
    pub(crate) fn look<R>(&self, body: impl FnOnce(&State) -> R) -> R {
        body(&self.state.lock())
    }

    /// Runs `body` under the lock, lets it go, and wakes whom `body` had something for. Waking comes
    /// after unlocking, so that the woken find the lock free; so does dropping what left the queue,
    /// and telling the probe of the steps. Which step it was is asked, still under the lock, only
    /// where somebody wants to know.
    #[inline]
    pub(crate) fn locked<R>(
        &self,
        body: impl FnOnce(&mut State) -> R,
        step: impl FnOnce(&R) -> Option<(Action, ActionOutcome)>,
    ) -> R {
        let mut state = self.state.lock();
        self.exchanges.take_back(&mut state);
        let result = body(&mut state);
        state.conclude();
        if state.tells_steps()
            && let Some((action, outcome)) = step(&result)
        {
            state.record(action, outcome);
        }
        if let Some(leftover) = state.leftover.take() {
            drop(state);
            leftover.see_to(self.probe.as_deref());
        }
        result
    }
}
