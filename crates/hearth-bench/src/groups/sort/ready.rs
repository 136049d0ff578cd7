//! Memory that is there when a program asks for it.

use std::fs;

use crate::touched::{Pages, mapped};

/// What a program can need at most, in bytes: for what it spills and writes, which the system keeps, and
/// itself.
const WANTED: u64 = 5 << 30;

/// Uses as much memory as a program can need, and gives it back.
///
/// The host of a virtual machine takes memory back that has been free for some seconds. To have it again
/// costs ten times what filling it does, and how much of it a program has to wait for depends on
/// who ran before it.
pub(super) fn make_memory_ready() {
    // Where that is not known there may be none to spare.
    if let Some(free) = free_bytes().filter(|free| *free > 0) {
        drop(mapped(WANTED.min(free.div_ceil(2)), Pages::Huge));
    }
}

/// Bytes that nobody uses, not even for files.
fn free_bytes() -> Option<u64> {
    let table = fs::read_to_string("/proc/meminfo").ok()?;
    let line = table
        .lines()
        .find_map(|line| line.strip_prefix("MemFree:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1 << 10)
}
