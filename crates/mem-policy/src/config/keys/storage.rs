//! Settings of pages and of the block store.

use super::{KeyInfo, KeyKind, SizeUnit, Standing};

/// The largest page: 2^31 − 1 words of 8 bytes, so that a page can be an array.
pub(crate) const PAGE_SIZE_MAX: u64 = ((1 << 31) - 1) * 8;

pub(crate) const PAGE_SIZE: KeyInfo = KeyInfo {
    name: "spark.buffer.pageSize",
    kind: KeyKind::Size {
        unit: SizeUnit::Byte,
        min: 1,
        max: PAGE_SIZE_MAX,
    },
    default: None,
    since: "Spark 1.5.0",
    standing: Standing::Effective,
    about: "Size of a page; not given: chosen from memory and cores, 1 MiB to 64 MiB.",
};

pub(crate) const DEBUG_FILL: KeyInfo = KeyInfo {
    name: "spark.memory.debugFill",
    kind: KeyKind::Flag,
    default: Some("false"),
    since: "Spark 2.x, as a JVM property",
    standing: Standing::Effective,
    about: "Whether memory is filled with 0xa5 when handed out and with 0x5a when freed.",
};

pub(crate) const EXCEPTION_ON_MEMORY_LEAK: KeyInfo = KeyInfo {
    name: "spark.unsafe.exceptionOnMemoryLeak",
    kind: KeyKind::Flag,
    default: Some("false"),
    since: "Spark 1.4.0",
    standing: Standing::Effective,
    about: "Whether memory that a task leaves behind is an error, beyond being reported and returned.",
};

pub(crate) const EXCEPTION_ON_PIN_LEAK: KeyInfo = KeyInfo {
    name: "spark.storage.exceptionOnPinLeak",
    kind: KeyKind::Flag,
    default: Some("false"),
    since: "Spark 1.6.2",
    standing: Standing::Effective,
    about: "Whether a block that a task leaves locked is an error.",
};

pub(crate) const UNROLL_MEMORY_THRESHOLD: KeyInfo = KeyInfo {
    name: "spark.storage.unrollMemoryThreshold",
    kind: KeyKind::Whole {
        min: 1,
        max: i64::MAX,
    },
    default: Some("1048576"),
    since: "Spark 1.1.0",
    standing: Standing::Effective,
    about: "Bytes asked for before a block is unrolled, and the chunk size of serialized blocks.",
};

pub(crate) const UNROLL_MEMORY_CHECK_PERIOD: KeyInfo = KeyInfo {
    name: "spark.storage.unrollMemoryCheckPeriod",
    kind: KeyKind::Whole {
        min: 1,
        max: i64::MAX,
    },
    default: Some("16"),
    since: "Spark 2.3.0",
    standing: Standing::Effective,
    about: "Elements from one look at a growing block's size to the next.",
};

pub(crate) const UNROLL_MEMORY_GROWTH_FACTOR: KeyInfo = KeyInfo {
    name: "spark.storage.unrollMemoryGrowthFactor",
    kind: KeyKind::Factor { min: 1.0 },
    default: Some("1.5"),
    since: "Spark 2.3.0",
    standing: Standing::Effective,
    about: "What a block that outgrew its memory asks for, as a multiple of its size.",
};

/// Settings of pages, and of what tasks leave behind.
pub(crate) const PAGES: &[&KeyInfo] = &[
    &PAGE_SIZE,
    &DEBUG_FILL,
    &EXCEPTION_ON_MEMORY_LEAK,
    &EXCEPTION_ON_PIN_LEAK,
];

/// Settings of the block store.
pub(crate) const STORE: &[&KeyInfo] = &[
    &UNROLL_MEMORY_THRESHOLD,
    &UNROLL_MEMORY_CHECK_PERIOD,
    &UNROLL_MEMORY_GROWTH_FACTOR,
];
