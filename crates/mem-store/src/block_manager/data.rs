//! What a get finds: bytes or values, in memory or on disk.

use std::fmt;
use std::io::{self, BufRead, Write};
use std::sync::Arc;

use crate::block_id::BlockId;
use crate::bytes::{BytesReader, ChunkedBytes};
use crate::disk::{DiskCopy, DiskReader, DiskStore, WriteError};
use crate::error::StoreError;
use crate::info_manager::ReadGuard;
use crate::memory_store::{BytesGuard, ValuesGuard};
use crate::values::{ReadValues, SourceFailure, ValueFormat};

/// The bytes of a block.
#[derive(Debug)]
pub enum BlockBytes {
    /// In memory.
    Memory(BytesGuard),
    /// On disk: it may not be in memory, or there was no room.
    Disk(DiskBlock),
}

impl BlockBytes {
    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::Disk(block) => block.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether they are in memory.
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        matches!(self, Self::Memory(_))
    }

    /// Reads them, from the first to the last.
    ///
    /// # Errors
    /// [`StoreError::Disk`].
    pub fn reader(&self) -> Result<Box<dyn BufRead + '_>, StoreError> {
        Ok(match self {
            Self::Memory(bytes) => Box::new(bytes.reader()),
            Self::Disk(block) => Box::new(block.reader()?),
        })
    }

    /// A copy in one piece.
    ///
    /// # Errors
    /// [`StoreError::Disk`].
    pub fn to_vec(&self) -> Result<Vec<u8>, StoreError> {
        match self {
            Self::Memory(bytes) => Ok(bytes.to_vec()),
            Self::Disk(block) => block.to_vec(),
        }
    }
}

/// The bytes of a block on disk, which stay there meanwhile.
#[derive(Debug)]
pub struct DiskBlock {
    lock: ReadGuard,
    copy: DiskCopy,
    disk: Arc<DiskStore>,
}

impl DiskBlock {
    pub(super) fn new(lock: ReadGuard, copy: DiskCopy, disk: Arc<DiskStore>) -> Self {
        Self { lock, copy, disk }
    }

    /// Which block.
    #[must_use]
    pub fn id(&self) -> &BlockId {
        self.lock.id()
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.copy.bytes()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads them, from the first to the last.
    ///
    /// # Errors
    /// [`StoreError::Disk`].
    pub fn reader(&self) -> Result<DiskReader, StoreError> {
        self.disk
            .read(&self.copy)
            .map_err(|source| StoreError::Disk {
                block: self.id().clone(),
                source,
            })
    }

    /// A copy in one piece.
    ///
    /// # Errors
    /// [`StoreError::Disk`].
    pub fn to_vec(&self) -> Result<Vec<u8>, StoreError> {
        let mut all = Vec::new();
        let copied = io::copy(&mut self.reader()?, &mut all);
        copied.map_err(|error| WriteError::new(error).of(self.id()))?;
        Ok(all)
    }

    /// Writes them to `out`.
    ///
    /// # Errors
    /// Those of `out`; errors in reading are wrapped.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut reader = self.reader().map_err(io::Error::other)?;
        io::copy(&mut reader, out).map(|_| ())
    }
}

/// The values of a block.
#[derive(Debug)]
pub enum BlockValues<T> {
    /// In memory, as values.
    Memory(ValuesGuard<T>),
    /// Being read, from bytes in memory or from disk.
    Stream(ValueStream<T>),
}

impl<T: 'static> BlockValues<T> {
    /// Shows every value to `look`, in order.
    ///
    /// # Errors
    /// [`StoreError::Disk`] and [`StoreError::Format`], where the values are being read.
    pub fn for_each(self, mut look: impl FnMut(&T)) -> Result<(), StoreError> {
        match self {
            Self::Memory(values) => values.iter().for_each(look),
            Self::Stream(mut values) => values.try_for_each(|value| {
                look(&value?);
                Ok::<(), StoreError>(())
            })?,
        }
        Ok(())
    }
}

/// Values that are read one by one. The block is locked for reading meanwhile.
pub struct ValueStream<T> {
    /// Before the lock: what it holds is let go of first.
    values: Box<dyn Iterator<Item = T> + Send>,
    failure: SourceFailure,
    lock: ReadGuardOrBytes,
}

/// What keeps the block where it is.
enum ReadGuardOrBytes {
    Lock(ReadGuard),
    Bytes(Arc<BytesGuard>),
}

impl ReadGuardOrBytes {
    fn id(&self) -> &BlockId {
        match self {
            Self::Lock(lock) => lock.id(),
            Self::Bytes(bytes) => bytes.id(),
        }
    }
}

impl<T> ValueStream<T> {
    /// Values that end at `failure`.
    pub(super) fn new(
        lock: ReadGuard,
        values: impl Iterator<Item = T> + Send + 'static,
        failure: SourceFailure,
    ) -> Self {
        Self {
            values: Box::new(values),
            failure,
            lock: ReadGuardOrBytes::Lock(lock),
        }
    }
}

impl<T: Send + 'static> ValueStream<T> {
    /// The values that are in bytes in memory.
    pub(super) fn of_bytes(bytes: BytesGuard, format: &Arc<dyn ValueFormat<T>>) -> Self {
        let bytes = Arc::new(bytes);
        let reader = BytesReader::new(SharedBytes(Arc::clone(&bytes)));
        let values = ReadValues::new(reader, Arc::clone(format));
        Self {
            failure: values.failure(),
            values: Box::new(values),
            lock: ReadGuardOrBytes::Bytes(bytes),
        }
    }
}

struct SharedBytes(Arc<BytesGuard>);

impl std::borrow::Borrow<ChunkedBytes> for SharedBytes {
    fn borrow(&self) -> &ChunkedBytes {
        &self.0
    }
}

impl<T> Iterator for ValueStream<T> {
    type Item = Result<T, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.values.next() {
            Some(value) => Some(Ok(value)),
            None => {
                let error = self.failure.take()?;
                Some(Err(WriteError::new(error).of(self.lock.id())))
            }
        }
    }
}

impl<T> fmt::Debug for ValueStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueStream")
            .field("block", self.lock.id())
            .finish_non_exhaustive()
    }
}
