//! The recorded forms as types: what a line asks, and what comes of it.
//!
//! `docs/trace-format.md` describes it. Integers are 64 bits wide and never go through floating
//! point; addresses are decimal texts. What a line *asks* is read strictly: an operation or a field
//! that is not known is an error, nothing is passed over.

mod header;
mod operation;
mod outcome;
mod recording;
mod steps;

pub use header::{Collector, Header, Policy, Resolved};
pub use operation::{Mode, Operation, SpillBehaviour};
pub use outcome::{Answer, Failure, Outcome, PoolState, SpillCall, Woken};
pub use recording::{RecordingHeader, RecordingStart, Regions};
pub use steps::{Purpose, StepInput, StepOutput, StepState};
