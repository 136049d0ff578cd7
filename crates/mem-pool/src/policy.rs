//! Deciding: the question that the ledger puts to a policy under its lock, and the answers.

use std::fmt;

use crate::books::Books;
use crate::task::TaskId;
use mem_block::MemoryMode;

/// What a request wants memory for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// A task, for its own work. May be granted in part, and may wait.
    Execution {
        /// Who asks.
        task: TaskId,
    },
    /// A block that is to be cached. All or nothing, never waits.
    Storage,
    /// A block while its size is not yet known. All or nothing, never waits.
    Unroll {
        /// Unroll memory that the block store holds now, in bytes, both modes together.
        unrolling: u64,
    },
}

/// How far one examination of a request has come. A waiter that is looked at again starts anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// Nothing has been done for it yet.
    Open,
    /// Its eviction is over.
    Evicted {
        /// Unused storage bytes that were kept for it meanwhile.
        reserved: u64,
        /// Bytes that the evicted blocks gave back; can be more than asked for, or 0.
        freed: u64,
    },
    /// The boundary between the pools has been moved for it.
    Shifted,
}

/// One request, as a policy sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// What for.
    pub want: Want,
    /// How many bytes.
    pub bytes: u64,
    /// How far this examination has come.
    pub round: Round,
}

/// A move of the boundary between the pools of one mode, in bytes that are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shift {
    /// Storage gives to execution.
    ToExecution(u64),
    /// Execution gives to storage.
    ToStorage(u64),
}

/// What a policy says to a [`Request`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Move the boundary, then ask again with [`Round::Shifted`].
    Shift(Shift),
    /// Keep `reserve_unused` free storage bytes for this request, evict `need` bytes (more than 0)
    /// without the lock, then ask again with [`Round::Evicted`].
    Evict {
        /// Free storage bytes to keep meanwhile.
        reserve_unused: u64,
        /// Bytes to evict.
        need: u64,
    },
    /// Grant that many of the bytes asked for; all of them for storage.
    Grant(u64),
    /// Look again when something changes.
    Wait,
    /// No.
    Refuse(Limit),
}

/// The limit that a request ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Larger than all that storage could have now, in bytes.
    StorageMaximum(u64),
    /// Storage could not free enough: what is left is pinned, of the same dataset, or execution's.
    StorageFull,
    /// The task's share: no task may hold more than this many bytes now.
    TaskShare(u64),
    /// Nothing free: other tasks hold the pool.
    ExecutionFull,
    /// The mode has no memory at all.
    NoSuchMemory(MemoryMode),
    /// The policy does not offer this kind of memory in that mode.
    Unsupported(MemoryMode),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StorageMaximum(bytes) => write!(f, "storage can have at most {bytes} bytes now"),
            Self::StorageFull => f.write_str("storage is full and too little of it can be evicted"),
            Self::TaskShare(bytes) => write!(f, "a task may hold at most {bytes} bytes now"),
            Self::ExecutionFull => f.write_str("other tasks hold the execution memory"),
            Self::NoSuchMemory(mode) => write!(f, "there is no {mode} memory"),
            Self::Unsupported(mode) => write!(f, "this policy has no {mode} storage"),
        }
    }
}

/// A change that may let a waiting request proceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Execution memory was released (0 bytes count, and so do bytes of nobody).
    ExecutionReleased,
    /// A task has come to count in N: every share is smaller, and so is the minimum.
    TaskRegistered,
    /// Somebody said so; Spark's executor does at every task's end.
    NotifyAll,
    /// Storage memory was released or evicted.
    StorageReleased,
    /// More or less memory is in use outside the ledger.
    UnmanagedChanged,
    /// A total was raised or lowered, or what was still held above a lowered one was given back.
    LimitChanged,
}

/// New pool limits for a mode whose total changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resize {
    /// Storage memory that execution can't evict from now on.
    pub storage_region: u64,
    /// What the storage pool grows to where the total grows; the rest is execution's.
    pub storage_pool: u64,
    /// What the storage pool keeps where the total shrinks.
    pub storage_floor: u64,
    /// What the execution pool keeps where the total shrinks.
    pub execution_floor: u64,
}

/// Decides. Every method is a pure function of its arguments: it is called under the ledger's lock,
/// must not block, lock, allocate or call anybody, and must answer the same question the same way.
pub trait Policy: fmt::Debug + Send + Sync {
    /// The next step for `request`. Called again after every step that is not final.
    fn decide(&self, books: &Books, request: &Request) -> Decision;

    /// What all tasks together could have now, where [`decide`](Self::decide) goes by each task's
    /// [share](crate::ExecutionMemoryPool::share) of just that as soon as enough is free. Then the ledger
    /// does not ask about requests that are granted in full so: nearly all. None where it has to.
    fn execution_cap(&self, books: &Books) -> Option<u64> {
        let _always_asked = books;
        None
    }

    /// Whether waiters are looked at again after `cause`.
    fn reexamines(&self, cause: Cause) -> bool;

    /// The most that storage could use now, in bytes: Spark's `max{On,Off}HeapStorageMemory`.
    fn max_storage(&self, books: &Books) -> u64;

    /// How a mode is split once its total is `total`.
    fn resize(&self, books: &Books, total: u64) -> Resize;

    /// The configuration key that would have helped a request that met `limit`.
    fn remedy(&self, mode: MemoryMode, limit: Limit) -> &'static str;
}
