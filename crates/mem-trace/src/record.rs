//! Recording: the steps of a ledger, as lines of format version 2.

mod writer;

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::Sender;
use mem_policy::ManagerOptions;
use mem_policy::config::ResolvedMemory;
use mem_pool::{Event, LedgerStep, Probe};
use mem_sync::{Clock, Mutex, thread::JoinHandle};

use self::writer::{Message, Stamped};
use crate::format::RecordingHeader;

/// Steps that may be on their way to the writer; whoever makes one more waits for it, without a lock.
const BACKLOG: usize = 4096;

/// Writes the steps of one ledger to a file, in the order in which the ledger's lock ordered them,
/// whichever threads made them. A thread of its own does the writing.
///
/// ```
/// use mem_policy::config::{Collector, Environment, PolicyKind, SparkConf, resolve};
/// use mem_policy::{ManagerOptions, memory_manager};
/// use mem_pool::{Ask, TaskId};
///
/// let conf = SparkConf::from_iter([("spark.testing", "true"), ("spark.testing.memory", "1000")]);
/// let environment = Environment { cores: 1, is_driver: true, collector: Collector::Parallel, max_heap: 0 };
/// let resolved = resolve(&conf, PolicyKind::Unified, &environment)?;
/// let mut options = ManagerOptions::default();
///
/// let file = tempfile::NamedTempFile::new()?;
/// let recorder = mem_trace::Recorder::attach(file.reopen()?, &resolved, &mut options)?;
/// let manager = memory_manager(resolved, &options);
/// let ask = Ask::execution(TaskId::new(1), mem_block::MemoryMode::OnHeap, 100);
/// drop(manager.ledger().try_acquire(ask)?);
/// assert_eq!(recorder.finish()?, 2, "a request and a release");
///
/// let reports = mem_trace::replay_file(file.path())?;
/// assert!(reports[0].mismatches.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Recorder {
    steps: Sender<Message>,
    writer: Mutex<Option<JoinHandle<io::Result<u64>>>>,
    clock: Arc<dyn Clock>,
    /// Who was there before, and is told as well.
    next: Option<Arc<dyn Probe>>,
}

impl Recorder {
    /// Starts to record what a manager of those sizes will do into the file `path`, compressed with
    /// zstd where its name ends in `.zst`. See [`attach`](Self::attach).
    ///
    /// # Errors
    /// Where the file can't be made or the header can't be written.
    pub fn create(
        path: &Path,
        resolved: &ResolvedMemory,
        options: &mut ManagerOptions,
    ) -> io::Result<Arc<Self>> {
        let file = File::create(path)?;
        if path.extension().is_some_and(|extension| extension == "zst") {
            Self::attach(
                zstd::Encoder::new(file, 0)?.auto_finish(),
                resolved,
                options,
            )
        } else {
            Self::attach(file, resolved, options)
        }
    }

    /// Starts to record what a manager of those sizes will do, and becomes the probe of `options`,
    /// with which it is then to be made; a probe that is there already is told everything too.
    ///
    /// # Errors
    /// Where the header can't be written, or the system gives no thread.
    pub fn attach(
        output: impl Write + Send + 'static,
        resolved: &ResolvedMemory,
        options: &mut ManagerOptions,
    ) -> io::Result<Arc<Self>> {
        let header = RecordingHeader::new(resolved, options.detect_deadlock);
        let (steps, received) = crossbeam_channel::bounded(BACKLOG);
        let writer = writer::start(BufWriter::new(output), &header, received)?;
        let recorder = Arc::new(Self {
            steps,
            writer: Mutex::new(Some(writer)),
            clock: Arc::clone(&options.clock),
            next: options.probe.take(),
        });
        options.probe = Some(Arc::clone(&recorder) as Arc<dyn Probe>);
        Ok(recorder)
    }

    /// Writes out what was recorded so far and stops; later steps are lost. Returns the number of
    /// steps that were written. Called again it does nothing, and returns 0.
    ///
    /// # Errors
    /// The first that happened while writing; what comes after it is lost.
    pub fn finish(&self) -> io::Result<u64> {
        let Some(writer) = self.writer.lock().take() else {
            return Ok(0);
        };
        // A writer that is gone has failed, and says so when it is joined.
        drop(self.steps.send(Message::End));
        let panicked = |_panic| Err(io::Error::other("the recorder's thread panicked"));
        writer.join().unwrap_or_else(panicked)
    }
}

impl Probe for Recorder {
    fn record(&self, sequence: Option<u64>, event: &Event) {
        if let Some(next) = &self.next {
            next.record(sequence, event);
        }
    }

    fn wants_steps(&self) -> bool {
        true
    }

    fn step(&self, number: u64, step: &LedgerStep) {
        let at = self.clock.now();
        let stamped = Stamped {
            number,
            at,
            step: *step,
        };
        // After the end, or after a failure, nobody receives any more.
        drop(self.steps.send(Message::Step(Box::new(stamped))));
        if let Some(next) = self.next.as_ref().filter(|next| next.wants_steps()) {
            next.step(number, step);
        }
    }
}

impl Drop for Recorder {
    /// Finishes, where that has not been done. An error is lost.
    fn drop(&mut self) {
        drop(self.finish());
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
