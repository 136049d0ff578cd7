//! Getting blocks that are in memory.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use crate::block_id::BlockId;
use crate::bytes::ChunkedBytes;
use crate::content::{Content, Data};
use crate::error::{Form, StoreError};
use crate::info_manager::ReadGuard;
use crate::memory_store::MemoryStore;
use crate::values::Values;

impl MemoryStore {
    /// The bytes of a block that is kept so, for reading; `None` where it is not in memory. The block
    /// counts as used, and is not evicted while the guard is there. Never waits.
    ///
    /// # Errors
    /// [`StoreError::WrongForm`] where the block is kept as values.
    pub fn get_bytes(&self, id: &BlockId) -> Result<Option<BytesGuard>, StoreError> {
        let found = self.use_block(id);
        found
            .map(|(lock, content)| BytesGuard::new(lock, content))
            .transpose()
    }

    /// The values of a block that is kept so, otherwise as [`get_bytes`](Self::get_bytes).
    ///
    /// # Errors
    /// [`StoreError::WrongForm`] where the block is kept as bytes, [`StoreError::WrongType`] where
    /// its values are not of type `T`.
    pub fn get_values<T: Send + Sync + 'static>(
        &self,
        id: &BlockId,
    ) -> Result<Option<ValuesGuard<T>>, StoreError> {
        let found = self.use_block(id);
        found
            .map(|(lock, content)| ValuesGuard::new(lock, content))
            .transpose()
    }

    /// Bytes of memory that a block holds; `None` where it is not in memory (Spark: a
    /// `NullPointerException`). The block counts as used.
    #[must_use]
    pub fn get_size(&self, id: &BlockId) -> Option<u64> {
        let block = self.infos.blocks.find(id)?;
        let mut state = block.state.lock();
        let size = state.memory.as_ref()?.size;
        state.used = self.infos.blocks.now();
        Some(size)
    }

    /// Whether a block is in memory. It does not count as used.
    #[must_use]
    pub fn contains(&self, id: &BlockId) -> bool {
        let block = self.infos.blocks.find(id);
        block.is_some_and(|block| block.state.lock().memory.is_some())
    }

    /// Enters a block as a reader, and marks it as used now. Its place in the queue is put right when
    /// it comes up there, or when the reader leaves.
    fn use_block(&self, id: &BlockId) -> Option<(ReadGuard, Arc<Content>)> {
        let block = self.infos.blocks.find(id)?;
        let content = {
            let mut state = block.state.lock();
            let content = Arc::clone(state.memory.as_ref()?);
            state.readers += 1;
            // fault(lru): replace `state.used = self.infos.blocks.now();` => ``
            state.used = self.infos.blocks.now();
            content
        };
        Some((ReadGuard::new(&self.infos, block, None), content))
    }

    /// What a locked block holds in memory; it counts as used.
    pub(crate) fn content_of(&self, lock: &ReadGuard) -> Option<Arc<Content>> {
        let mut state = lock.block().state.lock();
        let content = Arc::clone(state.memory.as_ref()?);
        state.used = self.infos.blocks.now();
        Some(content)
    }
}

/// The bytes of a block in memory, which stays there meanwhile.
///
/// The content is let go of before the lock: a block without readers is nobody's but the store's.
#[derive(Debug)]
pub struct BytesGuard {
    content: Arc<Content>,
    lock: ReadGuard,
}

impl BytesGuard {
    pub(crate) fn new(lock: ReadGuard, content: Arc<Content>) -> Result<Self, StoreError> {
        expect_form(&content, lock.id(), Form::Serialized)?;
        Ok(Self { content, lock })
    }

    /// Which block.
    #[must_use]
    pub fn id(&self) -> &BlockId {
        self.lock.id()
    }
}

impl Deref for BytesGuard {
    type Target = ChunkedBytes;

    fn deref(&self) -> &ChunkedBytes {
        match &self.content.data {
            Data::Bytes(bytes) => bytes,
            Data::Values(_) => unreachable!("checked when the guard was made"),
        }
    }
}

/// The values of a block in memory, which stays there meanwhile.
pub struct ValuesGuard<T> {
    content: Arc<Content>,
    lock: ReadGuard,
    element: PhantomData<fn() -> T>,
}

impl<T: Send + Sync + 'static> ValuesGuard<T> {
    pub(crate) fn new(lock: ReadGuard, content: Arc<Content>) -> Result<Self, StoreError> {
        expect_form(&content, lock.id(), Form::Deserialized)?;
        match &content.data {
            Data::Values(values) if !values.as_any().is::<Values<T>>() => {
                Err(StoreError::WrongType {
                    block: lock.id().clone(),
                    stored: values.element_type(),
                    wanted: type_name::<T>(),
                })
            }
            Data::Values(_) | Data::Bytes(_) => Ok(Self {
                content,
                lock,
                element: PhantomData,
            }),
        }
    }
}

impl<T> ValuesGuard<T> {
    /// Which block.
    #[must_use]
    pub fn id(&self) -> &BlockId {
        self.lock.id()
    }

    /// Bytes of memory that the values hold, as their costs said.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.content.size
    }
}

impl<T: 'static> Deref for ValuesGuard<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        let values = match &self.content.data {
            Data::Values(values) => values.as_any().downcast_ref::<Values<T>>(),
            Data::Bytes(_) => None,
        };
        &values.expect("checked when the guard was made").list
    }
}

impl<T> fmt::Debug for ValuesGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValuesGuard")
            .field("content", &self.content.data)
            .field("lock", &self.lock)
            .finish()
    }
}

fn expect_form(content: &Content, id: &BlockId, wanted: Form) -> Result<(), StoreError> {
    if content.data.form() == wanted {
        return Ok(());
    }
    Err(StoreError::WrongForm {
        block: id.clone(),
        wanted,
    })
}
