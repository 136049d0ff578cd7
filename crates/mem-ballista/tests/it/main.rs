//! Ballista on Hearth: in one process, and in several on the loopback interface.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]
#![expect(
    clippy::print_stdout,
    reason = "what queries at scale 1 took is told with --nocapture"
)]

mod in_process;
mod process;
mod processes;
mod support;
