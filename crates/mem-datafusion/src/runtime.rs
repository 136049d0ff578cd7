//! One memory for all queries of a process.

mod options;
mod stats;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use datafusion_common::Result;
use datafusion_execution::cache::cache_manager::{
    CacheManagerConfig, CachedFileList, CachedFileMetadata, CachedFileMetadataEntry,
};
use datafusion_execution::cache::{Cache, TableScopedPath};
use datafusion_execution::disk_manager::DiskManagerBuilder;
use datafusion_execution::memory_pool::MemoryPool;
use datafusion_execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry};
use datafusion_execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use mem_policy::{ManagerOptions, MemoryConfig, MemoryManager, memory_manager};
use mem_pool::{EvictError, LimitChange, TaskId};
use mem_store::{BlockManager, DiskOptions, DropHandler, StoreOptions};
use object_store::path::Path as ObjectPath;

use crate::cache::{EvictionNotes, StorageCache};
use crate::error::RuntimeError;
use crate::pool::HearthMemoryPool;
use crate::shared::Shared;
use crate::spill::{QuerySpills, SpillFactory, Spills};
pub use options::RuntimeOptions;
pub use stats::RuntimeStats;

/// One memory for all queries of a process, and for what they cache: sized by Spark's settings, shared
/// by Spark's rules.
///
/// Each query gets a [`RuntimeEnv`] of its own from [`query_env`](Self::query_env), with a pool of its
/// own ([`HearthMemoryPool`]); spill files, caches and object stores are common to all. A session that
/// runs one query at a time can keep one environment. Cloning is cheap, and gives the same memory.
///
/// Which memory it is: on-heap memory (`spark.executor.memory` and what follows from it), or, where
/// `spark.memory.offHeap.enabled` is set, `spark.memory.offHeap.size`, which is the whole budget then.
/// Either way the bytes themselves are DataFusion's, from the process's allocator; Hearth counts them.
///
/// Who runs `SET datafusion.runtime.memory_limit` in such a session replaces the pool by one of
/// DataFusion's, silently; [`is_installed`](Self::is_installed) tells.
#[derive(Clone)]
pub struct HearthRuntime {
    shared: Arc<Shared>,
    spills: Arc<Spills>,
    blocks: Arc<BlockManager>,
    caches: Caches,
    object_stores: Arc<dyn ObjectStoreRegistry>,
}

/// DataFusion's three caches.
#[derive(Debug, Clone)]
struct Caches {
    file_statistics: Arc<StorageCache<TableScopedPath, CachedFileMetadata>>,
    list_files: Arc<StorageCache<TableScopedPath, CachedFileList>>,
    file_metadata: Arc<StorageCache<ObjectPath, CachedFileMetadataEntry>>,
}

impl HearthRuntime {
    /// The runtime that a configuration file describes: TOML with Spark's keys, or the form of
    /// `spark-defaults.conf`.
    ///
    /// # Errors
    /// [`RuntimeError`]: the file can't be read, or something in it can't be.
    pub fn from_toml(path: impl AsRef<Path>) -> Result<Self, RuntimeError> {
        Self::from_config(&MemoryConfig::from_file(path)?)
    }

    /// The runtime that a configuration describes.
    ///
    /// # Errors
    /// [`RuntimeError`].
    pub fn from_config(config: &MemoryConfig) -> Result<Self, RuntimeError> {
        let options = RuntimeOptions::of(config)?;
        let manager = memory_manager(config.resolve(0)?, &ManagerOptions::of(config));
        Self::new(manager, options)
    }

    /// A runtime over the memory of `manager`, which others may use, too; it becomes the store of its
    /// cached blocks.
    ///
    /// # Errors
    /// [`RuntimeError::Store`] where the manager has a block store already, or no room for the
    /// store's workspace; [`RuntimeError::Spill`].
    pub fn new(
        manager: Arc<dyn MemoryManager>,
        options: RuntimeOptions,
    ) -> Result<Self, RuntimeError> {
        let mode = manager.tungsten_memory_mode();
        let total = manager.ledger().snapshot().of_mode(mode).total;
        let spill = options.spill_options(total)?;
        let notes = Arc::new(EvictionNotes::default());
        let drop_handler: Arc<dyn DropHandler> = Arc::<EvictionNotes>::clone(&notes);
        let store = StoreOptions {
            drop_handler,
            ..StoreOptions::default()
        };
        let disk = options.cache_on_disk.then(|| DiskOptions {
            dirs: options.spill_dirs.clone(),
            spill,
            writers: 1,
            readers: 1,
            mode,
            ..DiskOptions::default()
        });
        let blocks = Arc::new(BlockManager::new(Arc::clone(&manager), store, disk)?);
        let memory = blocks.memory_store();
        let caches = Caches {
            file_statistics: StorageCache::new("file statistics", memory, mode, &notes),
            list_files: StorageCache::new("file lists", memory, mode, &notes),
            file_metadata: StorageCache::new("file metadata", memory, mode, &notes),
        };
        Ok(Self {
            shared: Shared::new(manager, mode, options.wait, options.quantum_bytes),
            spills: Spills::new(options.spill_dirs, spill, options.max_spill_bytes),
            blocks,
            caches,
            object_stores: Arc::new(DefaultObjectStoreRegistry::new()),
        })
    }

