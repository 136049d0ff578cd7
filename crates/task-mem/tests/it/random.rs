//! Random consumers, pages and spills under random refusals: the books agree at every step, and read
//! zero at the end.

use std::sync::Arc;

use mem_block::MemoryMode;
use mem_sync::Mutex;
use task_mem::{
    ConsumerOptions, Failure, Held, MemoryError, NoSpill, SpillError, TaskMemoryManager, Unpaged,
    Wait,
};

use crate::support::{Answer, Kind, LimitedManager, OFF, ON, Random, TestConsumer, task};

const KINDS: [Kind; 6] = [
    Kind::All,
    Kind::Partial,
    Kind::Partial,
    Kind::Nothing,
    Kind::DiskFull,
    Kind::Confused,
];

struct World {
    seed: u64,
    random: Mutex<Random>,
    manager: Arc<LimitedManager>,
    task: Arc<TaskMemoryManager>,
    consumers: Vec<Arc<TestConsumer>>,
    regions: Vec<Unpaged>,
    /// Left with the task by failed requests.
    left: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let manager = LimitedManager::new(2000 + random.below(4000));
        manager.heap().fail_at_random(seed, 150);
        manager.off_heap().fail_at_random(seed + 1, 150);
        let task = task(&manager.as_manager(), 1);
        let random = Mutex::new(random);
        Self {
            seed,
            random,
            manager,
            task,
            consumers: vec![],
            regions: vec![],
            left: 0,
        }
    }

    fn below(&self, bound: u64) -> u64 {
        self.random.lock().below(bound)
    }

    fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        let at = self.below(from.len() as u64);
        &from[usize::try_from(at).expect("an index")]
    }

    fn mode(&self) -> MemoryMode {
        *self.pick(&[ON, OFF])
    }

    fn register(&mut self) {
        let options = ConsumerOptions {
            mode: Some(self.mode()),
            page_size: Some(1 + self.below(300)),
            spill_workspace: vec![10; usize::try_from(self.below(3)).expect("small")],
            ..ConsumerOptions::named("random")
        };
        let kind = *self.pick(&KINDS);
        self.consumers
            .push(TestConsumer::with(&self.task, kind, options));
    }

    fn step(&mut self) {
        if self.below(8) == 0 {
            self.manager.answer([Answer::Nothing]);
        }
        if self.consumers.is_empty() || self.below(20) == 0 {
            self.register();
        }
        let consumer = Arc::clone(self.pick(&self.consumers));
        let bytes = 1 + self.below(600);
        let result = match self.below(10) {
            0..=2 => consumer.acquire(bytes).map(drop),
            3..=4 => consumer.allocate_page(bytes).map(drop),
            5 => consumer.allocate_array(bytes / 8 + 1).map(drop),
            6 => self.region(&consumer, bytes),
            7 => {
                consumer.free_all();
                Ok(())
            }
            8 => {
                if let Some(mut held) = consumer.take_held() {
                    drop(held.split(bytes));
                    consumer.keep(held);
                }
                Ok(())
            }
            _ => {
                self.leave_something(&consumer);
                Ok(())
            }
        };
        if let Err(error) = result {
            self.expect(&error);
            let mut error = error;
            if self.below(2) == 0 {
                self.left += error.leave_kept();
            }
        }
        drop(consumer);
        self.check();
    }

    fn region(&mut self, consumer: &TestConsumer, bytes: u64) -> Result<(), MemoryError> {
        let mut spill = |need| consumer.spill_now(need);
        let mode = self.mode();
        let region = consumer
            .handle
            .allocate_unpaged(bytes, mode, &mut spill, &Wait::default())?;
        self.regions.push(region);
        Ok(())
    }

    fn leave_something(&mut self, consumer: &Arc<TestConsumer>) {
        if self.below(2) == 0 {
            self.regions.pop();
        } else {
            self.consumers.retain(|other| !Arc::ptr_eq(other, consumer));
        }
    }

    fn expect(&self, error: &MemoryError) {
        let seed = self.seed;
        let expected = matches!(
            error.failure(),
            Failure::OutOfMemory { .. } | Failure::SpillFailed { .. } | Failure::SpillOther { .. }
        );
        assert!(expected, "seed {seed}: {error}");
    }

    /// What the ledger says the task has is what its owners have.
    fn check(&self) {
        let used: u64 = self.consumers.iter().map(|consumer| consumer.used()).sum();
        let workspace: u64 = self
            .consumers
            .iter()
            .flat_map(|consumer| consumer.handle.workspace())
            .map(|buffer| buffer.bytes())
            .sum();
        let regions: u64 = self.regions.iter().map(Unpaged::bytes).sum();
        let unused = self.task.acquired_but_not_used();
        assert_eq!(
            self.task.memory_consumption(),
            used + workspace + regions + unused + self.left,
            "seed {}: {}",
            self.seed,
            self.task.show_memory_usage()
        );
        self.task.ledger().check();
    }

    fn end(mut self) {
        let seed = self.seed;
        let (unused, left) = (self.task.acquired_but_not_used(), self.left);
        self.consumers.clear();
        self.regions.clear();
        let end = self.task.cleanup();
        assert_eq!(end.taken_back, unused + left, "seed {seed}: {end}");
        let snapshot = self.task.ledger().snapshot();
        assert_eq!(snapshot.on_heap.execution_used, 0, "seed {seed}");
        assert_eq!(snapshot.off_heap.execution_used, 0, "seed {seed}");
        for mode in [ON, OFF] {
            let allocator = Arc::clone(self.task.memory_manager().allocator(mode));
            assert_eq!(allocator.live_bytes(), 0, "seed {seed}");
        }
    }
}

#[test]
fn the_books_agree_at_every_step() {
    for seed in 0..150 {
        let mut world = World::new(seed);
        for _ in 0..200 {
            world.step();
        }
        world.end();
    }
}

/// As above with the simplest consumer there is, against a model of one number.
#[test]
fn a_lone_consumer_has_what_it_was_granted() {
    for seed in 0..50 {
        let mut random = Random::new(seed);
        let limit = 100 + random.below(900);
        let task = task(&LimitedManager::new(limit).as_manager(), 1);
        let consumer = task.register(ConsumerOptions::named("lone"));
        let mut held: Vec<Held> = Vec::new();
        for _ in 0..200 {
            let before: u64 = held.iter().map(Held::bytes).sum();
            let bytes = random.below(200);
            if random.below(3) == 0 {
                held.pop();
                continue;
            }
            let mut spill = |need: u64| -> Result<u64, SpillError> {
                let Some(mut last) = held.pop() else {
                    return Ok(0);
                };
                let freed = last.split(need).bytes();
                held.push(last);
                Ok(freed)
            };
            let got = if random.below(2) == 0 {
                consumer.acquire(bytes, &mut NoSpill, &Wait::default())
            } else {
                consumer.acquire(bytes, &mut spill, &Wait::default())
            };
            let got = got.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert!(got.bytes() >= bytes.min(limit - before), "seed {seed}");
            held.push(got);
            let sum: u64 = held.iter().map(Held::bytes).sum();
            assert_eq!(
                (consumer.used(), task.memory_consumption()),
                (sum, sum),
                "seed {seed}"
            );
            assert!(sum <= limit, "seed {seed}");
        }
    }
}
