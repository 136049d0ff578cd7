//! Spark's default page size.

use mem_block::MemoryMode;

use super::{Collector, Environment};

/// Smallest default page.
const PAGE_MIN: i64 = 1 << 20;
/// Largest default page.
const PAGE_MAX: i64 = 64 << 20;
/// A task should be able to have this many pages on each core before its pool is full.
const PAGES_PER_CORE: i64 = 16;
/// Bytes that a Java array of longs needs beside its elements.
const ARRAY_HEADER: i64 = 16;

/// Chooses a page size for an execution pool of `pool` bytes that pages come from.
///
/// Clamped first; the header is subtracted afterwards.
pub(super) fn default_page_size(pool: i64, mode: MemoryMode, environment: &Environment) -> i64 {
    let page = next_power_of_two(pool / environment.effective_cores() / PAGES_PER_CORE)
        .clamp(PAGE_MIN, PAGE_MAX);
    match (mode, environment.collector) {
        (MemoryMode::OnHeap, Collector::G1) => page - ARRAY_HEADER,
        (MemoryMode::OnHeap | MemoryMode::OffHeap, _) => page,
    }
}

/// The smallest power of two that is not below `n`; 0 for what is not above 0.
fn next_power_of_two(n: i64) -> i64 {
    let n = u64::try_from(n).unwrap_or(0);
    let power = if n == 0 { 0 } else { n.next_power_of_two() };
    i64::try_from(power).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(pool: i64, cores: i32, mode: MemoryMode, collector: Collector) -> i64 {
        let environment = Environment {
            cores,
            is_driver: true,
            collector,
            max_heap: 0,
        };
        default_page_size(pool, mode, &environment)
    }

    #[test]
    fn pages_are_powers_of_two_within_bounds() {
        let parallel = |pool, cores| page(pool, cores, MemoryMode::OnHeap, Collector::Parallel);
        assert_eq!(parallel(227_750_707, 4), 4 << 20);
        assert_eq!(
            parallel(64 << 20, 4),
            1 << 20,
            "a power of two stays itself"
        );
        assert_eq!(parallel((128 << 20) + 64, 4), 4 << 20);
        assert_eq!(parallel(0, 4), PAGE_MIN);
        assert_eq!(parallel(i64::MAX, 1), PAGE_MAX);
        assert!(
            (PAGE_MIN..=PAGE_MAX).contains(&parallel(1 << 40, 0)),
            "the machine's processors"
        );
    }

    #[test]
    fn a_collector_with_regions_takes_the_header_off_heap_pages_only() {
        assert_eq!(page(0, 1, MemoryMode::OnHeap, Collector::G1), 1_048_560);
        assert_eq!(
            page(i64::MAX, 1, MemoryMode::OnHeap, Collector::G1),
            67_108_848
        );
        assert_eq!(page(0, 1, MemoryMode::OffHeap, Collector::G1), PAGE_MIN);
    }
}
