//! Putting blocks into memory.

use std::io;
use std::sync::Arc;

use mem_block::{MemoryMode, SlabArc};
use mem_pool::{CancelToken, TaskId};

use super::holders::{Deserialized, Serialized};
use super::partial::{PartiallySerializedBlock, PartiallyUnrolledIterator};
use super::unroll::{Outcome, Unrolled};
use crate::block::Block;
use crate::block_id::BlockId;
use crate::blocks::{Newcomer, Queueing};
use crate::bytes::BytesBuilder;
use crate::content::{Content, Data};
use crate::error::StoreError;
use crate::memory_store::MemoryStore;
use crate::storage_level::StorageLevel;
use crate::values::{SizeTracker, ValueFormat};

/// In which task something is done. Spark's class of the same name.
#[derive(Debug, Clone, Copy, Default)]
pub struct TaskContext<'a> {
    /// The task; none outside of tasks, which is an owner of unroll memory of its own.
    pub task: Option<TaskId>,
    /// What can cancel the task: unrolling then stops, as if memory had run out.
    pub cancel: Option<&'a CancelToken>,
}

impl TaskContext<'_> {
    /// In `task`, which nobody cancels.
    #[must_use]
    pub const fn of(task: TaskId) -> Self {
        Self {
            task: Some(task),
            cancel: None,
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.task.is_some() && self.cancel.is_some_and(CancelToken::is_cancelled)
    }
}

/// What came of putting a block whose size was not known beforehand.
#[derive(Debug)]
pub enum Put<P> {
    /// It is stored.
    Stored {
        /// Bytes of memory that it holds.
        size: u64,
    },
    /// It did not fit. Nothing is lost: here is what was unrolled, and the rest.
    Partial(P),
}

/// A finished block, or what its holder has so far, with what belongs right behind it.
pub(super) enum Finished<H, T> {
    Stored {
        size: u64,
    },
    Partial {
        holder: H,
        head: Option<T>,
        used: u64,
    },
}

impl MemoryStore {
    /// Puts a block of `size` bytes. Their memory is acquired first; only then `supplier` is called,
    /// and has to write exactly that many. False, and the supplier not called, where there is not
    /// enough memory.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is stored or held then.
    pub fn put_bytes(
        &self,
        id: &BlockId,
        mode: MemoryMode,
        size: u64,
        supplier: impl FnOnce(&mut BytesBuilder) -> io::Result<()>,
    ) -> Result<bool, StoreError> {
        let level = match mode {
            MemoryMode::OnHeap => StorageLevel::MEMORY_ONLY_SER,
            MemoryMode::OffHeap => StorageLevel::OFF_HEAP_ONLY,
        };
        let new = self.register(id, level, mode)?;
        let Some(content) = self.fill(new.block(), size, Queueing::Now, supplier)? else {
            return Ok(false);
        };
        new.complete(content)?;
        Ok(true)
    }

    /// Puts a block of values, kept as values, whose cost `tracker` follows. Memory is acquired bit by
    /// bit while they come.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is stored then. What had been acquired is released, but for two
    /// errors that Spark leaves it with the task at: [`StoreError::InvalidBytes`] (the growth factor
    /// makes a request negative) and [`StoreError::NoCheckPeriod`].
    pub fn put_iterator_as_values<T, I>(
        &self,
        id: &BlockId,
        context: TaskContext<'_>,
        mode: MemoryMode,
        values: I,
        tracker: impl SizeTracker<T>,
    ) -> Result<Put<PartiallyUnrolledIterator<T, I::IntoIter>>, StoreError>
    where
        T: Send + Sync + 'static,
        I: IntoIterator<Item = T>,
    {
        let new = self.register(id, StorageLevel::MEMORY_ONLY, mode)?;
        let holder = Deserialized::new(tracker, None);
        self.put_values_into(new.block(), context, values.into_iter(), holder)
    }

    /// Puts a block of values, kept as the bytes that `format` makes of them, otherwise as
    /// [`put_iterator_as_values`](Self::put_iterator_as_values). The block costs the bytes that it
    /// has; `tracker` only says so while it grows, as [`BytesWritten`](crate::BytesWritten) does.
    ///
    /// # Errors
    /// As there.
    pub fn put_iterator_as_bytes<T, I>(
        &self,
        id: &BlockId,
        context: TaskContext<'_>,
        mode: MemoryMode,
        values: I,
        format: Arc<dyn ValueFormat<T>>,
        tracker: impl SizeTracker<T>,
    ) -> Result<Put<PartiallySerializedBlock<T, I::IntoIter>>, StoreError>
    where
        I: IntoIterator<Item = T>,
    {
        let level = match mode {
            MemoryMode::OnHeap => StorageLevel::MEMORY_ONLY_SER,
            MemoryMode::OffHeap => StorageLevel::OFF_HEAP_ONLY,
        };
        let new = self.register(id, level, mode)?;
        let holder = Serialized::new(self.growing_bytes(mode), format, tracker);
        self.put_serialized_into(new.block(), context, values.into_iter(), holder)
    }

