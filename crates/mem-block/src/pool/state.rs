//! What the pool's lock guards, and the decisions that are made under it. Nothing here maps,
//! unmaps, allocates or touches memory.

use crate::{
    AllocatorOptions, account::Account, classes::KEPT_FROM, free_lists::FreeLists, region::Region,
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
    /// The block is counted; its memory has to be obtained.
    Obtain,
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

    /// Decides how a block of `size` bytes, which takes `capacity`, comes about. `leaving` gets
    /// regions that are to be released, whatever the decision is.
    pub(super) fn reserve(&mut self, size: u64, capacity: u64, leaving: &mut Batch) -> Step {
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
        Step::Obtain
    }

    /// Keeps the region of a freed block of `len` bytes; the caller then sheds the excess.
    pub(super) fn keep(&mut self, region: Region, len: u64) {
        self.account.keep(len, region.capacity());
        self.free.keep(region, self.allocations);
    }

    /// Kept bytes that are too many, by their own bound or by the limit.
    pub(super) fn excess(&self) -> u64 {
        let stats = self.account.stats();
        let over = self.account.over(0).saturating_sub(stats.releasing);
        over.max(stats.kept.saturating_sub(self.kept_max))
    }

    /// Moves the oldest kept regions into `leaving`: until they make up `bytes`, the batch is full,
    /// or none is left.
    pub(super) fn evict(&mut self, bytes: u64, leaving: &mut Batch) {
        let enough = leaving.bytes.saturating_add(bytes);
        while leaving.bytes < enough && !leaving.is_full() {
            let Some(region) = self.free.take_oldest() else {
                return;
            };
            self.account.evict(region.capacity());
            leaving.push(region);
        }
    }

    fn evict_expired(&mut self, leaving: &mut Batch) {
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

const BATCH: usize = 8;

/// Regions on their way back to the system; of a fixed number, so that collecting them under the
/// lock allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Batch {
    regions: [Region; BATCH],
    used: usize,
    bytes: u64,
}

impl Batch {
    pub(super) const fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Their bytes.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    const fn is_full(&self) -> bool {
        self.used == BATCH
    }

    fn push(&mut self, region: Region) {
        self.bytes += region.capacity(); // real memory, so the sum has 64 bits
        self.regions[self.used] = region;
        self.used += 1;
    }
}

impl IntoIterator for Batch {
    type Item = Region;
    type IntoIter = std::iter::Take<std::array::IntoIter<Region, BATCH>>;

    fn into_iter(self) -> Self::IntoIter {
        self.regions.into_iter().take(self.used)
    }
}
