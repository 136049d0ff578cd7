//! A sort beside a task that takes and gives back memory at random, and beside another sort, all on
//! one manager.

use std::sync::Arc;

use hearth::sort::{Counters, Plan, PlanRequest, SortFailure, SortJob, SortReport, Source};
use mem_policy::{ManagerOptions, MemoryConfig, MemoryManager, ResolvedMemory, memory_manager};
use mem_pool::CancelToken;
use mem_sort::SortError;
use mem_spill::SpillDirs;
use mem_spill::testing::FaultyFiles;
use mem_sync::atomic::{AtomicBool, Ordering};
use mem_sync::thread;
use task_mem::{ConsumerOptions, NoSpill, TaskId, TaskMemoryManager, Wait};
use tempfile::TempDir;

use crate::support::{Random, sorted, text, write};

const UNIFIED: &str = r#"
    "spark.memory.offHeap.enabled" = true
    "spark.memory.offHeap.size" = "1m"
"#;

/// 34 MB of heap, a thirty-second of which is for execution.
const STATIC: &str = r#"
    "spark.memory.useLegacyMode" = true
    "spark.testing.memory" = 33554432
    "spark.shuffle.memoryFraction" = 0.03125
    "spark.shuffle.safetyFraction" = 1.0
"#;

struct Machine {
    config: MemoryConfig,
    resolved: ResolvedMemory,
    manager: Arc<dyn MemoryManager>,
    counters: Arc<Counters>,
    input: Vec<u8>,
    directory: TempDir,
}

impl Machine {
    fn new(toml: &str) -> Self {
        let config = MemoryConfig::from_toml(toml, "test").unwrap();
        let resolved = config.resolve(2).unwrap();
        let counters = Arc::new(Counters::default());
        let options = ManagerOptions {
            probe: Some(counters.clone()),
            ..ManagerOptions::of(&config)
        };
        let input = text(2_000_000, 51);
        let directory = TempDir::new().unwrap();
        write(&directory, "in", &input);
        let manager = memory_manager(resolved.clone(), &options);
        Self {
            config,
            resolved,
            manager,
            counters,
            input,
            directory,
        }
    }

    /// A sort in two tasks, of these numbers and the one that follows.
    fn job(&self, first_task: i64) -> SortJob {
        let plan = Plan::new(&self.config, &self.resolved, PlanRequest { tasks: 2 }).unwrap();
        let source = Source::File(self.directory.path().join("in"));
        let mut job = SortJob::new(Arc::clone(&self.manager), plan, vec![source]);
        job.first_task = first_task;
        job.counters = Some(Arc::clone(&self.counters));
        job
    }

    fn sort(&self, first_task: i64) -> SortReport {
        let mut output = Vec::new();
        let report = self.job(first_task).run(&mut output).unwrap();
        assert!(output == sorted(&self.input, b'\n', false, false));
        report
    }

    fn check_nothing_held(&self) {
        let books = self.manager.ledger().snapshot();
        assert_eq!(
            (books.off_heap.execution_used, books.on_heap.execution_used),
            (0, 0)
        );
        assert_eq!(books.waiting, 0);
        self.manager.ledger().check();
    }
}

/// Takes all there is, waits until both sorts are in need, and then takes and gives back its share at
/// random until it is told to stop.
fn hog(
    manager: &Arc<dyn MemoryManager>,
    holds_all: &AtomicBool,
    stop: &AtomicBool,
    cancel: &CancelToken,
) {
    let task = TaskMemoryManager::new(Arc::clone(manager), TaskId::new(1000));
    let consumer = task.register(ConsumerOptions::named("hog"));
    let wait = Wait {
        cancel: Some(cancel),
        ..Wait::default()
    };
    let mut all = consumer.acquire(u64::MAX / 4, &mut NoSpill, &wait).unwrap();
    // A task that holds nothing does not count in N; this one always does.
    let _presence = all.split(1);
    let share = all.bytes() / 3;
    let mut held = vec![all];
    holds_all.store(true, Ordering::Release);
    while manager.ledger().snapshot().waiting < 2 {
        thread::yield_now();
    }
    held.clear();
    let mut random = Random(52);
    while !stop.load(Ordering::Acquire) {
        for _ in 0..random.below(200) {
            thread::yield_now();
        }
        if random.below(3) == 0 {
            held.clear();
        } else if let Ok(more) = consumer.acquire(random.below(share), &mut NoSpill, &wait) {
            held.push(more);
        }
    }
}