    pub(super) fn register(
        &self,
        id: &BlockId,
        level: StorageLevel,
        mode: MemoryMode,
    ) -> Result<Newcomer<'_>, StoreError> {
        let blocks = &self.infos.blocks;
        match blocks.register(id, level, mode) {
            Ok(block) => Ok(Newcomer::new(blocks, block)),
            Err(_) => Err(StoreError::AlreadyPresent { block: id.clone() }),
        }
    }

    /// Puts the bytes of a block that the caller has locked.
    pub(crate) fn put_bytes_into(
        &self,
        block: &Arc<Block>,
        size: u64,
        supplier: impl FnOnce(&mut BytesBuilder) -> io::Result<()>,
    ) -> Result<bool, StoreError> {
        let Some(content) = self.fill(block, size, Queueing::Later, supplier)? else {
            return Ok(false);
        };
        self.insert(block, content)?;
        Ok(true)
    }

    /// What a block is to hold, its bytes written by `supplier`.
    #[inline]
    fn fill(
        &self,
        block: &Arc<Block>,
        size: u64,
        queueing: Queueing,
        supplier: impl FnOnce(&mut BytesBuilder) -> io::Result<()>,
    ) -> Result<Option<SlabArc<Content>>, StoreError> {
        let id = &block.id;
        self.make_content(block, size, queueing, |data| {
            let mut builder = self.exact_bytes(block, size, data)?;
            supplier(&mut builder).map_err(|source| StoreError::Supplier {
                block: id.clone(),
                source,
            })?;
            if builder.written() < size {
                return Err(StoreError::TooShort {
                    block: id.clone(),
                    promised: size,
                    written: builder.written(),
                });
            }
            *data = Data::Bytes(builder.finish());
            Ok(())
        })
    }

    /// Puts the values of a block that the caller has locked.
    pub(crate) fn put_values_into<T, I, S>(
        &self,
        block: &Arc<Block>,
        context: TaskContext<'_>,
        mut values: I,
        holder: Deserialized<T, S>,
    ) -> Result<Put<PartiallyUnrolledIterator<T, I>>, StoreError>
    where
        T: Send + Sync + 'static,
        I: Iterator<Item = T>,
        S: SizeTracker<T>,
    {
        let finished = self.put_iterator(block, context, &mut values, holder)?;
        Ok(match finished {
            Finished::Stored { size } => Put::Stored { size },
            Finished::Partial { holder, head, used } => {
                let held = self.hold_unroll(context, block.mode, used);
                let unrolled = holder.into_values(head);
                Put::Partial(PartiallyUnrolledIterator::new(unrolled, held, values))
            }
        })
    }

    /// Puts values as bytes of a block that the caller has locked.
    pub(crate) fn put_serialized_into<T, I, S>(
        &self,
        block: &Arc<Block>,
        context: TaskContext<'_>,
        mut values: I,
        holder: Serialized<T, S>,
    ) -> Result<Put<PartiallySerializedBlock<T, I>>, StoreError>
    where
        I: Iterator<Item = T>,
        S: SizeTracker<T>,
    {
        let finished = self.put_iterator(block, context, &mut values, holder)?;
        Ok(match finished {
            Finished::Stored { size } => Put::Stored { size },
            Finished::Partial { holder, head, used } => {
                let held = self.hold_unroll(context, block.mode, used);
                let (bytes, format) = holder.into_parts();
                let partial = PartiallySerializedBlock::new(bytes, held, head, values, format);
                Put::Partial(partial)
            }
        })
    }

    fn put_iterator<T, H: Unrolled<T>>(
        &self,
        block: &Arc<Block>,
        context: TaskContext<'_>,
        values: &mut dyn Iterator<Item = T>,
        mut holder: H,
    ) -> Result<Finished<H, T>, StoreError> {
        match self.unroll(block, context, values, &mut holder)? {
            Outcome::Whole { used, size } => {
                // What it has too much is freed before it is given back.
                let data = holder.finish(&block.id)?;
                let reservation = self.transfer(block, used, size)?;
                self.insert(block, Content::new(block, data, reservation))?;
                Ok(Finished::Stored { size })
            }
            Outcome::Partial { head, used } => Ok(Finished::Partial { holder, head, used }),
        }
    }

    /// Makes a locked block an entry. It counts as used now.
    pub(super) fn insert(
        &self,
        block: &Arc<Block>,
        content: SlabArc<Content>,
    ) -> Result<(), StoreError> {
        let refused = self.infos.blocks.change(block, |state| {
            if state.removed || state.memory.is_some() {
                return Some(content);
            }
            content.touch(self.infos.blocks.now());
            state.memory = Some(content);
            None
        });
        match refused {
            None => Ok(()),
            Some(_) => Err(StoreError::Removed {
                block: block.id.clone(),
            }),
        }
    }
}
