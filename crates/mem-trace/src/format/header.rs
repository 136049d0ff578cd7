//! The first line of a trace: which manager, of which sizes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Mode;

/// Makes a fresh memory manager and a fresh block store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The format's version: 1.
    pub trace: u32,
    /// The release of Spark that was recorded.
    pub spark: String,
    /// Which of its managers.
    pub policy: Policy,
    /// Cores that the manager was told of.
    pub cores: i32,
    /// Configuration, all texts; what is absent has Spark's default.
    pub conf: BTreeMap<String, String>,
    /// Whether it was a driver; only the condition of one error depends on it.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub is_driver: bool,
    /// The recording machine's garbage collector.
    #[serde(default, skip_serializing_if = "Collector::is_default")]
    pub gc: Collector,
}

/// Which of Spark's memory managers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// `UnifiedMemoryManager`.
    Unified,
    /// `StaticMemoryManager`.
    Static,
}

/// A garbage collector, as far as the default page size depends on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Collector {
    /// One that lets a page be a power of two.
    #[default]
    Parallel,
    /// One with regions: a heap page leaves 16 bytes for its array's header.
    G1,
}

impl Collector {
    fn is_default(&self) -> bool {
        *self == Self::Parallel
    }
}

fn yes() -> bool {
    true
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn is_yes(value: &bool) -> bool {
    *value
}

/// What a header's configuration came to, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resolved {
    /// Heap memory that execution and storage share; of the unified manager only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_heap: Option<i64>,
    /// Heap storage that execution can't evict; of the unified manager only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_storage_region: Option<i64>,
    /// The most that unrolling may evict; of the static manager only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_unroll: Option<i64>,
    /// All off-heap memory.
    pub max_off_heap: i64,
    /// Off-heap storage that execution can't evict.
    pub off_storage_region: i64,
    /// The most that heap storage could use now.
    pub max_on_storage: i64,
    /// The most that off-heap storage could use now.
    pub max_off_storage: i64,
    /// The default page size.
    pub page_size: i64,
    /// Where pages go.
    pub tungsten_mode: Mode,
    /// What is asked for before a block is unrolled.
    pub unroll_threshold: i64,
}
