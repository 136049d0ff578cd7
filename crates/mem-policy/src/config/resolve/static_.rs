//! Sizing of `StaticMemoryManager`, Spark 2.4.8.

use mem_block::MemoryMode;

use super::error::{ILLEGAL_ARGUMENT, ResolveError};
use super::reader::Reader;
use super::{Environment, PolicyKind, ResolvedMemory, ResolvedMode, base, page_size, to_long};
use crate::config::keys::KeyInfo;
use crate::config::keys::legacy::{
    SHUFFLE_MEMORY_FRACTION, SHUFFLE_SAFETY_FRACTION, STORAGE_MEMORY_FRACTION,
    STORAGE_SAFETY_FRACTION, STORAGE_UNROLL_FRACTION,
};
use crate::config::keys::memory::{EXECUTOR_MEMORY, STORAGE_FRACTION, TESTING_MEMORY};
use crate::config::keys::storage::{PAGE_SIZE, UNROLL_MEMORY_THRESHOLD};

/// The smallest heap.
const MIN_MEMORY: i64 = 32 << 20;

/// Resolves in the order in which Spark reads and checks.
pub(super) fn resolve(
    reader: &Reader<'_>,
    environment: &Environment,
) -> Result<ResolvedMemory, ResolveError> {
    let system_memory = system_memory(reader, environment)?;
    let execution = share(
        reader,
        system_memory,
        &SHUFFLE_MEMORY_FRACTION,
        &SHUFFLE_SAFETY_FRACTION,
    )?;
    let storage = share(
        reader,
        system_memory,
        &STORAGE_MEMORY_FRACTION,
        &STORAGE_SAFETY_FRACTION,
    )?;
    not_negative(storage, &STORAGE_MEMORY_FRACTION)?;
    not_negative(execution, &SHUFFLE_MEMORY_FRACTION)?;
    let (off_heap, pool_before_merge) = off_heap(reader)?;
    let tungsten_mode = base::tungsten_mode(reader, off_heap.max)?;
    let pool = match tungsten_mode {
        MemoryMode::OnHeap => execution,
        MemoryMode::OffHeap => pool_before_merge,
    };
    let page_size = match reader.raw_size(&PAGE_SIZE)? {
        Some(size) => size,
        None => page_size::default_page_size(pool, tungsten_mode, &without_collector(environment)),
    };
    let unroll_fraction = reader.raw_double(&STORAGE_UNROLL_FRACTION)?;
    Ok(ResolvedMemory {
        policy: PolicyKind::Static,
        system_memory,
        reserved_memory: 0,
        on_heap: ResolvedMode {
            max: storage.saturating_add(execution),
            storage_region: storage,
            storage_start: storage,
            execution_start: execution,
        },
        off_heap,
        off_heap_enabled: tungsten_mode == MemoryMode::OffHeap,
        tungsten_mode,
        page_size,
        max_unroll: Some(to_long(storage as f64 * unroll_fraction)),
        unmanaged_polling_interval_ms: 0,
        unroll: base::unroll(reader, reader.raw_long(&UNROLL_MEMORY_THRESHOLD))?,
    })
}

/// The heap, once it is found large enough.
fn system_memory(reader: &Reader<'_>, environment: &Environment) -> Result<i64, ResolveError> {
    let too_small = |what: &str, bytes: i64, key: &KeyInfo| {
        let message = format!(
            "{what} of {bytes} bytes is too small: it must be at least {MIN_MEMORY} bytes; increase it \
             with {}",
            EXECUTOR_MEMORY.name
        );
        ResolveError::plain(ILLEGAL_ARGUMENT, key, message)
    };
    let system = reader
        .raw_long(&TESTING_MEMORY)?
        .unwrap_or(environment.max_heap);
    if system < MIN_MEMORY {
        let key = if reader.contains(&TESTING_MEMORY) {
            &TESTING_MEMORY
        } else {
            &EXECUTOR_MEMORY
        };
        return Err(too_small("a heap", system, key));
    }
    if reader.contains(&EXECUTOR_MEMORY) {
        let executor = reader.raw_size(&EXECUTOR_MEMORY)?.unwrap_or(i64::MAX);
        if executor < MIN_MEMORY {
            return Err(too_small("executor memory", executor, &EXECUTOR_MEMORY));
        }
    }
    Ok(system)
}

/// A pool's share of the heap: two factors, multiplied from left to right.
fn share(
    reader: &Reader<'_>,
    system: i64,
    memory_fraction: &KeyInfo,
    safety_fraction: &KeyInfo,
) -> Result<i64, ResolveError> {
    let memory = reader.raw_double(memory_fraction)?;
    let safety = reader.raw_double(safety_fraction)?;
    Ok(to_long(system as f64 * memory * safety))
}

/// The off-heap regions, and the execution pool that the page size is chosen by.
///
/// Off-heap storage is not supported: its share is given to execution, but only after the page size was
/// chosen.
fn off_heap(reader: &Reader<'_>) -> Result<(ResolvedMode, i64), ResolveError> {
    let size = base::off_heap_size(reader)?;
    let storage_region = to_long(size as f64 * reader.raw_double(&STORAGE_FRACTION)?);
    let execution = size.wrapping_sub(storage_region);
    not_negative(execution, &STORAGE_FRACTION)?;
    not_negative(storage_region, &STORAGE_FRACTION)?;
    let regions = ResolvedMode {
        max: size,
        storage_region,
        storage_start: 0,
        execution_start: size,
    };
    Ok((regions, execution))
}

fn not_negative(pool: i64, key: &KeyInfo) -> Result<(), ResolveError> {
    if pool >= 0 {
        return Ok(());
    }
    let message = format!("it makes a pool of {pool} bytes");
    Err(ResolveError::plain(ILLEGAL_ARGUMENT, key, message))
}

/// 2.4.8 chooses the same page size under every collector.
fn without_collector(environment: &Environment) -> Environment {
    Environment {
        collector: super::Collector::Parallel,
        ..*environment
    }
}
