//! How large everything is: from the budget to pages, blocks and buffers.

use mem_block::MemoryMode;
use mem_policy::config::{ShuffleChecksum, SpillCodec};
use mem_policy::{MemoryConfig, ResolvedMemory};
use mem_sort::{ChecksumAlgorithm, ShuffleOptions};
use mem_spill::{Codec, SpillOptions};

use super::error::ShuffleFailure;
use crate::sort::{budget, fraction};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Bytes of a page: below, records at its end waste too much; above, a task of 8192 pages has more
/// than there is.
const PAGE: (u64, u64) = (4 * KIB, 64 * MIB);
/// Bytes of a read buffer. Lines that are longer cost a run each.
const READ: (u64, u64) = (4 * KIB, MIB);
/// Bytes of a block of a spill file and of the data file.
const BLOCK: (u64, u64) = (KIB, 64 * KIB);
/// What the sorter counts beside its pages, its pointers and its workspace; generous.
const BOOKKEEPING: u64 = 8 * KIB;

/// The sizes of one shuffle.
#[derive(Debug, Clone)]
pub struct ShufflePlan {
    /// All memory there is, in bytes.
    pub budget: u64,
    /// The kind of memory.
    pub mode: MemoryMode,
    /// The setting that the budget comes from.
    pub budget_key: &'static str,
    /// Bytes of each of the two read buffers.
    pub read_bytes: u64,
    /// What the writer is made with.
    pub options: ShuffleOptions,
}

impl ShufflePlan {
    /// Sizes for a shuffle of its own to so many partitions under a configuration.
    ///
    /// # Errors
    ///
    /// [`ShuffleFailure::TooSmall`], [`ShuffleFailure::Block`].
    pub fn new(
        config: &MemoryConfig,
        resolved: &ResolvedMemory,
        partitions: u32,
    ) -> Result<Self, ShuffleFailure> {
        let (budget, budget_key) = budget(resolved);
        let (sorting, mode) = (config.sorting(), resolved.tungsten_mode);
        let page = config.pages().page_size_bytes;
        let plan = Self {
            budget,
            mode,
            budget_key,
            read_bytes: fraction(budget, 64, READ),
            options: ShuffleOptions {
                mode: Some(mode),
                page_bytes: Some(page.unwrap_or_else(|| fraction(budget, 32, PAGE))),
                spill: block_options(config, budget)?,
                initial_buffer_entries: sorting.initial_buffer_entries,
                use_radix_sort: sorting.use_radix_sort,
                force_spill_records: sorting.force_spill_records,
                force_spill_bytes: sorting.force_spill_bytes,
                fast_merge: sorting.fast_merge,
                checksum: sorting.checksum.map(|algorithm| match algorithm {
                    ShuffleChecksum::Adler32 => ChecksumAlgorithm::Adler32,
                    ShuffleChecksum::Crc32 => ChecksumAlgorithm::Crc32,
                }),
                ..ShuffleOptions::new(partitions)
            },
        };
        match plan.needed() {
            needed if needed > budget => Err(ShuffleFailure::TooSmall {
                budget,
                needed,
                key: budget_key,
            }),
            _ => Ok(plan),
        }
    }

    /// What it takes to get anywhere, in bytes: a pointer array that is about to double, two pages.
    fn needed(&self) -> u64 {
        let (options, spill) = (&self.options, self.options.spill);
        let spilling = [spill.write_buffer_bytes(), spill.write_context_bytes()];
        let spilling = spilling.map(|bytes| u64::try_from(bytes).unwrap_or(u64::MAX));
        let array = options.initial_buffer_entries.saturating_mul(8);
        let pages = options.page_bytes.unwrap_or(0).saturating_mul(2);
        let reading = self.read_bytes.saturating_mul(2);
        let all = spilling
            .into_iter()
            .chain([array, pages, reading, BOOKKEEPING]);
        all.fold(0, u64::saturating_add)
    }
}

fn block_options(config: &MemoryConfig, budget: u64) -> Result<SpillOptions, ShuffleFailure> {
    let spill = config.spill();
    let codec = match spill.codec {
        _ if !config.sorting().shuffle_compress => Codec::None,
        SpillCodec::None => Codec::None,
        SpillCodec::Lz4 => Codec::Lz4,
        SpillCodec::Zstd => Codec::Zstd { level: 1 },
    };
    let block = spill
        .block_size_bytes
        .unwrap_or_else(|| fraction(budget, 128, BLOCK));
    let block = usize::try_from(block).unwrap_or(usize::MAX);
    let failed = |source| ShuffleFailure::Block {
        key: "hearth.spill.blockSize",
        source,
    };
    SpillOptions::new(codec, block).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(size: &str, settings: &[(&str, &str)]) -> Result<ShufflePlan, ShuffleFailure> {
        let mut config = MemoryConfig::new()
            .with("spark.memory.offHeap.enabled", true)
            .and_then(|config| config.with("spark.memory.offHeap.size", size))
            .unwrap();
        for (key, value) in settings {
            config = config.with(key, value).unwrap();
        }
        let resolved = config.resolve_in(&config.environment(1)).unwrap();
        ShufflePlan::new(&config, &resolved, 7)
    }

    #[test]
    fn a_budget_for_nothing_is_refused_naming_the_key() {
        for size in ["128k", "1m", "64m", "600g"] {
            plan(size, &[]).unwrap();
        }
        let error = plan("48k", &[]).unwrap_err().to_string();
        assert!(
            error.starts_with("49152 bytes of memory are too few"),
            "{error}"
        );
        assert!(
            error.ends_with("increase spark.memory.offHeap.size"),
            "{error}"
        );
    }

    #[test]
    fn settings_come_through() {
        let settings = [
            ("spark.buffer.pageSize", "128k"),
            ("hearth.spill.codec", "zstd"),
            ("hearth.spill.blockSize", "32k"),
            ("spark.shuffle.spill.numElementsForceSpillThreshold", "1000"),
            ("spark.shuffle.spill.maxSizeInBytesForSpillThreshold", "1m"),
            ("spark.shuffle.sort.initialBufferSize", "100"),
            ("spark.shuffle.sort.useRadixSort", "false"),
            ("spark.shuffle.unsafe.fastMergeEnabled", "false"),
            ("spark.shuffle.checksum.algorithm", "CRC32"),
        ];
        let options = plan("64m", &settings).unwrap().options;
        assert_eq!(options.page_bytes, Some(128 << 10));
        assert_eq!(options.spill.codec(), Codec::Zstd { level: 1 });
        assert_eq!(options.spill.block_bytes(), 32 << 10);
        assert_eq!(
            (options.force_spill_records, options.force_spill_bytes),
            (1000, 1 << 20)
        );
        assert_eq!(
            (options.initial_buffer_entries, options.use_radix_sort),
            (100, false)
        );
        assert_eq!(
            (options.fast_merge, options.checksum),
            (false, Some(ChecksumAlgorithm::Crc32))
        );

        let none = [
            ("spark.shuffle.checksum.enabled", "false"),
            ("spark.shuffle.compress", "false"),
        ];
        let options = plan("64m", &none).unwrap().options;
        assert_eq!(
            (options.checksum, options.spill.codec()),
            (None, Codec::None)
        );
    }
}
