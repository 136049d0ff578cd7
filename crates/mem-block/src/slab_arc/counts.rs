//! How many share an object, and how many remember it.

use mem_sync::atomic::{AtomicU32, Ordering, fence};
use mem_sync::thread;

/// So many are never there; beyond it the process ends rather than the count.
const MOST: u32 = u32::MAX / 2;
/// Somebody is looking whether there is anybody else.
const LOCKED: u32 = u32::MAX;

/// The counts of an object, as those of the standard library's `Arc`: the same steps in the same orders.
/// All who share the object together count as one who remembers it.
#[derive(Debug)]
pub(super) struct Counts {
    sharing: AtomicU32,
    remembering: AtomicU32,
}

impl Counts {
    /// Of an object that one has.
    pub(super) fn of_one() -> Self {
        Self {
            sharing: AtomicU32::new(1),
            remembering: AtomicU32::new(1),
        }
    }

    /// One more of those who share, beside the caller.
    #[inline]
    pub(super) fn share(&self) {
        // Nobody sees more than the caller does, who is there already.
        check(self.sharing.fetch_add(1, Ordering::Relaxed));
    }

    /// One less; whether it was the last, who then takes the object out and [forgets](Self::forget).
    #[inline]
    pub(super) fn leave(&self) -> bool {
        is_last_of(&self.sharing)
    }

    /// One more of those who share, for one who remembers; whether there is an object still.
    #[inline]
    pub(super) fn come_back(&self) -> bool {
        let mut sharing = self.sharing.load(Ordering::Relaxed);
        // mutant(nobody-comes-back-to-nothing by coming_back_beside_the_last_who_leaves): replace sharing > 0 => sharing < MOST
        while sharing > 0 {
            check(sharing);
            let swapped = self.sharing.compare_exchange_weak(
                sharing,
                sharing + 1,
                Ordering::Acquire,
                Ordering::Relaxed,
            );
            match swapped {
                Ok(_) => return true,
                Err(now) => sharing = now,
            }
        }
        false
    }

    /// One more who remembers, for one who shares.
    #[inline]
    pub(super) fn remember(&self) {
        loop {
            let remembering = self.remembering.load(Ordering::Relaxed);
            if remembering == LOCKED {
                thread::yield_now();
                continue;
            }
            check(remembering);
            if self.remember_instead_of(remembering, remembering + 1) {
                return;
            }
        }
    }

    /// Whether so many remembered it; then it is another number now.
    #[inline]
    fn remember_instead_of(&self, before: u32, now: u32) -> bool {
        let order = (Ordering::Acquire, Ordering::Relaxed);
        let swapped = self
            .remembering
            .compare_exchange(before, now, order.0, order.1);
        swapped.is_ok()
    }

    /// One more who remembers, for another who does.
    pub(super) fn remember_too(&self) {
        check(self.remembering.fetch_add(1, Ordering::Relaxed));
    }

    /// One less; whether it was the last, and the place is free.
    #[inline]
    pub(super) fn forget(&self) -> bool {
        is_last_of(&self.remembering)
    }

    /// Whether nobody shares or remembers it but the caller, who shares it. That stays so until the
    /// caller has others do.
    #[inline]
    pub(super) fn is_alone(&self) -> bool {
        // Locked, so that nobody who shares it leaves another behind who remembers it meanwhile.
        // mutant(looks-undisturbed by alone_or_remembered): replace LOCKED => 1
        if !self.remember_instead_of(1, LOCKED) {
            return false;
        }
        // mutant(alone-sees-the-others by alone_or_not): replace self.sharing() == 1 => true
        let is_alone = self.sharing() == 1;
        self.remembering.store(1, Ordering::Release);
        is_alone
    }

    /// How many share it.
    #[inline]
    pub(super) fn sharing(&self) -> u32 {
        self.sharing.load(Ordering::Acquire)
    }

    /// How many remember it, those who share it left out.
    #[inline]
    pub(super) fn remembering(&self) -> u32 {
        match self.remembering.load(Ordering::Relaxed) {
            LOCKED => 0,
            remembering => remembering.saturating_sub(1),
        }
    }
}

/// Counts one less; whether it was the last, who sees all that the others have done.
#[inline]
fn is_last_of(count: &AtomicU32) -> bool {
    let is_last = count.fetch_sub(1, Ordering::Release) == 1;
    if is_last {
        // mutant(the-last-sees-all by the_last_of_two_drops_it): delete
        fence(Ordering::Acquire);
    }
    is_last
}

#[inline]
fn check(count: u32) {
    if count > MOST {
        std::process::abort();
    }
}
