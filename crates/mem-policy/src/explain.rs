//! What a configuration means: every region in bytes, with the arithmetic and the keys behind it.

mod derivation;
mod human;
mod table;

use std::fmt;

use mem_block::MemoryMode;
use serde::Serialize;

use crate::config::{
    ConfigError, Environment, MemoryConfig, Note, Origin, PolicyKind, ResolvedMemory,
};

pub use human::human_size;

/// A configuration, explained.
///
/// `Display` gives tables for a terminal; `Serialize` gives the same in a form for programs.
///
/// ```
/// use mem_policy::{Explanation, MemoryConfig};
///
/// let explanation = Explanation::new(&MemoryConfig::new(), 4)?;
/// let region = explanation.rows.iter().find(|row| row.name == "on-heap memory");
/// let region = region.expect("every configuration has on-heap memory");
/// assert_eq!(region.bytes, 455_501_414);
/// assert_eq!(region.arithmetic, "759169024 × 0.6");
/// # Ok::<(), mem_policy::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// Which manager decides.
    pub policy: PolicyKind,
    /// Cores that memory is divided by.
    pub cores: i64,
    /// The sizes, under the names that recorded traces have for them.
    pub resolved: ResolvedSizes,
    /// One row for each region, and for what regions are made from.
    pub rows: Vec<Row>,
    /// What else is to be said about the configuration.
    pub notes: Vec<Note>,
}

/// One row of an explanation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What is explained.
    pub name: &'static str,
    /// How many bytes it is.
    pub bytes: u64,
    /// The same for people, rounded: `434.4 MiB`.
    pub size: String,
    /// How it comes about, in numbers.
    pub arithmetic: String,
    /// The settings behind it, beside those behind other rows' sizes in the arithmetic.
    pub keys: Vec<KeyUse>,
}

/// A setting that a row depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyUse {
    /// Its key.
    pub key: &'static str,
    /// What it holds, as it was written; `None` where it is not set and has no default.
    pub value: Option<String>,
    /// Where it was written.
    pub origin: Origin,
}

/// The sizes that resolving gives, by the names of recorded traces. All are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ResolvedSizes {
    /// On-heap memory of both pools; the static manager's pools have nothing in common.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_heap: Option<i64>,
    /// On-heap storage that execution cannot evict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_storage_region: Option<i64>,
    /// What unrolling may evict; the static manager's only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_unroll: Option<i64>,
    /// Off-heap memory of both pools.
    pub max_off_heap: i64,
    /// Off-heap storage that execution cannot evict.
    pub off_storage_region: i64,
    /// The most that on-heap storage could have at the start.
    pub max_on_storage: i64,
    /// The most that off-heap storage could have at the start.
    pub max_off_storage: i64,
    /// Size of a page.
    pub page_size: i64,
    /// Where pages go: `on` or `off`.
    pub tungsten_mode: &'static str,
    /// What is asked for before a block is unrolled.
    pub unroll_threshold: i64,
}

impl Explanation {
    /// Explains what Hearth makes of a configuration with `cores` cores; 0: as many as the machine has.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where [`MemoryConfig::resolve`] gives one.
    pub fn new(config: &MemoryConfig, cores: u32) -> Result<Self, ConfigError> {
        Self::in_environment(config, &config.environment(cores))
    }

    /// Explains what Spark would make of a configuration in `environment`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where [`MemoryConfig::resolve_in`] gives one.
    pub fn in_environment(
        config: &MemoryConfig,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let resolved = config.resolve_in(environment)?;
        Ok(Self {
            policy: resolved.policy,
            cores: environment.effective_cores(),
            resolved: ResolvedSizes::from(&resolved),
            rows: derivation::rows(config, &resolved, environment),
            notes: config.notes(),
        })
    }

    /// The explanation as text: a line a row, then a line a setting, then a line a note.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.to_string()
    }
}

impl From<&ResolvedMemory> for ResolvedSizes {
    fn from(resolved: &ResolvedMemory) -> Self {
        let is_unified = resolved.policy == PolicyKind::Unified;
        Self {
            max_heap: is_unified.then_some(resolved.on_heap.max),
            on_storage_region: is_unified.then_some(resolved.on_heap.storage_region),
            max_unroll: resolved.max_unroll,
            max_off_heap: resolved.off_heap.max,
            off_storage_region: resolved.off_heap.storage_region,
            max_on_storage: resolved.max_storage(MemoryMode::OnHeap),
            max_off_storage: resolved.max_storage(MemoryMode::OffHeap),
            page_size: resolved.page_size,
            tungsten_mode: match resolved.tungsten_mode {
                MemoryMode::OnHeap => "on",
                MemoryMode::OffHeap => "off",
            },
            unroll_threshold: resolved.unroll.threshold,
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let manager = match self.policy {
            PolicyKind::Unified => "unified",
            PolicyKind::Static => "static",
        };
        let pages = match self.resolved.tungsten_mode {
            "on" => "on-heap",
            _ => "off-heap",
        };
        let cores = if self.cores == 1 { "core" } else { "cores" };
        writeln!(
            f,
            "{manager} memory manager, {} {cores}, {pages} pages",
            self.cores
        )?;
        writeln!(f)?;
        table::write_rows(f, &self.rows)?;
        writeln!(f)?;
        table::write_settings(f, &self.rows)?;
        if !self.notes.is_empty() {
            writeln!(f)?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "{note}"))
    }
}
