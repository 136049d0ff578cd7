//! What Spark would ask a cluster manager for. No region depends on it.

use super::Telling;
use crate::config::keys::memory;
use crate::explain::Row;

/// Spark counts containers in this.
const MEBIBYTE: u64 = 1 << 20;

impl Telling<'_> {
    /// The room beside the heap, and the sum.
    pub(super) fn container(&self) -> [Row; 2] {
        let container = self.config.container();
        let overhead = container
            .memory_overhead_bytes
            .unwrap_or_else(|| self.default_overhead());
        let off_heap = match self.split.off_heap_enabled {
            true => self.split.off_heap_size_bytes,
            false => 0,
        };
        let (heap, pyspark) = (self.split.heap_bytes, container.pyspark_memory_bytes);
        let sum = [overhead, off_heap, pyspark]
            .into_iter()
            .fold(heap, u64::saturating_add);
        let how = match container.memory_overhead_bytes {
            Some(_) => "as given".to_owned(),
            None => format!(
                "{} MiB × {}, at least {} MiB",
                heap / MEBIBYTE,
                container.memory_overhead_factor,
                container.min_memory_overhead_bytes / MEBIBYTE
            ),
        };
        let keys: &[_] = match container.memory_overhead_bytes {
            Some(_) => &[&memory::MEMORY_OVERHEAD],
            None => &[
                &memory::MEMORY_OVERHEAD_FACTOR,
                &memory::MIN_MEMORY_OVERHEAD,
            ],
        };
        let parts = format!("{heap} + {overhead} + {off_heap} + {pyspark}");
        [
            self.row("memory overhead", signed(overhead), how, keys),
            self.row("container", signed(sum), parts, &[&memory::PYSPARK_MEMORY]),
        ]
    }

    /// A share of the heap, in whole MiB, but no less than the minimum.
    fn default_overhead(&self) -> u64 {
        let container = self.config.container();
        let mebibytes = crate::arithmetic::fraction_of(
            self.split.heap_bytes / MEBIBYTE,
            container.memory_overhead_factor,
        );
        let minimum = container.min_memory_overhead_bytes / MEBIBYTE;
        mebibytes.max(minimum).saturating_mul(MEBIBYTE)
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
