//! The tests of mem-spill, from outside.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod cached;
mod damage;
mod faults;
mod files;
mod output;
mod read_ahead;
mod releasing;
mod round_trip;
mod stretches;
mod support;
