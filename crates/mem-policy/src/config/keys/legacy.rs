//! Settings of the static manager, which Spark had up to 2.4.8.

use super::{KeyInfo, KeyKind, Standing};

pub(crate) const USE_LEGACY_MODE: KeyInfo = KeyInfo {
    name: "spark.memory.useLegacyMode",
    kind: KeyKind::Flag,
    default: Some("false"),
    since: "Spark, up to 2.4.8",
    standing: Standing::Effective,
    about: "Whether the static manager decides, by the rules of Spark 2.4.8, in place of the unified one.",
};

pub(crate) const STORAGE_MEMORY_FRACTION: KeyInfo = KeyInfo {
    name: "spark.storage.memoryFraction",
    kind: KeyKind::Fraction { one: true },
    default: Some("0.6"),
    since: "Spark, up to 2.4.8",
    standing: Standing::Legacy,
    about: "Share of the heap for cached blocks, before the safety fraction.",
};

pub(crate) const STORAGE_SAFETY_FRACTION: KeyInfo = KeyInfo {
    name: "spark.storage.safetyFraction",
    kind: KeyKind::Fraction { one: true },
    default: Some("0.9"),
    since: "Spark, up to 2.4.8",
    standing: Standing::Legacy,
    about: "Part of that share which is really used.",
};

pub(crate) const STORAGE_UNROLL_FRACTION: KeyInfo = KeyInfo {
    name: "spark.storage.unrollFraction",
    kind: KeyKind::Fraction { one: true },
    default: Some("0.2"),
    since: "Spark, up to 2.4.8",
    standing: Standing::Legacy,
    about: "Share of the storage memory that unrolling a block may evict others for.",
};

pub(crate) const SHUFFLE_MEMORY_FRACTION: KeyInfo = KeyInfo {
    name: "spark.shuffle.memoryFraction",
    kind: KeyKind::Fraction { one: true },
    default: Some("0.2"),
    since: "Spark, up to 2.4.8",
    standing: Standing::Legacy,
    about: "Share of the heap for execution, before the safety fraction.",
};

pub(crate) const SHUFFLE_SAFETY_FRACTION: KeyInfo = KeyInfo {
    name: "spark.shuffle.safetyFraction",
    kind: KeyKind::Fraction { one: true },
    default: Some("0.8"),
    since: "Spark, up to 2.4.8",
    standing: Standing::Legacy,
    about: "Part of that share which is really used.",
};

/// Settings that choose and size the static manager.
pub(crate) const STATIC: &[&KeyInfo] = &[
    &USE_LEGACY_MODE,
    &SHUFFLE_MEMORY_FRACTION,
    &SHUFFLE_SAFETY_FRACTION,
    &STORAGE_MEMORY_FRACTION,
    &STORAGE_SAFETY_FRACTION,
    &STORAGE_UNROLL_FRACTION,
];
