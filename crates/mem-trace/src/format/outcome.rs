//! What comes of a line: the same shape for every operation.

use std::collections::BTreeMap;

use mem_block::MemoryMode;
use mem_pool::Snapshot;
use serde::Serialize;

use super::Resolved;

/// The result of one operation, with everything that it set off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// What the call itself returned or threw.
    #[serde(flatten)]
    pub answer: Answer,
    /// Calls of `spill`, in call order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spills: Vec<SpillCall>,
    /// Blocks that were dropped, in that order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evicted: Vec<String>,
    /// Earlier operations that had blocked and completed now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub woken: Vec<Woken>,
    /// Bytes in use by each consumer of the tasks concerned.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub used: BTreeMap<u64, u64>,
    /// The pools when everything had come to rest; none where no manager came into being.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<PoolState>,
}

/// What a call returned or threw. The fields are those of `out` for the operations concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[expect(
    missing_docs,
    reason = "the fields are described in docs/trace-format.md"
)]
pub enum Answer {
    /// Nothing to tell.
    Done {},
    /// The call waits.
    Blocked { blocked: bool },
    /// The call threw.
    Failed(Failure),
    /// A header was accepted.
    Created { ok: bool, resolved: Resolved },
    /// Storage or unroll memory was granted or not; a block was pinned or not.
    Accepted { ok: bool },
    /// Execution memory.
    Granted { granted: u64 },
    /// Execution memory that was given back.
    Released { released: u64 },
    /// `usage`.
    Usage { usage: u64 },
    /// `limits`.
    Limits {
        max_on_storage: u64,
        max_off_storage: u64,
    },
    /// `set_unmanaged`.
    Unmanaged {
        unmanaged_on: u64,
        unmanaged_off: u64,
    },
    /// A put.
    Stored {
        stored: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        unroll_kept: Option<u64>,
    },
    /// A drained block of values.
    Drained { elements: u64 },
    /// A size.
    Bytes { bytes: u64 },
    /// A get.
    Found {
        found: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
    },
    /// `remove`.
    Removed { removed: bool },
    /// A page, or none; an array is a page of whole words.
    Page {
        page: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        longs: Option<u64>,
    },
    /// `tmm_alloc_many`.
    Pages {
        #[serde(skip_serializing_if = "Option::is_none")]
        last_page: Option<u64>,
        allocated: u64,
    },
    /// `encode_static`.
    Address { address: String },
    /// `encode`.
    Encoded {
        address: String,
        page: u64,
        offset: u64,
        in_object: bool,
    },
    /// `decode`.
    Decoded { page: u64, offset: u64 },
    /// `peak`.
    Peak { on: u64, off: u64 },
}

/// What a call threw, by the names that Spark gives to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Simple name of the class.
    pub error: &'static str,
    /// Our own words; never compared.
    pub message: String,
    /// Spark's error condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<&'static str>,
    /// What was being created, for a header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<&'static str>,
}

/// One call of a consumer's `spill`. Exactly one of `released` and `failed` is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpillCall {
    /// Who was asked.
    pub consumer: u64,
    /// For how many bytes.
    pub requested: u64,
    /// What it released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released: Option<u64>,
    /// The exception that it threw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<&'static str>,
    /// For whom.
    pub trigger: u64,
}

/// An earlier operation that had blocked and completed now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Woken {
    /// Its task.
    pub task: i64,
    /// Its number.
    pub op: u64,
    /// What it returned or threw.
    #[serde(flatten)]
    pub answer: Answer,
    /// Calls of `spill` on its behalf since it was issued.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spills: Vec<SpillCall>,
}

/// The pools: `[storage pool size, storage used, execution pool size, execution used]` a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PoolState {
    /// On heap.
    pub on: [u64; 4],
    /// Off heap.
    pub off: [u64; 4],
    /// The part of storage used that the block store holds for unrolling.
    pub unroll: u64,
}

impl PoolState {
    /// The pools of a ledger, and what the block store holds for unrolling.
    #[must_use]
    pub fn of(books: &Snapshot, unroll: u64) -> Self {
        let pools = |mode| {
            let pools = books.of_mode(mode);
            [
                pools.storage_pool,
                pools.storage_used,
                pools.execution_pool,
                pools.execution_used,
            ]
        };
        Self {
            on: pools(MemoryMode::OnHeap),
            off: pools(MemoryMode::OffHeap),
            unroll,
        }
    }
}
