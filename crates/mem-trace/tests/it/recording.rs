//! What several threads did to a ledger, recorded, comes out the same when one thread does it again.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;
use std::{fs, io};

use mem_block::MemoryMode;
use mem_policy::config::{Collector, Environment, PolicyKind, ResolvedMemory, SparkConf, resolve};
use mem_policy::{ManagerOptions, memory_manager};
use mem_pool::{
    Ask, CancelToken, Dataset, Event, EvictError, Eviction, Evictor, Ledger, Probe, Reservation,
    TaskId, Wait, raw,
};
use mem_sync::atomic::{AtomicU64, Ordering};
use mem_sync::{Mutex, thread};
use mem_trace::{Recorder, TraceError, TraceReport, replay_file, replay_reader};

const MODES: [MemoryMode; 2] = [MemoryMode::OnHeap, MemoryMode::OffHeap];

/// Numbers that look like chance, the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn mode(&mut self) -> MemoryMode {
        MODES[usize::from(self.below(2) == 0)]
    }
}

/// Blocks that are nothing but their sizes.
#[derive(Debug, Default)]
struct Blocks(Arc<Mutex<Vec<(MemoryMode, u64)>>>);

struct Dropping(u64, bool);

impl Eviction for Dropping {
    fn run(self: Box<Self>) -> Result<u64, EvictError> {
        thread::yield_now();
        match *self {
            Self(freed, true) => Err(EvictError {
                freed,
                source: "a bad day".into(),
            }),
            Self(freed, false) => Ok(freed),
        }
    }
}

impl Evictor for Blocks {
    fn select(&self, need: u64, mode: MemoryMode, _: Option<Dataset>) -> Option<Box<dyn Eviction>> {
        let mut blocks = self.0.lock();
        let mut freed = 0;
        blocks.retain(|(of, bytes)| {
            let goes = *of == mode && freed < need;
            freed += if goes { *bytes } else { 0 };
            !goes
        });
        (freed > 0).then(|| Box::new(Dropping(freed, freed % 7 == 3)) as Box<dyn Eviction>)
    }

    fn unrolling(&self) -> u64 {
        self.0.lock().len() as u64
    }
}

fn resolved(policy: PolicyKind) -> ResolvedMemory {
    let settings = [
        ("spark.testing", "true"),
        ("spark.testing.memory", "40000000"),
        ("spark.memory.offHeap.enabled", "true"),
        ("spark.memory.offHeap.size", "9000"),
        ("spark.memory.fraction", "0.0002"),
        ("spark.shuffle.memoryFraction", "0.0002"),
        ("spark.storage.memoryFraction", "0.0001"),
    ];
    let environment = Environment {
        cores: 4,
        is_driver: true,
        collector: Collector::Parallel,
        max_heap: 0,
    };
    resolve(&SparkConf::from_iter(settings), policy, &environment).expect("these make sense")
}

/// One thread's doings.
struct Actor {
    ledger: Arc<Ledger>,
    blocks: Arc<Blocks>,
    task: TaskId,
    chance: Chance,
    held: Vec<Reservation>,
}

impl Actor {
    fn act(&mut self) {
        let mode = self.chance.mode();
        let bytes = 1 + self.chance.below(3000);
        let ask = Ask::execution(self.task, mode, bytes);
        match self.chance.below(12) {
            0 => self.held.extend(self.ledger.try_acquire(ask).ok()),
            1 | 2 => self.wait_for(ask),
            3 => self.poll_and_drop(ask),
            4 => drop(self.held.pop()),
            5 | 6 => self.spill_and_ask(ask),
            7 => self.put(mode, bytes),
            8 => self.unroll(mode, bytes),
            9 => {
                raw::release_storage_memory(&self.ledger, 0, mode);
                self.ledger.notify_all();
            }
            10 => self.ledger.set_unmanaged(mode, self.chance.below(2000)),
            _ => self.change(mode),
        }
    }

