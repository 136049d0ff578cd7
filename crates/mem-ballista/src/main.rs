//! The program `hearth-executor`.
#![forbid(unsafe_code)]

fn main() {}
