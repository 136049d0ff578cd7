//! How a task's pool grows: from what it has, from the ledger, by waiting, or by overdraft.

use datafusion_common::Result;
use datafusion_execution::memory_pool::MemoryConsumer;
use mem_pool::{Ask, Refusal, Reservation, Step, Wait};
use mem_sync::atomic::Ordering;

use super::HearthMemoryPool;
use super::books::{Asking, Begin, Urgency};
use super::refusal::{Bar, Refused};
use crate::off_worker;

impl HearthMemoryPool {
    /// Grows by `asked` bytes, through a reservation that has `here` already, or says why not.
    pub(super) fn grow_if_granted(
        &self,
        consumer: &MemoryConsumer,
        here: u64,
        asked: u64,
    ) -> Result<()> {
        let (begin, left) = self.with_books(|books| {
            let begin = books.begin(consumer, here, asked);
            (begin, books.left_by_spill(|| self.shared.slack_max()))
        });
        self.release(left);
        let mut asking = match begin {
            Begin::Done => return Ok(()),
            Begin::Futile => return Err(self.explain(consumer, asked, Refused::of(Bar::Spilling))),
            Begin::Ask(asking) => asking,
        };
        match self.acquire(&mut asking) {
            Ok(acquired) => {
                let left = self.with_books(|books| {
                    books.grant(&asking, acquired.leave());
                    books.left_by_spill(|| self.shared.slack_max())
                });
                self.release(left);
                Ok(())
            }
            Err(refused) => {
                let kept = match asking.debt {
                    0 => 0,
                    debt => self.acquire_some(debt),
                };
                let left = self.with_books(|books| {
                    books.refuse(&asking, kept);
                    books.release_slack(self.shared.slack_max())
                });
                self.release(left);
                Err(self.explain(consumer, asked, refused))
            }
        }
    }

    /// Grows by `asked` bytes, by overdraft where they can't be had.
    pub(super) fn grow_anyway(&self, consumer: &MemoryConsumer, asked: u64) {
        let asking = self.with_books(|books| books.begin_infallible(consumer, asked));
        let mut acquired = match asking.missing {
            0 => 0,
            missing => self.acquire_some(missing),
        };
        if acquired < asking.missing && self.shared.collect_slack(self.task) {
            let missing = asking.missing.saturating_sub(acquired);
            acquired = acquired.saturating_add(self.acquire_some(missing));
        }
        let overdraft = self.with_books(|books| {
            books.overdraw(&asking, acquired);
            books.overdraft()
        });
        if overdraft > 0 {
            let books = self.shared.ledger().snapshot();
            let books = books.of_mode(self.shared.mode());
            let granted = books.execution_used.saturating_add(books.storage_used);
            self.shared.overdraft().note_total(granted);
        }
    }

    /// As much of `bytes` as can be had now, without waiting.
    fn acquire_some(&self, bytes: u64) -> u64 {
        match self.try_acquire(bytes) {
            Ok(acquired) => acquired.leave(),
            // Below its minimum the task gets all or nothing, so it asks for no more than there is.
            Err(_) => match self.room().free_for(0).unwrap_or(0).min(bytes) {
                0 => 0,
                some => self.try_acquire(some).map_or(0, Reservation::leave),
            },
        }
    }

    /// What is missing, with the task's overdraft, from the ledger.
    fn acquire(&self, asking: &mut Asking) -> Result<Reservation, Refused> {
        if let Some(newest) = asking.newest {
            self.await_siblings(asking, newest);
        }
        let mut outcome = self.acquire_exactly(need(asking));
        if outcome.is_err() && self.shared.collect_slack(self.task) {
            outcome = self.acquire_exactly(need(asking));
        }
        if let Err(refused) = &outcome
            && refused.would_wait()
            && let Some(waited) = self.wait(asking)
        {
            outcome = waited;
        }
        let acquired = outcome.or_else(|refused| match asking.urgency.is_essential() {
            true => self.acquire_at_last(asking).ok_or(refused),
            false => Err(refused),
        })?;
        self.judge(asking, acquired)
    }

    /// What one gets that would fail: with what is kept for others, or once they have spilled.
    fn acquire_at_last(&self, asking: &mut Asking) -> Option<Reservation> {
        let acquired = self.acquire_with_kept(asking);
        acquired.or_else(|| self.await_spill(asking))
    }

