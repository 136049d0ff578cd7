//! Who has got a block that is in memory: counted without a lock.

use mem_sync::atomic::{AtomicU64, Ordering};

/// No more readers come in: the block has left memory.
const CLOSED: u64 = 1 << 63;
/// The last reader to go out has to say so.
const BELL: u64 = 1 << 62;
const READERS: u64 = BELL - 1;

/// Counts readers in and out, until it is closed.
///
/// It is one word, and every change of it is one atomic step: a reader comes in before the gate closes
/// or not at all, and the bell is hung up while somebody is inside or not at all.
#[derive(Debug, Default)]
pub(crate) struct Gate(AtomicU64);

impl Gate {
    /// Lets a reader in, unless it is closed.
    pub(crate) fn enter(&self) -> bool {
        // 2^62 readers are never there at once.
        self.update(|word| (word & CLOSED == 0).then_some(word + 1))
    }

    /// Lets a reader out; whether the bell is to be rung.
    #[must_use]
    pub(crate) fn exit(&self) -> bool {
        // What the reader read is read before whoever sees it gone frees it.
        let before = self.0.fetch_sub(1, Ordering::Release);
        before & READERS == 1 && before & BELL != 0
    }

    /// How many readers are inside.
    pub(crate) fn readers(&self) -> u64 {
        self.0.load(Ordering::Acquire) & READERS
    }

    /// Hangs up the bell if somebody is inside; whether that is so.
    pub(crate) fn hang_bell(&self) -> bool {
        self.update(|word| (word & READERS > 0).then_some(word | BELL))
    }

    /// Takes the bell down.
    pub(crate) fn take_bell(&self) {
        self.0.fetch_and(!BELL, Ordering::Relaxed);
    }

    /// Closes it if nobody is inside; whether it did.
    pub(crate) fn close_if_empty(&self) -> bool {
        self.update(|word| (word & READERS == 0).then_some(word | CLOSED))
    }

    /// Closes it. Who is inside may stay there.
    pub(crate) fn close(&self) {
        self.0.fetch_or(CLOSED, Ordering::AcqRel);
    }

    fn update(&self, change: impl Fn(u64) -> Option<u64>) -> bool {
        let mut word = self.0.load(Ordering::Relaxed);
        while let Some(new) = change(word) {
            let swapped =
                self.0
                    .compare_exchange_weak(word, new, Ordering::AcqRel, Ordering::Acquire);
            match swapped {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
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
