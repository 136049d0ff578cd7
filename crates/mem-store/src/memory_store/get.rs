//! Getting blocks that are in memory.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use crate::block_id::BlockId;
use crate::bytes::ChunkedBytes;
use crate::content::{Content, Data};
use crate::error::{Form, StoreError};
use crate::info_manager::ReadGuard;
use crate::memory_store::MemoryStore;
use crate::values::Values;
use mem_block::SlabArc;

impl MemoryStore {
    /// The bytes of a block that is kept so, for reading; `None` where it is not in memory. The block
    /// counts as used, and is not evicted while the guard is there. Never waits.
    ///
    /// # Errors
    /// [`StoreError::WrongForm`] where the block is kept as values.
    pub fn get_bytes(&self, id: &BlockId) -> Result<Option<BytesGuard>, StoreError> {
        let found = self.use_block(id);
        found.map(|reading| BytesGuard::of(reading, id)).transpose()
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
            .map(|reading| ValuesGuard::of(reading, id))
            .transpose()
    }

    /// Bytes of memory that a block holds; `None` where it is not in memory (Spark: a
    /// `NullPointerException`). The block counts as used.
    #[must_use]
    pub fn get_size(&self, id: &BlockId) -> Option<u64> {
        let block = self.infos.blocks.find(id)?;
        let content = block.state.lock().memory.clone()?;
        self.infos.blocks.touch(&content);
        Some(content.size)
    }

    /// Whether a block is in memory. It does not count as used.
    #[must_use]
    pub fn contains(&self, id: &BlockId) -> bool {
        let block = self.infos.blocks.find(id);
        block.is_some_and(|block| block.state.lock().memory.is_some())
    }

    /// Enters a block as a reader, and marks it as used now. Its place in the queue is put right when
    /// it comes up there.
    fn use_block(&self, id: &BlockId) -> Option<Reading> {
        let content = self.infos.blocks.get(id)?;
        Some(Reading::Got(Got(content)))
    }

    /// What a locked block holds in memory; it counts as used.
    pub(crate) fn content_of(&self, lock: &ReadGuard) -> Option<SlabArc<Content>> {
        let content = lock.block().state.lock().memory.clone()?;
        self.infos.blocks.touch(&content);
        Some(content)
    }
}

/// A content that its gate let a reader in to.
#[derive(Debug)]
pub(crate) struct Got(SlabArc<Content>);

impl Drop for Got {
    fn drop(&mut self) {
        if self.0.gate.exit() {
            // Where the block is gone, nobody waits for it.
            if let Some(block) = self.0.block.upgrade() {
                // mutant(last-rings-the-bell by left_beside_an_eviction): delete
                block.ring();
            }
        }
    }
}

/// What keeps a block in memory for a reader.
#[derive(Debug)]
enum Reading {
    Got(Got),
    /// The content is let go of before the lock: a block without readers is nobody's but the store's.
    Locked {
        content: SlabArc<Content>,
        _lock: ReadGuard,
    },
}

impl Reading {
    fn content(&self) -> &Content {
        match self {
            Self::Got(got) => &got.0,
            Self::Locked { content, .. } => content,
        }
    }
}

/// The bytes of a block in memory, which stays there meanwhile.
#[derive(Debug)]
pub struct BytesGuard {
    reading: Reading,
}

impl BytesGuard {
    pub(crate) fn new(lock: ReadGuard, content: SlabArc<Content>) -> Result<Self, StoreError> {
        let id = lock.id().clone();
        Self::of(
            Reading::Locked {
                content,
                _lock: lock,
            },
            &id,
        )
    }

    fn of(reading: Reading, id: &BlockId) -> Result<Self, StoreError> {
        expect_form(reading.content(), id, Form::Serialized)?;
        Ok(Self { reading })
    }

    /// Which block.
    #[must_use]
    pub fn id(&self) -> &BlockId {
        &self.reading.content().id
    }
}

impl Deref for BytesGuard {
    type Target = ChunkedBytes;

    fn deref(&self) -> &ChunkedBytes {
        match &self.reading.content().data {
            Data::Bytes(bytes) => bytes,
            Data::Values(_) => unreachable!("checked when the guard was made"),
        }
    }
}

/// The values of a block in memory, which stays there meanwhile.
pub struct ValuesGuard<T> {
    reading: Reading,
    element: PhantomData<fn() -> T>,
}

impl<T: Send + Sync + 'static> ValuesGuard<T> {
    pub(crate) fn new(lock: ReadGuard, content: SlabArc<Content>) -> Result<Self, StoreError> {
        let id = lock.id().clone();
        Self::of(
            Reading::Locked {
                content,
                _lock: lock,
            },
            &id,
        )
    }

    fn of(reading: Reading, id: &BlockId) -> Result<Self, StoreError> {
        let content = reading.content();
        expect_form(content, id, Form::Deserialized)?;
        match &content.data {
            Data::Values(values) if !values.as_any().is::<Values<T>>() => {
                Err(StoreError::WrongType {
                    block: id.clone(),
                    stored: values.element_type(),
                    wanted: type_name::<T>(),
                })
            }
            Data::Values(_) | Data::Bytes(_) => Ok(Self {
                reading,
                element: PhantomData,
            }),
        }
    }
}

impl<T> ValuesGuard<T> {
    /// Which block.
    #[must_use]
    pub fn id(&self) -> &BlockId {
        &self.reading.content().id
    }

    /// Bytes of memory that the values hold, as their costs said.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.reading.content().size
    }
}

impl<T: 'static> Deref for ValuesGuard<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        let values = match &self.reading.content().data {
            Data::Values(values) => values.as_any().downcast_ref::<Values<T>>(),
            Data::Bytes(_) => None,
        };
        &values.expect("checked when the guard was made").list
    }
}

impl<T> fmt::Debug for ValuesGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValuesGuard")
            .field("reading", &self.reading)
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
