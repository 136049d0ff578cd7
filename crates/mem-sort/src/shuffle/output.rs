//! The three files that a shuffle makes.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use mem_spill::{PendingOutput, SpillFile};

use super::checksum::ChecksumAlgorithm;
use super::error::ShuffleError;

/// Bytes of the buffer before an index.
const BUFFER_BYTES: usize = 4 << 10;

/// The files of one shuffle's output, in one directory, with Spark's names for shuffle 0 and map 0.
///
/// | file | content |
/// | --- | --- |
/// | `shuffle_0_0_0.data` | the partitions, end to end; each is any number of segments as `mem-spill` writes them |
/// | `shuffle_0_0_0.index` | (partitions + 1) offsets: where each partition begins, and the length of the data |
/// | `shuffle_0_0_0.checksum.ADLER32` or `.CRC32` | the checksum of each partition's bytes in the data file |
///
/// Offsets and checksums are numbers of 64 bits, big-endian.
#[derive(Debug, Clone)]
pub struct ShuffleFiles {
    directory: PathBuf,
}

impl ShuffleFiles {
    /// Those in `directory`, which need not be there.
    #[must_use]
    pub fn below(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The partitions.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.directory.join("shuffle_0_0_0.data")
    }

    /// The offsets.
    #[must_use]
    pub fn index(&self) -> PathBuf {
        self.directory.join("shuffle_0_0_0.index")
    }

    /// The checksums.
    #[must_use]
    pub fn checksums(&self, algorithm: ChecksumAlgorithm) -> PathBuf {
        let name = format!("shuffle_0_0_0.checksum.{algorithm}");
        self.directory.join(name)
    }
}

/// An output that is being written. Until it is [committed](Self::commit), an earlier one is as it
/// was; dropped before, it leaves nothing but the directory.
#[derive(Debug)]
pub(crate) struct ShuffleOutput {
    files: ShuffleFiles,
    checksum: Option<ChecksumAlgorithm>,
    data: PendingOutput,
    /// The same file, to write to.
    data_file: SpillFile,
    index: NumberFile,
    checksums: Option<NumberFile>,
}

impl ShuffleOutput {
    /// Makes the directory, if there is none, and begins the files.
    pub(crate) fn create(
        directory: &Path,
        checksum: Option<ChecksumAlgorithm>,
    ) -> Result<Self, ShuffleError> {
        fs::create_dir_all(directory).map_err(ShuffleError::io("create", directory))?;
        let files = ShuffleFiles::below(directory);
        let path = files.data();
        let data = PendingOutput::create(&path)?;
        let handle = data.file().try_clone();
        let handle = handle.map_err(ShuffleError::io("write to", &path))?;
        let checksums = checksum.map(|algorithm| NumberFile::create(files.checksums(algorithm)));
        let mut index = NumberFile::create(files.index())?;
        index.push(0)?;
        Ok(Self {
            checksum,
            data_file: SpillFile::named(handle, &path),
            data,
            index,
            checksums: checksums.transpose()?,
            files,
        })
    }

    /// The data file, to which the next partition is to be appended.
    pub(crate) fn data(&mut self) -> &mut SpillFile {
        &mut self.data_file
    }

    /// What was appended since the last call is a partition.
    pub(crate) fn end_partition(&mut self, checksum: Option<u32>) -> Result<(), ShuffleError> {
        if let (Some(file), Some(checksum)) = (&mut self.checksums, checksum) {
            file.push(checksum.into())?;
        }
        self.index.push(self.data_file.stored_bytes())
    }

    /// Puts the files in their places, the index last.
    ///
    /// All three are whole when the first is put there. Who is killed in between leaves an index and
    /// data that do not agree, which the reader notices, or no index where there was none.
    pub(crate) fn commit(self) -> Result<(), ShuffleError> {
        let mut index = self.index;
        let mut checksums = self.checksums;
        index.flush()?;
        checksums.iter_mut().try_for_each(NumberFile::flush)?;
        for other in ChecksumAlgorithm::ALL {
            if self.checksum != Some(other) {
                remove(&self.files.checksums(other))?;
            }
        }
        self.data.commit()?;
        if let Some(checksums) = checksums {
            checksums.pending.commit()?;
        }
        Ok(index.pending.commit()?)
    }
}

/// Removes what an earlier output with another checksum left.
fn remove(path: &Path) -> Result<(), ShuffleError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ShuffleError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// A pending file of big-endian numbers.
#[derive(Debug)]
struct NumberFile {
    path: PathBuf,
    pending: PendingOutput,
    writer: BufWriter<File>,
}

impl NumberFile {
    fn create(path: PathBuf) -> Result<Self, ShuffleError> {
        let pending = PendingOutput::create(&path)?;
        let handle = pending.file().try_clone();
        let handle = handle.map_err(ShuffleError::io("write to", &path))?;
        let writer = BufWriter::with_capacity(BUFFER_BYTES, handle);
        Ok(Self {
            path,
            pending,
            writer,
        })
    }

    fn push(&mut self, number: u64) -> Result<(), ShuffleError> {
        let written = self.writer.write_all(&number.to_be_bytes());
        written.map_err(ShuffleError::io("write to", &self.path))
    }

    fn flush(&mut self) -> Result<(), ShuffleError> {
        let flushed = self.writer.flush();
        flushed.map_err(ShuffleError::io("write to", &self.path))
    }
}
