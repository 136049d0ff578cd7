//! What the pool's lock guards, and the decisions that are made under it. Nothing here maps,
//! unmaps, allocates or touches memory.

use super::batch::Batch;
use crate::{
    AllocatorOptions,
    account::Account,
    classes::KEPT_FROM,
    free_lists::{FreeLists, Shelf},
    region::Region,
};

/// Counters, free lists, and the age of things.
#[derive(Debug)]
pub(super) struct State {
    pub(super) account: Account,
    pub(super) free: FreeLists,
    kept_max: u64,
    kept_age: u64,
    allocations: u64,
    /// Nothing expires while `allocations` is not above this, so nobody has to look.
    none_expires_until: u64,
}

/// What an allocation does next.
#[derive(Debug)]
pub(super) enum Step {
    /// The block is counted; this region is its memory.
    Reuse(Region),
    /// The block is counted; this region, cut off a slab and never used before, is its memory.
    Cut(Region),
    /// The block is counted, and so is the rest of a slab that is to be obtained with it.
    Obtain {
        /// Bytes of the rest; 0 without a slab.
        rest: u64,
    },
    /// Room is being made: release the batch, then ask again.
    Evicted,
    /// Others are bringing enough back to the system: wait, then ask again.
    Wait,
    /// The blocks in use leave no room.
    Refuse { live: u64, limit: u64 },
}

impl State {
    pub(super) fn new(options: AllocatorOptions) -> Self {
        Self {
            account: Account::new(options.limit),
            free: FreeLists::new(),
            kept_max: options.kept_max,
            kept_age: options.kept_age,
            allocations: 0,
            none_expires_until: options.kept_age,
        }
    }

    /// An allocation of a capacity that could be kept makes the kept regions one older.
    pub(super) fn grow_older(&mut self, capacity: u64) {
        // 64 bits of allocations take longer than any process runs.
        self.allocations += u64::from(capacity >= KEPT_FROM);
    }

    /// Decides how a block of `size` bytes, which takes `capacity`, comes about. If it may come from a
    /// slab, `slab` is the size of one. `leaving` gets regions that are to be released, whatever the
    /// decision is.
    pub(super) fn reserve<const N: usize>(
        &mut self,
        size: u64,
        capacity: u64,
        slab: Option<u64>,
        leaving: &mut Batch<N>,
    ) -> Step {
        self.evict_expired(leaving);
        if !self.account.allows(size) {
            let stats = self.account.stats();
            return Step::Refuse {
                live: stats.live,
                limit: stats.limit,
            };
        }
        if capacity >= KEPT_FROM
            && let Some(region) = self.free.take_fit(capacity)
        {
            self.account.reuse(size, capacity, region.capacity());
            return Step::Reuse(region);
        }
        if let Some(slab) = slab {
            if let Some(region) = self.free.cut(capacity, self.allocations) {
                self.account.cut(size, capacity);
                return Step::Cut(region);
            }
            if self.has_room_for(slab, capacity) {
                let rest = slab - capacity;
                self.account.admit(size, capacity);
                self.account.await_rest(rest);
                return Step::Obtain { rest };
            }
        }
        let over = self.account.over(capacity);
        let stats = self.account.stats();
        if over > stats.releasing && stats.kept > 0 {
            self.evict(over - stats.releasing, leaving);
            return Step::Evicted;
        }
        if over > 0 && stats.releasing > 0 {
            return Step::Wait;
        }
        // What is over, if anything, is rounding: the sizes themselves fit.
        self.account.admit(size, capacity);
        Step::Obtain { rest: 0 }
    }

    /// Whether a slab may be obtained for a block of `capacity`: nothing has to leave for it, and what
    /// is left of it may be kept.
    fn has_room_for(&self, slab: u64, capacity: u64) -> bool {
        let kept = self.account.stats().kept.saturating_add(slab - capacity);
        kept <= self.kept_max && self.account.over(slab) == 0
    }

    /// Keeps the rest of a slab; the caller then sheds the excess.
    pub(super) fn keep_rest(&mut self, rest: Region) {
        self.account.arrived(rest.capacity());
        self.free.keep(Shelf::RESTS, rest, self.allocations);
    }

    /// Keeps the region of a freed block of `len` bytes; the caller then sheds the excess.
    pub(super) fn keep(&mut self, region: Region, len: u64) {
        let capacity = region.capacity();
        self.account.keep(len, capacity);
        self.free
            .keep(Shelf::of(capacity), region, self.allocations);
    }

    /// Kept bytes that are too many, by their own bound or by the limit.
    pub(super) fn excess(&self) -> u64 {
        let stats = self.account.stats();
        let over = self.account.over(0).saturating_sub(stats.releasing);
        over.max(stats.kept.saturating_sub(self.kept_max))
    }

    /// Moves the oldest kept regions into `leaving`: until they make up `bytes`, the batch is full,
    /// or none is left.
    pub(super) fn evict<const N: usize>(&mut self, bytes: u64, leaving: &mut Batch<N>) {
        let enough = leaving.bytes().saturating_add(bytes);
        while leaving.bytes() < enough && !leaving.is_full() {
            let Some(region) = self.free.take_oldest() else {
                return;
            };
            self.account.evict(region.capacity());
            leaving.push(region);
        }
    }

    fn evict_expired<const N: usize>(&mut self, leaving: &mut Batch<N>) {
        while self.allocations > self.none_expires_until && !leaving.is_full() {
            // What is kept later is younger than now.
            let oldest = self.free.oldest_since().unwrap_or(self.allocations);
            self.none_expires_until = oldest.saturating_add(self.kept_age);
            if self.allocations > self.none_expires_until {
                self.evict(1, leaving);
            }
        }
    }
}
