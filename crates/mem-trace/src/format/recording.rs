//! The first line of a recording, version 2: the sizes of the ledger that was recorded.

use mem_block::MemoryMode;
use mem_policy::config::{PolicyKind, ResolvedMemory, ResolvedMode, ResolvedUnroll};
use serde::{Deserialize, Serialize};

use super::{Mode, Policy, PoolState};

/// The first line of a recording: the sizes that the configuration came to, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordingHeader {
    /// The format's version: 2.
    pub trace: u32,
    /// What recorded it, and which version of that.
    pub recorder: String,
    /// Whose decisions were recorded.
    pub policy: Policy,
    /// Whether a waiter is refused when every holder waits.
    pub detect_deadlock: bool,
    /// On heap.
    pub on: Regions,
    /// Off heap.
    pub off: Regions,
    /// The most that unrolling may evict; of the static manager only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unroll: Option<i64>,
    /// Where pages go.
    pub tungsten_mode: Mode,
    /// The default page size.
    pub page_size: i64,
}

/// What comes of a header: the pools of a fresh ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RecordingStart {
    /// The pools.
    pub state: PoolState,
}

/// One mode's sizes at the start, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regions {
    /// Both pools together.
    pub total: i64,
    /// Storage that execution can't evict.
    pub storage_region: i64,
    /// The storage pool.
    pub storage: i64,
    /// The execution pool.
    pub execution: i64,
}

impl From<&ResolvedMode> for Regions {
    fn from(mode: &ResolvedMode) -> Self {
        Self {
            total: mode.max,
            storage_region: mode.storage_region,
            storage: mode.storage_start,
            execution: mode.execution_start,
        }
    }
}

impl From<&Regions> for ResolvedMode {
    fn from(regions: &Regions) -> Self {
        Self {
            max: regions.total,
            storage_region: regions.storage_region,
            storage_start: regions.storage,
            execution_start: regions.execution,
        }
    }
}

impl RecordingHeader {
    /// The header of a recording of a manager of those sizes.
    #[must_use]
    pub fn new(resolved: &ResolvedMemory, detect_deadlock: bool) -> Self {
        Self {
            trace: 2,
            recorder: format!("hearth {}", env!("CARGO_PKG_VERSION")),
            policy: match resolved.policy {
                PolicyKind::Unified => Policy::Unified,
                PolicyKind::Static => Policy::Static,
            },
            detect_deadlock,
            on: (&resolved.on_heap).into(),
            off: (&resolved.off_heap).into(),
            max_unroll: resolved.max_unroll,
            tungsten_mode: resolved.tungsten_mode.into(),
            page_size: resolved.page_size,
        }
    }

    /// The pools of a fresh ledger of those sizes.
    #[must_use]
    pub fn start(&self) -> RecordingStart {
        let pools = |regions: &Regions| {
            let bytes = |bytes: i64| u64::try_from(bytes).unwrap_or(0);
            [bytes(regions.storage), 0, bytes(regions.execution), 0]
        };
        let state = PoolState {
            on: pools(&self.on),
            off: pools(&self.off),
            unroll: 0,
        };
        RecordingStart { state }
    }

    /// The sizes again, as far as a ledger depends on them.
    #[must_use]
    pub fn resolved(&self) -> ResolvedMemory {
        let tungsten_mode = MemoryMode::from(self.tungsten_mode);
        ResolvedMemory {
            policy: match self.policy {
                Policy::Unified => PolicyKind::Unified,
                Policy::Static => PolicyKind::Static,
            },
            system_memory: self.on.total,
            reserved_memory: 0,
            on_heap: (&self.on).into(),
            off_heap: (&self.off).into(),
            off_heap_enabled: tungsten_mode == MemoryMode::OffHeap,
            tungsten_mode,
            page_size: self.page_size,
            max_unroll: self.max_unroll,
            unmanaged_polling_interval_ms: 0,
            unroll: ResolvedUnroll {
                threshold: 0,
                check_period: Ok(0),
                growth_factor: Ok(0.0),
            },
        }
    }
}
