//! Settings that are Hearth's own.

use super::{KeyInfo, KeyKind, SizeUnit, Standing};

pub(crate) const WAIT_TIMEOUT: KeyInfo = KeyInfo {
    name: "hearth.wait.timeout",
    kind: KeyKind::Time { zero: false },
    default: Some("10min"),
    since: "Hearth 0.1.0",
    standing: Standing::Effective,
    about: "How long a request for memory waits at most when the caller names no deadline.",
};

pub(crate) const WAIT_DEADLOCK_DETECTION: KeyInfo = KeyInfo {
    name: "hearth.wait.deadlockDetection",
    kind: KeyKind::Flag,
    default: Some("true"),
    since: "Hearth 0.1.0",
    standing: Standing::Effective,
    about: "Whether a request is refused at once when every holder of memory is itself waiting.",
};

pub(crate) const TASK_QUANTUM: KeyInfo = KeyInfo {
    name: "hearth.task.quantum",
    kind: KeyKind::BYTES,
    default: Some("64k"),
    since: "Hearth 0.1.0",
    standing: Standing::Effective,
    about: "Bytes that a task takes from the ledger at first to serve small requests from, and more with use; 0: exactly what is asked.",
};

pub(crate) const SPILL_DIRS: KeyInfo = KeyInfo {
    name: "hearth.spill.dirs",
    kind: KeyKind::Directories,
    default: None,
    since: "Hearth 0.1.0",
    standing: Standing::Effective,
    about: "Directories that spill files are spread over; not given: the system's directory for temporary files.",
};

pub(crate) const SPILL_CODEC: KeyInfo = KeyInfo {
    name: "hearth.spill.codec",
    kind: KeyKind::Choice(&["none", "lz4", "zstd"]),
    default: Some("lz4"),
    since: "Hearth 0.1.0",
    standing: Standing::Effective,
    about: "How spill files are compressed. Not given: by lz4, but `hearth sort` compresses only what is not written faster as it is, and what DataFusion spills and caches is written as it comes.",
};

pub(crate) const SPILL_BLOCK_SIZE: KeyInfo = KeyInfo {
    name: "hearth.spill.blockSize",
    kind: KeyKind::Size {
        unit: SizeUnit::Byte,
        min: 1024,
        max: 64 << 20,
    },
    default: None,
    since: "Hearth 0.1.0",
    standing: Standing::Effective,
    about: "Bytes that are compressed and checked as one; not given: chosen from the budget, and in `hearth sort` no larger than `spark.shuffle.spill.diskWriteBufferSize` and `spark.unsafe.sorter.spill.reader.buffer.size`.",
};

pub(crate) const ALLOC_KEPT_FRACTION: KeyInfo = KeyInfo {
    name: "hearth.alloc.keptFraction",
    kind: KeyKind::Fraction { one: true },
    default: Some("0.25"),
    since: "Hearth 0.1.0",
    standing: Standing::Effective,
    about: "Share of the memory that freed blocks may take up while they wait to be used again.",
};

pub(crate) const MEMORY_DEBUG_FILL: KeyInfo = KeyInfo {
    name: "hearth.memory.debugFill",
    kind: KeyKind::Flag,
    default: None,
    since: "Hearth 0.1.0",
    standing: Standing::Effective,
    about: "The same as `spark.memory.debugFill`, which it overrides.",
};

/// Settings that are Hearth's own.
pub(crate) const HEARTH: &[&KeyInfo] = &[
    &WAIT_TIMEOUT,
    &WAIT_DEADLOCK_DETECTION,
    &TASK_QUANTUM,
    &SPILL_DIRS,
    &SPILL_CODEC,
    &SPILL_BLOCK_SIZE,
    &ALLOC_KEPT_FRACTION,
    &MEMORY_DEBUG_FILL,
];
