//! The crate as its users see it.
#![cfg(not(mem_loom))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faults;
mod long_records;
mod merging;
mod properties;
mod releasing;
mod shuffle;
mod support;
mod unsafe_external_sorter_suite;
