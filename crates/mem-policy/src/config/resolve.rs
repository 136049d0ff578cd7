//! From settings to bytes, with Spark's arithmetic, order of checks and errors.
//!
//! Nothing here is stricter or kinder than Spark: a recorded configuration gives what Spark gave. Checks
//! for operators come before, in [`MemoryConfig`](super::MemoryConfig).

mod base;
mod error;
mod page_size;
mod reader;
mod static_;
mod unified;

use mem_block::MemoryMode;

pub use error::{ResolveError, Stage};

use self::reader::Reader;
use super::keys::legacy::USE_LEGACY_MODE;
use super::{SparkConf, text::SparkRelease};

/// Which of Spark's two memory managers decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyKind {
    /// Storage and execution borrow from each other: `UnifiedMemoryManager` of 4.3.0.
    Unified,
    /// Storage and execution keep to themselves: `StaticMemoryManager` of 2.4.8.
    Static,
}

impl PolicyKind {
    /// The manager that `spark.memory.useLegacyMode` chooses.
    ///
    /// # Errors
    ///
    /// As Spark 2.4.8 gives it, where the setting is neither `true` nor `false`.
    pub fn chosen_by(conf: &SparkConf) -> Result<Self, ResolveError> {
        let legacy = Reader::new(conf, SparkRelease::V2_4).raw_bool(&USE_LEGACY_MODE)?;
        Ok(if legacy { Self::Static } else { Self::Unified })
    }

    /// The release whose rules this manager follows.
    #[must_use]
    pub fn release(self) -> SparkRelease {
        match self {
            Self::Unified => SparkRelease::V4_3,
            Self::Static => SparkRelease::V2_4,
        }
    }
}

/// A Java garbage collector, as far as Spark's default page size depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Collector {
    /// One that lets a page be a power of two. Hearth, which has no collector, counts as this.
    Parallel,
    /// One with regions (G1, ZGC, Shenandoah): a heap page leaves 16 bytes for the array's header.
    G1,
}

/// What Spark takes from outside its configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Environment {
    /// Cores that the manager is told of; 0 or less: the machine's processors.
    pub cores: i32,
    /// Whether this is a driver; only the condition of one error depends on it.
    pub is_driver: bool,
    /// The collector; only the default page size depends on it.
    pub collector: Collector,
    /// Bytes of heap where `spark.testing.memory` is not set: what the JVM would report.
    pub max_heap: i64,
}

impl Environment {
    /// The cores that memory is divided by: those named, or the machine's processors.
    #[must_use]
    pub fn effective_cores(&self) -> i64 {
        if self.cores > 0 {
            return self.cores.into();
        }
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        i64::try_from(processors).unwrap_or(1)
    }
}

/// Bytes of one memory mode; none is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResolvedMode {
    /// Bytes that the two pools have between them.
    pub max: i64,
    /// Bytes of storage that execution may not evict.
    pub storage_region: i64,
    /// Size of the storage pool at the start.
    pub storage_start: i64,
    /// Size of the execution pool at the start.
    pub execution_start: i64,
}

/// What Spark makes of a configuration.
///
/// Sizes are signed, as Spark's are, because two of them can be negative: the page size and the unroll
/// limit. Pools and regions are not.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedMemory {
    /// The manager whose rules were applied.
    pub policy: PolicyKind,
    /// Bytes that the on-heap regions are shares of, the reserved ones included.
    pub system_memory: i64,
    /// Bytes that were set aside first; 0 for the static manager.
    pub reserved_memory: i64,
    /// On-heap memory.
    pub on_heap: ResolvedMode,
    /// Off-heap memory; sized whether or not it is enabled.
    pub off_heap: ResolvedMode,
    /// Whether off-heap memory is enabled.
    pub off_heap_enabled: bool,
    /// Where pages go.
    pub tungsten_mode: MemoryMode,
    /// Bytes of a page, unless its consumer has a size of its own.
    pub page_size: i64,
    /// Bytes that unrolling may evict, for the static manager.
    pub max_unroll: Option<i64>,
    /// Milliseconds between looks at unmanaged memory; 0 or less: it is left out of account.
    pub unmanaged_polling_interval_ms: i64,
    /// What the block store reads.
    pub unroll: ResolvedUnroll,
}

/// The block store's settings.
///
/// The period and the factor are read only when a block is put, period first, so that is when an
/// error in them shows.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedUnroll {
    /// Bytes asked for before a block is unrolled.
    pub threshold: i64,
    /// Elements between two looks at the size, or the error that a put raises.
    pub check_period: Result<i64, ResolveError>,
    /// Growth of a request, or the error that a put raises.
    pub growth_factor: Result<f64, ResolveError>,
}

impl ResolvedMemory {
    /// The mode's bytes.
    #[must_use]
    pub fn mode(&self, mode: MemoryMode) -> &ResolvedMode {
        match mode {
            MemoryMode::OnHeap => &self.on_heap,
            MemoryMode::OffHeap => &self.off_heap,
        }
    }

    /// The most bytes that storage could have before anything is in use.
    ///
    /// Counterparts: `maxOnHeapStorageMemory`, `maxOffHeapStorageMemory`.
    #[must_use]
    pub fn max_storage(&self, mode: MemoryMode) -> i64 {
        match self.policy {
            PolicyKind::Unified => self.mode(mode).max,
            PolicyKind::Static => self.mode(mode).storage_start,
        }
    }
}

/// Resolves a configuration as `policy`'s release of Spark does.
///
/// The first check that fails decides the error, as in Spark. `policy` is a parameter because a
/// recorded configuration names it apart; [`PolicyKind::chosen_by`] reads it from the settings.
///
/// # Errors
///
/// [`ResolveError`] where Spark refuses to start.
pub fn resolve(
    conf: &SparkConf,
    policy: PolicyKind,
    environment: &Environment,
) -> Result<ResolvedMemory, ResolveError> {
    let reader = Reader::new(conf, policy.release());
    match policy {
        PolicyKind::Unified => unified::resolve(&reader, environment),
        PolicyKind::Static => static_::resolve(&reader, environment),
    }
}

/// Java's cast from `double` to `long`: towards zero, clamped, NaN to 0.
#[expect(
    clippy::cast_possible_truncation,
    reason = "Rust's cast is Java's: truncating, clamping"
)]
fn to_long(value: f64) -> i64 {
    // fault(truncation): replace value as => value.round() as
    value as i64
}
