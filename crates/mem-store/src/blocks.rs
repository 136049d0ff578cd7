//! All blocks: the table of names, and the queue for eviction.
//!
//! Mutexes are taken in the order queue, shard, block, and none is held while a block's memory is freed
//! or allocated, or anything is woken or called.
//!
//! A get takes the shard's mutex alone: the table knows the way to what is in memory, whose gate counts
//! the reader, and the get only leaves its stamp there. A block leaves memory under it, too, where nobody
//! may be reading it. The queue is put right when a block comes up
//! whose stamp is newer than its place. Nobody has a newer place than stamp, so the first block whose
//! place is its stamp is the least recently used of all.

mod candidate;
mod newcomer;

use std::sync::{Arc, Weak};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;
use mem_block::{MemoryMode, SlabArc, SlabWeak};
use mem_pool::Dataset;
use mem_sync::atomic::{AtomicU64, Ordering};
use mem_sync::{Mutex, lock_spinning};
use smallvec::SmallVec;

use crate::block::{Aftermath, Block, State};
use crate::block_id::BlockId;
use crate::content::Content;
use crate::info_manager::BlockInfoManager;
use crate::queue::Stamp;
use crate::storage_level::StorageLevel;
use candidate::{Candidates, Look, dismiss_oldest, enqueue};
pub(crate) use newcomer::{Left, Newcomer, Queueing};

/// Parts of the table, so that look-ups by several threads seldom meet.
const SHARDS: usize = 64;

/// Blocks that are to leave; mostly one.
pub(crate) type Chosen = SmallVec<[Arc<Block>; 2]>;

/// Something that several threads write: in a line of the processor's cache of its own, as no line is
/// longer and none is fetched with another.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Apart<T>(T);

type Shard = Apart<Mutex<HashTable<Entry>>>;

/// A block in the table.
#[derive(Debug)]
struct Entry {
    id: BlockId,
    block: Arc<Block>,
    /// What was in memory when it was last got: the shortest way there. It may be there no more.
    content: SlabWeak<Content>,
}

