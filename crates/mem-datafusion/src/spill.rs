//! Spill files for DataFusion: without a name, framed, checksummed, compressed.

mod file;
mod reader;
mod writer;

use std::fmt;
use std::sync::{Arc, OnceLock};

use datafusion_common::{DataFusionError, Result};
use datafusion_execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion_execution::{SpillFile, TempFileFactory};
use mem_spill::{Decoders, SpillDirs, SpillError, SpillOptions};
use mem_sync::atomic::{AtomicU64, Ordering};

use file::QueryFile;

/// Decoders that the readers of one query share.
const DECODERS: usize = 2;

/// What the spill files of all queries have in common.
#[derive(Debug)]
pub(crate) struct Spills {
    dirs: SpillDirs,
    options: SpillOptions,
    /// The most that all files may take up on disk together, in bytes.
    quota: u64,
    on_disk: AtomicU64,
}

impl Spills {
    pub(crate) fn new(dirs: SpillDirs, options: SpillOptions, quota: u64) -> Arc<Self> {
        Arc::new(Self {
            dirs,
            options,
            quota,
            on_disk: AtomicU64::new(0),
        })
    }

    pub(crate) fn dirs(&self) -> &SpillDirs {
        &self.dirs
    }

    /// Bytes that the files of all queries take up on disk now.
    pub(crate) fn on_disk(&self) -> u64 {
        self.on_disk.load(Ordering::Relaxed)
    }

    /// That many more bytes are on disk; false where they are too many, and not counted.
    fn add(&self, bytes: u64) -> bool {
        let before = self.on_disk.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= self.quota;
        if !fits {
            self.remove(bytes);
        }
        fits
    }

    fn remove(&self, bytes: u64) {
        self.on_disk.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Makes the spill files of one query. The memory that writing and reading takes is the query's: it
/// can't be refused, so it comes out of what others leave in its pool.
pub(crate) struct QuerySpills {
    spills: Arc<Spills>,
    pool: Arc<dyn MemoryPool>,
    decoders: OnceLock<SharedDecoders>,
}

#[derive(Debug)]
struct SharedDecoders {
    decoders: Decoders<Vec<u8>>,
    /// Pays for them.
    _workspace: MemoryReservation,
}

impl QuerySpills {
    pub(crate) fn new(spills: Arc<Spills>, pool: Arc<dyn MemoryPool>) -> Arc<Self> {
        Arc::new(Self {
            spills,
            pool,
            decoders: OnceLock::new(),
        })
    }

    fn options(&self) -> SpillOptions {
        self.spills.options
    }

    /// Takes memory that is needed in order to spill or to read back.
    fn workspace(&self, consumer: &str, bytes: usize) -> MemoryReservation {
        let reservation = MemoryConsumer::new(consumer).register(&self.pool);
        reservation.grow(bytes);
        reservation
    }

    /// The scratch blocks and contexts of all readers, made when the first one comes.
    fn decoders(&self) -> Result<Decoders<Vec<u8>>> {
        if let Some(shared) = self.decoders.get() {
            return Ok(shared.decoders.clone());
        }
        let options = self.options();
        let each = options.scratch_bytes() + options.read_context_bytes();
        let workspace = self.workspace("SpillDecoders", DECODERS * each);
        let scratch = vec![vec![0; options.scratch_bytes()]; DECODERS];
        let made = SharedDecoders {
            decoders: Decoders::new(options, scratch).map_err(spill_error)?,
            _workspace: workspace,
        };
        // Should two come at once, one is dropped, with its memory.
        Ok(self.decoders.get_or_init(|| made).decoders.clone())
    }
}

/// Not public: it is installed by [`HearthRuntime`](crate::HearthRuntime).
pub(crate) struct SpillFactory(pub(crate) Arc<QuerySpills>);

impl TempFileFactory for SpillFactory {
    fn create_temp_file(&self, _description: &str) -> Result<Arc<dyn SpillFile>> {
        Ok(Arc::new(QueryFile::create(&self.0)?))
    }
}

impl fmt::Debug for QuerySpills {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuerySpills")
            .field("spills", &self.spills)
            .finish_non_exhaustive()
    }
}

/// A damaged or unwritable spill file is no lack of memory: spilling again would not help.
fn spill_error(error: SpillError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
