//! DataFusion on Hearth: one memory for queries and what they cache.
//!
//! - [`HearthRuntime`] makes DataFusion environments from one configuration file: memory, spill files
//!   and caches of one budget.
//! - [`HearthMemoryPool`] is a query's memory: shared with other queries by Spark's 1/2N to 1/N rule,
//!   lent freely inside the query, never over the limit, with refusals that explain themselves.
//! - Spill files are `mem-spill`'s: checksummed, compressed, in several directories, without a name, so
//!   that nothing is left of a killed process.
//! - [`StorageCache`] keeps DataFusion's file statistics, file lists and file metadata as storage
//!   memory, which gives way to queries.
//!
//! - [`HearthRuntime::tuned`] lowers session settings to what fits a query's share.
//!
//! It depends on `datafusion-execution` alone, not on all of DataFusion. It is not: a reader of any
//! file format, a planner, or a cache of tables.
//!
//! # Example
//!
//! One line, and a session has Hearth's memory:
//! `SessionContext::new_with_config_rt(config, HearthRuntime::from_toml("hearth.toml")?.query_env()?)`.
//! What is behind it:
//!
//! ```
//! use datafusion_execution::memory_pool::MemoryConsumer;
//! use mem_datafusion::HearthRuntime;
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("hearth.toml");
//! std::fs::write(&path, r#"
//!     "spark.memory.offHeap.enabled" = true
//!     "spark.memory.offHeap.size" = "64m"
//! "#)?;
//! let runtime = HearthRuntime::from_toml(&path)?;
//!
//! // Each query has an environment, and in it a pool, of its own.
//! let (one, two) = (runtime.query_env()?, runtime.query_env()?);
//! let sorter = MemoryConsumer::new("ExternalSorter").with_can_spill(true);
//! let sorter = sorter.register(&one.memory_pool);
//! sorter.try_grow(60 << 20)?;
//!
//! // The second is entitled to a half, and gets a quarter at least. Here, outside of a tokio runtime
//! // of many threads, it does not wait for it.
//! let join = MemoryConsumer::new("HashJoinInput").register(&two.memory_pool);
//! let error = join.try_grow(16 << 20).unwrap_err().to_string();
//! assert!(error.contains("active tasks 2") && error.contains("task 1 holds 62914560"));
//!
//! // The first is above its share now. So it is refused, spills as DataFusion's operators do, and may
//! // take its half again; and there is room for the other.
//! assert!(sorter.try_grow(1 << 20).is_err());
//! sorter.free();
//! sorter.try_grow(1 << 20)?;
//! join.try_grow(16 << 20)?;
//! assert_eq!(runtime.stats().overdraft_peak, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod cache;
mod error;
mod off_worker;
mod overdraft;
mod pool;
mod runtime;
mod session;
mod shared;
mod spill;

pub use cache::StorageCache;
pub use error::RuntimeError;
pub use pool::{ConsumerStats, HearthMemoryPool, PoolStats};
pub use runtime::{HearthRuntime, RuntimeOptions, RuntimeStats};
