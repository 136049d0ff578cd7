//! Showing rows.

use std::io::{self, BufWriter, Stdout, Write};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::csv::{Writer, WriterBuilder};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::json::LineDelimitedWriter;
use datafusion::arrow::util::pretty::pretty_format_batches_with_schema;
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool};
use futures::StreamExt;

use super::args::Format;

/// Writes rows to standard output.
pub(super) struct Output {
    format: Format,
    out: BufWriter<Watched>,
}

/// Standard output. Arrow's writers make texts of errors, so it is noticed here if nobody reads any more.
struct Watched {
    out: Stdout,
    is_closed: bool,
}

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes);
        self.note(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.out.flush();
        self.note(flushed)
    }
}

impl Watched {
    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            self.is_closed |= error.kind() == io::ErrorKind::BrokenPipe;
        }
        result
    }
}

impl Output {
    pub(super) fn new(format: Format) -> Self {
        let out = Watched {
            out: io::stdout(),
            is_closed: false,
        };
        let out = BufWriter::new(out);
        Self { format, out }
    }

    /// Whether whoever read the output has seen enough.
    pub(super) fn is_closed(&self) -> bool {
        self.out.get_ref().is_closed
    }

    /// Writes the rows of one query. A table is drawn when all its rows are known, and so they are held
    /// until then, in the query's memory; the other forms are written as the rows come.
    pub(super) async fn write(
        &mut self,
        rows: SendableRecordBatchStream,
        pool: &Arc<dyn MemoryPool>,
    ) -> Result<()> {
        match self.format {
            Format::Table => self.write_table(rows, pool).await?,
            Format::Csv => self.write_csv(rows).await?,
            Format::Json => self.write_json(rows).await?,
        }
        Ok(self.out.flush()?)
    }

    async fn write_table(
        &mut self,
        mut rows: SendableRecordBatchStream,
        pool: &Arc<dyn MemoryPool>,
    ) -> Result<()> {
        let held = MemoryConsumer::new("RowsOfTable").register(pool);
        let schema = rows.schema();
        let mut batches: Vec<RecordBatch> = Vec::new();
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let more = held.try_grow(batch.get_array_memory_size());
            more.map_err(|error| error.context("--format csv or json need not hold all rows"))?;
            batches.push(batch);
        }
        let table = pretty_format_batches_with_schema(schema, &batches)?;
        Ok(writeln!(self.out, "{table}")?)
    }

    async fn write_csv(&mut self, mut rows: SendableRecordBatchStream) -> Result<()> {
        let none = RecordBatch::new_empty(SchemaRef::clone(&rows.schema()));
        let mut writer: Writer<_> = WriterBuilder::new().with_header(true).build(&mut self.out);
        // The header is there where there are no rows, too.
        writer.write(&none)?;
        while let Some(batch) = rows.next().await {
            writer.write(&batch?)?;
        }
        Ok(())
    }

    async fn write_json(&mut self, mut rows: SendableRecordBatchStream) -> Result<()> {
        let mut writer = LineDelimitedWriter::new(&mut self.out);
        while let Some(batch) = rows.next().await {
            writer.write(&batch?)?;
        }
        Ok(writer.finish()?)
    }
}
