//! Putting blocks by level: into memory first, to disk where that does not work.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use crate::block::Block;
use crate::block_id::BlockId;
use crate::block_manager::{BlockManager, BlockStatus, status_of};
use crate::disk::{DiskCopy, DiskStore, WriteError};
use crate::error::StoreError;
use crate::info_manager::{NewBlock, WriteGuard};
use crate::memory_store::{
    Deserialized, PartiallySerializedBlock, PartiallyUnrolledIterator, Put, Serialized, TaskContext,
};
use crate::storage_level::StorageLevel;
use crate::values::{BytesWritten, Costs, ValueFormat};

/// What came of putting bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BytesPut {
    /// They are stored.
    Stored(BlockStatus),
    /// A block of that name was there already, or somebody has put it meanwhile.
    Exists,
    /// They did not fit into memory, and the level has no disk. Their supplier was not called.
    NotStored,
}

/// What came of putting values.
#[derive(Debug)]
pub enum BlockPut<T, I> {
    /// They are stored.
    Stored(BlockStatus),
    /// A block of that name was there already, or somebody has put it meanwhile. The iterator was not
    /// touched.
    Exists,
    /// They did not fit into memory, and the level has no disk. Here they are.
    NotStored(Unstored<T, I>),
}

/// The values of a block that could not be stored: those that were taken from the iterator, and the
/// rest of it.
#[derive(Debug)]
pub enum Unstored<T, I> {
    /// As values.
    Values(PartiallyUnrolledIterator<T, I>),
    /// Partly as bytes.
    Bytes(PartiallySerializedBlock<T, I>),
}

/// Where a new block goes.
struct Destination<'a> {
    lock: WriteGuard,
    disk: Option<&'a Arc<DiskStore>>,
}

