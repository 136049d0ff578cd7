//! The tests of mem-sql, from outside.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod caching;
mod limits;
mod sessions;
mod support;
