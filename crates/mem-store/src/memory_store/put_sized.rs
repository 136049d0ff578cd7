//! Putting values whose cost is known beforehand.

use mem_block::MemoryMode;

use crate::block_id::BlockId;
use crate::blocks::Queueing;
use crate::content::Data;
use crate::error::StoreError;
use crate::memory_store::MemoryStore;
use crate::storage_level::StorageLevel;
use crate::values::Values;

impl MemoryStore {
    /// Puts a block of values that cost `size` bytes together, which the caller knows: nothing is
    /// unrolled, and no more than that is acquired. They can be kept in either mode: what counts is
    /// which memory they are counted in. False where there is not enough memory; the values are
    /// dropped then.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is stored or held then.
    pub fn put_sized_values<T: Send + Sync + 'static>(
        &self,
        id: &BlockId,
        mode: MemoryMode,
        size: u64,
        values: Vec<T>,
    ) -> Result<bool, StoreError> {
        let new = self.register(id, StorageLevel::MEMORY_ONLY, mode)?;
        let content = self.make_content(new.block(), size, Queueing::Now, |data| {
            // Freed before others take its place.
            *data = Data::default();
            let values = Values {
                list: values,
                format: None,
            };
            *data = Data::Values(Box::new(values));
            Ok(())
        })?;
        let Some(content) = content else {
            return Ok(false);
        };
        new.complete(content)?;
        Ok(true)
    }
}
