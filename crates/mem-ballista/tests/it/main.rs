//! Ballista on Hearth: in one process, and in several on the loopback interface.
#![forbid(unsafe_code)]

mod in_process;
mod process;
mod processes;
mod support;
