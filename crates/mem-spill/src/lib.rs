//! Spill files: what a data engine writes to disk when memory runs short, and reads back once.
//!
//! - [`SpillDirs`] makes files that have no name on disk, in turn in several directories. Whatever
//!   happens to the process, `kill -9` included, the kernel removes them.
//! - [`SpillWriter`] appends one [`Segment`] to a [`SpillFile`]: framed blocks, each with checksums,
//!   compressed with lz4 or zstd where that makes them smaller.
//! - [`SpillReader`] reads a segment back, many of them at once from one file if need be, and with
//!   [`ReadAhead`] the next block is read and decoded while the caller works on this one. On a thread
//!   that should not wait for a disk it reads what the system has in memory still.
//! - [`Stretch`] copies whole segments from file to file without decoding them, and finds them again
//!   in a file that has a name.
//! - [`PendingOutput`] is the other file a program must not leave half-written: its result.
//!
//! Memory is the caller's. Everything here works in [`Buffer`]s that are lent to it, and
//! [`SpillOptions`] says how many bytes to lend and how many more the codec takes from the heap, so
//! that both can be reserved *before* memory is short. Nothing else here grows with the data.
//!
//! It is not: a judge of who spills and when, a reader of records (bytes in, the same bytes out),
//! or a store that outlives the process.
//!
//! Spark's counterparts: `DiskBlockManager` (directories), `DiskBlockObjectWriter` and
//! `UnsafeSorterSpillWriter` (writing), `UnsafeSorterSpillReader` and `ReadAheadInputStream`
//! (reading).
//!
//! # Example
//!
//! A run is spilled in blocks of 16 KiB, then read back by two readers at once.
//!
//! ```
//! use mem_spill::{Codec, Decoders, Encoder, ReadAhead, SpillDirs, SpillOptions};
//! use mem_spill::{SpillReader, SpillWriter};
//! use std::io::{BufRead, Write};
//!
//! // What a sorter declares: this much it will need in order to spill, whatever its data.
//! let options = SpillOptions::new(Codec::Zstd { level: 1 }, 16 << 10)?;
//! assert!(options.write_buffer_bytes() + options.write_context_bytes() < 512 << 10);
//! let mut encoder = Encoder::new(options, vec![0; options.write_buffer_bytes()])?;
//!
//! // Memory is short: spill.
//! let dirs = SpillDirs::default();
//! let mut file = dirs.create()?;
//! let mut writer = SpillWriter::new(&mut file, &mut encoder);
//! for key in 0..20_000 {
//!     writeln!(writer, "{key:08} some payload")?;
//! }
//! let run = writer.finish()?;
//! assert_eq!(run.bytes(), 20_000 * 22);
//! assert!(run.stored_bytes() < run.bytes() / 4);
//!
//! // Merge: all readers share one scratch block and codec context; each has two blocks of its own.
//! let threads = ReadAhead::start(1)?;
//! let block = || vec![0; options.block_bytes()];
//! let decoders = Decoders::new(options, vec![block()])?;
//! let open = || SpillReader::new(&run, &decoders, block())?.with_read_ahead(&threads, block());
//! let (left, right) = (open()?, open()?);
//! assert!(left.lines().zip(right.lines()).all(|(l, r)| l.unwrap() == r.unwrap()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod buffer;
mod codec;
mod cursor;
mod decoders;
mod dirs;
mod encoder;
mod error;
mod file;
mod frame;
mod options;
mod output;
mod pace;
mod read_ahead;
mod reader;
mod release;
mod stats;
mod storage;
mod stretch;
pub mod testing;
mod writer;

pub use buffer::Buffer;
pub use decoders::Decoders;
pub use dirs::SpillDirs;
pub use encoder::Encoder;
pub use error::{Corruption, Place, SpillError};
pub use file::{BlockPlace, Segment, SpillFile};
pub use options::{Codec, SpillOptions};
pub use output::{OutputError, PendingOutput};
pub use read_ahead::ReadAhead;
pub use reader::SpillReader;
pub use stats::SpillStats;
pub use storage::{Storage, StorageProvider};
pub use stretch::Stretch;
pub use writer::{PausedWriter, SpillWriter};
