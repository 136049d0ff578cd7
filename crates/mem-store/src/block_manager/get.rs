//! Getting blocks from wherever they are, and bringing them back to memory.

use std::io::{BufRead, Write};
use std::sync::Arc;

use mem_block::SlabArc;
use mem_spill::SpillError;

use crate::block::Block;
use crate::block_id::BlockId;
use crate::block_manager::BlockManager;
use crate::block_manager::data::{BlockBytes, BlockValues, DiskBlock, ValueStream};
use crate::blocks::Blocks;
use crate::content::Content;
use crate::disk::{DiskCopy, DiskReader, DiskStore, WriteError};
use crate::error::{Form, StoreError};
use crate::info_manager::ReadGuard;
use crate::memory_store::{BytesGuard, Deserialized, Put, TaskContext, ValuesGuard};
use crate::values::{Costs, ReadValues, ValueFormat};

impl BlockManager {
    /// The bytes of a block; `None` where there is no such block. From memory, or else from disk: then
    /// it is brought back to memory, if its level is one of bytes and there is room, at the cost of
    /// evicting others. Waits where somebody is putting it.
    ///
    /// The block is locked for reading, in the name of the task, until the result is dropped.
    ///
    /// # Errors
    /// [`StoreError::WrongForm`] where it is in memory as values, [`StoreError::Disk`] where it can't
    /// be read back, [`StoreError::LockTimeout`]. A lack of memory is none.
    pub fn get_bytes(
        &self,
        id: &BlockId,
        context: TaskContext<'_>,
    ) -> Result<Option<BlockBytes>, StoreError> {
        let Some(lock) = self.infos().lock_for_reading(id, context.task)? else {
            return Ok(None);
        };
        if let Some(content) = self.store.content_of(&lock) {
            return BytesGuard::new(lock, content).map(|bytes| Some(BlockBytes::Memory(bytes)));
        }
        let Some((copy, disk)) = self.on_disk(&lock) else {
            return Ok(None);
        };
        if !lock.level().deserialized()
            && let Some(content) = self.bring_back_bytes(&lock, &copy, &disk)?
        {
            return BytesGuard::new(lock, content).map(|bytes| Some(BlockBytes::Memory(bytes)));
        }
        Ok(Some(BlockBytes::Disk(DiskBlock::new(lock, copy, disk))))
    }