fn waits_and_spills_beside_others(toml: &str) {
    let machine = Machine::new(toml);
    let (holds_all, stop, cancel) = (
        AtomicBool::new(false),
        AtomicBool::new(false),
        CancelToken::new(),
    );
    let (first, second) = thread::scope(|scope| {
        let hog = scope.spawn(|| hog(&machine.manager, &holds_all, &stop, &cancel));
        while !holds_all.load(Ordering::Acquire) {
            thread::yield_now();
        }
        let second = scope.spawn(|| machine.sort(11));
        let first = machine.sort(1);
        let second = second.join().unwrap();
        stop.store(true, Ordering::Release);
        cancel.cancel();
        hog.join().unwrap();
        (first, second)
    });
    machine.check_nothing_held();

    for report in [&first, &second] {
        // Nothing was to be had until both were waiting, and what they get is less than the input.
        assert!(report.waits > 0 && report.spills > 0, "{report}");
        assert!(report.peak_granted_bytes <= report.budget_bytes);
        // The hog is there all the time, so with a sort's two tasks there are three of them at
        // least, and with the merging one two.
        for task in &report.tasks {
            let active = if task.role == "sort" { 3 } else { 2 };
            assert!(
                task.peak_granted_bytes <= report.budget_bytes / active,
                "{report}"
            );
        }
    }
    let alone = Machine::new(toml).sort(1);
    for task in &alone.tasks[..2] {
        assert!(task.peak_granted_bytes <= alone.budget_bytes / 2, "{alone}");
    }
}

#[test]
fn under_the_unified_manager() {
    waits_and_spills_beside_others(UNIFIED);
}

#[test]
fn under_the_static_manager() {
    waits_and_spills_beside_others(STATIC);
}

#[test]
fn a_full_spill_directory_fails_the_sort_and_leaves_nothing() {
    let machine = Machine::new(UNIFIED);
    for limit in [0, 100_000, 500_000] {
        let files = FaultyFiles::default();
        files.limit_disk(limit);
        let mut job = machine.job(1);
        job.spill_dirs = SpillDirs::with_provider(vec!["full".into()], files.clone()).unwrap();
        let failure = job.run(std::io::sink()).unwrap_err();
        assert!(
            matches!(failure, SortFailure::Sort(SortError::Spill(_))),
            "{failure}"
        );
        machine.check_nothing_held();
        assert_eq!(files.alive(), 0);
    }
}

#[test]
fn a_cancelled_sort_ends_and_leaves_nothing() {
    let machine = Machine::new(UNIFIED);
    let task = TaskMemoryManager::new(Arc::clone(&machine.manager), TaskId::new(1000));
    let hog = task.register(ConsumerOptions::named("hog"));
    let held = hog
        .acquire(1 << 20, &mut NoSpill, &Wait::default())
        .unwrap();
    let cancel = CancelToken::new();
    let mut job = machine.job(1);
    job.cancel = Some(cancel.clone());
    let failure = thread::scope(|scope| {
        let sorting = scope.spawn(|| job.run(std::io::sink()).unwrap_err());
        while machine.manager.ledger().snapshot().waiting == 0 {
            thread::yield_now();
        }
        cancel.cancel();
        sorting.join().unwrap()
    });
    assert!(matches!(failure, SortFailure::Memory(_)), "{failure}");
    drop(held);
    machine.check_nothing_held();
}
