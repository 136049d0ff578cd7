//! Recorded memory traffic: its form, replaying it on the real managers, and recording it.
//!
//! - [`replay_file`], [`replay_paths`] and [`replay_reader`] do what a trace says once more and
//!   compare every result. Two kinds of traces are known: what Spark's classes did, call by call
//!   (version 1), and what one of our own ledgers did, step by step (version 2).
//! - [`Recorder`] writes the second kind, from any run.
//! - [`mod@format`] has both as types; the project's `docs/trace-format.md` describes them.
//!
//! It is not: a memory manager of its own. It translates and compares, and counts nothing: an
//! operation becomes the call that it names, on the real manager, store or task, and the results are
//! read from there. It knows no terminals.
//!
//! An operation that blocks is a future that is pending, so a trace replays on one thread, and the
//! same way every time.
//!
//! # Example
//!
//! A trace of three operations, the last of which says something wrong.
//!
//! ```
//! let trace = r#"
//! {"in":{"trace":1,"spark":"4.3.0","policy":"unified","cores":1,"conf":{"spark.testing":"true","spark.testing.memory":"1000","spark.memory.fraction":"1.0"}},"out":{"ok":true,"resolved":{"max_heap":1000,"on_storage_region":500,"max_off_heap":0,"off_storage_region":0,"max_on_storage":1000,"max_off_storage":0,"page_size":1048576,"tungsten_mode":"on","unroll_threshold":1048576},"state":{"on":[500,0,500,0],"off":[0,0,0,0],"unroll":0}}}
//! {"in":{"op":"acquire_execution","task":1,"bytes":1000,"mode":"on"},"out":{"granted":1000,"state":{"on":[0,0,1000,1000],"off":[0,0,0,0],"unroll":0}}}
//! {"in":{"op":"acquire_execution","task":2,"bytes":300,"mode":"on"},"out":{"blocked":true,"state":{"on":[0,0,1000,1000],"off":[0,0,0,0],"unroll":0}}}
//! {"in":{"op":"release_execution","task":1,"bytes":300,"mode":"on"},"out":{"woken":[{"task":2,"op":1,"granted":299}],"state":{"on":[0,0,1000,1000],"off":[0,0,0,0],"unroll":0}}}
//! "#;
//! let reports = mem_trace::replay_reader("an example", trace.trim().as_bytes())?;
//! assert_eq!((reports.len(), reports[0].operations), (1, 4));
//! let [mismatch] = &reports[0].mismatches[..] else { panic!("one is wrong") };
//! assert_eq!((mismatch.line, mismatch.operation), (4, Some(2)));
//! let difference = &mismatch.differences[0];
//! assert_eq!(difference.field, "woken.op 1.granted");
//! assert_eq!((&difference.expected, &difference.got), (&299.into(), &300.into()));
//! # Ok::<(), mem_trace::TraceError>(())
//! ```
#![forbid(unsafe_code)]

mod compare;
pub mod format;
mod record;
mod replay;
mod report;
mod spark_errors;

pub use compare::Difference;
pub use record::Recorder;
pub use replay::{replay_file, replay_paths, replay_reader};
pub use report::{Mismatch, Problem, TraceError, TraceReport};