    /// What is missing, partly out of what is kept for others.
    pub(super) fn acquire_with_kept(&self, asking: &mut Asking) -> Option<Reservation> {
        let kept = self.books.lock().kept().min(asking.missing);
        let acquired = self.acquire_exactly(need(asking).saturating_sub(kept));
        let acquired = acquired.ok()?;
        self.with_books(|books| books.raid(asking, kept));
        if acquired.bytes() == need(asking) {
            return Some(acquired);
        }
        // Somebody has taken it meanwhile.
        drop(acquired);
        self.acquire_exactly(need(asking)).ok()
    }

    /// Whether a request that the ledger grants may be taken: that leaves to others what is theirs, and
    /// overdraft is repaid first.
    fn judge(&self, asking: &Asking, acquired: Reservation) -> Result<Reservation, Refused> {
        let room = self.room();
        let Some(free) = room.free_for(asking.debt) else {
            return Err(Refused::of(Bar::Overdraft(room.overdraft)));
        };
        let (outlook, granted) = {
            let books = self.books.lock();
            (books.outlook(asking, room.share), books.granted())
        };
        let share_left = room.share.saturating_sub(granted);
        let left = free.min(share_left.saturating_sub(acquired.bytes()));
        let leaves = outlook.left_by(asking, room.share);
        if asking.pressed > left {
            Err(Refused::of(Bar::Pressure(asking.pressed)))
        } else if left >= leaves {
            Ok(acquired)
        } else {
            Err(Refused::of(Bar::Reserve(leaves)))
        }
    }

    /// Waits for memory that other tasks hold. `None` where it may not wait.
    fn wait(&self, asking: &Asking) -> Option<Result<Reservation, Refused>> {
        // One that can spill need not wait, and does so only as long as that has been of use.
        let could_spill = asking.urgency == Urgency::Elective;
        let in_vain = could_spill && self.impatient.load(Ordering::Relaxed);
        if in_vain || self.shared.wait().is_zero() {
            return None;
        }
        let clock = self.shared.ledger().clock();
        let began = clock.now();
        let outcome = off_worker::block(|| {
            // In this order: what others keep from now on is nothing, and what they kept is collected.
            let _wanting = self.shared.want();
            self.shared.collect_slack(self.task);
            let wait = Wait {
                deadline: Some(began + self.shared.wait()),
                cancel: Some(&self.cancel),
            };
            let ask = Ask::execution(self.task, self.shared.mode(), need(asking));
            self.shared.ledger().reserve(ask, &wait)
        })?;
        self.waits.fetch_add(1, Ordering::Relaxed);
        let waited = u64::try_from(clock.now().since(began).as_nanos()).unwrap_or(u64::MAX);
        self.waited_nanos.fetch_add(waited, Ordering::Relaxed);
        if could_spill {
            self.impatient.store(outcome.is_err(), Ordering::Relaxed);
        }
        Some(outcome.map_err(Refused::by_ledger))
    }

    /// All of `bytes`, without waiting.
    fn acquire_exactly(&self, bytes: u64) -> Result<Reservation, Refused> {
        let acquired = self.try_acquire(bytes).map_err(Refused::by_ledger)?;
        if acquired.bytes() == bytes {
            return Ok(acquired);
        }
        let ask = Ask::execution(self.task, self.shared.mode(), bytes);
        let refusal = self.shared.ledger().explain_short(ask);
        // It goes back only now: the refusal tells what it saw.
        Err(Refused::short(refusal, acquired.bytes()))
    }

    /// What can be had of `bytes`, without waiting; blocks are evicted away from the worker.
    fn try_acquire(&self, bytes: u64) -> Result<Reservation, Refusal> {
        self.note_request();
        let ask = Ask::execution(self.task, self.shared.mode(), bytes);
        let mut ticket = self.shared.ledger().ticket(ask);
        loop {
            match ticket.step(None) {
                Step::Granted(reservation) => return Ok(reservation),
                Step::Refused(refusal) => return Err(refusal),
                Step::Evict(reclaim) => off_worker::prefer(|| reclaim.run()),
                Step::Parked => unreachable!("a request without a waker is refused, not parked"),
            }
        }
    }
}

/// What the ledger has to grant for a request, in bytes.
fn need(asking: &Asking) -> u64 {
    asking.missing.saturating_add(asking.debt)
}
