//! Configuration: from what an operator writes to regions in bytes.
//!
//! Two steps, kept apart. [`MemoryConfig`] *validates*: it knows every key, and refuses what is misspelt or
//! out of range, naming the line. [`resolve()`] is Spark's own arithmetic and its own errors, oddities
//! included; recorded traffic is replayed on it, and a validated configuration goes through it too.

mod error;
mod file;
pub(crate) mod keys;
mod memory_config;
mod notes;
mod origin;
pub(crate) mod reference;
mod resolve;
mod sections;
mod spark_conf;
mod text;
mod to_regions;

pub use error::{ConfigError, Diagnostic, Problem};
pub use keys::{KEY_GROUPS, KeyGroup, KeyInfo, KeyKind, SizeUnit, Standing, find_key};
pub use memory_config::MemoryConfig;
pub use origin::{Note, Origin, Severity};
pub use reference::{REFUSALS, Refusal, reference_markdown};
pub use resolve::{
    Collector, Environment, PolicyKind, ResolveError, ResolvedMemory, ResolvedMode, ResolvedUnroll,
    Stage, resolve,
};
pub use sections::{
    ContainerSettings, PageSettings, ShuffleChecksum, SortSettings, SpillCodec, SpillSettings,
    SplitSettings, StoreSettings, TaskSettings,
};
pub use spark_conf::SparkConf;
pub use text::{SizeError, SparkRelease, parse_size};
