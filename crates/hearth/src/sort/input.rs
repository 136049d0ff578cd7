//! The input: files one after the other, handed out in chunks of whole lines.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use memchr::{memchr, memrchr};
use task_mem::Unpaged;

use super::error::SortFailure;

/// Something to read lines from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl Source {
    /// What messages call it.
    #[must_use]
    pub fn name(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Stdin => Path::new("-"),
        }
    }

    /// Its bytes, where they can be known before.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        let metadata = match self {
            Self::File(path) => std::fs::metadata(path),
            Self::Stdin => open(self).and_then(|file| file.metadata()),
        };
        metadata
            .ok()
            .filter(std::fs::Metadata::is_file)
            .map(|metadata| metadata.len())
    }

    /// Sees whether it can be read, without opening it: opening a pipe would wait for its writer.
    ///
    /// # Errors
    ///
    /// [`SortFailure::Input`].
    pub fn check(&self) -> Result<(), SortFailure> {
        let Self::File(path) = self else {
            return Ok(());
        };
        let readable = match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(_) => rustix::fs::access(path, rustix::fs::Access::READ_OK).map_err(io::Error::from),
            Err(error) => Err(error),
        };
        readable.map_err(|source| SortFailure::Input {
            name: path.clone(),
            source,
        })
    }
}

fn open(source: &Source) -> io::Result<File> {
    match source {
        Source::File(path) => File::open(path),
        Source::Stdin => Ok(io::stdin().as_fd().try_clone_to_owned()?.into()),
    }
}

/// What is in a buffer after [`Splitter::fill`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// That many bytes: whole lines, each with its delimiter.
    Lines(usize),
    /// The beginning of a line that is longer than the buffer, which is full of it.
    LineBegins,
    /// There is no more.
    End,
}

/// More of a line that is longer than a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Bytes of it in the buffer.
    pub(crate) bytes: usize,
    /// Whether the line ends with them.
    pub(crate) is_last: bool,
}

/// All inputs as one sequence of lines. The end of a file ends its last line too.
pub(crate) struct Splitter {
    open: Option<(File, Source)>,
    later: VecDeque<Source>,
    delimiter: u8,
    /// The beginning of the next line, which was read together with the lines before.
    carry: Unpaged,
    carried: usize,
    bytes_read: u64,
}

/// What reading came to.
enum Got {
    Bytes(usize),
    EndOfFile,
    EndOfAll,
}

impl Splitter {
    /// `carry` is memory of the length of the longest buffer that will be filled.
    pub(crate) fn new(sources: Vec<Source>, delimiter: u8, carry: Unpaged) -> Self {
        Self {
            open: None,
            later: sources.into(),
            delimiter,
            carry,
            carried: 0,
            bytes_read: 0,
        }
    }

    /// Bytes read so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// The input that was read from last.
    pub(super) fn name(&self) -> PathBuf {
        self.open
            .as_ref()
            .map_or_else(PathBuf::new, |(_, source)| source.name().to_owned())
    }

    /// Fills `room` with whole lines.
    pub(crate) fn fill(&mut self, room: &mut [u8]) -> Result<Chunk, SortFailure> {
        let mut filled = std::mem::take(&mut self.carried);
        room[..filled].copy_from_slice(&self.carry.as_slice()[..filled]);
        while filled < room.len() {
            match self.read(&mut room[filled..])? {
                Got::Bytes(bytes) => filled += bytes,
                Got::EndOfFile if filled > 0 && room[filled - 1] != self.delimiter => {
                    room[filled] = self.delimiter;
                    filled += 1;
                }
                Got::EndOfFile => {}
                Got::EndOfAll => break,
            }
        }
        match memrchr(self.delimiter, &room[..filled]) {
            Some(last) => {
                self.keep(&room[last + 1..filled]);
                Ok(Chunk::Lines(last + 1))
            }
            None if filled == 0 => Ok(Chunk::End),
            None => Ok(Chunk::LineBegins),
        }
    }

    /// Reads on in a line that is longer than a buffer.
    pub(crate) fn read_on(&mut self, room: &mut [u8]) -> Result<Piece, SortFailure> {
        let Got::Bytes(bytes) = self.read(room)? else {
            return Ok(Piece {
                bytes: 0,
                is_last: true,
            });
        };
        match memchr(self.delimiter, &room[..bytes]) {
            Some(end) => {
                self.keep(&room[end + 1..bytes]);
                Ok(Piece {
                    bytes: end,
                    is_last: true,
                })
            }
            None => Ok(Piece {
                bytes,
                is_last: false,
            }),
        }
    }

    fn keep(&mut self, rest: &[u8]) {
        self.carry.as_mut_slice()[..rest.len()].copy_from_slice(rest);
        self.carried = rest.len();
    }

    fn read(&mut self, room: &mut [u8]) -> Result<Got, SortFailure> {
        loop {
            let Some((file, source)) = &mut self.open else {
                let Some(next) = self.later.pop_front() else {
                    return Ok(Got::EndOfAll);
                };
                let file = open(&next).map_err(|error| failed(&next, error))?;
                self.open = Some((file, next));
                continue;
            };
            match file.read(room) {
                Ok(0) => {
                    self.open = None;
                    return Ok(Got::EndOfFile);
                }
                Ok(bytes) => {
                    self.bytes_read += bytes as u64;
                    return Ok(Got::Bytes(bytes));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(source, error)),
            }
        }
    }
}

fn failed(source: &Source, error: io::Error) -> SortFailure {
    SortFailure::Input {
        name: source.name().to_owned(),
        source: error,
    }
}