    fn wait_for(&mut self, ask: Ask) {
        let cancel = CancelToken::new();
        let deadline = Some(self.ledger.clock().now() + Duration::from_micros(300));
        if self.chance.below(3) == 0 {
            cancel.cancel();
        }
        let wait = Wait {
            deadline,
            cancel: Some(&cancel),
        };
        self.held.extend(self.ledger.acquire(ask, &wait).ok());
    }

    fn poll_and_drop(&mut self, ask: Ask) {
        let mut request = std::pin::pin!(self.ledger.acquire_async(ask));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..=self.chance.below(3) {
            if request.as_mut().poll(&mut context).is_ready() {
                return;
            }
            thread::yield_now();
        }
    }

    fn spill_and_ask(&mut self, ask: Ask) {
        let credit = self.ledger.open_credit(self.task, ask.mode());
        if let Some(at) = self.held.iter().position(|held| held.mode() == ask.mode()) {
            credit.release(self.held.swap_remove(at).leave());
        }
        match self.chance.below(4) {
            0 => {}
            1 => drop(self.ledger.ticket_with(ask, &credit)),
            _ => self
                .held
                .extend(self.ledger.try_acquire_with(ask, &credit).ok()),
        }
    }

    fn put(&self, mode: MemoryMode, bytes: u64) {
        if let Ok(granted) = self.ledger.try_acquire(Ask::storage(mode, bytes, None)) {
            self.blocks.0.lock().push((mode, granted.leave()));
        }
    }

    fn unroll(&self, mode: MemoryMode, bytes: u64) {
        if let Ok(granted) = self.ledger.try_acquire(Ask::unroll(mode, bytes, None)) {
            drop(granted.into_storage());
        }
    }

    fn change(&mut self, mode: MemoryMode) {
        if self.chance.below(8) == 0 {
            drop(self.ledger.set_limit(mode, 5000 + self.chance.below(5000)));
        } else if self.chance.below(8) == 0 {
            for held in self.held.drain(..) {
                held.leave();
            }
            self.ledger.end_task(self.task);
        } else {
            self.ledger.register_task(self.task);
        }
    }
}

/// Four threads at work on one manager; returns the number of steps that were recorded in `path`.
fn record(path: &Path, resolved: ResolvedMemory, detect_deadlock: bool, seed: u64) -> u64 {
    let mut options = ManagerOptions {
        detect_deadlock,
        ..ManagerOptions::default()
    };
    let recorder = Recorder::create(path, &resolved, &mut options).expect("the file can be made");
    let manager = memory_manager(resolved, &options);
    let blocks = Arc::new(Blocks::default());
    let evictor: Arc<dyn Evictor> = Arc::clone(&blocks) as Arc<dyn Evictor>;
    manager.ledger().set_evictor(Arc::downgrade(&evictor));
    thread::scope(|scope| {
        for task in 1..=4 {
            let mut actor = Actor {
                ledger: Arc::clone(manager.ledger()),
                blocks: Arc::clone(&blocks),
                task: TaskId::new(task),
                chance: Chance(seed * 1000 + task.unsigned_abs()),
                held: Vec::new(),
            };
            scope.spawn(move || (0..400).for_each(|_| actor.act()));
        }
    });
    recorder.finish().expect("the file can be written")
}

#[track_caller]
fn record_and_replay(policy: PolicyKind, detect_deadlock: bool, seed: u64) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("recording.jsonl.zst");
    let steps = record(&path, resolved(policy), detect_deadlock, seed);
    assert!(steps > 1000, "only {steps} steps");
    let reports = replay_file(&path).expect("what was recorded can be read");
    let [report] = &reports[..] else {
        panic!("one trace, not {}", reports.len())
    };
    assert_eq!(
        report.operations,
        steps + 1,
        "seed {seed}: the header is one more"
    );
    if let Some(first) = report.mismatches.first() {
        let count = report.mismatches.len();
        panic!("seed {seed}: {count} of {steps} steps differ, the first is {first:#?}");
    }
}

