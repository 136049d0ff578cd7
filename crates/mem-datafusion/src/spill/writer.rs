//! Writing one spill file of a query.

use std::io::{self, Write};
use std::sync::Arc;

use datafusion_common::Result;
use datafusion_execution::SpillWriter as DataFusionWriter;
use datafusion_execution::memory_pool::MemoryReservation;
use mem_spill::{Encoder, PausedWriter, SpillFile, SpillWriter};

use super::file::Written;
use super::{QuerySpills, spill_error};

/// Appends to a file. What was written can be read once it is flushed, or finished.
#[derive(Debug)]
pub(super) struct SegmentWriter {
    written: Arc<Written>,
    /// Goes back on drop.
    file: Option<SpillFile>,
    encoder: Encoder<Vec<u8>>,
    /// The segment that is being written.
    segment: Option<PausedWriter>,
    /// Bytes of it on disk that are counted so far.
    counted: u64,
    failed: bool,
    /// Pays for the encoder.
    _workspace: MemoryReservation,
}

impl SegmentWriter {
    pub(super) fn new(query: &QuerySpills, written: Arc<Written>, file: SpillFile) -> Result<Self> {
        let options = query.options();
        let (buffer, context) = (options.write_buffer_bytes(), options.write_context_bytes());
        let workspace = query.workspace("SpillWriter", buffer + context);
        Ok(Self {
            written,
            file: Some(file),
            encoder: Encoder::new(options, vec![0; buffer]).map_err(spill_error)?,
            segment: None,
            counted: 0,
            failed: false,
            _workspace: workspace,
        })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut writer = self.take_up()?;
        writer.append(bytes)?;
        let stored = writer.stored_bytes();
        let paused = writer.pause();
        self.segment = Some(paused);
        self.count(stored)
    }

    /// Makes the segment, if one is begun, readable.
    fn end_segment(&mut self) -> io::Result<()> {
        if self.segment.is_none() && !self.failed {
            return Ok(());
        }
        let segment = self.take_up()?.finish()?;
        self.count(segment.stored_bytes())?;
        self.counted = 0;
        self.written.push(segment);
        Ok(())
    }

    /// The segment's writer, or a new one's. Until it is [counted](Self::count), it has failed.
    fn take_up(&mut self) -> io::Result<SpillWriter<'_, Vec<u8>>> {
        if std::mem::replace(&mut self.failed, true) {
            return Err(io::Error::other(
                "the spill file could not be written before",
            ));
        }
        let file = self.file.as_mut().expect("it is given back on drop only");
        Ok(match self.segment.take() {
            Some(paused) => SpillWriter::resume(file, &mut self.encoder, paused),
            None => SpillWriter::new(file, &mut self.encoder),
        })
    }

    /// The segment has that many bytes on disk by now.
    fn count(&mut self, stored: u64) -> io::Result<()> {
        let more = stored.saturating_sub(self.counted);
        if self.written.add_stored(more) {
            self.counted = stored;
            self.failed = false;
            return Ok(());
        }
        let message = format!(
            "spill files may take up {} bytes together (RuntimeOptions::max_spill_bytes), and would \
             take up more",
            self.written.quota()
        );
        Err(io::Error::new(io::ErrorKind::QuotaExceeded, message))
    }
}

impl Write for SegmentWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes)?;
        Ok(bytes.len())
    }

    /// What was written so far can be read from now on. A block that is not full is written as it is,
    /// so this is not for free.
    fn flush(&mut self) -> io::Result<()> {
        self.end_segment()
    }
}

impl DataFusionWriter for SegmentWriter {
    fn finish(&mut self) -> Result<()> {
        Ok(self.end_segment()?)
    }
}

impl Drop for SegmentWriter {
    /// What is not flushed is lost, as the caller was told no end of it.
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            self.written.put_back(file);
        }
    }
}
