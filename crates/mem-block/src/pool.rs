//! What both allocators do with freed memory: keep it, use it again, give it back.
//!
//! One lock guards the counters and the lists. Regions are picked under it and mapped, unmapped,
//! shortened or filled outside it. Memory that is on its way back to the system stays counted until
//! it is there; an allocation that needs the room waits for it.

mod batch;
mod state;
#[cfg(all(test, not(mem_loom)))]
mod tests;

use crate::{
    AllocError, AllocatorOptions, AllocatorStats, MemoryBlock, MemoryMode,
    block::Home,
    classes::{self, KEPT_FROM},
    free_lists::{List, Shelf},
    region::Region,
};
use batch::Batch;
use mem_sync::{Condvar, Mutex, MutexGuard};
use state::{State, Step};
use std::{io, mem, sync::Arc};

const CLEAN: u8 = 0xa5;
const FREED: u8 = 0x5a;

/// Regions that an allocation evicts at a time, and those that go where many do.
const FEW: usize = 8;
const MANY: usize = 64;

/// Where memory comes from and goes to.
pub(crate) trait Source: Send + Sync + 'static {
    /// The mode of blocks made of it.
    fn mode(&self) -> MemoryMode;

    /// Largest block in bytes.
    fn max_block(&self) -> u64;

    /// Bytes that a block of `size` bytes really takes, at least `size`.
    fn capacity_for(&self, size: u64) -> u64;

    /// Bytes to obtain at once for a block of `capacity` bytes and others after it, at least twice as
    /// many; none where blocks are not cut off larger pieces.
    fn slab_for(&self, _capacity: u64) -> Option<u64> {
        None
    }

    /// Zeroed memory of `capacity` bytes, which [`capacity_for`](Self::capacity_for) or
    /// [`slab_for`](Self::slab_for) gave.
    fn obtain(&self, capacity: u64) -> Result<Region, io::ErrorKind>;

    /// Gives memory back.
    fn release(&self, region: Region) {
        drop(region);
    }

    /// Gives all but the first `capacity` bytes back, if possible.
    fn shrink(&self, region: &mut Region, capacity: u64) {
        region.shrink(capacity);
    }
}

/// Whether a block's first contents matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contents {
    /// Anything.
    Any,
    /// Zeros.
    Zeroed,
}

/// What a counted block is made of.
enum Memory {
    /// A freed block.
    Kept(Region),
    /// A part of a slab, zeroed.
    Cut(Region),
    /// Memory that has to be obtained, with the rest of a slab if that isn't 0.
    Fresh { rest: u64 },
}

/// A source under a limit, with free lists.
pub(crate) struct BlockPool<S: Source> {
    source: S,
    debug_fill: bool,
    kept_max: u64,
    state: Mutex<State>,
    released: Condvar,
}

impl<S: Source> BlockPool<S> {
    pub(crate) fn new(source: S, options: AllocatorOptions) -> Arc<Self> {
        Arc::new(Self {
            source,
            debug_fill: options.debug_fill,
            kept_max: options.kept_max,
            state: Mutex::new(State::new(options)),
            released: Condvar::new(),
        })
    }

    pub(crate) fn mode(&self) -> MemoryMode {
        self.source.mode()
    }

    pub(crate) fn stats(&self) -> AllocatorStats {
        self.state.lock().account.stats()
    }

    pub(crate) fn good_size(&self, size: u64) -> u64 {
        let max = self.source.max_block();
        match classes::round_up(size).map(|class| self.source.capacity_for(class)) {
            Some(class) if class <= max => class,
            _ => size,
        }
    }

    pub(crate) fn allocate(
        self: &Arc<Self>,
        size: u64,
        contents: Contents,
    ) -> Result<MemoryBlock, AllocError> {
        let mode = self.mode();
        let max = self.source.max_block();
        if size > max {
            return Err(AllocError::TooLarge { mode, size, max });
        }
        let capacity = self.source.capacity_for(size);
        let (mut region, fresh) = match self.reserve(size, capacity)? {
            Memory::Kept(kept) => (self.fitted(kept, capacity), false),
            Memory::Cut(cut) => (cut, true),
            Memory::Fresh { rest } => (self.fresh(size, capacity, rest)?, true),
        };
        match contents {
            Contents::Zeroed if !fresh => region.bytes_mut().fill(0),
            Contents::Any if self.debug_fill => region.bytes_mut().fill(CLEAN),
            Contents::Zeroed | Contents::Any => {}
        }
        let home: Arc<dyn Home> = Arc::<Self>::clone(self);
        Ok(MemoryBlock::new(region, size, mode, home))
    }

    /// Counts the block and takes a kept region for it, if there is one.
    fn reserve(&self, size: u64, capacity: u64) -> Result<Memory, AllocError> {
        let slab = self.source.slab_for(capacity);
        let mut first = true;
        loop {
            let mut leaving = Batch::<FEW>::new();
            let mut state = self.state.lock();
            if mem::take(&mut first) {
                state.grow_older(capacity);
            }
            let step = state.reserve(size, capacity, slab, &mut leaving);
            drop(state);
            self.release(leaving);
            match step {
                Step::Reuse(region) => return Ok(Memory::Kept(region)),
                Step::Cut(region) => return Ok(Memory::Cut(region)),
                Step::Obtain { rest } => return Ok(Memory::Fresh { rest }),
                Step::Evicted => {}
                Step::Wait => self.wait_for_release(),
                Step::Refuse { live, limit } => {
                    let mode = self.mode();
                    return Err(AllocError::Limit {
                        mode,
                        size,
                        live,
                        limit,
                    });
                }
            }
        }
    }

