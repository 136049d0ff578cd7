//! Reading a shuffle.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use mem_spill::{Decoders, SpillFile, SpillReader, Stretch};
use task_mem::{Held, MemoryConsumer, NoSpill, Unpaged, Wait};

use super::checksum::{Checksum, ChecksumAlgorithm};
use super::error::ShuffleError;
use super::external_sorter::check_partition;
use super::output::ShuffleFiles;

/// Bytes of a number in index and checksums.
const NUMBER_BYTES: u64 = 8;

/// Reads the files that a [`ShuffleWriter`](crate::ShuffleWriter) wrote. What is in them is checked,
/// not trusted: files that do not agree with each other are an error, and so is any changed bit of a
/// partition that is read.
#[derive(Debug)]
pub struct ShuffleReader {
    partitions: u32,
    data_path: PathBuf,
    data: SpillFile,
    index: NumberFile,
    checksums: Option<(ChecksumAlgorithm, NumberFile)>,
}

impl ShuffleReader {
    /// Opens the files in `directory`, and checks that they agree.
    ///
    /// # Errors
    ///
    /// [`ShuffleError::Io`] if one can't be read, [`ShuffleError::Damaged`] if one is not what it
    /// should be.
    pub fn open(directory: &Path) -> Result<Self, ShuffleError> {
        let files = ShuffleFiles::below(directory);
        let index = NumberFile::open(files.index())?;
        let path = files.data();
        let data = File::open(&path).map_err(ShuffleError::io("read", &path))?;
        let length = data
            .metadata()
            .map_err(ShuffleError::io("read", &path))?
            .len();
        let end = check_rising(&index)?;
        if length != end {
            let what = format!("it has {length} bytes, by the index it should have {end}");
            return Err(ShuffleError::damaged(&path, what));
        }
        let partitions = index.count.saturating_sub(1);
        let checksums = find_checksums(&files)?;
        if let Some((_, checksums)) = &checksums
            && checksums.count != partitions
        {
            let found = checksums.count;
            let what =
                format!("it has {found} checksums, by the index there are {partitions} partitions");
            return Err(ShuffleError::damaged(&checksums.path, what));
        }
        let partitions = u32::try_from(partitions).map_err(|_too_many| {
            ShuffleError::damaged(&index.path, "it has 2^32 partitions or more")
        })?;
        Ok(Self {
            partitions,
            data: SpillFile::named(data, &path),
            data_path: path,
            index,
            checksums,
        })
    }

    /// How many partitions there are.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        self.partitions
    }

    /// The checksum that the partitions have.
    #[must_use]
    pub fn checksum(&self) -> Option<ChecksumAlgorithm> {
        self.checksums.as_ref().map(|(algorithm, _)| *algorithm)
    }

    /// Reads a partition, in memory that `consumer` asks for. Its checksum is checked before anything
    /// is returned, and that of each block when it is read.
    ///
    /// # Errors
    ///
    /// [`ShuffleError::NoSuchPartition`], [`ShuffleError::Damaged`] if its checksum is wrong,
    /// [`ShuffleError::Spill`] if there is something else in it than records,
    /// [`ShuffleError::Memory`], [`ShuffleError::Io`].
    pub fn partition(
        &self,
        partition: u32,
        consumer: &MemoryConsumer,
        wait: &Wait<'_>,
    ) -> Result<PartitionReader, ShuffleError> {
        check_partition(partition, self.partitions)?;
        let at = u64::from(partition);
        let (start, end) = (self.index.number(at)?, self.index.number(at + 1)?);
        let stretch = self.data.stretch(start..end);
        let segment = stretch.segment()?;
        let options = segment.options();
        let buffer = |bytes: usize| {
            let (bytes, mode) = (bytes as u64, consumer.mode());
            consumer.allocate_unpaged(bytes, mode, &mut NoSpill, wait)
        };
        let mut block = buffer(options.block_bytes())?;
        self.check_sum(partition, &stretch, block.as_mut_slice())?;
        let scratch = match options.scratch_bytes() {
            0 => Vec::new(),
            bytes => vec![buffer(bytes)?],
        };
        let context = consumer.reserve(options.read_context_bytes() as u64, &mut NoSpill, wait)?;
        let decoders = Decoders::new(options, scratch)?;
        Ok(PartitionReader {
            bytes: segment.bytes(),
            reader: SpillReader::new(&segment, &decoders, block)?,
            _context: context,
        })
    }

    fn check_sum(
        &self,
        partition: u32,
        stretch: &Stretch,
        room: &mut [u8],
    ) -> Result<(), ShuffleError> {
        let Some((algorithm, checksums)) = &self.checksums else {
            return Ok(());
        };
        let expected = checksums.number(partition.into())?;
        let mut sum = Checksum::new(*algorithm);
        stretch.read(room, |bytes| {
            sum.update(bytes);
            Ok::<_, ShuffleError>(())
        })?;
        let found = u64::from(sum.value());
        if found == expected {
            return Ok(());
        }
        let what = format!(
            "the {algorithm} of partition {partition} should be {expected:#010x}, it is {found:#010x}"
        );
        Err(ShuffleError::damaged(&self.data_path, what))
    }
}

