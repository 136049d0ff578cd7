//! Settings of the consumers that sort, spill and shuffle.

use super::{KeyInfo, KeyKind, SizeUnit, Standing};
use crate::config::keys::kind::MAX_SIZE;

/// The most elements that a Java array has.
const ARRAY_MAX: u64 = (1 << 31) - 16;

pub(crate) const FORCE_SPILL_ELEMENTS: KeyInfo = KeyInfo {
    name: "spark.shuffle.spill.numElementsForceSpillThreshold",
    kind: KeyKind::Whole {
        min: 1,
        max: (1 << 31) - 1,
    },
    default: Some("2147483647"),
    since: "Spark 1.6.0",
    standing: Standing::Effective,
    about: "Records after which a sorter spills although it has memory.",
};

pub(crate) const FORCE_SPILL_BYTES: KeyInfo = KeyInfo {
    name: "spark.shuffle.spill.maxSizeInBytesForSpillThreshold",
    kind: KeyKind::Size {
        unit: SizeUnit::Byte,
        min: 1,
        max: MAX_SIZE,
    },
    default: Some("9223372036854775807"),
    since: "Spark 4.1.0",
    standing: Standing::Effective,
    about: "Bytes of memory after which a sorter spills although it could have more.",
};

pub(crate) const DISK_WRITE_BUFFER: KeyInfo = KeyInfo {
    name: "spark.shuffle.spill.diskWriteBufferSize",
    kind: KeyKind::Size {
        unit: SizeUnit::Byte,
        min: 13,
        max: ARRAY_MAX,
    },
    default: Some("1m"),
    since: "Spark 2.3.0",
    standing: Standing::Effective,
    about: "Buffer through which a sorter's records go to its spill file. In `hearth sort` that is a block: see `hearth.spill.blockSize`.",
};

pub(crate) const SPILL_COMPRESS: KeyInfo = KeyInfo {
    name: "spark.shuffle.spill.compress",
    kind: KeyKind::Flag,
    default: Some("true"),
    since: "Spark 0.9.0",
    standing: Standing::Effective,
    about: "Whether sorted runs are compressed (by `hearth.spill.codec`).",
};

pub(crate) const SHUFFLE_COMPRESS: KeyInfo = KeyInfo {
    name: "spark.shuffle.compress",
    kind: KeyKind::Flag,
    default: Some("true"),
    since: "Spark 0.6.0",
    standing: Standing::Effective,
    about: "Whether shuffle files, and the spills of the sorter that writes them, are compressed.",
};

pub(crate) const FILE_BUFFER: KeyInfo = KeyInfo {
    name: "spark.shuffle.file.buffer",
    kind: KeyKind::Size {
        unit: SizeUnit::Kibibyte,
        min: 1024,
        max: ARRAY_MAX,
    },
    default: Some("32k"),
    since: "Spark 1.4.0",
    standing: Standing::Effective,
    about: "Buffer in front of a shuffle file.",
};

pub(crate) const INITIAL_BUFFER: KeyInfo = KeyInfo {
    name: "spark.shuffle.sort.initialBufferSize",
    kind: KeyKind::Size {
        unit: SizeUnit::Byte,
        min: 1,
        max: (1 << 31) - 1,
    },
    default: Some("4096"),
    since: "Spark 2.1.0",
    standing: Standing::Effective,
    about: "Entries of the shuffle sorter's first pointer array: Spark writes it as a size, and takes it as a count. `hearth sort` has no such array.",
};

pub(crate) const USE_RADIX_SORT: KeyInfo = KeyInfo {
    name: "spark.shuffle.sort.useRadixSort",
    kind: KeyKind::Flag,
    default: Some("true"),
    since: "Spark 2.0.0",
    standing: Standing::Effective,
    about: "Whether the shuffle sorter's pointers are sorted by radix, which needs as much room again, or by comparison. `hearth sort` sorts what is in its pages where it is.",
};

pub(crate) const FAST_MERGE: KeyInfo = KeyInfo {
    name: "spark.shuffle.unsafe.fastMergeEnabled",
    kind: KeyKind::Flag,
    default: Some("true"),
    since: "Spark 1.4.0",
    standing: Standing::Effective,
    about: "Whether spills are merged without decompressing, where the codec allows it.",
};

pub(crate) const CHECKSUM_ENABLED: KeyInfo = KeyInfo {
    name: "spark.shuffle.checksum.enabled",
    kind: KeyKind::Flag,
    default: Some("true"),
    since: "Spark 3.2.0",
    standing: Standing::Effective,
    about: "Whether each partition of a shuffle file gets a checksum.",
};

pub(crate) const CHECKSUM_ALGORITHM: KeyInfo = KeyInfo {
    name: "spark.shuffle.checksum.algorithm",
    kind: KeyKind::Choice(&["ADLER32", "CRC32"]),
    default: Some("ADLER32"),
    since: "Spark 3.2.0",
    standing: Standing::Effective,
    about: "Which checksum that is.",
};

pub(crate) const READER_BUFFER: KeyInfo = KeyInfo {
    name: "spark.unsafe.sorter.spill.reader.buffer.size",
    kind: KeyKind::Size {
        unit: SizeUnit::Byte,
        min: 1 << 20,
        max: 16 << 20,
    },
    default: Some("1m"),
    since: "Spark 2.1.0",
    standing: Standing::Effective,
    about: "Largest buffer for reading one spill file back. In `hearth sort` that is a block: see `hearth.spill.blockSize`.",
};

pub(crate) const READ_AHEAD: KeyInfo = KeyInfo {
    name: "spark.unsafe.sorter.spill.read.ahead.enabled",
    kind: KeyKind::Flag,
    default: Some("true"),
    since: "Spark 2.3.0",
    standing: Standing::Effective,
    about: "Whether a spill file is read ahead of its use.",
};

pub(crate) const MERGE_FACTOR: KeyInfo = KeyInfo {
    name: "spark.unsafe.sorter.spill.merge.factor",
    kind: KeyKind::Whole {
        min: -1,
        max: (1 << 31) - 1,
    },
    default: Some("-1"),
    since: "Spark 4.2.0",
    standing: Standing::Effective,
    about: "Most spill files that are merged at a time; below 2: as many as memory allows.",
};

/// Settings of the sorters.
pub(crate) const SORTING: &[&KeyInfo] = &[
    &FORCE_SPILL_ELEMENTS,
    &FORCE_SPILL_BYTES,
    &DISK_WRITE_BUFFER,
    &SPILL_COMPRESS,
    &SHUFFLE_COMPRESS,
    &FILE_BUFFER,
    &INITIAL_BUFFER,
    &USE_RADIX_SORT,
    &FAST_MERGE,
    &CHECKSUM_ENABLED,
    &CHECKSUM_ALGORITHM,
    &READER_BUFFER,
    &READ_AHEAD,
    &MERGE_FACTOR,
];
