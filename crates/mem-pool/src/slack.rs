//! What one owner has in reserve, changed without the ledger's lock.
//!
//! The ledger has granted some bytes, of which their owner uses some; the others are its slack. The
//! owner moves bytes in and out of it with a plain store; whoever holds the ledger's lock can take the
//! slack away. Each writes words of its own, and a fence in two halves (see [`mem_sync::light_fence`])
//! sees to it that no byte is had by both:
//!
//! - the owner writes how much slack there is from now on, and then looks whether it still may use it;
//! - the ledger forbids that, then reads how much there is, and writes down what it took.
//!
//! So one of the two sees what the other wrote. Where both do, what was taken tells the owner whether
//! its change came first and stands. The owner pays no atomic read-modify-write, and the ledger never
//! waits for it: it may be stopped between any two instructions.

use mem_block::MemoryMode;
use mem_sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use mem_sync::{CachePadded, is_fence_light, light_fence, thread};

use crate::sum::{add, sub};
use crate::task::TaskId;

#[derive(Debug)]
pub(crate) struct Slack {
    pub(crate) task: TaskId,
    pub(crate) mode: MemoryMode,
    /// Where the ledger has it listed, while armed. Under the ledger's lock.
    place: AtomicUsize,
    /// Not to be armed. Changed under the ledger's lock.
    exact: AtomicBool,
    /// Bytes of slack that the owner may put together. Under the ledger's lock.
    most: AtomicU64,
    numbers: CachePadded<Numbers>,
}

/// The numbers that owner and ledger share, alone in their cache lines.
#[derive(Debug)]
struct Numbers {
    /// Bytes in reserve, and after they were taken as many until the owner knows. Changed by the owner
    /// only, on trial until it has looked at `glance`.
    slack: AtomicU64,
    /// `ceiling` where the light half of the fence is enough, else 0, so that the owner comes to a full
    /// one.
    glance: AtomicU64,
    /// What the slack has to stay below, in bytes: at most one more than was granted. 0 while it may not
    /// be used. Opened by the owner, closed by anybody, both under the ledger's lock.
    ceiling: AtomicU64,
    /// Bytes in use and in `slack`. Changed by the owner only, while armed under the ledger's lock.
    granted: AtomicU64,
    /// The ledger may come for the slack. Set by the owner, unset by whoever takes it, both under the
    /// ledger's lock.
    armed: AtomicBool,
    /// Bytes that the ledger has taken, until the owner knows; [`KNOWN`] then.
    taken: AtomicU64,
    /// Odd while `granted` and `slack` don't go together.
    version: AtomicU64,
}

/// More than anybody has.
const KNOWN: u64 = u64::MAX;

impl Slack {
    pub(crate) fn new(task: TaskId, mode: MemoryMode) -> Self {
        Self {
            task,
            mode,
            place: AtomicUsize::new(0),
            exact: AtomicBool::new(false),
            most: AtomicU64::new(0),
            numbers: CachePadded::new(Numbers {
                slack: AtomicU64::new(0),
                glance: AtomicU64::new(0),
                ceiling: AtomicU64::new(0),
                granted: AtomicU64::new(0),
                armed: AtomicBool::new(false),
                taken: AtomicU64::new(KNOWN),
                version: AtomicU64::new(0),
            }),
        }
    }

    /// Bytes in use, for the owner.
    #[inline]
    pub(crate) fn used(&self) -> u64 {
        let granted = self.numbers.granted.load(Ordering::Relaxed);
        sub(granted, self.numbers.slack.load(Ordering::Relaxed))
    }

