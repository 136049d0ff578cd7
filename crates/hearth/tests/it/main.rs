//! The program as its users see it, and its sort beside others on one memory manager.
#![cfg(not(mem_loom))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod beside_others;
mod errors;
mod explain;
mod inputs;
mod kill;
mod options;
mod replay;
mod shuffle;
mod stats;
mod support;
