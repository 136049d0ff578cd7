//! Blocks in memory.

mod evict;
mod get;
mod holders;
mod partial;
mod put;
mod put_sized;
mod room;
mod unroll;
mod unroll_memory;

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use mem_block::{MemoryAllocator, MemoryMode};
use mem_policy::MemoryManager;
use mem_pool::{Ask, Evictor, Ledger, Reason, Refusal, Reservation};

use crate::block_id::BlockId;
use crate::bytes::BytesBuilder;
use crate::drop_handler::{DropHandler, Forget};
use crate::error::StoreError;
use crate::info_manager::BlockInfoManager;
use crate::overdraft::Overdraft;
pub use get::{BytesGuard, ValuesGuard};
pub(crate) use holders::{Deserialized, Serialized};
pub use partial::{PartiallySerializedBlock, PartiallySerializedValues, PartiallyUnrolledIterator};
pub use put::{Put, TaskContext};
use unroll_memory::UnrollMemory;

/// How a store is made.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// What becomes of evicted blocks.
    pub drop_handler: Arc<dyn DropHandler>,
    /// Where blocks' bytes come from, on heap and off; by default the manager's allocators.
    pub allocators: Option<[Arc<dyn MemoryAllocator>; 2]>,
    /// When a block is whole, release its unroll memory and acquire storage memory instead, as Spark
    /// does. Others can then take the memory in between; and where unmanaged memory is in use,
    /// a block can be refused that was unrolled in pieces, each under the limit
    /// ([`StoreError::Transfer`]). By default the memory is converted without being let go of, and
    /// that can't fail. Without unmanaged memory and other threads there is no difference.
    pub release_then_acquire: bool,
    /// The longest that somebody waits for a block's lock; `None` is for ever.
    pub lock_timeout: Option<Duration>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            drop_handler: Arc::new(Forget),
            allocators: None,
            release_then_acquire: false,
            lock_timeout: Some(Duration::from_secs(600)),
        }
    }
}

/// Keeps blocks in storage memory, as bytes or as values, and evicts the least recently used for
/// whoever needs memory. Spark's class of the same name.
///
/// Memory is taken from the manager's ledger before a block is built, and held as long as anything
/// of it is: a block that is removed while somebody reads it counts until the reader is done.
///
/// - A block counts as used when it is put and when it is got (also when the get then fails because
///   the block is kept in the other form), not when it is looked for or locked.
/// - A block with a reader, or that is being put, is not evicted; nor are blocks of the dataset that
///   wants the room.
/// - An eviction marks blocks, lets go of every mutex, has the [`DropHandler`] write them where it
///   wants to, and then frees them. A get in between finds the block where it is, and calls its
///   eviction off; another block goes instead. So a get never waits for a disk, and bytes count as
///   freed only when they are.
pub struct MemoryStore {
    me: Weak<Self>,
    manager: Arc<dyn MemoryManager>,
    infos: Arc<BlockInfoManager>,
    unroll: UnrollMemory,
    overdraft: Overdraft,
    options: StoreOptions,
}

/// What a store holds, at one moment or nearly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Blocks in memory.
    pub blocks: u64,
    /// Bytes of on-heap storage memory that they hold.
    pub on_heap_bytes: u64,
    /// Bytes of off-heap storage memory that they hold.
    pub off_heap_bytes: u64,
    /// Bytes of unroll memory, both modes.
    pub unroll_bytes: u64,
    /// Blocks with a copy on disk.
    pub blocks_on_disk: u64,
    /// Bytes of those copies, before compression.
    pub disk_bytes: u64,
    /// Bytes of blocks being unrolled as bytes that were written before they were granted: what comes
    /// between two looks at a block's size. They are memory of the process's, not of the pools.
    pub overdrawn_bytes: u64,
    /// How often the selection of victims has looked at a block.
    pub selection_steps: u64,
}

impl MemoryStore {
    /// A store over the memory of `manager`, whose blocks it evicts from now on.
    ///
    /// # Errors
    /// [`StoreError::SecondStore`].
    pub fn new(
        manager: Arc<dyn MemoryManager>,
        options: StoreOptions,
    ) -> Result<Arc<Self>, StoreError> {
        let clock = Arc::clone(manager.ledger().clock());
        let store = Arc::new_cyclic(|me: &Weak<Self>| Self {
            me: me.clone(),
            infos: BlockInfoManager::new(clock, options.lock_timeout),
            unroll: UnrollMemory::default(),
            overdraft: Overdraft::default(),
            manager,
            options,
        });
        let evictor: Weak<dyn Evictor> = store.me.clone();
        if store.ledger().set_evictor(evictor) {
            Ok(store)
        } else {
            Err(StoreError::SecondStore)
        }
    }

