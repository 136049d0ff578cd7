//! The `hearth-sql` program; see the library for what it does.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    mem_sql::program::run(std::env::args_os())
}
