//! Ballista on Hearth: executors whose tasks share one memory.
//!
//! - [`ExecutorMemory::install`] has an executor use a [`HearthRuntime`](mem_datafusion::HearthRuntime):
//!   a pool for each task, weighted by the cores that it drives, over one manager.
//! - [`Cluster`] is a scheduler and executors in this process, each with memory of its own.
//! - [`planned_for`] keeps joins from holding in memory what no task can.
//! - [`program`] is `hearth-executor`, which joins a scheduler on another machine, or is one.
//!
//! It is not: a scheduler, a shuffle, or a client. Those are Ballista's.
//!
//! # Example
//!
//! ```
//! use mem_ballista::Cluster;
//! use mem_datafusion::HearthRuntime;
//! use mem_policy::MemoryConfig;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
//! let memory = MemoryConfig::new()
//!     .with("spark.memory.offHeap.enabled", true)?
//!     .with("spark.memory.offHeap.size", "64m")?;
//! let executors = [HearthRuntime::from_config(&memory)?, HearthRuntime::from_config(&memory)?];
//!
//! // A scheduler and two executors, with two cores each.
//! let cluster = Cluster::start(&executors, 2).await?;
//! let session = cluster.session().await?;
//! let rows = session.sql("SELECT 6 * 7 AS answer").await?.collect().await?;
//! assert_eq!(rows[0].num_rows(), 1);
//! cluster.shutdown().await?;
//! assert!(executors.iter().all(|executor| executor.stats().execution == 0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })
//! # }
//! ```
#![forbid(unsafe_code)]

mod cluster;
mod connections;
mod engine;
mod jobs;
mod memory;
pub mod program;
mod stage;
mod task;
mod tuning;
mod work_dir;

pub use cluster::Cluster;
pub use jobs::JobStats;
pub use memory::ExecutorMemory;
pub use tuning::planned_for;
