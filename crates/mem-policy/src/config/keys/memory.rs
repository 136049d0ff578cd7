//! Settings that split memory into regions, and those that size the container around it.

use super::{KeyInfo, KeyKind, SizeUnit, Standing};
use crate::config::keys::kind::MAX_SIZE;

const MEBIBYTES: KeyKind = KeyKind::Size {
    unit: SizeUnit::Mebibyte,
    min: 0,
    max: MAX_SIZE,
};

pub(crate) const FRACTION: KeyInfo = KeyInfo {
    name: "spark.memory.fraction",
    kind: KeyKind::Fraction { one: true },
    default: Some("0.6"),
    since: "Spark 1.6.0",
    standing: Standing::Unified,
    about: "Share of the heap, less the reserved memory, that execution and storage have between them.",
};

pub(crate) const STORAGE_FRACTION: KeyInfo = KeyInfo {
    name: "spark.memory.storageFraction",
    kind: KeyKind::Fraction { one: false },
    default: Some("0.5"),
    since: "Spark 1.6.0",
    standing: Standing::Effective,
    about: "Share of that memory, and of the off-heap memory, in which cached blocks are safe from execution.",
};

pub(crate) const OFF_HEAP_ENABLED: KeyInfo = KeyInfo {
    name: "spark.memory.offHeap.enabled",
    kind: KeyKind::Flag,
    default: Some("false"),
    since: "Spark 1.6.0",
    standing: Standing::Effective,
    about: "Whether pages come from off-heap memory; its size must then be above 0.",
};

pub(crate) const OFF_HEAP_SIZE: KeyInfo = KeyInfo {
    name: "spark.memory.offHeap.size",
    kind: KeyKind::BYTES,
    default: Some("0"),
    since: "Spark 1.6.0",
    standing: Standing::Effective,
    about: "All off-heap memory: for execution and storage together, and beside the heap.",
};

pub(crate) const UNSAFE_OFF_HEAP: KeyInfo = KeyInfo {
    name: "spark.unsafe.offHeap",
    kind: KeyKind::Flag,
    default: None,
    since: "Spark, before 1.6.0",
    standing: Standing::Deprecated {
        instead: OFF_HEAP_ENABLED.name,
    },
    about: "Old name of `spark.memory.offHeap.enabled`.",
};

pub(crate) const UNMANAGED_POLLING_INTERVAL: KeyInfo = KeyInfo {
    name: "spark.memory.unmanagedMemoryPollingInterval",
    kind: KeyKind::Time { zero: true },
    default: Some("0s"),
    since: "Spark 4.1.0",
    standing: Standing::Unified,
    about: "How often users of memory outside the ledger are asked what they use; 0 leaves them out of account.",
};

pub(crate) const EXECUTOR_MEMORY: KeyInfo = KeyInfo {
    name: "spark.executor.memory",
    kind: KeyKind::Size {
        unit: SizeUnit::Mebibyte,
        min: 1,
        max: MAX_SIZE,
    },
    default: Some("1g"),
    since: "Spark 0.7.0",
    standing: Standing::Effective,
    about: "The heap: what the on-heap regions are shares of.",
};

pub(crate) const TESTING_MEMORY: KeyInfo = KeyInfo {
    name: "spark.testing.memory",
    kind: KeyKind::Whole {
        min: 0,
        max: i64::MAX,
    },
    default: None,
    since: "Spark 1.6.0",
    standing: Standing::Effective,
    about: "Heap in bytes, in place of `spark.executor.memory`; for tests, and for heaps that Spark would find too small.",
};

pub(crate) const TESTING_RESERVED_MEMORY: KeyInfo = KeyInfo {
    name: "spark.testing.reservedMemory",
    kind: KeyKind::Whole {
        min: 0,
        max: i64::MAX,
    },
    default: None,
    since: "Spark 1.6.0",
    standing: Standing::Unified,
    about: "Reserved memory in bytes, in place of 300 MiB; the heap must be at least 1.5 times as large.",
};

pub(crate) const TESTING: KeyInfo = KeyInfo {
    name: "spark.testing",
    kind: KeyKind::Choice(&["true"]),
    default: None,
    since: "Spark 1.6.0",
    standing: Standing::Unified,
    about: "When given, no memory is reserved unless `spark.testing.reservedMemory` says so.",
};

pub(crate) const MEMORY_OVERHEAD: KeyInfo = KeyInfo {
    name: "spark.executor.memoryOverhead",
    kind: MEBIBYTES,
    default: None,
    since: "Spark 2.3.0",
    standing: Standing::Effective,
    about: "Room of the container beside heap and off-heap memory; not given: the factor times the heap, \
            but no less than the minimum. Shown by `explain`; no region depends on it.",
};

pub(crate) const MIN_MEMORY_OVERHEAD: KeyInfo = KeyInfo {
    name: "spark.executor.minMemoryOverhead",
    kind: MEBIBYTES,
    default: Some("384m"),
    since: "Spark 4.0.0",
    standing: Standing::Effective,
    about: "Least room where `spark.executor.memoryOverhead` is not given.",
};

pub(crate) const MEMORY_OVERHEAD_FACTOR: KeyInfo = KeyInfo {
    name: "spark.executor.memoryOverheadFactor",
    kind: KeyKind::Factor { min: 0.0 },
    default: Some("0.1"),
    since: "Spark 3.3.0",
    standing: Standing::Effective,
    about: "Room as a share of the heap where `spark.executor.memoryOverhead` is not given.",
};

pub(crate) const PYSPARK_MEMORY: KeyInfo = KeyInfo {
    name: "spark.executor.pyspark.memory",
    kind: MEBIBYTES,
    default: None,
    since: "Spark 2.4.0",
    standing: Standing::Effective,
    about: "Memory of Python workers in the container; not given: none. Shown by `explain`.",
};

/// Settings that decide the regions.
pub(crate) const SPLIT: &[&KeyInfo] = &[
    &EXECUTOR_MEMORY,
    &FRACTION,
    &STORAGE_FRACTION,
    &OFF_HEAP_ENABLED,
    &OFF_HEAP_SIZE,
    &UNSAFE_OFF_HEAP,
    &UNMANAGED_POLLING_INTERVAL,
    &TESTING_MEMORY,
    &TESTING_RESERVED_MEMORY,
    &TESTING,
];

/// Settings that size the container.
pub(crate) const CONTAINER: &[&KeyInfo] = &[
    &MEMORY_OVERHEAD,
    &MIN_MEMORY_OVERHEAD,
    &MEMORY_OVERHEAD_FACTOR,
    &PYSPARK_MEMORY,
];