    /// Bytes in use, for any thread: what was true a moment ago, or may be in a moment. Waits while the
    /// owner writes two numbers that go together, and for nothing else.
    pub(crate) fn used_lately(&self) -> u64 {
        let numbers = &*self.numbers;
        loop {
            let version = numbers.version.load(Ordering::Acquire);
            let granted = numbers.granted.load(Ordering::Relaxed);
            let slack = numbers.slack.load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            // mutant(reader-looks-again by use_is_read_whole): replace numbers.version.load(Ordering::Relaxed) => version
            if version.is_multiple_of(2) && version == numbers.version.load(Ordering::Relaxed) {
                return granted.saturating_sub(slack);
            }
            thread::yield_now();
        }
    }

    /// Bytes in reserve: exact for the owner, about for others who have the ledger's lock.
    pub(crate) fn reserve(&self) -> u64 {
        match self.is_armed() {
            true => self.all_slack(),
            false => 0,
        }
    }

    /// What stands there as slack, at most all that was granted: an owner that puts back more than it uses
    /// is about to find that out.
    fn all_slack(&self) -> u64 {
        let granted = self.numbers.granted.load(Ordering::Relaxed);
        self.numbers.slack.load(Ordering::Relaxed).min(granted)
    }

    /// The owner takes `bytes` of slack into use. False, with nothing changed, where there is not
    /// enough of it or it may not be used. `locked` runs what it is given under the ledger's lock.
    #[inline]
    pub(crate) fn draw(&self, bytes: u64, locked: impl FnOnce(&dyn Fn() -> bool) -> bool) -> bool {
        let slack = self.numbers.slack.load(Ordering::Relaxed);
        let rest = slack.checked_sub(bytes);
        rest.is_some_and(|rest| self.change(slack, rest, locked))
    }

    /// The owner puts `bytes` of what it uses, at most all, back into slack. False, with nothing changed,
    /// where that would make too much of it, or more than it uses, or it may not be used. `locked` as for
    /// [`draw`](Self::draw).
    #[inline]
    pub(crate) fn put_back(
        &self,
        bytes: u64,
        locked: impl FnOnce(&dyn Fn() -> bool) -> bool,
    ) -> bool {
        let slack = self.numbers.slack.load(Ordering::Relaxed);
        let more = slack.checked_add(bytes);
        more.is_some_and(|more| self.change(slack, more, locked))
    }

    /// Has `now` bytes of slack instead of `before`, unless that is too much or the ledger has taken it
    /// before it saw that. Nothing is loaded here or stored that need not be: it is what all of this
    /// costs.
    #[inline]
    fn change(
        &self,
        before: u64,
        now: u64,
        locked: impl FnOnce(&dyn Fn() -> bool) -> bool,
    ) -> bool {
        self.numbers.slack.store(now, Ordering::Relaxed);
        // mutant(owner-fences by slack_is_taken_once): delete
        light_fence();
        // mutant(owner-looks by slack_is_taken_once): replace self.numbers.glance.load(Ordering::Relaxed) => u64::MAX
        let stands = now < self.numbers.glance.load(Ordering::Relaxed);
        stands || self.settle(before, now, locked)
    }

    /// The owner did not see at a glance that its change stands.
    #[cold]
    fn settle(
        &self,
        before: u64,
        now: u64,
        locked: impl FnOnce(&dyn Fn() -> bool) -> bool,
    ) -> bool {
        let numbers = &*self.numbers;
        if !is_fence_light() {
            // mutant(owner-fences-fully by slack_is_taken_once_with_full_fences): delete
            fence(Ordering::SeqCst);
            if now < numbers.ceiling.load(Ordering::Relaxed) {
                return true;
            }
        }
        // The ledger forbids and takes in one go under its lock.
        // mutant(owner-waits by slack_is_taken_once): replace self.is_armed() => false
        match self.is_armed() {
            true => locked(&|| self.decide(before, now)),
            false => self.decide(before, now),
        }
    }

