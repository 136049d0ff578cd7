//! Session settings that fit a query's share of memory.

use datafusion_common::config::{ConfigNonZeroUsize, SpillCompression};
use datafusion_execution::config::SessionConfig;

use crate::pool::TO_BEGIN;
use crate::runtime::HearthRuntime;

/// Bytes of a query's share that one partition of it needs at least in order to be worth having.
const PARTITION_MIN: u64 = 3 << 20;
/// With less than that, partitions are left as they are: what runs at all in so little memory buffers nothing.
const SHARE_MIN: u64 = 1 << 20;
/// What a sort takes beforehand for its merge at least, in bytes.
const MERGE_MIN: u64 = 64 << 10;
/// Bytes of a partition's part for each row of a batch: several batches, in several copies, have to fit.
const ROW_BYTES: u64 = 2 << 10;
/// Rows of a batch at least. With fewer, batches out of Parquet files count what they share many times.
const ROWS_MIN: u64 = 4096;

impl HearthRuntime {
    /// `config` with partitions, batches and the memory that sorts take beforehand lowered to what fits
    /// the share of each of `queries` queries at once, with spills compressed by LZ4, unless another
    /// compression is set, and with a file for each batch that a repartitioning spills; nothing is raised.
    ///
    /// DataFusion's defaults want 10 MB for each partition of a sort before the first row comes, and
    /// can't spill them: the most frequent reason why queries fail under a limit.
    ///
    /// ```
    /// use datafusion_execution::config::SessionConfig;
    /// use mem_datafusion::HearthRuntime;
    /// use mem_policy::MemoryConfig;
    ///
    /// let memory = MemoryConfig::new()
    ///     .with("spark.memory.offHeap.enabled", true)?
    ///     .with("spark.memory.offHeap.size", "64m")?;
    /// let runtime = HearthRuntime::from_config(&memory)?;
    /// let config = runtime.tuned(SessionConfig::new().with_target_partitions(16), 2);
    /// assert_eq!(config.target_partitions(), 10);
    /// assert!(config.options().execution.sort_spill_reservation_bytes < 150_000);
    /// assert!((4096..8192).contains(&config.batch_size()));
    /// assert_eq!(config.options().execution.max_spill_file_size_bytes.get(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn tuned(&self, config: SessionConfig, queries: usize) -> SessionConfig {
        let queries = u64::try_from(queries).unwrap_or(u64::MAX).max(1);
        let share = self.available() / queries;
        let partitions = match share {
            0..SHARE_MIN => usize::MAX,
            _ => small(share / PARTITION_MIN).max(1),
        };
        let partitions = config.target_partitions().min(partitions);
        let part = share / u64::try_from(partitions).unwrap_or(u64::MAX).max(1);
        let merge = small((part / TO_BEGIN).max(MERGE_MIN));
        let merge = merge.min(config.options().execution.sort_spill_reservation_bytes);
        let rows = small((part / ROW_BYTES).max(ROWS_MIN)).min(config.batch_size());
        let mut config = config;
        let execution = &mut config.options_mut().execution;
        if execution.spill_compression == SpillCompression::Uncompressed {
            execution.spill_compression = SpillCompression::Lz4Frame;
        }
        // Of rows on their way to another partition. With several batches a file, its reader stands at the end of one
        // that is written no more while what it waits for is in the next, and the query stands still.
        if let Ok(a_batch_each) = ConfigNonZeroUsize::try_new(1) {
            execution.max_spill_file_size_bytes = a_batch_each;
        }
        config
            .with_target_partitions(partitions)
            .with_sort_spill_reservation_bytes(merge)
            .with_batch_size(rows)
    }
}

fn small(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}