    /// The values of a block, otherwise as [`get_bytes`](Self::get_bytes): it is brought back in the
    /// form of its level. Where it is not in memory as values, they are read one by one as they are
    /// asked for.
    ///
    /// # Errors
    /// [`StoreError::WrongType`] where it is in memory as values of another type,
    /// [`StoreError::Disk`] and [`StoreError::Format`] where it can't be read back,
    /// [`StoreError::LockTimeout`].
    pub fn get_values<T: Send + Sync + 'static>(
        &self,
        id: &BlockId,
        context: TaskContext<'_>,
        format: &Arc<dyn ValueFormat<T>>,
    ) -> Result<Option<BlockValues<T>>, StoreError> {
        let Some(lock) = self.infos().lock_for_reading(id, context.task)? else {
            return Ok(None);
        };
        if let Some(content) = self.store.content_of(&lock) {
            return values_in(lock, content, format).map(Some);
        }
        let Some((copy, disk)) = self.on_disk(&lock) else {
            return Ok(None);
        };
        if lock.level().deserialized() {
            return self
                .bring_back_values(lock, &copy, &disk, context, format)
                .map(Some);
        }
        if let Some(content) = self.bring_back_bytes(&lock, &copy, &disk)? {
            return values_in(lock, content, format).map(Some);
        }
        let reader = read(lock.block(), &copy, &disk)?;
        Ok(Some(BlockValues::Stream(stream(lock, reader, format))))
    }

    fn on_disk(&self, lock: &ReadGuard) -> Option<(DiskCopy, Arc<DiskStore>)> {
        let copy = lock.block().state.lock().disk.clone()?;
        Some((copy, Arc::clone(self.disk.as_ref()?)))
    }

    /// Puts a block on disk back into memory, as bytes. `None` where there is no room, or somebody else
    /// is at it.
    fn bring_back_bytes(
        &self,
        lock: &ReadGuard,
        copy: &DiskCopy,
        disk: &Arc<DiskStore>,
    ) -> Result<Option<SlabArc<Content>>, StoreError> {
        let block = lock.block();
        let Some(_returning) = Returning::begin(&self.infos().blocks, block) else {
            return Ok(None);
        };
        let put = self.store.put_bytes_into(block, copy.bytes(), |out| {
            let mut reader = disk.read(copy)?;
            loop {
                let bytes = reader.fill_buf()?;
                if bytes.is_empty() {
                    return Ok(());
                }
                out.write_all(bytes)?;
                let length = bytes.len();
                reader.consume(length);
            }
        });
        match put {
            Ok(true) => Ok(self.store.content_of(lock)),
            Err(StoreError::Supplier { source, .. }) => Err(WriteError::new(source).of(&block.id)),
            Err(error) if !is_want_of_room(&error) => Err(error),
            Ok(false) | Err(_) => Ok(None),
        }
    }

    /// Puts a block on disk back into memory as values, as far as there is room.
    fn bring_back_values<T: Send + Sync + 'static>(
        &self,
        lock: ReadGuard,
        copy: &DiskCopy,
        disk: &Arc<DiskStore>,
        context: TaskContext<'_>,
        format: &Arc<dyn ValueFormat<T>>,
    ) -> Result<BlockValues<T>, StoreError> {
        let block = Arc::clone(lock.block());
        let Some(_returning) = Returning::begin(&self.infos().blocks, &block) else {
            let reader = read(&block, copy, disk)?;
            return Ok(BlockValues::Stream(stream(lock, reader, format)));
        };
        let values = ReadValues::new(read(&block, copy, disk)?, Arc::clone(format));
        let failure = values.failure();
        let cost = Arc::clone(format);
        let tracker = Costs::new(move |value: &T| cost.cost(value));
        let holder = Deserialized::new(tracker, Some(Arc::clone(format))).unless(&failure);
        match self.store.put_values_into(&block, context, values, holder) {
            Ok(Put::Stored { .. }) => {
                if let Some(content) = self.store.content_of(&lock) {
                    return ValuesGuard::new(lock, content).map(BlockValues::Memory);
                }
            }
            Ok(Put::Partial(partial)) => {
                return Ok(BlockValues::Stream(ValueStream::new(
                    lock, partial, failure,
                )));
            }
            Err(error) if !is_want_of_room(&error) => return Err(error),
            Err(_) => {}
        }
        // Removed while it was read, or others could not be evicted: the copy is still there.
        let reader = read(&block, copy, disk)?;
        Ok(BlockValues::Stream(stream(lock, reader, format)))
    }
}

/// Whether an error of a put is no error for a get, which only wanted to keep the block.
fn is_want_of_room(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Evict { .. }
            | StoreError::Alloc { .. }
            | StoreError::Removed { .. }
            | StoreError::Unsupported(_)
            | StoreError::Transfer { .. }
    )
}

fn values_in<T: Send + Sync + 'static>(
    lock: ReadGuard,
    content: SlabArc<Content>,
    format: &Arc<dyn ValueFormat<T>>,
) -> Result<BlockValues<T>, StoreError> {
    match content.data.form() {
        Form::Deserialized => ValuesGuard::new(lock, content).map(BlockValues::Memory),
        Form::Serialized => BytesGuard::new(lock, content)
            .map(|bytes| BlockValues::Stream(ValueStream::of_bytes(bytes, format))),
    }
}

fn read(block: &Block, copy: &DiskCopy, disk: &Arc<DiskStore>) -> Result<DiskReader, StoreError> {
    disk.read(copy)
        .map_err(|source: SpillError| StoreError::Disk {
            block: block.id.clone(),
            source,
        })
}

fn stream<T: Send + 'static>(
    lock: ReadGuard,
    reader: DiskReader,
    format: &Arc<dyn ValueFormat<T>>,
) -> ValueStream<T> {
    let values = ReadValues::new(reader, Arc::clone(format));
    let failure = values.failure();
    ValueStream::new(lock, values, failure)
}

/// Marks a block as coming back to memory: others that get it meanwhile read it from disk.
struct Returning<'a> {
    blocks: &'a Blocks,
    block: Arc<Block>,
}

impl<'a> Returning<'a> {
    /// `None` where it must not be in memory, or somebody else is bringing it back.
    fn begin(blocks: &'a Blocks, block: &Arc<Block>) -> Option<Self> {
        let is_mine = block.level.use_memory() && {
            let mut state = block.state.lock();
            !std::mem::replace(&mut state.returning, true)
        };
        is_mine.then(|| Self {
            blocks,
            block: Arc::clone(block),
        })
    }
}

impl Drop for Returning<'_> {
    fn drop(&mut self) {
        self.blocks
            .change(&self.block, |state| state.returning = false);
    }
}
