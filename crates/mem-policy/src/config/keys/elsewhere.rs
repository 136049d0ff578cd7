//! Settings of Spark's that Hearth knows and does not act on.

use super::kind::MAX_SIZE;
use super::{KeyInfo, KeyKind, SizeUnit, Standing};

/// A setting without effect: name, kind, default, first release, why it has none.
const fn inert(
    name: &'static str,
    kind: KeyKind,
    default: Option<&'static str>,
    since: &'static str,
    why: &'static str,
) -> KeyInfo {
    KeyInfo {
        name,
        kind,
        default,
        since,
        standing: Standing::NoEffect { why },
        about: why,
    }
}

const MEBIBYTES: KeyKind = KeyKind::Size {
    unit: SizeUnit::Mebibyte,
    min: 0,
    max: MAX_SIZE,
};
const KIBIBYTES: KeyKind = KeyKind::Size {
    unit: SizeUnit::Kibibyte,
    min: 1024,
    max: MAX_SIZE,
};
const FACTOR: KeyKind = KeyKind::Factor { min: 0.0 };
const COUNT: KeyKind = KeyKind::Whole {
    min: 0,
    max: i64::MAX,
};

const NO_DRIVER: &str = "There is no driver; the heap is `spark.executor.memory`.";
const NO_REMOTE: &str = "Blocks are not sent to other machines.";
const ONE_FILE_BUFFER: &str = "`spark.shuffle.file.buffer` buffers the merged file too.";

const DRIVER_MEMORY: KeyInfo = inert(
    "spark.driver.memory",
    MEBIBYTES,
    Some("1g"),
    "Spark 1.1.1",
    NO_DRIVER,
);
const DRIVER_MEMORY_OVERHEAD: KeyInfo = inert(
    "spark.driver.memoryOverhead",
    MEBIBYTES,
    None,
    "Spark 2.3.0",
    NO_DRIVER,
);
const DRIVER_MIN_MEMORY_OVERHEAD: KeyInfo = inert(
    "spark.driver.minMemoryOverhead",
    MEBIBYTES,
    Some("384m"),
    "Spark 4.0.0",
    NO_DRIVER,
);
const DRIVER_MEMORY_OVERHEAD_FACTOR: KeyInfo = inert(
    "spark.driver.memoryOverheadFactor",
    FACTOR,
    Some("0.1"),
    "Spark 3.3.0",
    NO_DRIVER,
);
const MEMORY_MAP_THRESHOLD: KeyInfo = inert(
    "spark.storage.memoryMapThreshold",
    KeyKind::BYTES,
    Some("2m"),
    "Spark 0.9.2",
    "Blocks on disk are read, never mapped.",
);
const BROADCAST_BLOCK_SIZE: KeyInfo = inert(
    "spark.broadcast.blockSize",
    KIBIBYTES,
    Some("4m"),
    "Spark 0.5.0",
    NO_REMOTE,
);
const MAX_REMOTE_BLOCK: KeyInfo = inert(
    "spark.network.maxRemoteBlockSizeFetchToMem",
    KeyKind::BYTES,
    Some("200m"),
    "Spark 3.0.0",
    NO_REMOTE,
);
const PERIODIC_GC: KeyInfo = inert(
    "spark.cleaner.periodicGC.interval",
    KeyKind::Time { zero: false },
    Some("30min"),
    "Spark 1.6.0",
    "There is no garbage collector.",
);
const INITIAL_MEMORY_THRESHOLD: KeyInfo = inert(
    "spark.shuffle.spill.initialMemoryThreshold",
    KeyKind::BYTES,
    Some("5m"),
    "Spark 1.1.1",
    "No consumer starts with memory that is not accounted for.",
);
const SPILL_BATCH_SIZE: KeyInfo = inert(
    "spark.shuffle.spill.batchSize",
    COUNT,
    Some("10000"),
    "Spark 0.9.0",
    "Records are not serialized in batches; see `hearth.spill.blockSize`.",
);
const SHUFFLE_SPILL: KeyInfo = inert(
    "spark.shuffle.spill",
    KeyKind::Flag,
    Some("true"),
    "Spark, before 1.6.0",
    "Consumers always spill; Spark ignores it too, since 1.6.",
);
const UNSAFE_OUTPUT_BUFFER: KeyInfo = inert(
    "spark.shuffle.unsafe.file.output.buffer",
    KIBIBYTES,
    None,
    "Spark 2.3.0",
    ONE_FILE_BUFFER,
);
const LOCAL_DISK_OUTPUT_BUFFER: KeyInfo = inert(
    "spark.shuffle.localDisk.file.output.buffer",
    KIBIBYTES,
    Some("32k"),
    "Spark 4.0.0",
    ONE_FILE_BUFFER,
);
const BYPASS_MERGE: KeyInfo = inert(
    "spark.shuffle.sort.bypassMergeThreshold",
    COUNT,
    Some("200"),
    "Spark 1.1.1",
    "Every shuffle sorts; there is no path with a file for each partition.",
);
const TRANSFER_TO: KeyInfo = inert(
    "spark.file.transferTo",
    KeyKind::Flag,
    Some("true"),
    "Spark 1.4.0",
    "How files are copied is not a choice.",
);
const BUFFER_SIZE: KeyInfo = inert(
    "spark.buffer.size",
    KeyKind::BYTES,
    Some("65536"),
    "Spark 0.5.0",
    "Each buffer is sized, and reserved, where it is used.",
);
const WRITE_CHUNK_SIZE: KeyInfo = inert(
    "spark.buffer.write.chunkSize",
    KeyKind::BYTES,
    Some("64m"),
    "Spark 2.3.0",
    "Blocks go to disk in the blocks of the spill file; see `hearth.spill.blockSize`.",
);
const ENCRYPTION_ENABLED: KeyInfo = inert(
    "spark.io.encryption.enabled",
    KeyKind::Choice(&["false"]),
    Some("false"),
    "Spark 2.1.0",
    "Spill files are not encrypted, so asking for it is refused.",
);
const ENCRYPTION_KEY_BITS: KeyInfo = inert(
    "spark.io.encryption.keySizeBits",
    KeyKind::Choice(&["128", "192", "256"]),
    Some("128"),
    "Spark 2.1.0",
    "Spill files are not encrypted.",
);
const COMPRESSION_CODEC: KeyInfo = inert(
    "spark.io.compression.codec",
    KeyKind::Choice(&["lz4", "lzf", "snappy", "zstd"]),
    Some("lz4"),
    "Spark 0.8.0",
    "`hearth.spill.codec` takes its place.",
);
const LOCAL_DIR: KeyInfo = inert(
    "spark.local.dir",
    KeyKind::Directories,
    Some("/tmp"),
    "Spark 0.5.0",
    "`hearth.spill.dirs` takes its place.",
);
const TASK_REAPER: KeyInfo = inert(
    "spark.task.reaper.enabled",
    KeyKind::Flag,
    Some("false"),
    "Spark 2.0.3",
    "A task's memory comes back when the task ends.",
);