impl BlockManager {
    /// Puts a block of `size` bytes, which `supplier` has to write. Whether the level wants values does
    /// not matter: bytes are kept as bytes.
    ///
    /// In memory, if the level allows it and there is room; else on disk, if the level allows it.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is stored or held then.
    pub fn put_bytes(
        &self,
        id: &BlockId,
        level: StorageLevel,
        context: TaskContext<'_>,
        size: u64,
        supplier: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<BytesPut, StoreError> {
        let Some(to) = self.destination(id, level.serialized(), context)? else {
            return Ok(BytesPut::Exists);
        };
        let mut supplier = Some(supplier);
        let mut supply = |out: &mut dyn Write| match supplier.take() {
            Some(supplier) => supplier(out),
            None => unreachable!("memory does not take what disk is then asked to"),
        };
        if level.use_memory() {
            let put = self
                .store
                .put_bytes_into(to.block(), size, |out| supply(out));
            match put {
                Ok(true) => return Ok(BytesPut::Stored(status_of(to.block()))),
                Ok(false) => {}
                // It was not called yet, so the disk can be tried.
                Err(StoreError::Alloc { .. }) if level.use_disk() => {}
                Err(error) => return Err(error),
            }
        }
        let Some(disk) = to.disk else {
            return Ok(BytesPut::NotStored);
        };
        let copy = disk
            .write_stream(id, &mut supply)
            .map_err(|error| match error {
                WriteError::Source(source) => StoreError::Supplier {
                    block: id.clone(),
                    source,
                },
                spill @ WriteError::Spill(_) => spill.of(id),
            })?;
        if copy.bytes() != size {
            return Err(StoreError::TooShort {
                block: id.clone(),
                promised: size,
                written: copy.bytes(),
            });
        }
        self.keep_on_disk(to.block(), copy).map(BytesPut::Stored)
    }

    /// Puts a block of values. `format` says what they cost, and makes bytes of them where the level
    /// or the disk wants bytes.
    ///
    /// In memory, if the level allows it, as far as there is room. What does not fit goes to disk
    /// whole, if the level allows that, and is else given back.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is stored then.
    pub fn put_values<T, I>(
        &self,
        id: &BlockId,
        level: StorageLevel,
        context: TaskContext<'_>,
        values: I,
        format: &Arc<dyn ValueFormat<T>>,
    ) -> Result<BlockPut<T, I::IntoIter>, StoreError>
    where
        T: Send + Sync + 'static,
        I: IntoIterator<Item = T>,
    {
        let Some(to) = self.destination(id, level, context)? else {
            return Ok(BlockPut::Exists);
        };
        let values = values.into_iter();
        let written = if !level.use_memory() {
            to.write(|out| write_all(values, &**format, out))?
        } else if level.deserialized() {
            let cost = Arc::clone(format);
            let tracker = Costs::new(move |value: &T| cost.cost(value));
            let holder = Deserialized::new(tracker, Some(Arc::clone(format)));
            match self
                .store
                .put_values_into(to.block(), context, values, holder)?
            {
                Put::Stored { .. } => None,
                Put::Partial(partial) if to.disk.is_none() => {
                    return Ok(BlockPut::NotStored(Unstored::Values(partial)));
                }
                Put::Partial(partial) => to.write(|out| write_all(partial, &**format, out))?,
            }
        } else {
            let bytes = self.store.growing_bytes(to.block().mode);
            let holder = Serialized::new(bytes, Arc::clone(format), BytesWritten::default());
            match self
                .store
                .put_serialized_into(to.block(), context, values, holder)?
            {
                Put::Stored { .. } => None,
                Put::Partial(partial) if to.disk.is_none() => {
                    return Ok(BlockPut::NotStored(Unstored::Bytes(partial)));
                }
                Put::Partial(partial) => {
                    to.write(|out| partial.finish_writing_to(out).map(|_| ()))?
                }
            }
        };
        match written {
            Some(copy) => self.keep_on_disk(to.block(), copy).map(BlockPut::Stored),
            None => Ok(BlockPut::Stored(status_of(to.block()))),
        }
    }

    /// Registers the block, and finds the disk for its level. `None` where it exists.
    fn destination(
        &self,
        id: &BlockId,
        level: StorageLevel,
        context: TaskContext<'_>,
    ) -> Result<Option<Destination<'_>>, StoreError> {
        let refuse = |why| {
            let block = id.clone();
            Err(StoreError::Level { block, level, why })
        };
        let disk = match &self.disk {
            _ if !level.is_valid() => return refuse("it has neither memory nor disk"),
            None if level.use_disk() => return refuse("the store has no disk"),
            disk => disk.as_ref().filter(|_| level.use_disk()),
        };
        let new = self
            .infos()
            .lock_new_block_for_writing(id, level, context.task)?;
        Ok(match new {
            NewBlock::New(lock) => Some(Destination { lock, disk }),
            NewBlock::Exists(_) => None,
        })
    }

    fn keep_on_disk(&self, block: &Arc<Block>, copy: DiskCopy) -> Result<BlockStatus, StoreError> {
        let unwanted = self.infos().blocks.change(block, |state| {
            if state.removed {
                Some(copy)
            } else {
                state.add_copy(Some(copy))
            }
        });
        match unwanted {
            None => Ok(status_of(block)),
            Some(_) => Err(StoreError::Removed {
                block: block.id.clone(),
            }),
        }
    }
}

impl Destination<'_> {
    fn block(&self) -> &Arc<Block> {
        self.lock.block()
    }

    /// Writes the block's values to disk, where there is one.
    fn write(
        &self,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Option<DiskCopy>, StoreError> {
        let id = &self.block().id;
        let copy = self
            .disk
            .map(|disk| disk.write_stream(id, fill))
            .transpose();
        copy.map_err(|error| error.of(id))
    }
}

fn write_all<T>(
    values: impl Iterator<Item = T>,
    format: &dyn ValueFormat<T>,
    out: &mut dyn Write,
) -> io::Result<()> {
    for value in values {
        format.write(&value, out)?;
    }
    Ok(())
}

impl fmt::Debug for Destination<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Destination").field(&self.lock).finish()
    }
}
