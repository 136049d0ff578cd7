//! Policies for tests, each as small as what it is there to show.

use mem_block::MemoryMode;
use mem_pool::{Books, Cause, Decision, Limit, Policy, Request, Resize, Round, Share, Shift, Want};

/// The causes after which Spark's two policies look at waiters again.
pub(crate) const SPARKS: &[Cause] = &[
    Cause::ExecutionReleased,
    Cause::TaskRegistered,
    Cause::NotifyAll,
    Cause::LimitChanged,
];

/// Spark's unified rule with a choice of causes: execution takes what storage has free, or evicts
/// what blocks hold above the region; storage takes what execution has free, then evicts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unified {
    pub(crate) causes: &'static [Cause],
}

impl Default for Unified {
    fn default() -> Self {
        Self { causes: SPARKS }
    }
}

impl Unified {
    fn execution(books: &Books, request: &Request) -> Option<Decision> {
        let storage = books.storage();
        match request.round {
            Round::Open => {
                let wanted = request.bytes.saturating_sub(books.execution().free());
                let above = storage.pool_size().saturating_sub(books.storage_region());
                let growth = wanted.min(above.max(storage.free()));
                let unused = growth.min(storage.free());
                match growth - unused {
                    0 => to_execution(unused),
                    need => Some(Decision::Evict {
                        reserve_unused: unused,
                        need,
                    }),
                }
            }
            Round::Evicted { reserved, freed } => {
                to_execution(reserved.saturating_add(freed).min(storage.free()))
            }
            Round::Shifted => None,
        }
    }

    fn cap(books: &Books) -> u64 {
        let pinned = books.storage().used().min(books.storage_region());
        let cap = books.total().saturating_sub(pinned);
        cap.saturating_sub(books.unmanaged())
    }

    fn storage(books: &Books, request: &Request) -> Decision {
        let free = books.storage().free();
        let missing = request.bytes.saturating_sub(free);
        let limit = books.total().saturating_sub(books.execution().used());
        let limit = limit.saturating_sub(books.unmanaged());
        match request.round {
            Round::Open if request.bytes > limit => {
                return Decision::Refuse(Limit::StorageMaximum(limit));
            }
            Round::Open if missing > 0 && books.execution().free() > 0 => {
                let bytes = missing.min(books.execution().free());
                return Decision::Shift(Shift::ToStorage(bytes));
            }
            Round::Evicted { .. } if missing > 0 => return Decision::Refuse(Limit::StorageFull),
            Round::Open | Round::Shifted | Round::Evicted { .. } => {}
        }
        match missing {
            0 => Decision::Grant(request.bytes),
            need => Decision::Evict {
                reserve_unused: free,
                need,
            },
        }
    }
}

fn to_execution(bytes: u64) -> Option<Decision> {
    (bytes > 0).then_some(Decision::Shift(Shift::ToExecution(bytes)))
}

impl Policy for Unified {
    fn decide(&self, books: &Books, request: &Request) -> Decision {
        let Want::Execution { task } = request.want else {
            return Self::storage(books, request);
        };
        if let Some(decision) = Self::execution(books, request) {
            return decision;
        }
        match books
            .execution()
            .share(task, request.bytes, Self::cap(books))
        {
            Share::Grant(bytes) => Decision::Grant(bytes),
            Share::Wait => Decision::Wait,
        }
    }

    fn execution_cap(&self, books: &Books) -> Option<u64> {
        Some(Self::cap(books))
    }

    fn reexamines(&self, cause: Cause) -> bool {
        self.causes.contains(&cause)
    }

    fn max_storage(&self, books: &Books) -> u64 {
        books.total().saturating_sub(books.execution().used())
    }

    fn resize(&self, books: &Books, _total: u64) -> Resize {
        Resize {
            storage_region: books.storage_region(),
            storage_pool: books.storage().pool_size(),
            storage_floor: 0,
            execution_floor: 0,
        }
    }

    fn remedy(&self, _mode: MemoryMode, limit: Limit) -> &'static str {
        match limit {
            Limit::StorageFull => "test.storage",
            _ => "test.size",
        }
    }
}

/// Two pools of fixed halves, shared by the 1/N rule; storage evicts for itself alone.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Halves;

impl Policy for Halves {
    fn decide(&self, books: &Books, request: &Request) -> Decision {
        let free = books.storage().free();
        let missing = request.bytes.saturating_sub(free);
        match (request.want, request.round) {
            (Want::Execution { task }, _) => {
                let pool = books.execution();
                match pool.share(task, request.bytes, pool.pool_size()) {
                    Share::Grant(bytes) => Decision::Grant(bytes),
                    Share::Wait => Decision::Wait,
                }
            }
            _ if missing == 0 => Decision::Grant(request.bytes),
            (_, Round::Open) => Decision::Evict {
                reserve_unused: free,
                need: missing,
            },
            _ => Decision::Refuse(Limit::StorageFull),
        }
    }

    fn reexamines(&self, cause: Cause) -> bool {
        SPARKS.contains(&cause)
    }

    fn max_storage(&self, books: &Books) -> u64 {
        books.storage().pool_size()
    }

    fn resize(&self, _books: &Books, total: u64) -> Resize {
        let half = total / 2;
        Resize {
            storage_region: half,
            storage_pool: half,
            storage_floor: half,
            execution_floor: total - half,
        }
    }

    fn remedy(&self, _mode: MemoryMode, _limit: Limit) -> &'static str {
        "test.size"
    }
}

/// All or nothing, without shares. Tasks of odd numbers evict all blocks first, where there are any,
/// and turn storage's free memory over to execution; the others take what execution has, or wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turns {
    pub(crate) causes: &'static [Cause],
}

impl Default for Turns {
    fn default() -> Self {
        Self { causes: SPARKS }
    }
}

impl Policy for Turns {
    fn decide(&self, books: &Books, request: &Request) -> Decision {
        let (storage, execution) = (books.storage(), books.execution());
        let free = match request.want {
            Want::Storage | Want::Unroll { .. } => storage.free(),
            Want::Execution { task } => match request.round {
                Round::Open if task.get() % 2 == 1 && storage.used() > 0 => {
                    return Decision::Evict {
                        reserve_unused: storage.free(),
                        need: storage.used(),
                    };
                }
                Round::Evicted { .. } if storage.free() > 0 => {
                    return Decision::Shift(Shift::ToExecution(storage.free()));
                }
                Round::Open | Round::Evicted { .. } | Round::Shifted => execution.free(),
            },
        };
        if request.bytes <= free {
            Decision::Grant(request.bytes)
        } else {
            Decision::Wait
        }
    }

    fn reexamines(&self, cause: Cause) -> bool {
        self.causes.contains(&cause)
    }

    fn max_storage(&self, books: &Books) -> u64 {
        books.storage().pool_size()
    }

    fn resize(&self, books: &Books, total: u64) -> Resize {
        Unified::default().resize(books, total)
    }

    fn remedy(&self, _mode: MemoryMode, _limit: Limit) -> &'static str {
        "test.size"
    }
}
