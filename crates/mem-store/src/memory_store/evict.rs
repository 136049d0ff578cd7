//! Evicting blocks for whoever needs their memory.

use std::sync::Arc;

use mem_block::{MemoryMode, SlabArc};
use mem_pool::{Dataset, EvictError, Eviction, Evictor, Reservation};
use mem_sync::thread;
use smallvec::SmallVec;

use crate::block::Block;
use crate::blocks::Blocks;
use crate::content::{Content, Data};
use crate::disk::DiskCopy;
use crate::drop_handler::{DropError, DropHandler, LeavingBlock};
use crate::memory_store::MemoryStore;

/// How often blocks are chosen in place of those that somebody came to read meanwhile. Without an end,
/// readers and an eviction could keep each other busy.
const ROUNDS_MAX: u32 = 16;
/// How often a reader that is a few instructions from being done is waited for.
const PATIENCE: u32 = 1000;

impl Evictor for MemoryStore {
    fn select(
        &self,
        need: u64,
        mode: MemoryMode,
        spare: Option<Dataset>,
    ) -> Option<Box<dyn Eviction>> {
        let store = self.me.upgrade()?;
        let chosen = store.infos.blocks.choose(need, mode, spare)?;
        Some(Box::new(StoreEviction {
            left: chosen.into_iter(),
            store,
            need,
            mode,
            spare,
        }))
    }

    fn unrolling(&self) -> u64 {
        self.unroll.total()
    }
}

/// Blocks that are marked as leaving, in their order. Dropped, it un-marks what has not left.
struct StoreEviction {
    left: smallvec::IntoIter<[Arc<Block>; 2]>,
    store: Arc<MemoryStore>,
    need: u64,
    mode: MemoryMode,
    spare: Option<Dataset>,
}

impl Eviction for StoreEviction {
    fn run(mut self: Box<Self>) -> Result<u64, EvictError> {
        // Reservations until the end: should the handler panic, they give themselves back.
        let mut freed = Freed::new();
        let mut outcome = Ok(());
        for _ in 0..ROUNDS_MAX {
            outcome = self.drop_victims(&mut freed);
            let so_far: u64 = freed.iter().map(Reservation::bytes).sum();
            let missing = self.need.saturating_sub(so_far);
            if outcome.is_err() || missing == 0 {
                break;
            }
            let blocks = &self.store.infos.blocks;
            match blocks.choose(missing, self.mode, self.spare) {
                Some(chosen) => self.left = chosen.into_iter(),
                None => break,
            }
        }
        // The ledger takes them back itself, for the request that this is for.
        let freed = freed.into_iter().map(Reservation::leave).sum();
        match outcome {
            Ok(()) => Ok(freed),
            Err(source) => Err(EvictError { freed, source }),
        }
    }
}

impl StoreEviction {
    fn drop_victims(&mut self, freed: &mut Freed) -> Result<(), DropError> {
        let handler = &*self.store.options.drop_handler;
        for block in &mut self.left {
            let victim = Victim::new(&self.store.infos.blocks, block);
            let left = victim.drop_from_memory(handler)?;
            freed.extend(left.map(|(data, reservation)| {
                drop(data);
                reservation
            }));
        }
        Ok(())
    }
}

impl Drop for StoreEviction {
    fn drop(&mut self) {
        for block in &mut self.left {
            drop(Victim::new(&self.store.infos.blocks, block));
        }
    }
}

/// What paid for the blocks that left.
type Freed = SmallVec<[Reservation; 2]>;

/// A block that is marked as leaving, until this is dropped.
struct Victim<'a> {
    blocks: &'a Blocks,
    /// Taken when it is settled.
    block: Option<Arc<Block>>,
}

impl<'a> Victim<'a> {
    fn new(blocks: &'a Blocks, block: Arc<Block>) -> Self {
        let block = Some(block);
        Self { blocks, block }
    }

    /// Takes the block out of memory, unless somebody has come to read it; returns what it was, and
    /// what paid for it, which is to be given back once the memory is free.
    fn drop_from_memory(
        mut self,
        handler: &dyn DropHandler,
    ) -> Result<Option<(Data, Reservation)>, DropError> {
        let Some((block, content, is_on_disk)) = self.unread() else {
            return Ok(None);
        };
        let leaving = LeavingBlock::new(&block.id, block.level, &content, is_on_disk);
        let copy = handler.drop_from_memory(&leaving)?;
        let has_left = self.settle(copy);
        // Freed is only what nobody else has. Where the block was removed meanwhile, this is the last
        // of it; where its reader's task has ended, the reader may still be there.
        wait_alone(&content);
        let left = SlabArc::into_inner(content).map(Content::into_parts);
        if has_left {
            handler.dropped(&block.id);
        }
        Ok(left)
    }

    /// The block, what it holds, and whether it is on disk; `None` where it is read or gone.
    fn unread(&self) -> Option<(Arc<Block>, SlabArc<Content>, bool)> {
        let block = self.block.as_ref()?;
        let state = block.state.lock();
        let content = state
            .memory
            .as_ref()
            .filter(|content| state.readers == 0 && content.gate.readers() == 0)?;
        Some((
            Arc::clone(block),
            SlabArc::clone(content),
            state.disk.is_some(),
        ))
    }

    /// The block stays where readers have it, and leaves memory otherwise; whether it does. A copy on
    /// disk is kept either way.
    fn settle(&mut self, copy: Option<DiskCopy>) -> bool {
        let Some(block) = self.block.take() else {
            return false;
        };
        let settled = self.blocks.change_ungot(&block, |state| {
            state.leaving = false;
            let unwanted = state.add_copy(copy);
            (state.take_unread(), unwanted)
        });
        // Here, and not under the block's mutex: dropping a copy can delete a file.
        settled.0.is_some()
    }
}

impl Drop for Victim<'_> {
    fn drop(&mut self) {
        if let Some(block) = self.block.take() {
            self.blocks.change(&block, |state| state.leaving = false);
        }
    }
}

/// Waits for those to let go of it who are just about to: readers between leaving its gate and
/// forgetting it, or who found the gate closed.
#[inline]
pub(super) fn wait_alone(content: &SlabArc<Content>) {
    for _ in 0..PATIENCE {
        if SlabArc::strong_count(content) == 1 {
            return;
        }
        thread::yield_now();
    }
}
