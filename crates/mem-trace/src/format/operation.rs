//! What a line asks: one call on the manager, the store, a task, or a helper function.

use mem_block::MemoryMode;
use serde::{Deserialize, Serialize};

/// A memory mode as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The heap.
    On,
    /// Off heap.
    Off,
}

impl From<Mode> for MemoryMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::On => Self::OnHeap,
            Mode::Off => Self::OffHeap,
        }
    }
}

impl From<MemoryMode> for Mode {
    fn from(mode: MemoryMode) -> Self {
        match mode {
            MemoryMode::OnHeap => Self::On,
            MemoryMode::OffHeap => Self::Off,
        }
    }
}

/// How a consumer of a trace spills when it is asked for `requested` bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpillBehaviour {
    /// Frees all its pages, oldest first, then all else that it acquired.
    All,
    /// Frees what it has outside pages, up to `requested`, then its oldest pages until it is enough.
    Requested,
    /// Frees nothing.
    None,
    /// Fails with an I/O error, freeing nothing.
    Fail,
    /// Is interrupted in its I/O, freeing nothing.
    Closed,
}

/// An operation, with Spark's name for the call in its comment. Sizes are bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the fields are the arguments of the call that is named"
)]
pub enum Operation {
    /// `MemoryManager.acquireStorageMemory`.
    AcquireStorage {
        block: String,
        bytes: i64,
        mode: Mode,
    },
    /// `releaseStorageMemory`.
    ReleaseStorage { bytes: i64, mode: Mode },
    /// `releaseAllStorageMemory`, both modes.
    ReleaseAllStorage {},
    /// `acquireUnrollMemory`.
    AcquireUnroll {
        block: String,
        bytes: i64,
        mode: Mode,
    },
    /// `releaseUnrollMemory`.
    ReleaseUnroll { bytes: i64, mode: Mode },
    /// `acquireExecutionMemory`; may block.
    AcquireExecution { task: i64, bytes: i64, mode: Mode },
    /// `releaseExecutionMemory`.
    ReleaseExecution { task: i64, bytes: i64, mode: Mode },
    /// `releaseAllExecutionMemoryForTask`, both modes.
    ReleaseAllExecution { task: i64 },
    /// `getExecutionMemoryUsageForTask`, both modes.
    Usage { task: i64 },
    /// `maxOnHeapStorageMemory` and `maxOffHeapStorageMemory`.
    Limits {},
    /// `notifyAll` on the manager's monitor.
    NotifyAll {},
    /// Interrupts the thread of a waiting task.
    Interrupt { task: i64 },
    /// Sets what a user of unmanaged memory reports, and polls all of them.
    SetUnmanaged {
        name: String,
        mode: Mode,
        bytes: i64,
    },

    /// `MemoryStore.putBytes`.
    PutBytes {
        block: String,
        bytes: i64,
        mode: Mode,
        task: Option<i64>,
    },
    /// `putIteratorAsValues`.
    PutValues {
        block: String,
        mode: Mode,
        count: u64,
        size: i64,
        #[serde(default)]
        step: i64,
        task: Option<i64>,
        #[serde(default)]
        estimates: Vec<i64>,
        #[serde(default)]
        precise: i64,
    },
    /// `putIteratorAsBytes`.
    PutIterBytes {
        block: String,
        mode: Mode,
        count: u64,
        size: i64,
        #[serde(default)]
        step: i64,
        task: Option<i64>,
        #[serde(default)]
        estimates: Vec<i64>,
        #[serde(default)]
        precise: i64,
    },
    /// Closes or discards a partly unrolled block.
    PartialClose { block: String },
    /// Reads a partly unrolled block to its end.
    PartialDrain { block: String },
    /// `getBytes`.
    GetBytes { block: String },
    /// `getValues`.
    GetValues { block: String },
    /// `getSize`.
    GetSize { block: String },
    /// `contains`.
    Contains { block: String },
    /// `remove`.
    Remove { block: String },
    /// `clear`.
    Clear {},
    /// Takes a read lock.
    Pin { block: String },
    /// Releases a read lock.
    Unpin { block: String },
    /// `reserveUnrollMemoryForThisTask`.
    ReserveUnroll {
        block: String,
        bytes: i64,
        mode: Mode,
        task: Option<i64>,
    },
    /// `releaseUnrollMemoryForThisTask`; all of it where `bytes` is absent.
    ReleaseTaskUnroll {
        mode: Mode,
        bytes: Option<i64>,
        task: Option<i64>,
    },
    /// `currentUnrollMemoryForThisTask`.
    TaskUnroll { task: Option<i64> },

