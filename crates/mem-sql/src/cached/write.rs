//! Writing the rows of one partition as blocks.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::common::{Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use futures::StreamExt;
use mem_pool::Dataset;
use mem_store::{BlockId, BytesPut, StorageLevel, TaskContext};

use super::TableCache;
use super::compact::{row_bytes, writable};
use super::rows::{CachedRows, external};

/// Partitions of one table number their blocks from different beginnings.
const BLOCKS_OF_A_PARTITION: u64 = 1 << 32;

/// Writes all rows of `stream`; gives the blocks, in order, or nothing where one does not fit.
pub(super) fn write_partition(
    rows: &CachedRows,
    partition: usize,
    schema: SchemaRef,
    mut stream: SendableRecordBatchStream,
    pool: &Arc<dyn MemoryPool>,
) -> impl Future<Output = Result<Option<Vec<BlockId>>>> + Send + use<> {
    let first = u64::try_from(partition).unwrap_or(u64::MAX);
    // It can always write out what it has. So it is one that spills, as far as memory is concerned.
    let consumer = MemoryConsumer::new(format!("CachedTableWriter[{partition}]"));
    let mut writer = PartitionWriter {
        cache: Arc::clone(&rows.cache),
        level: rows.level,
        dataset: rows.dataset,
        next: first.saturating_mul(BLOCKS_OF_A_PARTITION),
        schema,
        block: None,
        buffer: consumer.with_can_spill(true).register(pool),
        blocks: Vec::new(),
    };
    async move {
        while let Some(batch) = stream.next().await {
            if !writer.write(&batch?).await? {
                return Ok(None);
            }
        }
        let is_stored = writer.end_block().await?;
        Ok(is_stored.then_some(writer.blocks))
    }
}

struct PartitionWriter {
    cache: Arc<TableCache>,
    level: StorageLevel,
    dataset: Dataset,
    /// The number of the next block.
    next: u64,
    schema: SchemaRef,
    /// The block that is being written.
    block: Option<StreamWriter<Vec<u8>>>,
    /// Pays for it.
    buffer: MemoryReservation,
    blocks: Vec<BlockId>,
}

impl PartitionWriter {
    /// Adds rows, in pieces that are not much larger than a block. False where a block did not fit.
    async fn write(&mut self, batch: &RecordBatch) -> Result<bool> {
        let rows = batch.num_rows();
        let pieces = (row_bytes(batch) / self.cache.block_bytes).clamp(1, rows.max(1));
        let piece = rows.div_ceil(pieces).max(1);
        let mut from = 0;
        while from < rows {
            let length = piece.min(rows - from);
            let is_paid = self.write_piece(&batch.slice(from, length))?;
            from += length;
            let is_full = self.written() >= self.cache.block_bytes || !is_paid;
            if is_full && !self.end_block().await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Adds rows to the block. False where it has become larger than what could be had: then it has to
    /// be stored now.
    fn write_piece(&mut self, batch: &RecordBatch) -> Result<bool> {
        // The table's schema, not the plan's: they can differ in what may be null.
        let batch = writable(batch, &self.schema)?;
        let mut block = match self.block.take() {
            Some(block) => block,
            None => {
                self.buffer.try_grow(self.cache.block_bytes)?;
                let room = Vec::with_capacity(self.cache.block_bytes);
                StreamWriter::try_new(room, &self.schema)?
            }
        };
        block.write(&batch)?;
        let capacity = block.get_ref().capacity();
        self.block = Some(block);
        let missing = capacity.saturating_sub(self.buffer.size());
        Ok(self.buffer.try_grow(missing).is_ok())
    }

    fn written(&self) -> usize {
        let block = self.block.as_ref();
        block.map_or(0, |block| block.get_ref().len())
    }

    /// Stores the block that is being written, if there is one: in memory, at the cost of blocks used
    /// less recently, or on disk. False where its level has no disk and it does not fit.
    async fn end_block(&mut self) -> Result<bool> {
        let Some(block) = self.block.take() else {
            return Ok(true);
        };
        let bytes = block.into_inner()?;
        let id = BlockId::rdd(self.dataset, self.next);
        self.next = self.next.saturating_add(1);
        let (cache, name, level) = (Arc::clone(&self.cache), id.clone(), self.level);
        // It may write to disk, this block or others.
        let put = tokio::task::spawn_blocking(move || {
            let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let fill = |out: &mut dyn std::io::Write| out.write_all(&bytes);
            let nobody = TaskContext::default();
            cache.blocks.put_bytes(&name, level, nobody, size, fill)
        });
        let put = put.await.map_err(external)?.map_err(external)?;
        self.buffer.free();
        match put {
            BytesPut::Stored(_) => {
                self.blocks.push(id);
                Ok(true)
            }
            BytesPut::NotStored => Ok(false),
            BytesPut::Exists => exec_err!("there is a block {id} of another cached table"),
        }
    }
}
