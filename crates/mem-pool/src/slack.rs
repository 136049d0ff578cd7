//! What one owner has in use and in reserve, changed without the ledger's lock.
//!
//! The ledger has granted `used + slack` bytes. Their owner moves bytes between the two with plain
//! loads and stores; whoever holds the ledger's lock can take the slack away. The two exclude each
//! other by one flag each and a fence in two halves (see [`mem_sync::light_fence`]):
//!
//! - the owner says that it is busy, and then looks whether it may use slack;
//! - the ledger forbids the use of slack, and then waits until the owner is not busy.
//!
//! So the owner pays no atomic read-modify-write. It is busy for a few instructions and takes no lock
//! meanwhile, so the wait is short, and can't be part of a deadlock.

use mem_block::MemoryMode;
use mem_sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use mem_sync::{CachePadded, light_fence, thread};

use crate::task::TaskId;

/// The numbers that owner and ledger share, alone in their cache lines.
#[derive(Debug)]
pub(crate) struct Slack {
    pub(crate) task: TaskId,
    pub(crate) mode: MemoryMode,
    /// Where the ledger has it listed, while armed. Under the ledger's lock.
    place: AtomicUsize,
    /// Not to be armed. Changed under the ledger's lock.
    exact: AtomicBool,
    numbers: CachePadded<Numbers>,
}

#[derive(Debug, Default)]
struct Numbers {
    /// Twice what is in use, and one more while the owner is [`BUSY`]: to say that it is over costs it
    /// no store of its own. Changed by the owner only.
    used: AtomicU64,
    /// Slack may be used. Set by the owner, taken back by anybody, both under the ledger's lock.
    armed: AtomicBool,
    /// Granted and not in use. Changed by the busy owner, or under the ledger's lock while not armed.
    slack: AtomicU64,
}

/// The owner is between its look at `armed` and its last store.
const BUSY: u64 = 1;

impl Slack {
    pub(crate) fn new(task: TaskId, mode: MemoryMode) -> Self {
        Self {
            task,
            mode,
            place: AtomicUsize::new(0),
            exact: AtomicBool::new(false),
            numbers: CachePadded::default(),
        }
    }

    /// Bytes in use. Any thread may ask.
    pub(crate) fn used(&self) -> u64 {
        self.numbers.used.load(Ordering::Relaxed) >> 1
    }

    /// Bytes in reserve. Any thread may ask; exact for the owner, and under the ledger's lock while
    /// not armed.
    pub(crate) fn reserve(&self) -> u64 {
        self.numbers.slack.load(Ordering::Relaxed)
    }

    /// The owner takes `bytes` of slack into use. False, with nothing changed, where there is not
    /// enough of it or it may not be used.
    #[inline]
    pub(crate) fn draw(&self, bytes: u64) -> bool {
        self.busily(|slack, twice_used| {
            (bytes <= slack).then(|| {
                let rest = slack.wrapping_sub(bytes);
                (rest, twice_used.wrapping_add(bytes << 1))
            })
        })
    }

    /// The owner puts `bytes` of what it uses back into slack. False, with nothing changed, where it
    /// does not use as much, or that would make more than `most`, or slack may not be used.
    #[inline]
    pub(crate) fn put_back(&self, bytes: u64, most: u64) -> bool {
        self.busily(|slack, twice_used| {
            let slack = slack.wrapping_add(bytes);
            (bytes <= twice_used >> 1 && slack <= most)
                .then(|| (slack, twice_used.wrapping_sub(bytes << 1)))
        })
    }

    /// Writes what the owner uses; for the owner only.
    ///
    /// # Panics
    /// Where that and the slack come to 2^63 bytes.
    #[inline]
    pub(crate) fn set_used(&self, bytes: u64) {
        assert_fits(bytes, self.reserve());
        self.numbers.used.store(bytes << 1, Ordering::Relaxed);
    }

    /// Has `work` move bytes between slack and use, where slack may be used: both, the use twice, as
    /// they are and as they shall be. It must not panic: whoever recalls waits for its end. So nothing
    /// is checked where the rest of the books would stop; what it adds up was granted together, and
    /// fits. Nor does it saturate: each change waits for the numbers that the one before has stored, and
    /// would be later by it.
    #[inline]
    fn busily(&self, work: impl FnOnce(u64, u64) -> Option<(u64, u64)>) -> bool {
        let numbers = &*self.numbers;
        let before = numbers.used.load(Ordering::Relaxed);
        numbers.used.store(before | BUSY, Ordering::Relaxed);
        // mutant(owner-fences by slack_is_taken_once): delete
        light_fence();
        // mutant(owner-looks by slack_is_taken_once): replace numbers.armed.load(Ordering::Relaxed) => true
        let may_use = numbers.armed.load(Ordering::Relaxed);
        let slack = numbers.slack.load(Ordering::Relaxed);
        match may_use.then(|| work(slack, before)).flatten() {
            Some((slack, twice_used)) => {
                numbers.slack.store(slack, Ordering::Relaxed);
                numbers.used.store(twice_used, Ordering::Release);
                true
            }
            None => {
                numbers.used.store(before, Ordering::Release);
                false
            }
        }
    }

    /// The owner may use slack from now on, of which it has `bytes`. Under the ledger's lock.
    ///
    /// # Panics
    /// Where that and what it uses come to 2^63 bytes.
    pub(crate) fn arm(&self, bytes: u64) {
        assert_fits(self.used(), bytes);
        self.numbers.slack.store(bytes, Ordering::Relaxed);
        self.numbers.armed.store(true, Ordering::Relaxed);
    }

    /// The owner may not use slack any longer. Under the ledger's lock; between this and
    /// [`take`](Self::take) comes a [`mem_sync::heavy_fence`], one for any number of owners.
    pub(crate) fn disarm(&self) {
        self.numbers.armed.store(false, Ordering::Relaxed);
    }

    /// Whether slack may be used. Exact under the ledger's lock.
    pub(crate) fn is_armed(&self) -> bool {
        self.numbers.armed.load(Ordering::Relaxed)
    }

    pub(crate) fn is_exact(&self) -> bool {
        self.exact.load(Ordering::Relaxed)
    }

    pub(crate) fn set_exact(&self, exact: bool) {
        self.exact.store(exact, Ordering::Relaxed);
    }

    pub(crate) fn place(&self) -> usize {
        self.place.load(Ordering::Relaxed)
    }

    pub(crate) fn set_place(&self, place: usize) {
        self.place.store(place, Ordering::Relaxed);
    }

    /// Takes all of the slack. Under the ledger's lock, after disarming and the fence.
    pub(crate) fn take(&self) -> u64 {
        // mutant(recall-waits by slack_is_taken_once): replace BUSY => 0
        while self.numbers.used.load(Ordering::Acquire) & BUSY > 0 {
            thread::yield_now();
        }
        let slack = self.numbers.slack.load(Ordering::Relaxed);
        self.numbers.slack.store(0, Ordering::Relaxed);
        slack
    }
}

/// The sum does not change where bytes are moved, so twice the use fits ever after.
fn assert_fits(used: u64, slack: u64) {
    assert!(
        used.saturating_add(slack) < 1 << 63,
        "nobody has 2^63 bytes"
    );
}