/// Settings that concern memory in Spark, and nothing in Hearth.
pub(crate) const WITHOUT_EFFECT: &[&KeyInfo] = &[
    &DRIVER_MEMORY,
    &DRIVER_MEMORY_OVERHEAD,
    &DRIVER_MIN_MEMORY_OVERHEAD,
    &DRIVER_MEMORY_OVERHEAD_FACTOR,
    &MEMORY_MAP_THRESHOLD,
    &BROADCAST_BLOCK_SIZE,
    &MAX_REMOTE_BLOCK,
    &PERIODIC_GC,
    &INITIAL_MEMORY_THRESHOLD,
    &SPILL_BATCH_SIZE,
    &SHUFFLE_SPILL,
    &UNSAFE_OUTPUT_BUFFER,
    &LOCAL_DISK_OUTPUT_BUFFER,
    &BYPASS_MERGE,
    &TRANSFER_TO,
    &BUFFER_SIZE,
    &WRITE_CHUNK_SIZE,
    &ENCRYPTION_ENABLED,
    &ENCRYPTION_KEY_BITS,
    &COMPRESSION_CODEC,
    &LOCAL_DIR,
    &TASK_REAPER,
];

/// Names, and prefixes ending in a dot, that lie in the memory families and are about something else.
const ABOUT_SOMETHING_ELSE: &[&str] = &[
    "spark.shuffle.accurateBlockSkewedFactor",
    "spark.shuffle.accurateBlockThreshold",
    "spark.shuffle.detectCorrupt",
    "spark.shuffle.detectCorrupt.",
    "spark.shuffle.io.",
    "spark.shuffle.manager",
    "spark.shuffle.mapOutput.",
    "spark.shuffle.mapStatus.",
    "spark.shuffle.maxAccurateSkewedBlockNumber",
    "spark.shuffle.maxAttemptsOnNettyOOM",
    "spark.shuffle.maxBlockBatchSizeForPush",
    "spark.shuffle.maxBlockSizeToPush",
    "spark.shuffle.maxChunksBeingTransferred",
    "spark.shuffle.minNumPartitionsToHighlyCompress",
    "spark.shuffle.numPushThreads",
    "spark.shuffle.orderIndependentChecksum.",
    "spark.shuffle.push.",
    "spark.shuffle.readHostLocalDisk",
    "spark.shuffle.reduceLocality.",
    "spark.shuffle.registration.",
    "spark.shuffle.server.",
    "spark.shuffle.service.",
    "spark.shuffle.sort.io.",
    "spark.shuffle.sync",
    "spark.shuffle.useOldFetchProtocol",
    "spark.storage.blockManagerHeartbeatTimeoutMs",
    "spark.storage.blockManagerTimeoutIntervalMs",
    "spark.storage.cachedPeersTtl",
    "spark.storage.cleanupFilesAfterExecutorExit",
    "spark.storage.decommission.",
    "spark.storage.localDiskByExecutors.",
    "spark.storage.maxReplicationFailures",
    "spark.storage.replication.",
];

/// Whether the name is one of Spark's that merely begins like a memory setting.
pub(crate) fn is_spark_key(name: &str) -> bool {
    ABOUT_SOMETHING_ELSE
        .iter()
        .any(|known| match known.strip_suffix('.') {
            Some(prefix) => name
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.starts_with('.')),
            None => name == *known,
        })
}
