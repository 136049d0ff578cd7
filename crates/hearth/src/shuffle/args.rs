//! The arguments of `hearth shuffle`.

use std::path::PathBuf;

use clap::Args;

use crate::settings::ConfigArgs;
use crate::sort::StatsForm;

/// Put lines into partitions by their hash, under a memory budget, or read a partition
///
/// A line belongs to the partition (CRC-32 of the line without its newline, the one of zlib) modulo
/// (number of partitions). In Python: zlib.crc32(line) % N.
///
/// The output is that of Spark's sort shuffle: shuffle_0_0_0.data has the partitions end to end,
/// shuffle_0_0_0.index has (N + 1) offsets into it, shuffle_0_0_0.checksum.ADLER32 (or .CRC32) a
/// checksum for each partition's bytes in it; all of them numbers of 64 bits, big-endian. Partitions
/// are compressed in blocks; --read gives the lines back.
#[derive(Debug, Args)]
pub struct ShuffleArgs {
    /// How many partitions to make; with --read, which one to read, counted from 0
    #[arg(short, long, value_name = "N")]
    pub(super) partitions: u32,
    /// Read partition N of the output in DIR, and write its lines to standard output
    #[arg(long, value_name = "DIR", conflicts_with_all = ["output", "spill_dirs", "stats", "inputs"])]
    pub(super) read: Option<PathBuf>,
    /// Write to DIR; an output that is there is replaced when all of the new one is there
    #[arg(short, long, value_name = "DIR", default_value = "shuffle-out")]
    pub(super) output: PathBuf,
    /// Use SIZE of off-heap memory and nothing else (64m, 2g; a number alone counts KiB): short for
    /// spark.memory.offHeap.enabled=true and spark.memory.offHeap.size=SIZE
    #[arg(short = 'S', long = "buffer-size", value_name = "SIZE")]
    pub(super) size: Option<String>,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// Spill to DIR; several are used in turn
    #[arg(long = "spill-dir", value_name = "DIR")]
    pub(super) spill_dirs: Vec<PathBuf>,
    /// Say at the end, on standard error, what it took
    #[arg(long, value_name = "FORM")]
    pub(super) stats: Option<StatsForm>,
    /// Files with the lines; - is standard input, as is none at all
    #[arg(value_name = "INPUT")]
    pub(super) inputs: Vec<PathBuf>,
}
