//! The program `hearth-executor`: a Ballista executor whose tasks share one memory, or a scheduler.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    mem_ballista::program::run(std::env::args_os())
}
