//! SQL under one memory: DataFusion sessions whose queries and cached tables share Hearth's memory.
//!
//! - [`HearthSession`] runs statements: each query has a pool of its own, settings that fit its share,
//!   and tables in common with all others.
//! - [`CachedTable`] keeps a query's result as blocks of storage memory, which give way to queries and
//!   come back from disk: `CACHE TABLE name AS SELECT ...`, `UNCACHE TABLE name`, `CLEAR CACHE`, and
//!   `DataFrame::cache()`. [`HearthOptions`] says at which storage level.
//! - [`Statement`] reads DataFusion's SQL and Spark's statements for caching.
//! - [`program`] is `hearth-sql`.
//!
//! It is not: a server, or a catalog that outlives the process.
//!
//! # Example
//!
//! ```
//! use mem_datafusion::HearthRuntime;
//! use mem_policy::MemoryConfig;
//! use mem_sql::HearthSession;
//!
//! # tokio::runtime::Builder::new_multi_thread().build()?.block_on(async {
//! let memory = MemoryConfig::new()
//!     .with("spark.memory.offHeap.enabled", true)?
//!     .with("spark.memory.offHeap.size", "64m")?;
//! let session = HearthSession::new(HearthRuntime::from_config(&memory)?, 1)?;
//! session.run("CACHE TABLE squares AS SELECT value, value * value AS square
//!              FROM generate_series(1, 1000)").await?;
//! let rows = session.run("SELECT sum(square) AS sum FROM squares").await?;
//! let rows = rows.expect("a query has rows").to_string().await?;
//! assert!(rows.contains("333833500"));
//! session.run("CLEAR CACHE").await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod cached;
mod options;
pub mod program;
mod session;
mod statements;

pub use cached::{CachedTable, TableCache};
pub use options::HearthOptions;
pub use session::HearthSession;
pub use statements::{Cache, Statement};

/// README's examples are tested with the rest: here, because one of them is of DataFusion.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
#[derive(Debug)]
struct Readme;
