//! The arguments of `hearth sort`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::settings::ConfigArgs;

/// Sort lines in byte order, as LC_ALL=C sort does, under a memory budget
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub struct SortArgs {
    /// Use SIZE of off-heap memory and nothing else (64m, 2g; a number alone counts KiB): short for
    /// spark.memory.offHeap.enabled=true and spark.memory.offHeap.size=SIZE
    #[arg(short = 'S', long = "buffer-size", value_name = "SIZE")]
    pub(super) size: Option<String>,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// Sort in N tasks that share the memory; by default as many as there are processors
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(super) tasks: Option<u32>,
    /// Write to FILE, which may be one of the inputs; it is replaced when all of the output is there
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Reverse the order
    #[arg(short, long)]
    pub(super) reverse: bool,
    /// Of lines that are the same, write one only
    #[arg(short, long)]
    pub(super) unique: bool,
    /// Lines end with a zero byte, not with a newline
    #[arg(short, long)]
    pub(super) zero_terminated: bool,
    /// Spill to DIR; several are used in turn
    #[arg(long = "spill-dir", value_name = "DIR")]
    pub(super) spill_dirs: Vec<PathBuf>,
    /// Say at the end, on standard error, what it took
    #[arg(long, value_name = "FORM")]
    pub(super) stats: Option<StatsForm>,
    /// Record every step of the memory ledger to FILE, for `hearth replay`; FILE.zst is compressed
    #[arg(long, value_name = "FILE")]
    pub(super) trace: Option<PathBuf>,
    /// Files to sort together; - is standard input, as is none at all
    #[arg(value_name = "INPUT")]
    pub(super) inputs: Vec<PathBuf>,
}

/// The form of `--stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatsForm {
    /// For people.
    Text,
    /// One line of JSON.
    Json,
}