impl Entry {
    fn new(block: &Arc<Block>) -> Self {
        Self {
            id: block.id.clone(),
            block: Arc::clone(block),
            content: SlabWeak::new(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Blocks {
    shards: Box<[Shard]>,
    queue: Apart<Mutex<Candidates>>,
    stamp: Apart<AtomicU64>,
    /// Whose these are.
    home: Weak<BlockInfoManager>,
}

impl Blocks {
    pub(crate) fn new(home: Weak<BlockInfoManager>) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            queue: Apart::default(),
            stamp: Apart::default(),
            home,
        }
    }

    pub(crate) fn find(&self, id: &BlockId) -> Option<Arc<Block>> {
        let hash = id.place();
        let shard = self.shard(hash).lock();
        let entry = shard.find(hash, |entry| entry.id == *id)?;
        Some(Arc::clone(&entry.block))
    }

    /// What a block has in memory, whose gate lets the caller in.
    pub(crate) fn get(&self, id: &BlockId) -> Option<SlabArc<Content>> {
        let hash = id.place();
        let shard = self.shard(hash).lock();
        // Before it is known whether it is needed: other threads' processors have the counter, and it
        // comes from there while the entry comes from memory.
        let now = self.now();
        let entry = shard.find(hash, |entry| entry.id == *id)?;
        let stale = match entry.content.upgrade() {
            Some(content) if self.enter(&content, now) => return Some(content),
            stale => stale,
        };
        let block = Arc::clone(&entry.block);
        drop(shard);
        drop(stale);
        self.get_first(hash, &block)
    }

    /// The same, where the table does not know the content yet.
    fn get_first(&self, hash: u64, block: &Arc<Block>) -> Option<SlabArc<Content>> {
        let content = block.state.lock().memory.clone()?;
        let mut shard = self.shard(hash).lock();
        let has_entered = self.enter(&content, self.now());
        let entry = shard.find_mut(hash, |entry| Arc::ptr_eq(&entry.block, block));
        let before =
            entry.map(|entry| std::mem::replace(&mut entry.content, SlabArc::downgrade(&content)));
        drop(shard);
        drop(before);
        has_entered.then_some(content)
    }

    /// Lets a reader in who holds the shard's mutex; the content counts as used at `now`, a stamp that was
    /// taken under it.
    fn enter(&self, content: &Content, now: Stamp) -> bool {
        let has_entered = content.gate.enter();
        if has_entered {
            // fault(lru): replace `content.touch(now);` => ``
            content.touch(now);
        }
        has_entered
    }

    /// A content counts as used now.
    pub(crate) fn touch(&self, content: &Content) {
        let shard = self.shard(content.id.place()).lock();
        content.touch(self.now());
        drop(shard);
    }

    /// Adds a block, locked for writing. Where there is one of that name already, that is the error.
    pub(crate) fn register(
        &self,
        id: &BlockId,
        level: StorageLevel,
        mode: MemoryMode,
    ) -> Result<Arc<Block>, Arc<Block>> {
        let block = Block::new(id.clone(), level, mode);
        let hash = id.place();
        let mut shard = self.shard(hash).lock();
        let slot = shard.entry(hash, |entry| entry.id == *id, |entry| entry.id.place());
        match slot {
            Slot::Vacant(free) => {
                free.insert(Entry::new(&block));
            }
            // One that is just being taken out of the table is as good as gone.
            Slot::Occupied(there) if !there.get().block.state.lock().removed => {
                return Err(Arc::clone(&there.get().block));
            }
            Slot::Occupied(mut there) => {
                let replaced = std::mem::replace(there.get_mut(), Entry::new(&block));
                drop(shard);
                drop(replaced);
            }
        }
        Ok(block)
    }

    /// All blocks of this moment, or nearly: part by part.
    pub(crate) fn all(&self) -> Vec<Arc<Block>> {
        let mut all = Vec::new();
        for shard in &self.shards {
            all.extend(shard.0.lock().iter().map(|entry| Arc::clone(&entry.block)));
        }
        all
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.lock().len()).sum()
    }

    /// The stamp of what is used now.
    pub(crate) fn now(&self) -> Stamp {
        // 2^64 uses take centuries. Only the order of the numbers matters, so relaxed will do.
        self.stamp.0.fetch_add(1, Ordering::Relaxed)
    }

    /// How often selecting victims looked at a block.
    pub(crate) fn selection_steps(&self) -> u64 {
        self.queue.0.lock().taken()
    }

    /// Changes a block, and does what follows from it: the queue is put right, a block of which
    /// nothing is left goes, and whoever waits for it looks again.
    pub(crate) fn change<R>(&self, block: &Arc<Block>, change: impl FnOnce(&mut State) -> R) -> R {
        let (result, aftermath) = block.alter(change);
        self.follow(block, aftermath);
        result
    }

    /// The same, while nobody can get the block: it may be taken from those who do not read it.
    pub(crate) fn change_ungot<R>(
        &self,
        block: &Arc<Block>,
        change: impl FnOnce(&mut State) -> R,
    ) -> R {
        let (result, aftermath) = {
            // mutant(nobody-comes-in-meanwhile by got_beside_an_eviction): delete
            let _shard = self.shard(block.id.place()).lock();
            block.alter(change)
        };
        self.follow(block, aftermath);
        result
    }

    /// Does what follows from a change.
    pub(crate) fn follow(&self, block: &Arc<Block>, aftermath: Aftermath) {
        if aftermath.is_misplaced {
            self.settle(block);
        }
        if aftermath.is_gone {
            self.forget(block);
        }
        aftermath.wake();
    }

    /// Puts the block where it belongs in the queue, or takes it out.
    fn settle(&self, block: &Arc<Block>) {
        let mut queue = lock_spinning(&self.queue.0);
        let mut state = block.state.lock();
        let removed = state.queued.take().and_then(|place| {
            let dataset = block.id.dataset();
            queue.remove(block.mode, dataset, place)
        });
        enqueue(&mut queue, block, &mut state);
        drop(state);
        drop(queue);
        drop(removed);
    }

    fn forget(&self, block: &Arc<Block>) {
        let hash = block.id.place();
        let mut shard = self.shard(hash).lock();
        let removed = remove(&mut shard, hash, block);
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
    ) -> Option<Chosen> {
        let mut chosen = Chosen::new();
        let mut bytes = 0_u64;
        let mut queue = lock_spinning(&self.queue.0);
        // In vain it would cost all blocks.
        let enough = queue.bytes(mode, spare) >= need;
        while enough && bytes < need {
            let leave = State::mark_leaving;
            match dismiss_oldest(&mut queue, &self.home, mode, spare, None, |_| (), leave) {
                Look::Leaves {
                    block, bytes: more, ..
                } => {
                    // The sum of granted sizes fits.
                    bytes += more;
                    chosen.push(block);
                }
                Look::PassedOver => {}
                Look::Nothing => break,
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

    fn shard(&self, hash: u64) -> &Mutex<HashTable<Entry>> {
        // A shard's table has the lowest bits for the place, and the highest as a tag.
        let number = usize::try_from(hash >> 32).expect("32 bits are left");
        &self.shards[number % SHARDS].0
    }
}

/// Takes a block out of its shard.
fn remove(shard: &mut HashTable<Entry>, hash: u64, block: &Arc<Block>) -> Option<Entry> {
    let found = shard.find_entry(hash, |entry| Arc::ptr_eq(&entry.block, block));
    Some(found.ok()?.remove().0)
}
