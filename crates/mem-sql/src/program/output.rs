//! Showing rows.

use std::io::{self, BufWriter, Stdout, Write};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::csv::WriterBuilder;
use datafusion::arrow::json::LineDelimitedWriter;
use datafusion::arrow::util::pretty::pretty_format_batches_with_schema;
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;

use super::args::Format;

/// Writes rows to standard output.
pub(super) struct Output {
    format: Format,
    out: BufWriter<Stdout>,
}

impl Output {
    pub(super) fn new(format: Format) -> Self {
        let out = BufWriter::new(io::stdout());
        Self { format, out }
    }

    /// Writes the rows of one query. A table is drawn when all its rows are known, and so are held until
    /// then; the other forms are written as the rows come.
    pub(super) async fn write(&mut self, mut rows: SendableRecordBatchStream) -> Result<()> {
        let schema = rows.schema();
        let mut held: Vec<RecordBatch> = Vec::new();
        let mut header = true;
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            match self.format {
                Format::Table => held.push(batch),
                Format::Csv => {
                    let builder = WriterBuilder::new().with_header(header);
                    builder.build(&mut self.out).write(&batch)?;
                    header = false;
                }
                Format::Json => {
                    let mut writer = LineDelimitedWriter::new(&mut self.out);
                    writer.write(&batch)?;
                    writer.finish()?;
                }
            }
        }
        if self.format == Format::Table {
            let table = pretty_format_batches_with_schema(schema, &held)?;
            writeln!(self.out, "{table}")?;
        }
        Ok(self.out.flush()?)
    }
}
