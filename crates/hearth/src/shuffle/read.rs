//! Reading one partition back.

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::sync::Arc;

use mem_policy::MemoryManager;
use mem_sort::ShuffleReader;
use task_mem::{ConsumerOptions, TaskId, TaskMemoryManager, Wait};

use super::error::ShuffleFailure;

/// Writes the lines of a partition of the shuffle in `directory` to `output`.
///
/// The partition's checksum is checked before the first is written, and each block's before its
/// lines are.
pub(super) fn read_partition(
    directory: &Path,
    partition: u32,
    manager: Arc<dyn MemoryManager>,
    mut output: impl Write,
) -> Result<(), ShuffleFailure> {
    let task = TaskMemoryManager::new(manager, TaskId::new(1));
    let consumer = task.register(ConsumerOptions::named("shuffle reader"));
    let reader = ShuffleReader::open(directory)?;
    let mut partition = reader.partition(partition, &consumer, &Wait::default())?;
    loop {
        let block = partition.fill_buf().map_err(of_reader)?;
        if block.is_empty() {
            return output.flush().map_err(ShuffleFailure::Output);
        }
        output.write_all(block).map_err(ShuffleFailure::Output)?;
        let length = block.len();
        partition.consume(length);
    }
}

/// What the reader packed into an error of the standard library.
fn of_reader(error: io::Error) -> ShuffleFailure {
    let error = error.downcast::<mem_spill::SpillError>();
    let error = error.expect("a reader of spill files has no other errors");
    ShuffleFailure::Shuffle(error.into())
}