    /// Whether a change stands that the owner has written down. It is taken back if not. Under the
    /// ledger's lock, or while not armed.
    fn decide(&self, before: u64, now: u64) -> bool {
        let numbers = &*self.numbers;
        let taken = numbers.taken.load(Ordering::Relaxed);
        if self.is_armed() || taken == KNOWN {
            numbers.slack.store(before, Ordering::Relaxed);
            return false;
        }
        // mutant(change-stands by slack_is_taken_once): replace now.min => before.min
        let stands = taken == now.min(numbers.granted.load(Ordering::Relaxed));
        self.learn();
        stands
    }

    /// Has the owner know what the ledger took. Under the ledger's lock, or while not armed.
    fn learn(&self) {
        let numbers = &*self.numbers;
        let taken = numbers.taken.load(Ordering::Relaxed);
        if taken != KNOWN {
            let granted = sub(numbers.granted.load(Ordering::Relaxed), taken);
            self.write(granted, 0);
            numbers.taken.store(KNOWN, Ordering::Relaxed);
        }
    }

    /// Writes what the owner uses; its slack stays as it is. For the owner only, and while armed under
    /// the ledger's lock.
    pub(crate) fn set_used(&self, bytes: u64) {
        if self.is_armed() {
            let reserve = self.reserve();
            self.write(add(bytes, reserve), reserve);
            self.open();
        } else {
            self.learn();
            self.write(bytes, 0);
        }
    }

    /// The owner may use slack from now on, of which it has `bytes`, and put `most` together. For the
    /// owner only, under the ledger's lock.
    pub(crate) fn arm(&self, bytes: u64, most: u64) {
        self.learn();
        self.most.store(most, Ordering::Relaxed);
        self.numbers.armed.store(true, Ordering::Relaxed);
        self.write(add(self.used(), bytes), bytes);
        self.open();
    }

    /// Writes two numbers that go together. For the owner only, and while armed under the ledger's lock.
    fn write(&self, granted: u64, slack: u64) {
        let numbers = &*self.numbers;
        let version = numbers.version.load(Ordering::Relaxed);
        // mutant(writer-warns by use_is_read_whole): delete
        numbers.version.store(add(version, 1), Ordering::Relaxed);
        // Who sees any of what is written from here on, also later and without a version, sees that.
        // mutant(version-comes-first by use_is_read_whole_beside_a_change): delete
        fence(Ordering::Release);
        numbers.granted.store(granted, Ordering::Relaxed);
        numbers.slack.store(slack, Ordering::Relaxed);
        numbers.version.store(add(version, 2), Ordering::Release);
    }

    /// Says how much slack there may be from now on: at most all that was granted, so that a change that
    /// would put back more than is used is none.
    fn open(&self) {
        let numbers = &*self.numbers;
        let slack = numbers.slack.load(Ordering::Relaxed);
        let most = self.most.load(Ordering::Relaxed).max(slack);
        let ceiling = add(most.min(numbers.granted.load(Ordering::Relaxed)), 1);
        let glance = if is_fence_light() { ceiling } else { 0 };
        numbers.ceiling.store(ceiling, Ordering::Relaxed);
        numbers.glance.store(glance, Ordering::Relaxed);
    }

    /// The owner may not use slack any longer. Under the ledger's lock; between this and
    /// [`take`](Self::take) comes a [`mem_sync::heavy_fence`], one for any number of owners.
    pub(crate) fn disarm(&self) {
        self.numbers.ceiling.store(0, Ordering::Relaxed);
        self.numbers.glance.store(0, Ordering::Relaxed);
    }

    /// Takes all of the slack. Under the ledger's lock, after disarming and the fence.
    pub(crate) fn take(&self) -> u64 {
        let numbers = &*self.numbers;
        let slack = self.all_slack();
        numbers.taken.store(slack, Ordering::Relaxed);
        numbers.armed.store(false, Ordering::Release);
        slack
    }

    /// Whether the ledger may come for the slack. Exact under the ledger's lock; and where the owner
    /// finds that it may not, that stays so.
    pub(crate) fn is_armed(&self) -> bool {
        self.numbers.armed.load(Ordering::Acquire)
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
}
