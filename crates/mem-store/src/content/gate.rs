//! Who has got a block that is in memory: counted without a lock.

use mem_sync::atomic::{AtomicU64, Ordering};

/// No more readers come in: the block has left memory.
const CLOSED: u64 = 1 << 63;
/// The last reader to go out has to say so.
const BELL: u64 = 1 << 62;
const READERS: u64 = BELL - 1;

/// Counts readers in and out, until it is closed.
///
/// In and out are counted apart: readers come in under a mutex of the table's, one after the other, so
/// that counting them takes no atomic step that others could come between. They go out without it.
/// Whoever closes the gate because nobody is inside holds that mutex, too: a reader comes in before or
/// not at all. The bell hangs beside the count of those who went out, so it is hung up while somebody is
/// inside or not at all.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    entered: AtomicU64,
    /// How many have left, and [`BELL`] and [`CLOSED`].
    left: AtomicU64,
}

impl Gate {
    /// Lets a reader in, unless it is closed. Under the mutex.
    pub(crate) fn enter(&self) -> bool {
        let is_open = self.left.load(Ordering::Acquire) & CLOSED == 0;
        if is_open {
            // 2^62 readers are never there.
            let entered = self.entered.load(Ordering::Relaxed) + 1;
            self.entered.store(entered, Ordering::Release);
        }
        is_open
    }

    /// Lets a reader out; whether the bell is to be rung. It may be rung for nothing where another
    /// reader is just coming in, and is never left hanging behind the last.
    #[must_use]
    pub(crate) fn exit(&self) -> bool {
        // What the reader read is read before whoever sees it gone frees it; and the last to leave knows
        // of all who have entered, because they left before.
        let before = self.left.fetch_add(1, Ordering::AcqRel);
        before & BELL != 0 && (before & READERS) + 1 >= self.entered.load(Ordering::Acquire)
    }

    /// How many readers are inside.
    pub(crate) fn readers(&self) -> u64 {
        self.inside(self.left.load(Ordering::Acquire))
    }

    /// Hangs up the bell if somebody is inside; whether that is so.
    pub(crate) fn hang_bell(&self) -> bool {
        let mut word = self.left.load(Ordering::Acquire);
        while self.inside(word) > 0 {
            let hung = word | BELL;
            let swapped =
                self.left
                    .compare_exchange_weak(word, hung, Ordering::AcqRel, Ordering::Acquire);
            match swapped {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Takes the bell down.
    pub(crate) fn take_bell(&self) {
        self.left.fetch_and(!BELL, Ordering::Relaxed);
    }

    /// Closes it if nobody is inside; whether it did. Under the mutex.
    pub(crate) fn close_if_empty(&self) -> bool {
        let left = self.left.load(Ordering::Acquire);
        let is_empty = self.inside(left) == 0;
        if is_empty {
            // Nobody is there to leave, and nobody hangs up a bell for nobody.
            self.left.store(left | CLOSED, Ordering::Release);
        }
        is_empty
    }

    /// Closes it. Who is inside may stay there, and so may who is just coming in.
    pub(crate) fn close(&self) {
        self.left.fetch_or(CLOSED, Ordering::AcqRel);
    }

    /// How many are inside, of whom so many had left.
    fn inside(&self, left: u64) -> u64 {
        let entered = self.entered.load(Ordering::Acquire);
        entered.saturating_sub(left & READERS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_closes_behind_the_last_reader_and_lets_nobody_in_then() {
        let gate = Gate::default();
        assert!(gate.enter() && gate.enter());
        assert_eq!(gate.readers(), 2);
        assert!(!gate.close_if_empty());
        assert!(!gate.exit() && !gate.exit());
        assert!(gate.close_if_empty());
        assert!(!gate.enter());
        assert_eq!(gate.readers(), 0);
    }

    #[test]
    fn the_last_to_go_rings_the_bell_that_was_hung_up_meanwhile() {
        let gate = Gate::default();
        assert!(!gate.hang_bell(), "nobody is there to ring it");
        assert!(gate.enter() && gate.enter());
        assert!(gate.hang_bell());
        assert!(!gate.exit());
        assert!(gate.exit());
        gate.take_bell();
        assert!(gate.enter());
        assert!(!gate.exit());
    }

    #[test]
    fn who_is_inside_when_it_closes_goes_out_as_ever() {
        let gate = Gate::default();
        assert!(gate.enter());
        assert!(gate.hang_bell());
        gate.close();
        assert!(!gate.enter());
        assert!(gate.exit());
    }
}
