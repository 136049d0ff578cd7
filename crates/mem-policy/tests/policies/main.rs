//! Scenarios of Spark's own suites, and quirks of its rules, on a ledger with one of the two policies.
//!
//! Each test carries the number of its scenario. The store is the suites' own stand-in: it frees
//! exactly what it is asked for, or nothing where it holds less.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;
mod scenarios_quirks;
mod scenarios_static;
mod scenarios_unified;
mod short_way;
