//! One that would fail has another of its task spill, and waits for that.
//!
//! Nobody can be made to give anything back, but who asks can be refused, and spills. It takes a while until
//! the largest asks again, has written what it holds, and gives it back.

use std::time::Duration;

use mem_pool::Reservation;
use mem_sync::atomic::{AtomicUsize, Ordering};
use mem_sync::{Mutex, Parker, Unparker};

use super::HearthMemoryPool;
use super::books::Asking;
use crate::off_worker;

/// How long one that would fail waits for others of its task to spill.
const FOR_A_SPILL: Duration = Duration::from_millis(500);
/// Consumers below this part of the task's share are not worth spilling.
const FLOOR: u64 = 8;
/// Nor are those with less than this many bytes, where the share is large.
const FLOOR_BYTES: u64 = 16 << 20;

impl HearthMemoryPool {
    /// What one gets that would fail, once others of its task have given back enough. It waits where somebody is
    /// there to spill, where it may, and no more once that was in vain.
    pub(super) fn await_spill(&self, asking: &mut Asking) -> Option<Reservation> {
        let waits = asking.may_wait && !self.shared.wait().is_zero();
        if !self.press(asking) || !waits {
            return None;
        }
        let acquired = off_worker::block(|| self.try_until_freed(asking))?;
        self.with_books(|books| books.end_wait(asking.id, acquired.is_some()));
        acquired
    }

    /// Tries again each time that something is given back, until it would take too long.
    fn try_until_freed(&self, asking: &mut Asking) -> Option<Reservation> {
        let clock = self.shared.ledger().clock();
        let end = clock.now() + FOR_A_SPILL.min(self.shared.wait());
        // In this order: nothing is kept as slack from now on, and what is given back from now on is told.
        let _wanting = self.shared.want();
        let parker = Parker::new();
        let _waiter = self.freed.enter(&parker);
        loop {
            let acquired = self.acquire_with_kept(asking);
            let goes_on = || clock.now() < end && !self.cancel.is_cancelled() && self.press(asking);
            if acquired.is_some() || !goes_on() {
                return acquired;
            }
            clock.park(&parker, Some(end));
        }
    }

    /// Has the largest other consumer that can spill leave with its next growth what this one was
    /// refused, or spill. Whether there is one.
    fn press(&self, asking: &Asking) -> bool {
        let share = self.room().share;
        let floor = (share / FLOOR).min(FLOOR_BYTES);
        self.with_books(|books| books.press_largest(asking.id, floor, asking.asked))
    }
}

/// Those of a task that wait for others of it to give memory back.
#[derive(Debug, Default)]
pub(super) struct Freed {
    /// How many there are.
    waiting: AtomicUsize,
    waiters: Mutex<Waiters>,
}

#[derive(Debug, Default)]
struct Waiters {
    next: u64,
    there: Vec<(u64, Unparker)>,
}

impl Freed {
    /// From now on `parker` is unparked whenever memory is given back, until the guard is dropped.
    fn enter<'a>(&'a self, parker: &Parker) -> Waiter<'a> {
        let mut waiters = self.waiters.lock();
        let number = waiters.next;
        waiters.next = number.wrapping_add(1);
        waiters.there.push((number, parker.unparker().clone()));
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiter {
            number,
            freed: self,
        }
    }

    /// Memory was given back, to the books and to the ledger. Whoever looked there before it came has held
    /// their locks before, so it is seen here to wait.
    pub(super) fn tell(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            for (_, waiter) in &self.waiters.lock().there {
                waiter.unpark();
            }
        }
    }
}

/// One that waits.
#[derive(Debug)]
struct Waiter<'a> {
    number: u64,
    freed: &'a Freed,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut waiters = self.freed.waiters.lock();
        waiters.there.retain(|(number, _)| *number != self.number);
        self.freed.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