/// Reads the bytes of one partition's records, end to end.
pub struct PartitionReader {
    bytes: u64,
    // Its buffers go before the charge of the codec's context, and the context with them.
    reader: SpillReader<Unpaged>,
    _context: Held,
}

impl PartitionReader {
    /// Bytes of all its records, as the headers of the blocks say.
    #[must_use]
    pub fn record_bytes(&self) -> u64 {
        self.bytes
    }
}

impl BufRead for PartitionReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
    }
}

impl Read for PartitionReader {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.reader.read(room)
    }
}

impl fmt::Debug for PartitionReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartitionReader")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// A file of big-endian numbers.
#[derive(Debug)]
struct NumberFile {
    path: PathBuf,
    file: File,
    count: u64,
}

impl NumberFile {
    fn open(path: PathBuf) -> Result<Self, ShuffleError> {
        let file = File::open(&path).map_err(ShuffleError::io("read", &path))?;
        let length = file
            .metadata()
            .map_err(ShuffleError::io("read", &path))?
            .len();
        if !length.is_multiple_of(NUMBER_BYTES) {
            let what = format!("its {length} bytes are not a whole number of 8-byte words");
            return Err(ShuffleError::damaged(&path, what));
        }
        let count = length / NUMBER_BYTES;
        Ok(Self { path, file, count })
    }

    /// Number `at`, counted from 0.
    fn number(&self, at: u64) -> Result<u64, ShuffleError> {
        let mut bytes = [0; size_of::<u64>()];
        let read = self
            .file
            .read_exact_at(&mut bytes, at.saturating_mul(NUMBER_BYTES));
        read.map_err(ShuffleError::io("read", &self.path))?;
        Ok(u64::from_be_bytes(bytes))
    }
}

/// Checks that offsets rise from 0 on, and returns the last one.
fn check_rising(index: &NumberFile) -> Result<u64, ShuffleError> {
    let mut numbers = io::BufReader::with_capacity(4 << 10, &index.file);
    let mut last = 0;
    for at in 0..index.count {
        let mut bytes = [0; size_of::<u64>()];
        let read = numbers.read_exact(&mut bytes);
        read.map_err(ShuffleError::io("read", &index.path))?;
        let offset = u64::from_be_bytes(bytes);
        if offset < last || (at == 0 && offset != 0) {
            let expected = if at == 0 {
                "0"
            } else {
                "no less than the one before"
            };
            let what = format!("offset {at} is {offset}, it should be {expected}");
            return Err(ShuffleError::damaged(&index.path, what));
        }
        last = offset;
    }
    match index.count {
        0 => Err(ShuffleError::damaged(&index.path, "it is empty")),
        _ => Ok(last),
    }
}

/// The checksums that there are, of whichever algorithm.
fn find_checksums(
    files: &ShuffleFiles,
) -> Result<Option<(ChecksumAlgorithm, NumberFile)>, ShuffleError> {
    let mut found = None;
    for algorithm in ChecksumAlgorithm::ALL {
        let path = files.checksums(algorithm);
        match NumberFile::open(path) {
            Err(ShuffleError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(checksums) => match &found {
                None => found = Some((algorithm, checksums)),
                Some((other, _)) => {
                    let what = format!("there are checksums of {other} too, of another output");
                    return Err(ShuffleError::damaged(&checksums.path, what));
                }
            },
        }
    }
    Ok(found)
}
