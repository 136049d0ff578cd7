//! Ballista executors on Hearth's memory.
#![forbid(unsafe_code)]
