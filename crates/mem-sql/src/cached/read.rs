//! Reading the blocks of one partition.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::reader::StreamDecoder;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::{StreamExt, TryStreamExt, stream};
use mem_store::{BlockBytes, BlockId, BytesGuard};

use super::compact::compact;
use super::rows::{CachedRows, Pins, external};

/// One partition of a cached table, as far as a query wants it.
#[derive(Debug)]
pub(super) struct BlockStream {
    pub(super) rows: Arc<CachedRows>,
    pub(super) blocks: Vec<BlockId>,
    /// The columns that are wanted; without it, all.
    pub(super) columns: Option<Vec<usize>>,
    /// Of these columns.
    pub(super) schema: SchemaRef,
    /// Held as long as the plan is there, so that it can be run again.
    pub(super) pins: Option<Arc<Pins>>,
}

impl PartitionStream for BlockStream {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = Arc::clone(&self.rows);
        // Pays for the block that is looked at: a copy of what is in storage memory, or on disk.
        let room = MemoryConsumer::new("CachedTableScan").register(context.memory_pool());
        let (room, columns) = (Arc::new(room), self.columns.clone().map(Arc::from));
        // Read as the query asks for it, one block after the other.
        let pins = self.pins.clone();
        let batches = stream::iter(self.blocks.clone())
            .then(move |block| {
                let _pins = &pins;
                read_block(Arc::clone(&rows), block, columns.clone(), Arc::clone(&room))
            })
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
    columns: Option<Arc<[usize]>>,
    room: Arc<MemoryReservation>,
) -> Result<Vec<RecordBatch>> {
    // It may read from disk, and write others there.
    let read = tokio::task::spawn_blocking(move || {
        let nobody = mem_store::TaskContext::default();
        let bytes = rows.cache.blocks.get_bytes(&block, nobody);
        bytes.map_err(external)?.ok_or_else(|| {
            exec_datafusion_err!("block {block} of a cached table was removed while it was read")
        })
    });
    let block = read.await.map_err(external)??;
    let size = usize::try_from(block.len()).unwrap_or(usize::MAX);
    room.try_grow(size.saturating_sub(room.size()))?;
    tokio::task::spawn_blocking(move || decode(block, columns.as_deref()))
        .await
        .map_err(external)?
}

/// The batches of a block, each in memory of its own.
fn decode(block: BlockBytes, columns: Option<&[usize]>) -> Result<Vec<RecordBatch>> {
    let mut bytes = match block {
        BlockBytes::Memory(guard) if guard.chunks().count() == 1 => {
            Buffer::from(Bytes::from_owner(OneChunk(guard)))
        }
        block => Buffer::from(block.to_vec().map_err(external)?),
    };
    let mut decoder = StreamDecoder::new();
    let mut batches = Vec::new();
    while !bytes.is_empty() {
        let Some(batch) = decoder.decode(&mut bytes)? else {
            continue;
        };
        batches.push(match columns {
            Some(columns) => compact(&batch.project(columns)?)?,
            None => compact(&batch)?,
        });
    }
    decoder.finish()?;
    Ok(batches)
}

/// The bytes of a block where it lies.
struct OneChunk(BytesGuard);

impl AsRef<[u8]> for OneChunk {
    fn as_ref(&self) -> &[u8] {
        self.0.chunks().next().unwrap_or_default()
    }
}
