//! How a runtime is made.

use std::time::Duration;

use mem_policy::MemoryConfig;
use mem_policy::config::SpillCodec;
use mem_spill::{Codec, SpillDirs, SpillError, SpillOptions};

use crate::error::RuntimeError;

/// The longest that a worker is held by a wait where nobody says otherwise. `hearth.wait.timeout` is made
/// for threads of their own: in an async runtime a query whose holder can't run would stand still.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// As DataFusion's own: 100 GiB.
const SPILL_BYTES_MAX: u64 = 100 << 30;
/// Of all memory: a block of a spill file.
const BLOCK_FRACTION: u64 = 8192;
/// Bounds of that, in bytes.
const BLOCK: (u64, u64) = (4 << 10, 256 << 10);

/// What a runtime needs besides a memory manager.
#[derive(Debug, Clone)]
pub struct RuntimeOptions {
    /// The longest that a request waits for memory of other tasks; by default
    /// `hearth.wait.timeout`, but 10 seconds at most. Zero: it does not wait, nor for a spill of its own task,
    /// which else takes half a second of it at most.
    pub wait: Duration,
    /// `hearth.task.quantum`: bytes of returned memory that a task keeps for its next small requests, as
    /// long as nobody else lacks memory; a thousandth of all memory at most.
    pub quantum_bytes: u64,
    /// `hearth.spill.dirs`.
    pub spill_dirs: SpillDirs,
    /// `hearth.spill.codec`; not given: none. What DataFusion spills stays in the page cache mostly, and a
    /// [tuned](crate::HearthRuntime::tuned) session compresses it before it comes.
    pub spill_codec: Codec,
    /// `hearth.spill.blockSize`; `None`: 1/8192 of all memory, from 4 to 256 KiB: each run that a
    /// merge reads takes two.
    pub spill_block_bytes: Option<u64>,
    /// The most that all spill files of queries may take up on disk together, in bytes. By default 100
    /// GiB, as in DataFusion.
    pub max_spill_bytes: u64,
    /// Whether cached blocks can go to disk. That takes workspace, some blocks of a spill file, out of
    /// storage memory.
    pub cache_on_disk: bool,
}

impl RuntimeOptions {
    /// What a configuration says.
    ///
    /// # Errors
    /// [`RuntimeError::Spill`].
    pub fn of(config: &MemoryConfig) -> Result<Self, RuntimeError> {
        let spill = config.spill();
        let spill_dirs = if spill.dirs.is_empty() {
            SpillDirs::default()
        } else {
            SpillDirs::new(spill.dirs)?
        };
        Ok(Self {
            wait: config.tasks().wait_timeout.min(WAIT_MAX),
            quantum_bytes: config.tasks().quantum_bytes,
            spill_dirs,
            spill_codec: match spill.codec {
                _ if !spill.codec_is_given => Codec::None,
                SpillCodec::None => Codec::None,
                SpillCodec::Lz4 => Codec::Lz4,
                SpillCodec::Zstd => Codec::Zstd { level: 1 },
            },
            spill_block_bytes: spill.block_size_bytes,
            max_spill_bytes: SPILL_BYTES_MAX,
            cache_on_disk: true,
        })
    }

    /// The form of spill files where there are `total` bytes of memory.
    pub(super) fn spill_options(&self, total: u64) -> Result<SpillOptions, SpillError> {
        let block = self.spill_block_bytes.unwrap_or_else(|| {
            let (least, most) = BLOCK;
            1 << (total / BLOCK_FRACTION).clamp(least, most).ilog2()
        });
        SpillOptions::new(
            self.spill_codec,
            usize::try_from(block).unwrap_or(usize::MAX),
        )
    }
}

impl Default for RuntimeOptions {
    /// What an empty configuration says.
    fn default() -> Self {
        Self::of(&MemoryConfig::new()).expect("no directories are given, so none is wrong")
    }
}
