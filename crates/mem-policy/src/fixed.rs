//! How Spark's static manager decides: fixed pools that never lend to each other.

use mem_block::MemoryMode;
use mem_pool::{Books, Cause, Decision, Limit, Policy, Request, Resize, Round, Share, Want};

use crate::unified::in_proportion;

/// Decides as Spark 2.4.8's `StaticMemoryManager` does, down to rounding, quirks included.
#[derive(Debug, Clone, Copy, Default)]
pub struct StaticPolicy;

impl Policy for StaticPolicy {
    fn decide(&self, books: &Books, request: &Request) -> Decision {
        match request.want {
            Want::Execution { task } => {
                let cap = execution_cap(books);
                match books.execution().share(task, request.bytes, cap) {
                    Share::Grant(bytes) => Decision::Grant(bytes),
                    Share::Wait => Decision::Wait,
                }
            }
            Want::Storage | Want::Unroll { .. } if books.mode() == MemoryMode::OffHeap => {
                Decision::Refuse(Limit::Unsupported(MemoryMode::OffHeap))
            }
            Want::Storage => {
                let size = books.storage().pool_size();
                if request.bytes > size {
                    return Decision::Refuse(Limit::StorageMaximum(size));
                }
                evict_up_to(books, request, u64::MAX)
            }
            // A request may be refused after having evicted all that unrolling may.
            Want::Unroll { unrolling } => {
                let room = books.max_unroll().saturating_sub(unrolling);
                evict_up_to(books, request, room.saturating_sub(books.storage().free()))
            }
        }
    }

    fn execution_cap(&self, books: &Books) -> Option<u64> {
        Some(execution_cap(books))
    }

    /// Spark's waiters are not told when storage memory is released.
    fn reexamines(&self, cause: Cause) -> bool {
        match cause {
            Cause::ExecutionReleased | Cause::TaskRegistered | Cause::NotifyAll => true,
            Cause::StorageReleased | Cause::UnmanagedChanged => false,
            // Spark's limits never change; ours may, and then the old answers are worth nothing.
            Cause::LimitChanged => true,
        }
    }

    fn max_storage(&self, books: &Books) -> u64 {
        books.storage().pool_size()
    }

    /// Both pools keep their proportion.
    fn resize(&self, books: &Books, total: u64) -> Resize {
        let storage = books.storage().pool_size();
        let pools = storage.saturating_add(books.execution().pool_size());
        let storage_pool = in_proportion(storage, total, pools);
        Resize {
            storage_region: storage_pool,
            storage_pool,
            storage_floor: storage_pool,
            execution_floor: total.saturating_sub(storage_pool),
        }
    }

    fn remedy(&self, mode: MemoryMode, limit: Limit) -> &'static str {
        match (mode, limit) {
            (MemoryMode::OffHeap, Limit::Unsupported(_)) => "spark.memory.useLegacyMode",
            (MemoryMode::OffHeap, _) => "spark.memory.offHeap.size",
            (MemoryMode::OnHeap, Limit::StorageMaximum(_) | Limit::StorageFull) => {
                "spark.storage.memoryFraction"
            }
            (MemoryMode::OnHeap, _) => "spark.shuffle.memoryFraction",
        }
    }
}

/// What all tasks together could have: the pool.
fn execution_cap(books: &Books) -> u64 {
    books.execution().pool_size()
}

fn evict_up_to(books: &Books, request: &Request, most: u64) -> Decision {
    let free = books.storage().free();
    let missing = request.bytes.saturating_sub(free);
    let evict = missing.min(most);
    match request.round {
        Round::Open if evict > 0 => Decision::Evict {
            reserve_unused: free.min(request.bytes),
            need: evict,
        },
        _ if missing == 0 => Decision::Grant(request.bytes),
        _ => Decision::Refuse(Limit::StorageFull),
    }
}
