//! What both managers do in the same order: off-heap memory, where pages go, the store's settings.

use mem_block::MemoryMode;

use super::ResolvedUnroll;
use super::error::{ILLEGAL_ARGUMENT, ResolveError, Stage};
use super::reader::Reader;
use crate::config::keys::memory::{OFF_HEAP_ENABLED, OFF_HEAP_SIZE};
use crate::config::keys::storage::{UNROLL_MEMORY_CHECK_PERIOD, UNROLL_MEMORY_GROWTH_FACTOR};

/// Reads the off-heap size: bytes, not negative.
pub(super) fn off_heap_size(reader: &Reader<'_>) -> Result<i64, ResolveError> {
    let size = reader.declared_size(&OFF_HEAP_SIZE)?.unwrap_or(0);
    if size < 0 {
        return Err(reader.broken_rule(&OFF_HEAP_SIZE, "the off-heap size must not be negative"));
    }
    Ok(size)
}

/// Decides where pages go.
pub(super) fn tungsten_mode(
    reader: &Reader<'_>,
    off_heap_size: i64,
) -> Result<MemoryMode, ResolveError> {
    if !reader.declared_bool(&OFF_HEAP_ENABLED)? {
        return Ok(MemoryMode::OnHeap);
    }
    if off_heap_size > 0 {
        return Ok(MemoryMode::OffHeap);
    }
    let message = format!(
        "{} must be above 0 when {} is true",
        OFF_HEAP_SIZE.name, OFF_HEAP_ENABLED.name
    );
    Err(ResolveError::plain(
        ILLEGAL_ARGUMENT,
        &OFF_HEAP_SIZE,
        message,
    ))
}

/// Reads what a put reads. `threshold` is read when the store is created, by each release in its own way.
pub(super) fn unroll(
    reader: &Reader<'_>,
    threshold: Result<Option<i64>, ResolveError>,
) -> Result<ResolvedUnroll, ResolveError> {
    let in_put = |e: ResolveError| e.at(Stage::Put);
    let period = reader
        .declared_long(&UNROLL_MEMORY_CHECK_PERIOD)
        .map_err(in_put);
    let factor = reader
        .declared_double(&UNROLL_MEMORY_GROWTH_FACTOR)
        .map_err(in_put);
    Ok(ResolvedUnroll {
        threshold: threshold
            .map_err(|e| e.at(Stage::Store))?
            .unwrap_or_default(),
        check_period: period.map(Option::unwrap_or_default),
        growth_factor: factor.map(Option::unwrap_or_default),
    })
}
