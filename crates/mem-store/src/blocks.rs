//! All blocks: the table of names, and the queue for eviction.
//!
//! Mutexes are taken in the order queue, shard, block, and none is held while anything is freed,
//! allocated, woken or called.

use std::hash::BuildHasher;
use std::sync::Arc;

use mem_block::MemoryMode;
use mem_pool::Dataset;
use mem_sync::Mutex;
use mem_sync::atomic::{AtomicU64, Ordering};
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::block::{Block, State};
use crate::block_id::BlockId;
use crate::queue::{EvictionQueue, Queued, Stamp};
use crate::storage_level::StorageLevel;

/// Parts of the table, so that look-ups by several threads seldom meet.
const SHARDS: usize = 64;

type Shard = Mutex<FxHashMap<BlockId, Arc<Block>>>;

#[derive(Debug)]
pub(crate) struct Blocks {
    shards: Box<[Shard]>,
    queue: Mutex<EvictionQueue<Arc<Block>>>,
    stamp: AtomicU64,
}

impl Blocks {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            queue: Mutex::default(),
            stamp: AtomicU64::new(0),
        }
    }

    pub(crate) fn find(&self, id: &BlockId) -> Option<Arc<Block>> {
        self.shard(id).lock().get(id).cloned()
    }

    /// Adds a block, locked for writing. Where there is one of that name already, that is the error.
    pub(crate) fn register(
        &self,
        id: &BlockId,
        level: StorageLevel,
        mode: MemoryMode,
    ) -> Result<Arc<Block>, Arc<Block>> {
        let block = Block::new(id.clone(), level, mode);
        block.state.lock().writer = true;
        let mut shard = self.shard(id).lock();
        if let Some(there) = shard.get(id)
            // One that is just being taken out of the table is as good as gone.
            && !there.state.lock().removed
        {
            return Err(Arc::clone(there));
        }
        let replaced = shard.insert(id.clone(), Arc::clone(&block));
        drop(shard);
        drop(replaced);
        Ok(block)
    }

    /// All blocks of this moment, or nearly: part by part.
    pub(crate) fn all(&self) -> Vec<Arc<Block>> {
        let mut all = Vec::new();
        for shard in &self.shards {
            all.extend(shard.lock().values().cloned());
        }
        all
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// The stamp of what is used now.
    pub(crate) fn now(&self) -> Stamp {
        // 2^64 uses take centuries. Only the order of the numbers matters, so relaxed will do.
        self.stamp.fetch_add(1, Ordering::Relaxed)
    }

    /// How often selecting victims looked at a block.
    pub(crate) fn selection_steps(&self) -> u64 {
        self.queue.lock().taken()
    }

    /// Changes a block, and does what follows from it: the queue is put right, a block of which
    /// nothing is left goes, and whoever waits for it looks again.
    pub(crate) fn change<R>(&self, block: &Arc<Block>, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = block.state.lock();
        let (was_removed, before) = (state.removed, state.obstacles());
        let result = change(&mut state);
        state.removed |= state.is_over();
        let is_misplaced = state.is_misplaced();
        let is_gone = state.removed && !was_removed;
        let waiting = state.take_waiting(before);
        drop(state);
        if is_misplaced {
            self.settle(block);
        }
        if is_gone {
            self.forget(block);
        }
        for waker in waiting {
            waker.wake();
        }
        result
    }

    /// Puts the block where it belongs in the queue, or takes it out.
    fn settle(&self, block: &Arc<Block>) {
        let mut queue = self.queue.lock();
        let mut state = block.state.lock();
        let removed = state.queued.take().and_then(|stamp| {
            let dataset = block.id.dataset();
            queue.remove(block.mode, dataset, stamp)
        });
        enqueue(&mut queue, block, &mut state);
        drop(state);
        drop(queue);
        drop(removed);
    }

    fn forget(&self, block: &Arc<Block>) {
        let mut shard = self.shard(&block.id).lock();
        let same = |there: &Arc<Block>| Arc::ptr_eq(there, block);
        let removed = if shard.get(&block.id).is_some_and(same) {
            shard.remove(&block.id)
        } else {
            None
        };
        drop(shard);
        drop(removed);
    }

    /// Chooses blocks of `mode` worth at least `need` bytes, least recently used first, none of the
    /// dataset `spare`, and marks them as leaving. `None`, and nothing marked, where they don't
    /// reach `need`. Costs the number of blocks chosen, and one step each for blocks that were
    /// touched, or had come to be read, since they were last looked at.
    pub(crate) fn choose(
        &self,
        need: u64,
        mode: MemoryMode,
        spare: Option<Dataset>,
    ) -> Option<Vec<Arc<Block>>> {
        let mut chosen = Vec::new();
        let mut bytes = 0_u64;
        let mut queue = self.queue.lock();
        // In vain it would cost all blocks.
        let enough = queue.bytes(mode, spare) >= need;
        while enough && bytes < need {
            let Some((stamp, Queued { block, bytes: size })) = queue.take_oldest(mode, spare)
            else {
                break;
            };
            let mut state = block.state.lock();
            state.queued = None;
            if state.is_evictable() && state.used == stamp {
                state.leaving = true;
                drop(state);
                // The sum of granted sizes fits.
                bytes += size;
                chosen.push(block);
            } else {
                // Used since, it goes further back. With readers it comes back when they leave.
                enqueue(&mut queue, &block, &mut state);
            }
        }
        drop(queue);
        if bytes >= need {
            return Some(chosen);
        }
        for block in chosen {
            self.change(&block, |state| state.leaving = false);
        }
        None
    }

    fn shard(&self, id: &BlockId) -> &Shard {
        // The hasher's highest bits are its best, and the shards' own maps use the lowest.
        let hash = FxBuildHasher.hash_one(id);
        let number = usize::try_from(hash >> (u64::BITS - SHARDS.ilog2()));
        &self.shards[number.expect("few bits are left")]
    }
}

/// Adds a block that is not in the queue to it, if it belongs there.
fn enqueue(queue: &mut EvictionQueue<Arc<Block>>, block: &Arc<Block>, state: &mut State) {
    if !state.is_evictable() {
        return;
    }
    if let Some(content) = &state.memory {
        let queued = Queued {
            block: Arc::clone(block),
            bytes: content.size,
        };
        state.queued = Some(state.used);
        queue.insert(block.mode, block.id.dataset(), state.used, queued);
    }
}
