//! Reading one spill file of a query back.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use datafusion_common::{DataFusionError, Result};
use datafusion_execution::memory_pool::MemoryReservation;
use futures::Stream;
use mem_spill::{Codec, Decoders, SpillError, SpillReader};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::file::Written;
use super::{QuerySpills, spill_error};

/// The blocks of a file, one after the other.
///
/// What is in the system's memory still, as most of what was spilled a moment ago, and is not compressed,
/// is read where it is asked for: waking another thread for it takes longer than reading it. Everything
/// else is read and decoded on a thread for blocking work; without a runtime, where it is asked for.
pub(super) struct SpillStream {
    state: State,
}

enum State {
    Idle(Box<Blocks>),
    Reading(JoinHandle<(Box<Blocks>, Result<Option<Bytes>>)>),
    Failed,
}

/// Where reading stands.
struct Blocks {
    written: Arc<Written>,
    decoders: Decoders<Vec<u8>>,
    /// The segment that is read, counted from 0.
    segment: usize,
    reader: Option<SpillReader<Vec<u8>>>,
    /// Blocks of the segment that are still to be read.
    left: u64,
    /// The reader's block, while there is no reader.
    block: Option<Vec<u8>>,
    block_bytes: usize,
    /// Whether there is nothing to decode.
    is_plain: bool,
    /// Pays for the block, and for the copy of it that is handed on.
    _workspace: MemoryReservation,
}

impl Blocks {
    /// The next block; `None` where no more is written yet.
    fn next(&mut self) -> Result<Option<Bytes>> {
        match self.next_by(|reader| Ok(Poll::Ready(reader.next_block()?)))? {
            Poll::Ready(next) => Ok(next),
            Poll::Pending => unreachable!("it has waited"),
        }
    }

    /// The same where that takes neither a disk nor a decoder.
    fn poll_here(&mut self) -> Result<Poll<Option<Bytes>>> {
        match self.is_plain {
            true => self.next_by(SpillReader::poll_cached),
            false => Ok(Poll::Pending),
        }
    }

    fn next_by(
        &mut self,
        read: impl Fn(&mut SpillReader<Vec<u8>>) -> Result<Poll<Option<&[u8]>>, SpillError>,
    ) -> Result<Poll<Option<Bytes>>> {
        loop {
            if self.reader.is_none() {
                let Some(segment) = self.written.segment(self.segment) else {
                    return Ok(Poll::Ready(None));
                };
                self.left = segment.blocks();
                let block = self.block.take();
                let block = block.unwrap_or_else(|| vec![0; self.block_bytes]);
                let reader = SpillReader::new(&segment, &self.decoders, block);
                self.reader = Some(reader.map_err(spill_error)?);
            }
            if let Some(mut reader) = self.reader.take() {
                let next = read(&mut reader).map_err(spill_error)?;
                if let Poll::Ready(Some(bytes)) = next {
                    let bytes = Bytes::copy_from_slice(bytes);
                    self.reader = Some(reader);
                    self.left = self.left.saturating_sub(1);
                    return Ok(Poll::Ready(Some(bytes)));
                }
                if next.is_pending() {
                    self.reader = Some(reader);
                    return Ok(Poll::Pending);
                }
                self.block = reader.into_buffers().pop();
                self.segment = self.segment.saturating_add(1);
            }
        }
    }

    /// Whether reading on makes sense before somebody asks. At what is now the end it does not: the
    /// answer could be another by then.
    fn has_more(&self) -> bool {
        let next = self
            .segment
            .saturating_add(usize::from(self.reader.is_some()));
        self.left > 0 || self.written.segment(next).is_some()
    }
}

impl SpillStream {
    pub(super) fn new(query: &Arc<QuerySpills>, written: Arc<Written>) -> Result<Self> {
        let block_bytes = query.options().block_bytes();
        let blocks = Blocks {
            written,
            decoders: query.decoders()?,
            segment: 0,
            reader: None,
            left: 0,
            block: None,
            block_bytes,
            is_plain: query.options().codec() == Codec::None,
            _workspace: query.workspace("SpillReader", 2 * block_bytes),
        };
        let state = State::Idle(Box::new(blocks));
        Ok(Self { state })
    }
}

/// Has the next block read elsewhere; without a runtime, gives the blocks back.
fn read_elsewhere(mut blocks: Box<Blocks>) -> Result<State, Box<Blocks>> {
    let Ok(handle) = Handle::try_current() else {
        return Err(blocks);
    };
    Ok(State::Reading(handle.spawn_blocking(move || {
        let next = blocks.next();
        (blocks, next)
    })))
}

impl Stream for SpillStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let (blocks, next) = match std::mem::replace(&mut self.state, State::Failed) {
                State::Failed => return Poll::Ready(None),
                State::Idle(mut blocks) => match blocks.poll_here() {
                    Ok(Poll::Ready(next)) => (blocks, Ok(next)),
                    Err(error) => return Poll::Ready(Some(Err(error))),
                    Ok(Poll::Pending) => match read_elsewhere(blocks) {
                        Ok(reading) => {
                            self.state = reading;
                            continue;
                        }
                        Err(mut blocks) => {
                            let next = blocks.next();
                            (blocks, next)
                        }
                    },
                },
                State::Reading(mut reading) => match Pin::new(&mut reading).poll(cx) {
                    Poll::Pending => {
                        self.state = State::Reading(reading);
                        return Poll::Pending;
                    }
                    Poll::Ready(Err(error)) => {
                        return Poll::Ready(Some(Err(DataFusionError::External(Box::new(error)))));
                    }
                    Poll::Ready(Ok(read)) => read,
                },
            };
            return Poll::Ready(match next {
                Ok(Some(bytes)) => {
                    self.state = read_ahead(blocks);
                    Some(Ok(bytes))
                }
                Ok(None) => {
                    self.state = State::Idle(blocks);
                    None
                }
                Err(error) => Some(Err(error)),
            });
        }
    }
}

/// The state after a block: the next one is on its way where there is one that has to be decoded. Of
/// others the system is told that they will be read.
fn read_ahead(blocks: Box<Blocks>) -> State {
    if blocks.is_plain || !blocks.has_more() {
        return State::Idle(blocks);
    }
    read_elsewhere(blocks).unwrap_or_else(State::Idle)
}