    /// A pool for a new task. The task counts from its first growth, not before.
    #[must_use]
    pub fn task(&self) -> Arc<HearthMemoryPool> {
        self.task_of(self.shared.next_task())
    }

    /// A pool for the task with that number, which no other pool may have at the same time. Numbers
    /// that [`task`](Self::task) gives begin with 1.
    #[must_use]
    pub fn task_of(&self, task: TaskId) -> Arc<HearthMemoryPool> {
        HearthMemoryPool::new(Arc::clone(&self.shared), task, 1)
    }

    /// A pool for a new task that counts as `weight` tasks, and may hold what they might: one that works
    /// on several cores, where others work on one.
    #[must_use]
    pub fn weighted_task(&self, weight: u32) -> Arc<HearthMemoryPool> {
        HearthMemoryPool::new(Arc::clone(&self.shared), self.shared.next_task(), weight)
    }

    /// An environment for one query: a pool of its own, common spill directories, caches and object
    /// stores.
    ///
    /// # Errors
    /// DataFusion's.
    pub fn query_env(&self) -> Result<Arc<RuntimeEnv>> {
        self.env_of(self.task())
    }

    /// An environment with that pool.
    ///
    /// # Errors
    /// DataFusion's.
    pub fn env_of(&self, pool: Arc<HearthMemoryPool>) -> Result<Arc<RuntimeEnv>> {
        let builder = RuntimeEnvBuilder::new()
            .with_object_store_registry(Arc::clone(&self.object_stores))
            .with_cache_manager(self.cache_config());
        self.with_pool(builder, pool).build_arc()
    }

    /// The environment `base`, object stores and caches included, with that pool and Hearth's spill
    /// files in place of its own: for engines that make their environments themselves.
    ///
    /// # Errors
    /// DataFusion's.
    pub fn env_over(
        &self,
        base: &RuntimeEnv,
        pool: Arc<HearthMemoryPool>,
    ) -> Result<Arc<RuntimeEnv>> {
        let builder = RuntimeEnvBuilder::from_runtime_env(base);
        self.with_pool(builder, pool).build_arc()
    }

    fn with_pool(
        &self,
        builder: RuntimeEnvBuilder,
        pool: Arc<HearthMemoryPool>,
    ) -> RuntimeEnvBuilder {
        let pool: Arc<dyn MemoryPool> = pool;
        let spills = QuerySpills::new(Arc::clone(&self.spills), Arc::clone(&pool));
        let disk =
            DiskManagerBuilder::default().with_temp_file_factory(Arc::new(SpillFactory(spills)));
        builder
            .with_memory_pool(pool)
            .with_disk_manager_builder(disk)
    }

    /// The caches, with the limits that they have: an environment sets them anew.
    fn cache_config(&self) -> CacheManagerConfig {
        let caches = &self.caches;
        CacheManagerConfig {
            file_statistics_cache: Some(Arc::<StorageCache<_, _>>::clone(&caches.file_statistics)),
            file_statistics_cache_limit: caches.file_statistics.cache_limit(),
            list_files_cache: Some(Arc::<StorageCache<_, _>>::clone(&caches.list_files)),
            list_files_cache_limit: caches.list_files.cache_limit(),
            list_files_cache_ttl: caches.list_files.cache_ttl(),
            file_metadata_cache: Some(Arc::<StorageCache<_, _>>::clone(&caches.file_metadata)),
            metadata_cache_limit: caches.file_metadata.cache_limit(),
        }
    }

    /// Whether an environment still has a pool of Hearth's.
    #[must_use]
    pub fn is_installed(env: &RuntimeEnv) -> bool {
        env.memory_pool.is::<HearthMemoryPool>()
    }

    /// Sets all memory to `total` bytes, at once where it grows. Where it shrinks, blocks are evicted
    /// for it, on the calling thread, and what queries hold is taken as they give it back.
    ///
    /// # Errors
    /// [`EvictError`]; the limit stands.
    pub fn set_limit(&self, total: u64) -> Result<LimitChange, EvictError> {
        let (ledger, mode) = (self.shared.ledger(), self.shared.mode());
        ledger.set_limit(mode, total)
    }

    /// Whose memory it is.
    #[must_use]
    pub fn manager(&self) -> &Arc<dyn MemoryManager> {
        self.shared.manager()
    }

    /// Where cached blocks are.
    #[must_use]
    pub fn blocks(&self) -> &Arc<BlockManager> {
        &self.blocks
    }

    /// The pools that are in use now.
    #[must_use]
    pub fn tasks(&self) -> Vec<Arc<HearthMemoryPool>> {
        self.shared.pools()
    }

    /// What queries could have together, if they were alone now, in bytes.
    pub(crate) fn available(&self) -> u64 {
        self.shared.room(1).cap
    }

    /// What is held by whom, and what has happened so far.
    #[must_use]
    pub fn stats(&self) -> RuntimeStats {
        RuntimeStats::of(&self.shared, &self.spills)
    }
}

impl fmt::Debug for HearthRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HearthRuntime")
            .field("manager", self.manager())
            .field("blocks", &self.blocks)
            .field("spills", &self.spills)
            .finish_non_exhaustive()
    }
}