#[test]
fn four_threads_on_the_unified_manager_replay() {
    for seed in 1..=3 {
        record_and_replay(PolicyKind::Unified, true, seed);
    }
}

#[test]
fn four_threads_on_the_static_manager_replay() {
    record_and_replay(PolicyKind::Static, true, 4);
}

#[test]
fn without_deadlock_detection_it_replays_too() {
    record_and_replay(PolicyKind::Unified, false, 5);
}

/// A recording of one request, its lines apart.
fn small_recording() -> Vec<String> {
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    let mut options = ManagerOptions::default();
    let resolved = resolved(PolicyKind::Unified);
    let output = file.reopen().expect("it is there");
    let recorder = Recorder::attach(output, &resolved, &mut options).expect("it can be written");
    let manager = memory_manager(resolved, &options);
    let ask = Ask::execution(TaskId::new(1), MemoryMode::OnHeap, 100);
    drop(manager.ledger().try_acquire(ask));
    assert_eq!(recorder.finish().expect("it can be written"), 2);
    assert_eq!(
        recorder.finish().expect("nothing is done"),
        0,
        "once is enough"
    );
    manager.ledger().notify_all();
    let text = fs::read_to_string(file.path()).expect("it can be read");
    text.lines().map(str::to_owned).collect()
}

fn replay(lines: &[String]) -> Result<Vec<TraceReport>, TraceError> {
    replay_reader("recording", lines.join("\n").as_bytes())
}

#[test]
fn a_recording_that_was_changed_no_longer_replays() {
    let lines = small_recording();
    assert_eq!(lines.len(), 3);
    assert!(replay(&lines).unwrap()[0].mismatches.is_empty());
    let mut other = lines.clone();
    other[1] = lines[1].replace("\"granted\":100", "\"granted\":99");
    assert_ne!(other, lines);
    let reports = replay(&other).unwrap();
    let mismatch = &reports[0].mismatches[0];
    assert_eq!(
        (mismatch.line, mismatch.operation),
        (2, Some(1)),
        "steps are numbered from 1"
    );
    assert_eq!(mismatch.differences[0].field, "granted");
    let error = replay(&[lines[0].clone(), lines[2].clone()]).unwrap_err();
    assert_eq!(
        (error.line, error.to_string().as_str()),
        (Some(2), "recording:2: step 1 is missing")
    );
}

/// A probe that counts.
#[derive(Debug, Default)]
struct Counting(AtomicU64);

impl Probe for Counting {
    fn record(&self, _: Option<u64>, _: &Event) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_probe_that_was_there_is_told_as_before() {
    let counting = Arc::new(Counting::default());
    let probe: Arc<dyn Probe> = Arc::clone(&counting) as Arc<dyn Probe>;
    let mut options = ManagerOptions {
        probe: Some(probe),
        ..ManagerOptions::default()
    };
    let resolved = resolved(PolicyKind::Unified);
    let recorder = Recorder::attach(io::sink(), &resolved, &mut options).unwrap();
    let manager = memory_manager(resolved, &options);
    let ask = Ask::execution(TaskId::new(1), MemoryMode::OnHeap, 100);
    drop(manager.ledger().try_acquire(ask));
    assert_eq!(recorder.finish().unwrap(), 2);
    assert_eq!(
        counting.0.load(Ordering::Relaxed),
        2,
        "a grant and a release"
    );
}

/// A disk that is full.
struct Full;

impl io::Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_disk_that_is_full_stops_the_recording_and_nothing_else() {
    let mut options = ManagerOptions::default();
    let resolved = resolved(PolicyKind::Unified);
    let recorder = Recorder::attach(Full, &resolved, &mut options).unwrap();
    let manager = memory_manager(resolved, &options);
    for _ in 0..10_000 {
        let ask = Ask::execution(TaskId::new(1), MemoryMode::OnHeap, 100);
        assert!(manager.ledger().try_acquire(ask).is_ok());
    }
    let error = recorder.finish().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}
