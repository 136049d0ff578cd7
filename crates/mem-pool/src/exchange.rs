//! Exchanges: a block takes over the memory of one that goes for it, and the ledger need not be asked.
//!
//! Once storage is full of blocks of one size, every request for another of that size gets the same
//! answers: evict so many bytes, keeping nothing meanwhile, and then have just those. Afterwards the
//! books are what they were. So the ledger, having given these answers once, says so outside of its
//! lock, and takes it back at the beginning of its next transaction, whatever that is.
//!
//! Why the store may then pass the ledger by: whoever reads that storage is full reads it before the
//! next transaction has changed anything, and after the last one. Let the request arrive, be settled
//! and be granted at that instant. These are steps that the ledger would have made, in an order in
//! which threads can come; a policy answers the same question the same way. The bytes are never
//! nobody's: the reservation that paid for the block that goes pays for the one that comes. What
//! happens later, to the ledger or to the block that was to go, finds a granted request whose block is
//! still being written, as it would have.
//!
//! It is not said while there is a probe: probes are told of every step.

use std::sync::Arc;

use mem_block::MemoryMode;
use mem_sync::CachePadded;
use mem_sync::atomic::{AtomicU64, Ordering};

use crate::ledger::Ledger;
use crate::policy::{Decision, Request, Round, Want};
use crate::probe::Kind;
use crate::reservation::Reservation;
use crate::state::{Counters, State};
use crate::sum::add;
use crate::ticket::Ask;

/// What is said outside of the lock, and what was done because of it.
#[derive(Debug, Default)]
pub(crate) struct Exchanges {
    /// For which requests storage is full; 0 where that is not known. In a line of its own: it is read
    /// more often than written.
    full_for: CachePadded<AtomicU64>,
    done: CachePadded<Done>,
}

#[derive(Debug, Default)]
struct Done {
    exchanges: AtomicU64,
    bytes: AtomicU64,
}

/// The right to put a block in the place of another of the same size.
#[derive(Debug)]
#[must_use = "nothing was exchanged yet"]
pub struct Exchange<'a> {
    ledger: &'a Arc<Ledger>,
    mode: MemoryMode,
    bytes: u64,
}

impl Exchange<'_> {
    /// The block that `reservation` paid for is gone; what it held is from now on the asker's. False, and
    /// nothing exchanged, where that is not just these bytes of storage memory.
    #[must_use]
    pub fn complete(self, reservation: &Reservation) -> bool {
        let fits = reservation.is_of(self.ledger)
            && reservation.kind() == Kind::Storage
            && (reservation.mode(), reservation.bytes()) == (self.mode, self.bytes);
        if fits {
            let done = &self.ledger.exchanges.done;
            // Only sums: nothing follows from them.
            done.exchanges.fetch_add(1, Ordering::Relaxed);
            done.bytes.fetch_add(self.bytes, Ordering::Relaxed);
        }
        fits
    }
}

impl Ledger {
    /// Whether `ask` would now be told to evict just as many bytes as it asks for. Then a block of that
    /// size may give its place to the asker's, without another word to the ledger; who does not make
    /// use of it asks as ever. Takes no lock.
    #[must_use]
    pub fn exchange(self: &Arc<Self>, ask: &Ask) -> Option<Exchange<'_>> {
        let full_for = self.exchanges.full_for.load(Ordering::Acquire);
        let is_full = ask.kind() == Kind::Storage
            && full_for != 0
            && Some(full_for) == code(ask.mode(), ask.bytes());
        is_full.then(|| Exchange {
            ledger: self,
            mode: ask.mode(),
            bytes: ask.bytes(),
        })
    }
}

impl Exchanges {
    /// A transaction begins: what was said of the books may not be true much longer.
    #[inline]
    pub(crate) fn take_back(&self, state: &mut State) {
        if state.says_full {
            state.says_full = false;
            // Before the books are changed, so that nobody reads it afterwards.
            // mutant(full-is-taken-back by room_beside_an_exchange): delete
            self.full_for.store(0, Ordering::Release);
        }
    }

    /// A request for `bytes` of storage memory, for which as many were evicted, has left the queue:
    /// says that the next one would come to the same, where it would. `state` is as the
    /// transaction leaves it.
    pub(crate) fn say(&self, state: &mut State, mode: MemoryMode, bytes: u64) {
        if let Some(code) = code(mode, bytes)
            && state.is_full_for(mode, bytes)
        {
            state.says_full = true;
            self.full_for.store(code, Ordering::Release);
        }
    }

    /// Adds what was granted and evicted by exchanges.
    pub(crate) fn count_in(&self, counters: &mut Counters) {
        let exchanges = self.done.exchanges.load(Ordering::Relaxed);
        let bytes = self.done.bytes.load(Ordering::Relaxed);
        counters.grants = add(counters.grants, exchanges);
        counters.evictions = add(counters.evictions, exchanges);
        counters.evicted_bytes = add(counters.evicted_bytes, bytes);
    }
}

impl State {
    /// Whether a request for `bytes` of storage memory would be told to evict as many, and then be
    /// granted them, with nothing else changed: no slack is taken back, no debt paid, nobody queued who
    /// could be told of it.
    fn is_full_for(&mut self, mode: MemoryMode, bytes: u64) -> bool {
        if !self.queue.is_empty() || self.has_slack(mode) || self.books(mode).debt > 0 {
            return false;
        }
        let request = |round| Request {
            want: Want::Storage,
            bytes,
            round,
        };
        let evicts = Decision::Evict {
            reserve_unused: 0,
            need: bytes,
        };
        let decides = |state: &Self, round| {
            let books = state.books(mode);
            state.policy.decide(books, &request(round))
        };
        if decides(self, Round::Open) != evicts || self.books(mode).storage.used() < bytes {
            return false;
        }
        self.books_mut(mode).storage.release(bytes);
        let evicted = Round::Evicted {
            reserved: 0,
            freed: bytes,
        };
        let decision = decides(self, evicted);
        self.books_mut(mode).storage.take(bytes);
        decision == Decision::Grant(bytes)
    }
}

/// A mode and a number of bytes in one word that is not 0; none where they don't fit, or are none.
fn code(mode: MemoryMode, bytes: u64) -> Option<u64> {
    let is_off_heap = u64::from(mode == MemoryMode::OffHeap);
    let fits = bytes > 0 && bytes < 1 << 62;
    fits.then_some(bytes << 1 | is_off_heap)
}
