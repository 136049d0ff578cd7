//! Laying what runs have of a partition end to end in the data file.

use mem_spill::{Decoders, Encoder, SpillFile, SpillReader, SpillWriter, Stretch};
use task_mem::{Held, MemoryConsumer, MemoryError, NoSpill, Unpaged, Wait, WorkspaceBuffer};

use super::error::{ShuffleError, is_shortage};
use super::options::ShuffleOptions;

/// How it is done.
pub(crate) enum Merge {
    /// Byte by byte, through this buffer: a partition becomes as many segments as runs have of it,
    /// which are read as one (Spark: `mergeSpillsWithFileStream` and `mergeSpillsWithTransferTo`).
    Copy(WorkspaceBuffer),
    /// By decoding and encoding again: a partition becomes one segment, of fewer and fuller blocks.
    Recode(Box<Recoder>),
}

impl Merge {
    /// The way that `options` want, in the buffer that runs were written through. Without the memory
    /// for decoding, bytes are copied all the same.
    pub(crate) fn new(
        options: &ShuffleOptions,
        room: WorkspaceBuffer,
        consumer: &MemoryConsumer,
        wait: &Wait<'_>,
    ) -> Result<Self, ShuffleError> {
        if options.fast_merge {
            return Ok(Self::Copy(room));
        }
        match DecodingMemory::take(options, consumer, wait) {
            Ok(memory) => {
                let recoder = Recoder::new(options, room, memory)?;
                Ok(Self::Recode(Box::new(recoder)))
            }
            Err(error) if is_shortage(&error) => Ok(Self::Copy(room)),
            Err(error) => Err(error.into()),
        }
    }

    /// Appends what runs have of a partition to `target`, and shows the bytes as they are on disk.
    pub(crate) fn append(
        &mut self,
        parts: &[Stretch],
        target: &mut SpillFile,
        mut look: impl FnMut(&[u8]),
    ) -> Result<(), ShuffleError> {
        match self {
            Self::Copy(room) => {
                for part in parts {
                    part.copy_to(target, room.as_mut(), &mut look)?;
                }
                Ok(())
            }
            Self::Recode(recoder) => recoder.recode(parts, target, look),
        }
    }
}

/// The memory that decoding takes.
struct DecodingMemory {
    block: Unpaged,
    scratch: Option<Unpaged>,
    /// The heap of the codec's context.
    context: Held,
}

impl DecodingMemory {
    fn take(
        options: &ShuffleOptions,
        consumer: &MemoryConsumer,
        wait: &Wait<'_>,
    ) -> Result<Self, MemoryError> {
        let spill = options.spill;
        let buffer = |bytes: usize| {
            consumer.allocate_unpaged(bytes as u64, consumer.mode(), &mut NoSpill, wait)
        };
        let scratch = Some(spill.scratch_bytes()).filter(|bytes| *bytes > 0);
        let context = spill.read_context_bytes() as u64;
        Ok(Self {
            block: buffer(spill.block_bytes())?,
            scratch: scratch.map(buffer).transpose()?,
            context: consumer.reserve(context, &mut NoSpill, wait)?,
        })
    }
}

/// Writes partitions anew.
pub(crate) struct Recoder {
    encoder: Encoder<WorkspaceBuffer>,
    decoders: Decoders<Unpaged>,
    /// The block that is read into, while no reader has it.
    block: Option<Unpaged>,
    _context: Held,
}

impl Recoder {
    fn new(
        options: &ShuffleOptions,
        room: WorkspaceBuffer,
        memory: DecodingMemory,
    ) -> Result<Self, ShuffleError> {
        let scratch = memory.scratch.into_iter().collect();
        Ok(Self {
            encoder: Encoder::new(options.spill, room)?,
            decoders: Decoders::new(options.spill, scratch)?,
            block: Some(memory.block),
            _context: memory.context,
        })
    }

    fn recode(
        &mut self,
        parts: &[Stretch],
        target: &mut SpillFile,
        mut look: impl FnMut(&[u8]),
    ) -> Result<(), ShuffleError> {
        let mut block = self.block.take().expect("it is put back below");
        let mut writer = SpillWriter::new(target, &mut self.encoder);
        for part in parts {
            let mut reader = SpillReader::new(&part.segment()?, &self.decoders, block)?;
            while let Some(data) = reader.next_block()? {
                writer.append(data)?;
            }
            let lent = reader.into_buffers().pop();
            block = lent.expect("a reader gives back what it was lent");
        }
        let recoded = writer.finish()?.stretch();
        recoded.read(block.as_mut_slice(), |bytes| {
            look(bytes);
            Ok::<_, ShuffleError>(())
        })?;
        self.block = Some(block);
        Ok(())
    }
}
