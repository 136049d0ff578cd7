//! Reading the blocks of one partition.

use std::error::Error;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::reader::StreamDecoder;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::{StreamExt, TryStreamExt, stream};
use mem_store::BlockId;

use super::table::CachedRows;

/// One partition of a cached table.
#[derive(Debug)]
pub(super) struct BlockStream {
    rows: Arc<CachedRows>,
    schema: SchemaRef,
    blocks: Vec<BlockId>,
}

impl BlockStream {
    pub(super) fn new(rows: Arc<CachedRows>, schema: SchemaRef, blocks: Vec<BlockId>) -> Self {
        Self {
            rows,
            schema,
            blocks,
        }
    }
}

impl PartitionStream for BlockStream {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = Arc::clone(&self.rows);
        // Pays for the block that is looked at: a copy of what is in storage memory, or on disk.
        let room = MemoryConsumer::new("CachedTableScan").register(context.memory_pool());
        let room = Arc::new(room);
        let batches = stream::iter(self.blocks.clone())
            .then(move |block| read_block(Arc::clone(&rows), block, Arc::clone(&room)))
            .map_ok(|batches| stream::iter(batches.into_iter().map(Ok)))
            .try_flatten();
        let schema = Arc::clone(&self.schema);
        Box::pin(RecordBatchStreamAdapter::new(schema, batches))
    }
}

/// The rows of a block, from wherever it is; if there is room it is brought back to memory.
async fn read_block(
    rows: Arc<CachedRows>,
    block: BlockId,
    room: Arc<MemoryReservation>,
) -> Result<Vec<RecordBatch>> {
    let read = tokio::task::spawn_blocking(move || -> Result<Vec<u8>> {
        let nobody = mem_store::TaskContext::default();
        let bytes = rows.cache.blocks.get_bytes(&block, nobody);
        let bytes = bytes.map_err(external)?;
        let bytes = bytes.ok_or_else(|| {
            exec_datafusion_err!("block {block} of a cached table was removed while it was read")
        })?;
        bytes.to_vec().map_err(external)
    });
    let bytes = read.await.map_err(external)??;
    room.resize(bytes.len());
    let mut bytes = Buffer::from(bytes);
    let mut decoder = StreamDecoder::new();
    let mut batches = Vec::new();
    while !bytes.is_empty() {
        batches.extend(decoder.decode(&mut bytes)?);
    }
    decoder.finish()?;
    Ok(batches)
}

pub(super) fn external(error: impl Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
