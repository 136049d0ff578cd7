//! The `hearth` program: memory management put to work.
//!
//! - `hearth sort` sorts lines under a memory budget, whatever their number: [`sort`].
//! - `hearth shuffle` puts lines into partitions, in the files of Spark's sort shuffle: [`shuffle`].
//! - `hearth explain` shows what a configuration means: [`explain`].
//! - `hearth replay` does recorded memory traffic once more, and compares: [`replay`].
//!
//! [`run`] is the program: it parses, runs and shows. Exit status: 0 fine, 1 the work failed, 2 usage
//! or configuration; errors go to standard error, one cause a line.
//!
//! It is not: a place for anything that another program could use too. [`sort::SortJob`] is public
//! so that several sorts, or a sort and somebody else, can share one memory manager in a test.
//!
//! # Example
//!
//! Two tasks sort lines under 4 MiB.
//!
//! ```
//! use hearth::sort::{Plan, PlanRequest, SortJob, Source};
//! use mem_policy::{ManagerOptions, MemoryConfig, memory_manager};
//!
//! let config = MemoryConfig::new()
//!     .with("spark.memory.offHeap.enabled", true)?
//!     .with("spark.memory.offHeap.size", "4m")?;
//! let resolved = config.resolve_in(&config.environment(2))?;
//! let plan = Plan::new(&config, &resolved, PlanRequest { tasks: 2 })?;
//! let manager = memory_manager(resolved, &ManagerOptions::default());
//!
//! let input = tempfile::NamedTempFile::new()?;
//! std::fs::write(input.path(), "pear\nplum\napple\n")?;
//! let job = SortJob::new(manager, plan, vec![Source::File(input.path().to_owned())]);
//! let mut sorted = Vec::new();
//! let report = job.run(&mut sorted)?;
//! assert_eq!(sorted, b"apple\npear\nplum\n");
//! assert_eq!((report.records, report.spills), (3, 0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod cli;
pub mod explain;
mod failure;
mod logging;
pub mod replay;
mod settings;
pub mod shuffle;
pub mod sort;

pub use cli::run;
