//! One spill file of a query.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use datafusion_common::{Result, internal_datafusion_err};
use datafusion_execution::{SpillFile, SpillWriter};
use futures::Stream;
use mem_spill::Segment;
use mem_sync::Mutex;

use super::reader::SpillStream;
use super::writer::SegmentWriter;
use super::{QuerySpills, Spills, spill_error};

/// A file as DataFusion sees it. Its disk space is given back when it, its writer and its readers are
/// gone; it has no name, so the kernel gives it back at the latest when the process is.
#[derive(Debug)]
pub(super) struct QueryFile {
    query: Arc<QuerySpills>,
    written: Arc<Written>,
}

/// What has been written so far: segments, each of which can be read from now on.
#[derive(Debug)]
pub(super) struct Written {
    state: Mutex<State>,
    spills: Arc<Spills>,
}

#[derive(Debug)]
struct State {
    /// The file, while nobody writes.
    file: Option<mem_spill::SpillFile>,
    segments: Vec<Segment>,
    /// Bytes that it takes up on disk.
    stored: u64,
}

impl Written {
    /// The segment with that number, counted from 0; `None` where it is not written yet.
    pub(super) fn segment(&self, number: usize) -> Option<Segment> {
        self.state.lock().segments.get(number).cloned()
    }

    /// A segment is whole.
    pub(super) fn push(&self, segment: Segment) {
        self.state.lock().segments.push(segment);
    }

    /// That many more bytes are on disk; false where the quota is used up.
    pub(super) fn add_stored(&self, bytes: u64) -> bool {
        let fits = self.spills.add(bytes);
        if fits {
            let mut state = self.state.lock();
            state.stored = state.stored.saturating_add(bytes);
        }
        fits
    }

    /// The writer is done.
    pub(super) fn put_back(&self, file: mem_spill::SpillFile) {
        self.state.lock().file = Some(file);
    }

    pub(super) fn quota(&self) -> u64 {
        self.spills.quota
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        self.spills.remove(self.state.lock().stored);
    }
}

impl QueryFile {
    pub(super) fn create(query: &Arc<QuerySpills>) -> Result<Self> {
        let file = query.spills.dirs.create().map_err(spill_error)?;
        let state = State {
            file: Some(file),
            segments: Vec::new(),
            stored: 0,
        };
        Ok(Self {
            query: Arc::clone(query),
            written: Arc::new(Written {
                state: Mutex::new(state),
                spills: Arc::clone(&query.spills),
            }),
        })
    }
}

impl SpillFile for QueryFile {
    /// Bytes on disk: after compression, with headers.
    fn size(&self) -> Option<u64> {
        Some(self.written.state.lock().stored)
    }

    /// What is written and flushed, from the beginning. Where a writer is at work still, it can be
    /// asked again after its end.
    fn read_stream(&self) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>> {
        let stream = SpillStream::new(&self.query, Arc::clone(&self.written))?;
        Ok(Box::pin(stream))
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>> {
        let file = self.written.state.lock().file.take();
        let file =
            file.ok_or_else(|| internal_datafusion_err!("the spill file has a writer already"))?;
        let written = Arc::clone(&self.written);
        Ok(Box::new(SegmentWriter::new(&self.query, written, file)?))
    }
}
