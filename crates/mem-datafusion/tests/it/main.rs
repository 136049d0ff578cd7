//! The tests of mem-datafusion, from outside.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod caches;
mod fairness;
mod lending;
mod model;
mod overdraft;
mod refusals;
mod runtimes;
mod sorts;
mod spilling;
mod support;
mod waiting;
