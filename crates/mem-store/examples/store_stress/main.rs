//! The block store under threads, and while a disk is slow: asserts that it is right and prompt.
//!
//! ```text
//! cargo run --release -p mem-store --example store_stress -- [--seconds 120] [--threads 8]
//!     [--blocks 100000] [--dir DIRECTORY]
//! ```
//!
//! First the load: threads put, get, pin and remove blocks that are ten times what memory holds,
//! and check every byte that they get; at each pause the ledger must equal the sum of the blocks, and
//! at the end nothing may be left. Then the wait: a disk takes 200 ms for every write, and gets and
//! acquires of execution memory that begin meanwhile must take less than 1 ms, 999 times of 1000.

mod latency;
mod load;

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use mem_spill::SpillDirs;
use mem_store::DiskOptions;
use mem_sync::{Clock, SystemClock};

use load::Load;

struct Arguments {
    seconds: u64,
    threads: u64,
    blocks: u64,
    dir: PathBuf,
}

impl Arguments {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut parsed = Self {
            seconds: 120,
            threads: 8,
            blocks: 100_000,
            dir: std::env::temp_dir(),
        };
        while let Some(name) = arguments.next() {
            let value = arguments
                .next()
                .ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--seconds" => parsed.seconds = value.parse()?,
                "--threads" => parsed.threads = value.parse()?,
                "--blocks" => parsed.blocks = value.parse()?,
                "--dir" => parsed.dir = value.into(),
                _ => return Err(format!("{name}: unknown").into()),
            }
        }
        Ok(parsed)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let mut out = io::stdout().lock();
    let load = Load {
        threads: arguments.threads,
        blocks: arguments.blocks,
        block_bytes: 1024,
        memory: arguments.blocks * 1024 / 10 + (1 << 20),
        steps: 20_000,
    };
    let disk = DiskOptions {
        dirs: SpillDirs::new(vec![arguments.dir])?,
        ..DiskOptions::default()
    };
    let clock = SystemClock::new();
    let end = clock.now() + Duration::from_secs(arguments.seconds);
    writeln!(out, "load: {load:?} for {} s", arguments.seconds)?;
    out.flush()?;
    let report = load.run(disk, &|_| clock.now() < end);
    writeln!(out, "load: {report:?}")?;
    writeln!(out, "waiting for a disk of 200 ms a write")?;
    out.flush()?;
    let latencies = latency::measure(Duration::from_secs(arguments.seconds.clamp(5, 20)));
    writeln!(out, "get: {}", latencies.get)?;
    writeln!(out, "execution: {}", latencies.execution)?;
    latencies.get.require(Duration::from_millis(1));
    latencies.execution.require(Duration::from_millis(1));
    writeln!(out, "all is well")?;
    Ok(())
}
