//! Writing a shuffle: sorting by partition, merging, the files.

use std::path::Path;
use std::sync::Arc;

use mem_spill::SpillDirs;
use task_mem::{TaskMemoryManager, Wait};

use super::error::ShuffleError;
use super::external_sorter::ShuffleExternalSorter;
use super::long_record::LongShuffleRecord;
use super::options::ShuffleOptions;
use super::output::ShuffleOutput;
use super::stats::ShuffleStats;

/// Writes records to the files of a shuffle, partition by partition
/// (Spark: `UnsafeShuffleWriter`).
///
/// An earlier output in the same directory is replaced when the new one is whole, by
/// [`finish`](Self::finish). A writer that is dropped before leaves no file, and gives its memory
/// back (Spark: `stop(false)`).
///
/// ```
/// use mem_policy::{ManagerOptions, MemoryConfig, memory_manager};
/// use mem_sort::{ShuffleOptions, ShuffleReader, ShuffleWriter, partition_of};
/// use mem_spill::SpillDirs;
/// use std::io::Read;
/// use task_mem::{ConsumerOptions, TaskId, TaskMemoryManager, Wait};
///
/// let config = MemoryConfig::new();
/// let resolved = config.resolve(1)?;
/// let manager = memory_manager(resolved, &ManagerOptions::of(&config));
/// let task = TaskMemoryManager::new(manager, TaskId::new(1));
/// let (directory, wait) = (tempfile::tempdir()?, Wait::default());
///
/// let (dirs, options) = (SpillDirs::default(), ShuffleOptions::new(4));
/// let mut writer = ShuffleWriter::create(directory.path(), &task, dirs, options, &wait)?;
/// for word in ["pear ", "plum ", "apple "] {
///     writer.write(word.as_bytes(), partition_of(word.as_bytes(), 4), &wait)?;
/// }
/// assert_eq!(writer.finish(&wait)?.records, 3);
///
/// let reader = ShuffleReader::open(directory.path())?;
/// let consumer = task.register(ConsumerOptions::named("reader"));
/// let mut words = String::new();
/// for partition in 0..reader.partitions() {
///     reader.partition(partition, &consumer, &wait)?.read_to_string(&mut words)?;
/// }
/// assert_eq!(words.len(), 16);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ShuffleWriter {
    sorter: ShuffleExternalSorter,
    output: ShuffleOutput,
}

impl ShuffleWriter {
    /// A writer to `directory`, which is made if there is none. It spills to `dirs` in `task`'s memory.
    ///
    /// # Errors
    ///
    /// As [`ShuffleExternalSorter::new`], and [`ShuffleError::Output`] and [`ShuffleError::Io`] if the
    /// files can't be made.
    pub fn create(
        directory: &Path,
        task: &Arc<TaskMemoryManager>,
        dirs: SpillDirs,
        options: ShuffleOptions,
        wait: &Wait<'_>,
    ) -> Result<Self, ShuffleError> {
        options.check()?;
        let output = ShuffleOutput::create(directory, options.checksum)?;
        let sorter = ShuffleExternalSorter::new(task, dirs, options, wait)?;
        Ok(Self { sorter, output })
    }

    /// Writes a record.
    ///
    /// # Errors
    ///
    /// As [`ShuffleExternalSorter::insert`].
    pub fn write(
        &mut self,
        record: &[u8],
        partition: u32,
        wait: &Wait<'_>,
    ) -> Result<(), ShuffleError> {
        self.sorter.insert(record, partition, wait)
    }

    /// Begins a record that comes in pieces.
    ///
    /// # Errors
    ///
    /// As [`ShuffleExternalSorter::insert_long`].
    pub fn write_long(&mut self) -> Result<LongShuffleRecord<'_>, ShuffleError> {
        self.sorter.insert_long()
    }

    /// Writes what is in memory to a run and frees the pages. Returns their bytes.
    ///
    /// # Errors
    ///
    /// As [`ShuffleExternalSorter::spill`].
    pub fn spill(&mut self) -> Result<u64, ShuffleError> {
        self.sorter.spill()
    }

    /// What it did so far.
    #[must_use]
    pub fn stats(&self) -> ShuffleStats {
        self.sorter.stats()
    }

    /// The end of input: merges everything, and puts the files in their places.
    ///
    /// # Errors
    ///
    /// [`ShuffleError`]; an earlier output is as it was, unless a file could be made but not be put
    /// in its place.
    pub fn finish(self, wait: &Wait<'_>) -> Result<ShuffleStats, ShuffleError> {
        let mut output = self.output;
        let stats = self
            .sorter
            .close_and_get_spills()?
            .merge_into(&mut output, wait)?;
        output.commit()?;
        Ok(stats)
    }
}
