//! The tests of mem-sql, from outside.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod budget;
mod caching;
mod giving_way;
mod kill;
mod ladder;
mod levels;
mod limits;
mod program;
mod scenarios;
mod scenarios_of_batches;
mod sessions;
mod sorts_at_once;
mod spill_fuzz;
mod support;
mod two_queries;
