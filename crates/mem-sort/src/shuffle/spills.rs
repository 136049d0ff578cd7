//! The runs of a shuffle, and merging them.

use mem_spill::Encoder;
use task_mem::{Held, MemoryConsumer, NoSpill, Unpaged, Wait, WorkspaceBuffer};

use super::checksum::Checksum;
use super::error::{ShuffleError, is_shortage};
use super::merge::Merge;
use super::options::ShuffleOptions;
use super::output::ShuffleOutput;
use super::run::{ShuffleRun, TABLE_BLOCK_BYTES};
use super::run_cursor::for_each_partition;
use super::run_space::RunSpace;
use super::stats::ShuffleStats;

/// All records of a closed [`ShuffleExternalSorter`](crate::ShuffleExternalSorter), in runs.
#[derive(Debug)]
pub struct ShuffleSpills {
    pub(crate) runs: Vec<ShuffleRun>,
    // Buffers go before the consumer that lent them.
    pub(crate) space: RunSpace,
    pub(crate) encoder: Encoder<WorkspaceBuffer>,
    /// The heap that the codec's context takes.
    pub(crate) _context: Held,
    pub(crate) consumer: MemoryConsumer,
    pub(crate) options: ShuffleOptions,
    pub(crate) stats: ShuffleStats,
}

impl ShuffleSpills {
    /// How many runs there are: those that were spilled, and the last.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// What the sorter did.
    #[must_use]
    pub fn stats(&self) -> ShuffleStats {
        self.stats
    }

    /// Merges them to the partitions of `output` (Spark: `UnsafeShuffleWriter.mergeSpills`). They are
    /// copied through the buffer that they were written through; besides it takes a block for the
    /// table of each run, or merges in several passes.
    pub(crate) fn merge_into(
        self,
        output: &mut ShuffleOutput,
        wait: &Wait<'_>,
    ) -> Result<ShuffleStats, ShuffleError> {
        let Self {
            mut runs,
            mut space,
            encoder,
            _context: _held,
            consumer,
            options,
            mut stats,
        } = self;
        let mut room = encoder.into_buffer();
        let (mut tables, fan_in) = table_memory(&consumer, runs.len(), wait)?;
        let tables = tables.as_mut_slice();
        while runs.len() > fan_in {
            let fewer = runs.chunks(fan_in).map(|group| {
                space.write(|run| {
                    for_each_partition(group, tables, options.partitions, |partition, parts| {
                        match parts {
                            [] => Ok(()),
                            _ => Ok(run.copy(partition, parts, room.as_mut())?),
                        }
                    })
                })
            });
            runs = fewer.collect::<Result<_, _>>()?;
            stats.count_remerged(&runs);
        }
        let mut merge = Merge::new(&options, room, &consumer, wait)?;
        for_each_partition(&runs, tables, options.partitions, |_, parts| {
            let mut sum = options.checksum.map(Checksum::new);
            merge.append(parts, output.data(), |bytes| {
                sum.iter_mut().for_each(|sum| sum.update(bytes));
            })?;
            output.end_partition(sum.map(Checksum::value))
        })?;
        stats.written_bytes = output.data().stored_bytes();
        Ok(stats)
    }
}

/// A block for the table of each run, or of as many runs as there is memory for.
fn table_memory(
    consumer: &MemoryConsumer,
    runs: usize,
    wait: &Wait<'_>,
) -> Result<(Unpaged, usize), ShuffleError> {
    let mut fan_in = runs.max(1);
    loop {
        // A small multiple of the length of a list in memory.
        let bytes = (fan_in * TABLE_BLOCK_BYTES) as u64;
        match consumer.allocate_unpaged(bytes, consumer.mode(), &mut NoSpill, wait) {
            Ok(tables) => return Ok((tables, fan_in)),
            Err(error) if fan_in > 2 && is_shortage(&error) => fan_in = fan_in.div_ceil(2),
            Err(error) => return Err(error.into()),
        }
    }
}
