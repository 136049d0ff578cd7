//! How Spark's unified manager decides: execution and storage borrow from each other.

use mem_block::MemoryMode;
use mem_pool::{Books, Cause, Decision, Limit, Policy, Request, Resize, Round, Share, Shift, Want};

/// Decides as Spark 4.3.0's `UnifiedMemoryManager` does, down to rounding, quirks included.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnifiedPolicy;

impl Policy for UnifiedPolicy {
    fn decide(&self, books: &Books, request: &Request) -> Decision {
        match request.want {
            Want::Execution { task } => match grow_execution(books, request) {
                Some(step) => step,
                None => {
                    let cap = execution_cap(books);
                    match books.execution().share(task, request.bytes, cap) {
                        Share::Grant(bytes) => Decision::Grant(bytes),
                        Share::Wait => Decision::Wait,
                    }
                }
            },
            Want::Storage | Want::Unroll { .. } => decide_storage(books, request),
        }
    }

    fn execution_cap(&self, books: &Books) -> Option<u64> {
        Some(execution_cap(books))
    }

    /// Spark's waiters are not told when storage memory is released.
    fn reexamines(&self, cause: Cause) -> bool {
        match cause {
            Cause::ExecutionReleased | Cause::TaskRegistered | Cause::NotifyAll => true,
            // fault(storage-release-notifies): replace false => true
            Cause::StorageReleased | Cause::UnmanagedChanged => false,
            // Spark's limits never change; ours may, and then the old answers are worth nothing.
            Cause::LimitChanged => true,
        }
    }

    /// Unmanaged memory is not subtracted: Spark's query doesn't either.
    fn max_storage(&self, books: &Books) -> u64 {
        books.total().saturating_sub(books.execution().used())
    }

    /// The storage region keeps its share of the total.
    fn resize(&self, books: &Books, total: u64) -> Resize {
        Resize {
            storage_region: in_proportion(books.storage_region(), total, books.total()),
            storage_pool: books.storage().pool_size(),
            storage_floor: 0,
            execution_floor: 0,
        }
    }

    fn remedy(&self, mode: MemoryMode, limit: Limit) -> &'static str {
        match (mode, limit) {
            (MemoryMode::OffHeap, _) => "spark.memory.offHeap.size",
            (MemoryMode::OnHeap, Limit::StorageFull) => "spark.memory.storageFraction",
            (MemoryMode::OnHeap, _) => "spark.executor.memory",
        }
    }
}

/// Before a task's share is looked at, the execution pool grows by what storage has to spare: free
/// bytes, or else what blocks hold above the storage region. So an eviction can happen for a
/// request that the share then refuses; Spark does the same.
fn grow_execution(books: &Books, request: &Request) -> Option<Decision> {
    let storage = books.storage();
    let shift = match request.round {
        Round::Open => {
            let extra = request.bytes.saturating_sub(books.execution().free());
            if extra == 0 {
                return None; // mostly so, and then nothing of the rest matters
            }
            let borrowed = storage.pool_size().saturating_sub(books.storage_region());
            let growth = extra.min(storage.free().max(borrowed));
            let unused = growth.min(storage.free());
            let need = growth.saturating_sub(unused);
            if need > 0 {
                return Some(Decision::Evict {
                    reserve_unused: unused,
                    need,
                });
            }
            unused
        }
        // All that was freed goes over, whole blocks, even where that is more than was needed.
        Round::Evicted { reserved, freed } => reserved.saturating_add(freed).min(storage.free()),
        Round::Shifted => 0,
    };
    (shift > 0).then_some(Decision::Shift(Shift::ToExecution(shift)))
}

/// What all tasks together could have: everything but the blocks that can't be evicted.
fn execution_cap(books: &Books) -> u64 {
    let kept = books.storage().used().min(books.storage_region());
    books
        .total()
        .saturating_sub(kept)
        .saturating_sub(books.unmanaged())
}

fn decide_storage(books: &Books, request: &Request) -> Decision {
    let (storage, execution) = (books.storage(), books.execution());
    let missing = request.bytes.saturating_sub(storage.free());
    match request.round {
        Round::Open => {
            let limit = books.total().saturating_sub(execution.used());
            let limit = limit.saturating_sub(books.unmanaged());
            if request.bytes > limit {
                return Decision::Refuse(Limit::StorageMaximum(limit));
            }
            let borrow = missing.min(execution.free());
            if borrow > 0 {
                return Decision::Shift(Shift::ToStorage(borrow));
            }
            evict_or_grant(books, request, missing)
        }
        Round::Shifted => evict_or_grant(books, request, missing),
        Round::Evicted { .. } if missing > 0 => Decision::Refuse(Limit::StorageFull),
        Round::Evicted { .. } => Decision::Grant(request.bytes),
    }
}

fn evict_or_grant(books: &Books, request: &Request, missing: u64) -> Decision {
    if missing > 0 {
        Decision::Evict {
            reserve_unused: books.storage().free(),
            need: missing,
        }
    } else {
        Decision::Grant(request.bytes)
    }
}

/// `part / of × total`, rounded down.
pub(crate) fn in_proportion(part: u64, total: u64, of: u64) -> u64 {
    let product = u128::from(part).saturating_mul(u128::from(total));
    u64::try_from(product.checked_div(u128::from(of)).unwrap_or(0)).unwrap_or(total)
}
