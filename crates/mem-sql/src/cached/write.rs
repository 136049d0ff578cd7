//! Writing the rows of one partition as blocks.

use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::common::{Result, resources_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use futures::StreamExt;
use mem_pool::Dataset;
use mem_store::{BlockId, BytesPut, TaskContext};

use super::TableCache;
use super::read::external;

/// Partitions of one table number their blocks from different beginnings.
const BLOCKS_OF_A_PARTITION: u64 = 1 << 32;

/// Writes all rows of `stream`; returns the blocks, in order.
pub(super) async fn write_partition(
    cache: Arc<TableCache>,
    dataset: Dataset,
    partition: usize,
    schema: SchemaRef,
    mut stream: SendableRecordBatchStream,
    pool: Arc<dyn MemoryPool>,
) -> Result<Vec<BlockId>> {
    let first = u64::try_from(partition).unwrap_or(u64::MAX);
    let consumer = MemoryConsumer::new(format!("CachedTableWriter[{partition}]"));
    let mut writer = PartitionWriter {
        cache,
        dataset,
        next: first.saturating_mul(BLOCKS_OF_A_PARTITION),
        schema,
        block: None,
        buffer: consumer.register(&pool),
        blocks: Vec::new(),
    };
    while let Some(batch) = stream.next().await {
        writer.write(&batch?).await?;
    }
    writer.end_block().await?;
    Ok(writer.blocks)
}

struct PartitionWriter {
    cache: Arc<TableCache>,
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
    /// Adds rows, in pieces that are not much larger than a block.
    async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let rows = batch.num_rows();
        let pieces = (batch.get_array_memory_size() / self.cache.block_bytes).clamp(1, rows.max(1));
        let piece = rows.div_ceil(pieces).max(1);
        let mut from = 0;
        while from < rows {
            let length = piece.min(rows - from);
            self.write_piece(&batch.slice(from, length))?;
            from += length;
            if self.written() >= self.cache.block_bytes {
                self.end_block().await?;
            }
        }
        Ok(())
    }

    fn write_piece(&mut self, batch: &RecordBatch) -> Result<()> {
        // The table's schema, not the plan's: they can differ in what may be null.
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = batch.columns().to_vec();
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        let mut block = match self.block.take() {
            Some(block) => block,
            None => StreamWriter::try_new(Vec::new(), &self.schema)?,
        };
        block.write(&batch)?;
        let capacity = block.get_ref().capacity();
        self.block = Some(block);
        self.buffer.resize(capacity);
        Ok(())
    }

    fn written(&self) -> usize {
        let block = self.block.as_ref();
        block.map_or(0, |block| block.get_ref().len())
    }

    /// Stores the block that is being written, if there is one: in memory, at the cost of blocks used
    /// less recently, or on disk.
    async fn end_block(&mut self) -> Result<()> {
        let Some(block) = self.block.take() else {
            return Ok(());
        };
        let bytes = block.into_inner()?;
        let id = BlockId::rdd(self.dataset, self.next);
        self.next = self.next.saturating_add(1);
        let (cache, name) = (Arc::clone(&self.cache), id.clone());
        // It may write to disk, this block or others.
        let put = tokio::task::spawn_blocking(move || {
            let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let fill = |out: &mut dyn std::io::Write| out.write_all(&bytes);
            cache
                .blocks
                .put_bytes(&name, cache.level, TaskContext::default(), size, fill)
        });
        match put.await.map_err(external)?.map_err(external)? {
            BytesPut::Stored(_) => {}
            BytesPut::Exists | BytesPut::NotStored => {
                return resources_err!("block {id} of a cached table could not be stored");
            }
        }
        self.buffer.free();
        self.blocks.push(id);
        Ok(())
    }
}