    /// Waits until some of the memory that is on its way to the system or from it has arrived. Whoever
    /// brings it waits for nobody.
    fn wait_for_release(&self) {
        let state = self.state.lock();
        if state.account.stats().releasing > 0 {
            drop(self.released.wait(state));
        }
    }

    /// Gives what is too much of a kept region back. If the system doesn't take it, it stays and is
    /// counted.
    fn fitted(&self, mut region: Region, capacity: u64) -> Region {
        let had = region.capacity();
        if had == capacity {
            return region;
        }
        self.source.shrink(&mut region, capacity);
        let has = region.capacity();
        let mut state = self.state.lock();
        state.account.released(had - has);
        state.account.stayed(has - capacity);
        drop(state);
        // mutant(release-notifies by an_allocation_waits_for_the_tail_that_another_cuts_off @ fitted): delete
        self.released.notify_all();
        region
    }

    /// Obtains memory that is already counted, with the `rest` of a slab if there is one. Kept memory
    /// is given back before the system's refusal is final.
    fn fresh(&self, size: u64, capacity: u64, rest: u64) -> Result<Region, AllocError> {
        if rest > 0
            && let Some(block) = self.front_of_slab(capacity, rest)
        {
            return Ok(block);
        }
        let first = self.source.obtain(capacity);
        let obtained = match first {
            Err(_) if self.trim(u64::MAX) > 0 => self.source.obtain(capacity),
            other => other,
        };
        obtained.map_err(|kind| {
            self.state.lock().account.revoke(size, capacity);
            let mode = self.mode();
            AllocError::Refused { mode, size, kind }
        })
    }

    /// Obtains a slab that is already counted, keeps its `rest`, and returns the block; none if the
    /// system has no slab.
    fn front_of_slab(&self, capacity: u64, rest: u64) -> Option<Region> {
        let mut slab = self.source.obtain(capacity + rest).ok();
        match slab.as_mut().and_then(|slab| slab.split_off(capacity)) {
            Some(rest) => self.keep_rest(rest),
            None => self.state.lock().account.released(rest),
        }
        // mutant(rest-notifies by an_allocation_waits_for_the_rest_of_a_slab @ front_of_slab): delete
        self.released.notify_all();
        self.shed_excess();
        slab
    }

    fn keep_rest(&self, rest: Region) {
        let bytes = rest.capacity();
        match self.lock_with_slot(Shelf::RESTS) {
            Some(mut state) => state.keep_rest(rest),
            None => {
                self.source.release(rest);
                self.state.lock().account.released(bytes);
            }
        }
    }

    pub(crate) fn trim(&self, bytes: u64) -> u64 {
        self.shed(|_, shed| bytes.saturating_sub(shed))
    }

    pub(crate) fn set_limit(&self, bytes: u64) {
        self.state.lock().account.set_limit(bytes);
        self.shed_excess();
    }

    fn shed_excess(&self) {
        self.shed(|state, _| state.excess());
    }

    /// Gives kept regions back, batch by batch, until `wanted` says 0 or none is left. It is asked
    /// under the lock and told the bytes given back so far. Returns those bytes.
    fn shed(&self, wanted: impl Fn(&State, u64) -> u64) -> u64 {
        let mut shed = 0;
        loop {
            let mut leaving = Batch::<MANY>::new();
            let mut state = self.state.lock();
            let bytes = wanted(&state, shed);
            state.evict(bytes, &mut leaving);
            drop(state);
            if leaving.is_empty() {
                return shed;
            }
            shed += leaving.bytes();
            self.release(leaving);
        }
    }

    /// Brings evicted regions to the system, then stops counting them.
    fn release<const N: usize>(&self, leaving: Batch<N>) {
        if leaving.is_empty() {
            return;
        }
        let bytes = leaving.bytes();
        leaving.release(|piece| self.source.release(piece));
        self.state.lock().account.released(bytes);
        // mutant(release-notifies by an_allocation_waits_for_memory_that_another_gives_back @ release): delete
        self.released.notify_all();
    }

    /// Locks, with a slot for one more kept region on `shelf`; none if there is no memory for the
    /// slot. Lists are made longer and dropped while the lock is free.
    fn lock_with_slot(&self, shelf: Shelf) -> Option<MutexGuard<'_, State>> {
        let mut state = self.state.lock();
        while let Some(slots) = state.free.slots_wanted(shelf) {
            drop(state);
            let mut longer = List::new();
            if longer.try_reserve_exact(slots).is_err() {
                return None;
            }
            state = self.state.lock();
            let retired = state.free.lengthen(shelf, longer);
            if retired.capacity() > 0 {
                drop(state);
                drop(retired);
                state = self.state.lock();
            }
        }
        Some(state)
    }
}

impl<S: Source> Drop for BlockPool<S> {
    /// What is kept goes in large pieces.
    fn drop(&mut self) {
        self.trim(u64::MAX);
    }
}

impl<S: Source> Home for BlockPool<S> {
    fn renew(&self, region: &mut Region) {
        if self.debug_fill {
            region.bytes_mut().fill(CLEAN);
        }
    }

    fn take_back(&self, mut region: Region, len: u64) {
        if self.debug_fill {
            region.bytes_mut().fill(FREED);
        }
        let capacity = region.capacity();
        let can_keep = (KEPT_FROM..=self.kept_max).contains(&capacity);
        if can_keep && let Some(mut state) = self.lock_with_slot(Shelf::of(capacity)) {
            state.keep(region, len);
            let excess = state.excess();
            drop(state);
            if excess > 0 {
                self.shed_excess();
            }
            return;
        }
        self.source.release(region);
        self.state.lock().account.forget(len, capacity);
    }
}