    /// `new TaskMemoryManager`.
    NewTask { task: i64 },
    /// A `MemoryConsumer`.
    NewConsumer {
        task: i64,
        consumer: u64,
        mode: Mode,
        spill: SpillBehaviour,
        page_size: Option<i64>,
    },
    /// `MemoryConsumer.acquireMemory`; may block.
    ConsumerAcquire { consumer: u64, bytes: i64 },
    /// `MemoryConsumer.freeMemory`.
    ConsumerFree { consumer: u64, bytes: i64 },
    /// `MemoryConsumer.allocatePage`; may block.
    AllocPage { consumer: u64, bytes: i64 },
    /// `MemoryConsumer.allocateArray`; may block.
    AllocArray { consumer: u64, longs: i64 },
    /// `MemoryConsumer.freePage` or `freeArray`.
    FreePage { consumer: u64, page: u64 },
    /// `TaskMemoryManager.allocatePage`; may block.
    TmmAllocPage { consumer: u64, bytes: i64 },
    /// The same, `count` times or until it fails.
    TmmAllocMany {
        consumer: u64,
        bytes: i64,
        count: u64,
    },
    /// `TaskMemoryManager.freePage`.
    TmmFreePage { consumer: u64, page: u64 },
    /// Makes the next allocations of page memory in a task fail.
    FailNextAllocs { task: i64, count: u64 },
    /// Encodes the address of a byte of a page, and decodes it again.
    Encode {
        consumer: u64,
        page: u64,
        offset: u64,
    },
    /// Encodes a page number and an offset.
    EncodeStatic { page: u64, offset: u64 },
    /// Decodes an address.
    Decode { address: String },
    /// `getMemoryConsumptionForThisTask`.
    Consumption { task: i64 },
    /// `getPeakOnHeapExecutionMemory` and `getPeakOffHeapExecutionMemory`.
    Peak { task: i64 },
    /// `cleanUpAllAllocatedMemory`; the task and its consumers are gone afterwards.
    Cleanup { task: i64 },

    /// Reads a size as the byte-size settings do.
    ParseSize { text: String },
}

impl Operation {
    /// The task that runs it, where it names one.
    #[must_use]
    pub fn task(&self) -> Option<i64> {
        match self {
            Self::AcquireExecution { task, .. }
            | Self::ReleaseExecution { task, .. }
            | Self::ReleaseAllExecution { task }
            | Self::Usage { task }
            | Self::NewTask { task }
            | Self::NewConsumer { task, .. }
            | Self::FailNextAllocs { task, .. }
            | Self::Consumption { task }
            | Self::Peak { task } => Some(*task),
            Self::PutBytes { task, .. }
            | Self::PutValues { task, .. }
            | Self::PutIterBytes { task, .. }
            | Self::ReserveUnroll { task, .. }
            | Self::ReleaseTaskUnroll { task, .. }
            | Self::TaskUnroll { task } => *task,
            // The interrupted task is woken; the one that is cleaned up is gone.
            _ => None,
        }
    }

    /// The consumer that it is a call of, where it names one that there has to be.
    #[must_use]
    pub fn consumer(&self) -> Option<u64> {
        match self {
            Self::ConsumerAcquire { consumer, .. }
            | Self::ConsumerFree { consumer, .. }
            | Self::AllocPage { consumer, .. }
            | Self::AllocArray { consumer, .. }
            | Self::FreePage { consumer, .. }
            | Self::TmmAllocPage { consumer, .. }
            | Self::TmmAllocMany { consumer, .. }
            | Self::TmmFreePage { consumer, .. }
            | Self::Encode { consumer, .. } => Some(*consumer),
            _ => None,
        }
    }
}
