//! Foreign crates that are the business of some rooms only: "must never know", as far as a manifest shows it.
//!
//! Tests may use what they like, so only normal and build dependencies count.

use crate::workspace::{Dependency, Kind};

/// A foreign crate, or with a `*` at the end all crates whose names begin so, and the rooms that may use it.
const KEPT_TO: &[(&str, &[&str])] = &[
    ("clap", &["hearth", "mem-sql", "mem-ballista"]),
    ("indicatif", &["hearth", "mem-sql", "mem-ballista"]),
    ("tracing-subscriber", &["hearth", "mem-sql", "mem-ballista"]),
    ("loom", &["mem-sync"]),
    ("parking_lot", &["mem-sync"]),
    ("crossbeam-utils", &["mem-sync"]),
    ("memmap2", &["hearth-bench"]),
    ("lz4_flex", &["mem-spill"]),
    (
        "rustix",
        &[
            "mem-sync",
            "mem-block",
            "mem-spill",
            "mem-sort",
            "mem-sim",
            "hearth",
        ],
    ),
    (
        "tempfile",
        &[
            "mem-spill",
            "mem-sort",
            "mem-store",
            "mem-sim",
            "mem-datafusion",
            "hearth",
        ],
    ),
    (
        "toml",
        &[
            "mem-policy",
            "mem-trace",
            "hearth",
            "mem-sql",
            "mem-ballista",
        ],
    ),
    ("ballista*", &["mem-ballista"]),
    (
        "datafusion-execution",
        &["mem-datafusion", "mem-sql", "mem-ballista"],
    ),
    (
        "datafusion-common",
        &["mem-datafusion", "mem-sql", "mem-ballista"],
    ),
    ("datafusion*", &["mem-sql", "mem-ballista"]),
    ("arrow*", &["mem-datafusion", "mem-sql", "mem-ballista"]),
    ("tpchgen*", &["hearth-tpch"]),
    ("parquet", &["hearth-tpch"]),
    ("tokio", &["mem-datafusion", "mem-sql", "mem-ballista"]),
];

/// Benchmarks are there for the peers, which are foreign crates.
const BENCHMARKS: [&str; 2] = ["hearth-bench", "hearth-bench-sql"];

/// Why the room called `room` may not have `dependency`. The first row that fits decides.
pub(super) fn forbidden(room: &str, dependency: &Dependency) -> Option<String> {
    if dependency.kind == Kind::Dev || BENCHMARKS.contains(&room) {
        return None;
    }
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(beginning) => dependency.name.starts_with(beginning),
        None => dependency.name == pattern,
    };
    let (_, rooms) = KEPT_TO.iter().find(|(pattern, _)| fits(pattern))?;
    let is_allowed = rooms.contains(&room);
    (!is_allowed).then(|| format!("that is the business of {} alone", rooms.join(", ")))
}
