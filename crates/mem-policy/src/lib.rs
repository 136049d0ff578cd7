//! Configuration, regions, and the decisions of Spark's two memory managers.
//!
//! - [`config`] reads settings with Spark's own keys and resolves them to regions in bytes.
//! - [`UnifiedPolicy`] and [`StaticPolicy`] decide as Spark does: numbers in, decision out.
//! - [`MemoryManager`] is what the crates above use: a ledger, the allocators, the page size.
//!
//! It is not: a place for locks, pages or files. Waiting, waking and evicting are `mem-pool`'s.
#![forbid(unsafe_code)]

mod arithmetic;
mod fixed;
mod manager;
mod unified;
pub mod unmanaged;

pub use fixed::StaticPolicy;
pub use manager::{
    ManagerOptions, MemoryManager, PolicyManager, StaticMemoryManager, UnifiedMemoryManager,
    memory_manager,
};
pub use unified::UnifiedPolicy;

// Configuration.
pub mod config;
pub mod explain;

pub use config::{
    ConfigError, MemoryConfig, PolicyKind, ResolveError, ResolvedMemory, SparkRelease, parse_size,
};
pub use explain::Explanation;
