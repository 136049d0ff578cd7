//! Sizing of `UnifiedMemoryManager`, Spark 4.3.0.

use mem_block::MemoryMode;

use super::error::{ILLEGAL_ARGUMENT, ResolveError};
use super::reader::Reader;
use super::{Environment, PolicyKind, ResolvedMemory, ResolvedMode, base, page_size, to_long};
use crate::config::keys::memory::{
    EXECUTOR_MEMORY, FRACTION, STORAGE_FRACTION, TESTING, TESTING_MEMORY, TESTING_RESERVED_MEMORY,
    UNMANAGED_POLLING_INTERVAL,
};
use crate::config::keys::storage::{PAGE_SIZE, UNROLL_MEMORY_THRESHOLD};

/// Bytes that Spark sets aside for everything that it does not count.
const RESERVED_SYSTEM_MEMORY: i64 = 300 << 20;
/// The heap must be this many times the reserved memory.
const MIN_SYSTEM_FACTOR: f64 = 1.5;

/// Resolves in the order in which Spark reads and checks.
pub(super) fn resolve(
    reader: &Reader<'_>,
    environment: &Environment,
) -> Result<ResolvedMemory, ResolveError> {
    let (system_memory, reserved_memory) = system_memory(reader, environment)?;
    let on_heap = on_heap(reader, system_memory.wrapping_sub(reserved_memory))?;
    let size = base::off_heap_size(reader)?;
    let off_heap = split(size, storage_fraction(reader)?);
    let tungsten_mode = base::tungsten_mode(reader, size)?;
    let pool = match tungsten_mode {
        MemoryMode::OnHeap => on_heap.execution_start,
        MemoryMode::OffHeap => off_heap.execution_start,
    };
    let page_size = match reader.declared_size(&PAGE_SIZE)? {
        Some(size) => size,
        None => page_size::default_page_size(pool, tungsten_mode, environment),
    };
    let unmanaged_polling_interval_ms = reader.declared_time_ms(&UNMANAGED_POLLING_INTERVAL)?;
    Ok(ResolvedMemory {
        policy: PolicyKind::Unified,
        system_memory,
        reserved_memory,
        on_heap,
        off_heap,
        off_heap_enabled: tungsten_mode == MemoryMode::OffHeap,
        tungsten_mode,
        page_size,
        max_unroll: None,
        unmanaged_polling_interval_ms,
        unroll: base::unroll(reader, reader.declared_long(&UNROLL_MEMORY_THRESHOLD))?,
    })
}

/// The heap and the reserved part of it, once the heap is found large enough.
fn system_memory(
    reader: &Reader<'_>,
    environment: &Environment,
) -> Result<(i64, i64), ResolveError> {
    let system = reader
        .declared_long(&TESTING_MEMORY)?
        .unwrap_or(environment.max_heap);
    let default_reserved = if reader.contains(&TESTING) {
        0
    } else {
        RESERVED_SYSTEM_MEMORY
    };
    let reserved = reader
        .raw_long(&TESTING_RESERVED_MEMORY)?
        .unwrap_or(default_reserved);
    let min = to_long((reserved as f64 * MIN_SYSTEM_FACTOR).ceil());
    if system < min {
        let condition = if environment.is_driver {
            "INVALID_DRIVER_MEMORY.SYSTEM_MEMORY"
        } else {
            "INVALID_EXECUTOR_MEMORY.SYSTEM_MEMORY"
        };
        let message = format!(
            "a heap of {system} bytes is too small: it must be at least {min} bytes, 1.5 times the \
             reserved {reserved}; increase heap size with {}",
            EXECUTOR_MEMORY.name
        );
        let key = if reader.contains(&TESTING_MEMORY) {
            &TESTING_MEMORY
        } else {
            &EXECUTOR_MEMORY
        };
        return Err(ResolveError::conditional(condition, key, message));
    }
    if reader.contains(&EXECUTOR_MEMORY) {
        // The setting is documented in MiB, and this check reads a bare number as bytes.
        let executor = reader.raw_size(&EXECUTOR_MEMORY)?.unwrap_or(i64::MAX);
        if executor < min {
            let message = format!(
                "executor memory of {executor} bytes is too small: it must be at least {min} bytes; \
                 increase executor memory with {}",
                EXECUTOR_MEMORY.name
            );
            let condition = "INVALID_EXECUTOR_MEMORY.CONFIG_MEMORY";
            return Err(ResolveError::conditional(
                condition,
                &EXECUTOR_MEMORY,
                message,
            ));
        }
    }
    Ok((system, reserved))
}

/// The two on-heap regions. The fraction has no range here: Spark checks only that something is left.
fn on_heap(reader: &Reader<'_>, usable: i64) -> Result<ResolvedMode, ResolveError> {
    let fraction = reader.declared_double(&FRACTION)?.unwrap_or_default();
    let on_heap = split(to_long(usable as f64 * fraction), storage_fraction(reader)?);
    if on_heap.execution_start <= 0 {
        let message = format!(
            "nothing is left for on-heap execution: it makes {} bytes of {usable} usable ones, of which \
             storage has {}",
            on_heap.max, on_heap.storage_region
        );
        return Err(ResolveError::plain(ILLEGAL_ARGUMENT, &FRACTION, message));
    }
    Ok(on_heap)
}

fn storage_fraction(reader: &Reader<'_>) -> Result<f64, ResolveError> {
    let fraction = reader
        .declared_double(&STORAGE_FRACTION)?
        .unwrap_or_default();
    if (0.0..1.0).contains(&fraction) {
        Ok(fraction)
    } else {
        Err(reader.broken_rule(&STORAGE_FRACTION, "the storage fraction must be in [0, 1)"))
    }
}

/// Splits a mode's memory at the storage region.
fn split(max: i64, storage_fraction: f64) -> ResolvedMode {
    let storage_region = to_long(max as f64 * storage_fraction);
    ResolvedMode {
        max,
        storage_region,
        storage_start: storage_region,
        execution_start: max.wrapping_sub(storage_region),
    }
}
