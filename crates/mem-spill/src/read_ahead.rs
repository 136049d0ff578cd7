//! Reading blocks before they are asked for, on a few threads that all readers share.
//!
//! A reader hands its next block over as a [`Load`] in its [`Slot`], and lists the slot in the
//! queue. What then happens is decided by who gets there first: a thread takes the load and runs
//! it, or the reader comes back, finds it still waiting, and runs it itself. So nobody ever waits
//! for work that has not begun, threads that are busy or gone cost speed only, and the one wait
//! there is ends with the one block that a thread is reading.
//!
//! | stage | meaning | left by |
//! | --- | --- | --- |
//! | `Idle` | the reader has the load | the reader, to `Waiting` |
//! | `Waiting` | listed, not begun | a thread, to `Running`; the reader, to `Idle` |
//! | `Running` | a thread has the load | that thread, to `Done`, also when it panics |
//! | `Done` | the block is there, or its error | the reader, to `Idle` |

use crate::buffer::Buffer;
use crate::cursor::Cursor;
use crate::decoders::Decoders;
use crate::error::SpillError;
use mem_sync::{Condvar, Mutex, thread};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

/// A few threads that read and decode blocks ahead of their readers. They have no memory of their
/// own: they work in the buffers and decoders of each reader.
///
/// Dropping it ends the threads, after the block each is at; readers then go on by themselves.
///
/// Spark's counterpart: `ReadAheadInputStream`, which has one thread for every reader.
pub struct ReadAhead {
    queue: Arc<Queue>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl ReadAhead {
    /// Starts `threads` threads; one or two keep a disk busy. With 0, readers do all by themselves.
    ///
    /// # Errors
    ///
    /// [`SpillError::Thread`] if the system starts no more.
    pub fn start(threads: usize) -> Result<Self, SpillError> {
        // Those already started end when this is dropped on the way out.
        let mut started = Self {
            queue: Arc::default(),
            threads: Vec::new(),
        };
        for _ in 0..threads {
            let queue = Arc::clone(&started.queue);
            let thread = thread::Builder::new()
                .name("spill-read-ahead".to_owned())
                .spawn(move || queue.work())
                .map_err(|source| SpillError::Thread { source })?;
            started.threads.push(thread);
        }
        Ok(started)
    }

    pub(crate) fn queue(&self) -> Arc<Queue> {
        Arc::clone(&self.queue)
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            // A panic of the thread has been reported to the reader whose block it was.
            drop(thread.join());
        }
    }
}

impl fmt::Debug for ReadAhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadAhead")
            .field("threads", &self.threads.len())
            .finish_non_exhaustive()
    }
}

/// The slots that have something to do. Each is listed once at most, so that the queue is never
/// longer than there are readers.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<QueueState>,
    /// Notified, once each, when a slot is listed; all, when the queue closes.
    listed: Condvar,
}

#[derive(Default)]
struct QueueState {
    slots: VecDeque<Arc<dyn Work>>,
    closed: bool,
}

/// A slot, whatever kind of buffer it has.
pub(crate) trait Work: Send + Sync {
    fn work(&self);
}

impl Queue {
    /// Lists a slot that has been [offered](Slot::offer) a load, unless it still is listed.
    pub(crate) fn push(&self, slot: Arc<dyn Work>) {
        let mut state = self.state.lock();
        if !state.closed {
            state.slots.push_back(slot);
            drop(state);
            self.listed.notify_one();
        }
    }

    fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let slots = std::mem::take(&mut state.slots);
        drop(state);
        self.listed.notify_all();
        // Not under the lock: with the last handle of a slot, a reader's buffers go.
        drop(slots);
    }

    fn work(&self) {
        while let Some(slot) = self.next() {
            slot.work();
        }
    }

    fn next(&self) -> Option<Arc<dyn Work>> {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return None;
            }
            match state.slots.pop_front() {
                Some(slot) => return Some(slot),
                None => state = self.listed.wait(state),
            }
        }
    }
}

/// A block to be read: where from, into what, and how it went.
pub(crate) struct Load<B> {
    pub(crate) cursor: Cursor,
    pub(crate) decoders: Decoders<B>,
    pub(crate) block: B,
    /// The length of the data in `block`, or `None` at the end of the segment.
    pub(crate) outcome: Result<Option<usize>, SpillError>,
}

impl<B: Buffer> Load<B> {
    pub(crate) fn run(&mut self) {
        self.outcome = Err(SpillError::ReadAheadPanicked);
        let room = self.block.as_mut();
        self.outcome = self.cursor.read_block(room, &self.decoders);
    }
}

/// Where a reader and the threads hand a load to each other.
pub(crate) struct Slot<B> {
    state: Mutex<SlotState<B>>,
    /// Notified when `Running` is left; only the slot's reader waits.
    ran: Condvar,
}

struct SlotState<B> {
    stage: Stage<B>,
    /// Whether the slot is in the queue. It may be there without anything to do, after its reader
    /// took the load back.
    listed: bool,
}

enum Stage<B> {
    Idle,
    Waiting(Load<B>),
    Running,
    Done(Load<B>),
}

impl<B> Slot<B> {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(SlotState {
                stage: Stage::Idle,
                listed: false,
            }),
            ran: Condvar::new(),
        }
    }

    /// Hands `load` over; returns whether the slot has to be pushed to the queue.
    pub(crate) fn offer(&self, load: Load<B>) -> bool {
        let mut state = self.state.lock();
        state.stage = Stage::Waiting(load);
        !std::mem::replace(&mut state.listed, true)
    }

    /// Takes the load back once no thread has it, and says whether it has been run; waits for a
    /// thread that is at it. `None` if it was not handed over.
    pub(crate) fn take(&self) -> Option<(Load<B>, bool)> {
        let mut state = self.state.lock();
        loop {
            match std::mem::replace(&mut state.stage, Stage::Idle) {
                Stage::Idle => return None,
                Stage::Waiting(load) => return Some((load, false)),
                Stage::Done(load) => return Some((load, true)),
                Stage::Running => {
                    state.stage = Stage::Running;
                    state = self.ran.wait(state);
                }
            }
        }
    }

    /// For a thread: takes a waiting load out, if its reader has not come back for it.
    fn begin(&self) -> Option<Load<B>> {
        let mut state = self.state.lock();
        state.listed = false;
        match std::mem::replace(&mut state.stage, Stage::Running) {
            Stage::Waiting(load) => Some(load),
            other => {
                state.stage = other;
                None
            }
        }
    }
}

impl<B: Buffer> Work for Slot<B> {
    fn work(&self) {
        if let Some(load) = self.begin() {
            let mut running = Running {
                slot: self,
                load: Some(load),
            };
            running.load.iter_mut().for_each(Load::run);
        }
    }
}

/// Hands the load back when it has been run, and when the thread unwinds: its reader's wait must
/// end.
struct Running<'a, B> {
    slot: &'a Slot<B>,
    load: Option<Load<B>>,
}

impl<B> Drop for Running<'_, B> {
    fn drop(&mut self) {
        if let Some(load) = self.load.take() {
            self.slot.state.lock().stage = Stage::Done(load);
            self.slot.ran.notify_one();
        }
    }
}
