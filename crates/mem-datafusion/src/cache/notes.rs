//! Telling the caches which of their blocks were evicted.

use std::fmt;
use std::sync::Weak;

use mem_store::{BlockId, DiskCopy, DropError, DropHandler, LeavingBlock};
use mem_sync::Mutex;

/// Has entries whose blocks can be evicted.
pub(super) trait Forgetful: Send + Sync {
    /// A block of that name is no more; it may be another cache's.
    fn forget(&self, block: &str);
}

/// Hears of evictions, and keeps nothing of the blocks: a cached value can be made again.
#[derive(Default)]
pub(crate) struct EvictionNotes {
    caches: Mutex<Vec<Weak<dyn Forgetful>>>,
}

impl EvictionNotes {
    pub(super) fn add(&self, cache: Weak<dyn Forgetful>) {
        self.caches.lock().push(cache);
    }
}

impl DropHandler for EvictionNotes {
    fn drop_from_memory(&self, _block: &LeavingBlock<'_>) -> Result<Option<DiskCopy>, DropError> {
        Ok(None)
    }

    fn only_forgets(&self) -> bool {
        true
    }

    fn dropped(&self, block: &BlockId) {
        let name = block.to_string();
        let caches = self.caches.lock().clone();
        for cache in caches.iter().filter_map(Weak::upgrade) {
            cache.forget(&name);
        }
    }
}

impl fmt::Debug for EvictionNotes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EvictionNotes").finish_non_exhaustive()
    }
}
