//! What can go wrong, each with the place where it did.

use crate::options::Codec;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// A place in a spill file. Most have no name, so the directory and a running number stand for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The directory that the file was created in.
    pub directory: PathBuf,
    /// The name of the file, where it has one.
    pub name: Option<OsString>,
    /// The number of the file among those of its [`SpillDirs`](crate::SpillDirs), from 1.
    pub file: u64,
    /// The offset in the file, in bytes.
    pub offset: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {} of ", self.offset)?;
        match &self.name {
            Some(name) => write!(f, "{}", self.directory.join(name).display()),
            None => write!(
                f,
                "spill file {} in {}",
                self.file,
                self.directory.display()
            ),
        }
    }
}

/// Why a spill failed.
///
/// `Display` does not repeat [`source`](std::error::Error::source); print both.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpillError {
    /// No directory could take a new file; all that were tried, with the reason of each.
    #[error("no spill directory can be used{}", Tried(tried))]
    NoDirectory {
        /// Directory and reason, in the order in which they were tried.
        tried: Vec<(PathBuf, io::Error)>,
    },
    /// A spill file could not be written or read. With a full disk the data still are where they
    /// came from: a new file goes to another directory, if there is one.
    #[error("could not {action} {length} bytes at {place}")]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// How many bytes were to be moved.
        length: usize,
        /// Where.
        place: Place,
        /// What the system said.
        source: io::Error,
    },
    /// What was read is not what was written.
    #[error("the block at {place} is damaged: {found}")]
    Corrupt {
        /// Where the block begins.
        place: Place,
        /// What is wrong with it.
        found: Corruption,
    },
    /// A lent buffer is shorter than [`SpillOptions`](crate::SpillOptions) says; it was dropped.
    #[error("the {what} needs a buffer of {needed} bytes, {lent} were lent")]
    BufferTooSmall {
        /// Who the buffer was for.
        what: &'static str,
        /// The length that it needs, in bytes.
        needed: usize,
        /// The length that it was lent, in bytes.
        lent: usize,
    },
    /// An option is out of range.
    #[error("the {option} of spill files can't be {value}: {allowed} is allowed")]
    InvalidOption {
        /// Which option.
        option: &'static str,
        /// What it was set to.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// A segment was to be read with decoders of another codec or of smaller blocks.
    #[error("a segment of {segment} can't be read with decoders of {decoders}")]
    WrongDecoders {
        /// Codec and block size of the segment.
        segment: String,
        /// Codec and block size of the decoders.
        decoders: String,
    },
    /// The system had no memory for the codec's context.
    #[error("no memory for the context of codec {codec}")]
    CodecContext {
        /// The codec.
        codec: Codec,
    },
    /// The writer failed before, so the segment would lack data: start over in a new file.
    #[error("an earlier write to this segment failed, at {place}")]
    WriterFailed {
        /// Where the write failed.
        place: Place,
    },
    /// A thread of the read-ahead panicked on a block of this segment, and the block is lost.
    #[error("the read-ahead of a spill file panicked")]
    ReadAheadPanicked,
    /// The threads of the read-ahead could not be started.
    #[error("could not start a read-ahead thread")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
}

/// In what way a block is damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Corruption {
    /// There is no block here.
    #[error("it should begin with {expected:#010x}, it begins with {found:#010x}")]
    Magic {
        /// The first four bytes of every block, the first one highest.
        expected: u32,
        /// What is there.
        found: u32,
    },
    /// The block has another form.
    #[error("its form should be version {expected}, it is {found}")]
    Version {
        /// The version that is written and read here.
        expected: u8,
        /// What is there.
        found: u8,
    },
    /// Bits have changed.
    #[error("the CRC-32 of its {what} should be {expected:#010x}, it is {found:#010x}")]
    Checksum {
        /// `header` or `payload`.
        what: &'static str,
        /// What is written in the header.
        expected: u32,
        /// What the bytes add up to.
        found: u32,
    },
    /// The block has a codec that is not its segment's.
    #[error("its codec should be {expected}, its codec has number {found}")]
    Codec {
        /// The codec of the segment.
        expected: Codec,
        /// The number in the header.
        found: u8,
    },
    /// A length can't be true.
    #[error("its {what} has {found} bytes, between 1 and {limit} can be")]
    Length {
        /// `data` or `payload`.
        what: &'static str,
        /// The length in the header, in bytes.
        found: u32,
        /// The longest that it can be, in bytes.
        limit: usize,
    },
    /// This is another block than the one that should be here.
    #[error("it should be block {expected} of its segment, it is block {found}")]
    BlockNumber {
        /// The number that comes next, from 0.
        expected: u64,
        /// The number in the header.
        found: u64,
    },
    /// The file or the segment ends within the block.
    #[error("{expected} bytes should follow, {found} do")]
    Truncated {
        /// How many bytes should be there.
        expected: u64,
        /// How many are.
        found: u64,
    },
    /// The segment ends with another block than its last.
    #[error("{expected} blocks should be in its segment, {found} are")]
    Blocks {
        /// How many were written.
        expected: u64,
        /// How many were read.
        found: u64,
    },
    /// The payload is what was written, but the codec can't decode it.
    #[error("its payload can't be decoded: {reason}")]
    Decode {
        /// What the codec said.
        reason: String,
    },
}

impl SpillError {
    /// The nearest kind of [`io::Error`].
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::NoDirectory { tried } => tried
                .last()
                .map_or(io::ErrorKind::NotFound, |(_, reason)| reason.kind()),
            Self::Io { source, .. } | Self::Thread { source } => source.kind(),
            Self::Corrupt { .. } => io::ErrorKind::InvalidData,
            Self::BufferTooSmall { .. }
            | Self::InvalidOption { .. }
            | Self::WrongDecoders { .. } => io::ErrorKind::InvalidInput,
            Self::CodecContext { .. } => io::ErrorKind::OutOfMemory,
            Self::WriterFailed { .. } | Self::ReadAheadPanicked => io::ErrorKind::Other,
        }
    }
}

impl From<SpillError> for io::Error {
    fn from(error: SpillError) -> Self {
        Self::new(error.kind(), error)
    }
}

/// The directories and what is wrong with each.
struct Tried<'a>(&'a [(PathBuf, io::Error)]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (directory, reason)) in self.0.iter().enumerate() {
            let separator = if position == 0 { ": " } else { "; " };
            write!(f, "{separator}{}: {reason}", directory.display())?;
        }
        Ok(())
    }
}
