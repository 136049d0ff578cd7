//! What a shuffle is made with.

use mem_block::{MemoryMode, PackedRecordPointer};
use mem_spill::SpillOptions;

use super::checksum::ChecksumAlgorithm;
use super::error::ShuffleError;

/// What a [`ShuffleWriter`](crate::ShuffleWriter) is made with.
#[derive(Debug, Clone)]
pub struct ShuffleOptions {
    /// How many partitions there are: 1 to 2^24.
    pub partitions: u32,
    /// The mode of the memory; by default the manager's.
    pub mode: Option<MemoryMode>,
    /// Bytes of a page; by default the manager's page size. It is 128 MiB at most, since pointers
    /// have 27 bits for the place in a page.
    pub page_bytes: Option<u64>,
    /// How spills and the data file are written.
    pub spill: SpillOptions,
    /// Pointers in the first array, 2 or more (Spark: `spark.shuffle.sort.initialBufferSize`). It is
    /// kept all the time, so that a spill never has to ask for it again.
    pub initial_buffer_entries: u64,
    /// Sort by radix, for which half of the array is left free, not by comparison, for which a third
    /// is (Spark: `spark.shuffle.sort.useRadixSort`).
    pub use_radix_sort: bool,
    /// Spill when this many records are in memory, although there may be more memory (Spark:
    /// `spark.shuffle.spill.numElementsForceSpillThreshold`).
    pub force_spill_records: u64,
    /// Spill when pages and pointers have this many bytes, although there may be more memory (Spark:
    /// `spark.shuffle.spill.maxSizeInBytesForSpillThreshold`).
    pub force_spill_bytes: u64,
    /// Merge spills by copying their bytes as they are (Spark:
    /// `spark.shuffle.unsafe.fastMergeEnabled`). Otherwise each partition is decoded and encoded
    /// again, which gives fewer and fuller blocks.
    pub fast_merge: bool,
    /// The checksum of each partition of the data file (Spark: `spark.shuffle.checksum.enabled` and
    /// `.algorithm`).
    pub checksum: Option<ChecksumAlgorithm>,
}

impl ShuffleOptions {
    /// Spark's defaults, for that many partitions.
    #[must_use]
    pub fn new(partitions: u32) -> Self {
        Self {
            partitions,
            mode: None,
            page_bytes: None,
            spill: SpillOptions::default(),
            initial_buffer_entries: 4096,
            use_radix_sort: true,
            force_spill_records: (1 << 31) - 1,
            force_spill_bytes: u64::MAX,
            fast_merge: true,
            checksum: Some(ChecksumAlgorithm::default()),
        }
    }

    /// Spark asserts it.
    pub(crate) fn check(&self) -> Result<(), ShuffleError> {
        let most = PackedRecordPointer::MAXIMUM_PARTITION_ID + 1;
        if (1..=most).contains(&self.partitions) {
            return Ok(());
        }
        Err(ShuffleError::Partitions {
            partitions: self.partitions,
            most,
        })
    }
}
