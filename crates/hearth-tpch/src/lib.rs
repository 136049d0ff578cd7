//! TPC-H for tests and benchmarks: its tables as Arrow batches or Parquet files, and its 22 queries.
//!
//! - [`Table`] makes the rows of one table at any scale, the same ones every time.
//! - [`write_parquet`] writes all eight tables into a directory.
//! - [`QUERIES`] has the texts, in DataFusion's dialect of SQL.
//!
//! It is not: something that runs queries, or for production.
//!
//! ```
//! use hearth_tpch::{QUERIES, Table};
//!
//! let batches: Vec<_> = Table::Nation.batches(0.01, 10).collect::<Result<_, _>>()?;
//! assert_eq!(batches.iter().map(|batch| batch.num_rows()).collect::<Vec<_>>(), [10, 10, 5]);
//! assert!(QUERIES[2].contains("c_mktsegment = 'BUILDING'"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod files;
mod queries;
mod tables;

pub use files::{Error, file_of, write_parquet};
pub use queries::QUERIES;
pub use tables::Table;
pub use tpchgen_arrow::arrow;
