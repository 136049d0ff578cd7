//! Spark's paired calls: memory as bare numbers, given back by hand.
//!
//! The guards of [`Reservation`] make most misuse impossible; these calls allow
//! it, and answer it as Spark does: releasing more than is held releases what is held, the memory of
//! a task that is never released is held until [`Ledger::end_task`]. They exist for code that is
//! ported from Spark and for replaying what Spark did. What Spark lets through and these calls
//! don't: releasing a negative number of bytes, which would add to the books.

use std::sync::Arc;

use mem_block::MemoryMode;

use crate::ledger::Ledger;
use crate::options::Wait;
use crate::policy::Limit;
use crate::probe::Kind;
use crate::refusal::{Reason, Refusal};
use crate::reservation::Reservation;
use crate::task::{Dataset, TaskId};
use crate::ticket::Ask;

/// Why a paired call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RawError {
    /// The number of bytes makes no sense; Spark fails an assertion.
    #[error("invalid number of bytes requested: {0}")]
    InvalidBytes(i64),
    /// The policy has no such memory; Spark throws `IllegalArgumentException`.
    #[error("{0}")]
    Unsupported(Limit),
    /// The wait was cancelled or ran out of time, or blocks could not be evicted.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Checks the bytes of an execution request as Spark does: more than 0.
///
/// # Errors
/// [`RawError::InvalidBytes`].
pub fn execution_ask(bytes: i64, task: TaskId, mode: MemoryMode) -> Result<Ask, RawError> {
    match u64::try_from(bytes) {
        Ok(positive) if positive > 0 => Ok(Ask::execution(task, mode, positive)),
        _ => Err(RawError::InvalidBytes(bytes)),
    }
}

/// `acquireExecutionMemory`: returns the bytes granted, from 0 to `bytes`.
///
/// # Errors
/// [`RawError`]; a request that was refused for lack of memory is a grant of 0.
pub fn acquire_execution_memory(
    ledger: &Arc<Ledger>,
    bytes: i64,
    task: TaskId,
    mode: MemoryMode,
    wait: &Wait<'_>,
) -> Result<u64, RawError> {
    Ok(ledger
        .acquire(execution_ask(bytes, task, mode)?, wait)
        .map(Reservation::leave)?)
}

/// `releaseExecutionMemory`: gives back at most what the task holds; returns how much that was.
pub fn release_execution_memory(
    ledger: &Ledger,
    bytes: u64,
    task: TaskId,
    mode: MemoryMode,
) -> u64 {
    ledger.release_execution(task, mode, bytes)
}

/// `releaseAllExecutionMemoryForTask`: both modes, in one step; returns the sum.
pub fn release_all_execution_memory_for_task(ledger: &Ledger, task: TaskId) -> u64 {
    ledger.release_all_execution(task)
}

/// `acquireStorageMemory`: all or nothing.
///
/// # Errors
/// [`RawError`]; a lack of memory is `Ok(false)`.
pub fn acquire_storage_memory(
    ledger: &Arc<Ledger>,
    dataset: Option<Dataset>,
    bytes: i64,
    mode: MemoryMode,
) -> Result<bool, RawError> {
    acquire_block_memory(ledger, bytes, |bytes| Ask::storage(mode, bytes, dataset))
}

/// `acquireUnrollMemory`: all or nothing.
///
/// # Errors
/// [`RawError`]; a lack of memory is `Ok(false)`.
pub fn acquire_unroll_memory(
    ledger: &Arc<Ledger>,
    dataset: Option<Dataset>,
    bytes: i64,
    mode: MemoryMode,
) -> Result<bool, RawError> {
    acquire_block_memory(ledger, bytes, |bytes| Ask::unroll(mode, bytes, dataset))
}

/// `releaseStorageMemory`: at most what is used; returns how much that was.
pub fn release_storage_memory(ledger: &Ledger, bytes: u64, mode: MemoryMode) -> u64 {
    ledger.release_storage(mode, bytes, Kind::Storage)
}

/// `releaseUnrollMemory`: unroll memory is storage memory.
pub fn release_unroll_memory(ledger: &Ledger, bytes: u64, mode: MemoryMode) -> u64 {
    ledger.release_storage(mode, bytes, Kind::Unroll)
}

/// `releaseAllStorageMemory`: both modes.
pub fn release_all_storage_memory(ledger: &Ledger) {
    for mode in [MemoryMode::OnHeap, MemoryMode::OffHeap] {
        ledger.release_storage(mode, u64::MAX, Kind::Storage);
    }
}

fn acquire_block_memory(
    ledger: &Arc<Ledger>,
    bytes: i64,
    ask: impl FnOnce(u64) -> Ask,
) -> Result<bool, RawError> {
    // The mode is looked at before the sign, as in Spark's static manager; what a refusal names is
    // found by asking for nothing.
    let positive = u64::try_from(bytes);
    match ledger.try_acquire(ask(*positive.as_ref().unwrap_or(&0))) {
        Ok(reservation) => {
            reservation.leave();
            positive
                .map(|_| true)
                .map_err(|_negative| RawError::InvalidBytes(bytes))
        }
        Err(refusal) => match refusal.reason() {
            Reason::Limit(limit @ Limit::Unsupported(_)) => Err(RawError::Unsupported(*limit)),
            _ if positive.is_err() => Err(RawError::InvalidBytes(bytes)),
            Reason::Limit(_) => Ok(false),
            _ => Err(RawError::Refused(refusal)),
        },
    }
}