    /// The locks of its blocks.
    #[must_use]
    pub fn infos(&self) -> &Arc<BlockInfoManager> {
        &self.infos
    }

    /// Whose memory it uses.
    #[must_use]
    pub fn manager(&self) -> &Arc<dyn MemoryManager> {
        &self.manager
    }

    /// Counts what it holds; costs the number of blocks.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        let mut stats = StoreStats {
            unroll_bytes: self.unroll.total(),
            overdrawn_bytes: self.overdraft.bytes(),
            selection_steps: self.infos.blocks.selection_steps(),
            ..StoreStats::default()
        };
        for block in self.infos.blocks.all() {
            let state = block.state.lock();
            if let Some(content) = &state.memory {
                let bytes = match block.mode {
                    MemoryMode::OnHeap => &mut stats.on_heap_bytes,
                    MemoryMode::OffHeap => &mut stats.off_heap_bytes,
                };
                // Sums of what was granted or written: they fit.
                *bytes += content.size;
                stats.blocks += 1;
            }
            if let Some(copy) = &state.disk {
                stats.disk_bytes += copy.bytes();
                stats.blocks_on_disk += 1;
            }
        }
        stats
    }

    /// Removes a block from memory; whether it was there. A copy on disk stays. Who reads it keeps
    /// reading, and its memory is held until then; a new block of the name is another one.
    pub fn remove(&self, id: &BlockId) -> bool {
        let Some(block) = self.infos.blocks.find(id) else {
            return false;
        };
        let removed = self.infos.blocks.change(&block, |state| {
            let removed = state.take_memory();
            state.removed |= removed.is_some() && state.disk.is_none();
            removed
        });
        removed.is_some()
    }

    /// Removes all blocks and releases all unroll memory, whoever holds it. Spark's `clear` besides
    /// zeroes what others acquired by [paired calls](mem_pool::raw); who wants that calls
    /// [`release_all_storage_memory`](mem_pool::raw::release_all_storage_memory), too.
    pub fn clear(&self) {
        for block in self.infos.blocks.all() {
            let removed = self.infos.blocks.change(&block, |state| {
                let removed = (state.take_memory(), state.disk.take());
                state.removed |= removed.0.is_some() || removed.1.is_some();
                removed
            });
            drop(removed);
        }
        self.unroll.clear();
    }

    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        self.manager.ledger()
    }

    pub(crate) fn me(&self) -> Arc<Self> {
        self.me.upgrade().expect("it is borrowed, so it is there")
    }

    /// For the bytes of a block whose size is not known yet.
    pub(crate) fn growing_bytes(&self, mode: MemoryMode) -> BytesBuilder {
        BytesBuilder::growing(Arc::clone(self.allocator(mode)), self.overdraft.clone())
    }

    fn allocator(&self, mode: MemoryMode) -> &Arc<dyn MemoryAllocator> {
        match (&self.options.allocators, mode) {
            (None, _) => self.manager.allocator(mode),
            (Some([on_heap, _]), MemoryMode::OnHeap) => on_heap,
            (Some([_, off_heap]), MemoryMode::OffHeap) => off_heap,
        }
    }

    /// Storage memory for a block, or `None` where there is not enough. May evict.
    pub(crate) fn acquire_storage(
        &self,
        block: &BlockId,
        mode: MemoryMode,
        bytes: u64,
    ) -> Result<Option<Reservation>, StoreError> {
        let ask = Ask::storage(mode, bytes, block.dataset());
        match self.ledger().try_acquire(ask) {
            Ok(reservation) => Ok(Some(reservation)),
            Err(refusal) => not_enough(block, refusal).map(|()| None),
        }
    }

    /// Unroll memory for a block, or `None` where there is not enough. May evict.
    fn acquire_unroll(
        &self,
        block: &BlockId,
        mode: MemoryMode,
        bytes: u64,
    ) -> Result<Option<Reservation>, StoreError> {
        let ask = Ask::unroll(mode, bytes, block.dataset());
        match self.ledger().try_acquire(ask) {
            Ok(reservation) => Ok(Some(reservation)),
            Err(refusal) => not_enough(block, refusal).map(|()| None),
        }
    }
}

/// Tells a lack of memory, which is no error, from what is one.
fn not_enough(block: &BlockId, refusal: Refusal) -> Result<(), StoreError> {
    match refusal.reason() {
        Reason::Limit(limit @ mem_pool::Limit::Unsupported(_)) => {
            Err(StoreError::Unsupported(*limit))
        }
        Reason::Evict(_) => Err(StoreError::Evict {
            block: block.clone(),
            source: refusal,
        }),
        _ => Ok(()),
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("blocks", &self.infos.len())
            .field("unroll_bytes", &self.unroll.total())
            .finish_non_exhaustive()
    }
}
