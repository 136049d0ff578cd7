//! The store against a model of a page: a list in order of use, sizes, pins.

use std::sync::Arc;

use mem_block::MemoryMode;
use mem_store::{BytesGuard, Costs, MemoryStore, Put, ReadGuard, StoreError, TaskContext};
use proptest::prelude::*;

use crate::support::{Dropped, OFF, ON, check_books, fill_with, id, watched};

const ON_HEAP: u64 = 1000;
const OFF_HEAP: u64 = 12000;

#[derive(Debug, Clone)]
enum Step {
    PutBytes { block: usize, off: bool, size: u64 },
    PutValues { block: usize, count: u64, cost: u64 },
    Get(usize),
    GetSize(usize),
    Contains(usize),
    Pin(usize),
    Unpin(usize),
    Hold(usize),
    LetGo(usize),
    Remove(usize),
    Reserve { block: usize, bytes: u64 },
    Release(u64),
    Clear,
}

/// Twelve names: nine of three datasets, three of none.
fn name(block: usize) -> String {
    if block < 9 {
        format!("rdd_{}_{block}", block % 3)
    } else {
        format!("test_{block}")
    }
}

fn dataset(block: usize) -> Option<usize> {
    (block < 9).then_some(block % 3)
}

fn step() -> impl Strategy<Value = Step> {
    let block = || 0..12_usize;
    prop_oneof![
        6 => (block(), prop::bool::weighted(0.2), 0..500_u64)
            .prop_map(|(block, off, size)| Step::PutBytes { block, off, size }),
        2 => (block(), 0..30_u64, 0..40_u64)
            .prop_map(|(block, count, cost)| Step::PutValues { block, count, cost }),
        3 => block().prop_map(Step::Get),
        1 => block().prop_map(Step::GetSize),
        1 => block().prop_map(Step::Contains),
        2 => block().prop_map(Step::Pin),
        2 => block().prop_map(Step::Unpin),
        2 => block().prop_map(Step::Hold),
        2 => block().prop_map(Step::LetGo),
        1 => block().prop_map(Step::Remove),
        1 => (block(), 0..400_u64).prop_map(|(block, bytes)| Step::Reserve { block, bytes }),
        1 => (0..400_u64).prop_map(Step::Release),
        1 => Just(Step::Clear),
    ]
}

#[derive(Debug, Clone)]
struct Entry {
    block: usize,
    mode: MemoryMode,
    size: u64,
    values: bool,
}

/// The least recently used block is the first.
#[derive(Debug, Default)]
struct Model {
    entries: Vec<Entry>,
    pins: [usize; 12],
    unroll: u64,
    evicted: Vec<String>,
}

impl Model {
    fn used(&self, mode: MemoryMode) -> u64 {
        let of_mode = self.entries.iter().filter(|entry| entry.mode == mode);
        let unroll = if mode == ON { self.unroll } else { 0 };
        of_mode.map(|entry| entry.size).sum::<u64>() + unroll
    }

    fn find(&mut self, block: usize, touch: bool) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.block == block)?;
        let entry = self.entries[at].clone();
        if touch {
            self.entries.remove(at);
            self.entries.push(entry.clone());
        }
        Some(entry)
    }

    /// Room for `bytes`; evicts nothing where it does not reach.
    fn room(&mut self, bytes: u64, mode: MemoryMode, asker: usize) -> bool {
        let limit = if mode == ON { ON_HEAP } else { OFF_HEAP };
        if bytes > limit {
            return false;
        }
        let need = (bytes + self.used(mode)).saturating_sub(limit);
        let mut victims = Vec::new();
        let mut freed = 0;
        for entry in &self.entries {
            let is_own = dataset(asker).is_some() && dataset(entry.block) == dataset(asker);
            if freed < need && entry.mode == mode && !is_own && self.pins[entry.block] == 0 {
                victims.push(entry.block);
                freed += entry.size;
            }
        }
        if freed < need {
            return false;
        }
        self.entries.retain(|entry| !victims.contains(&entry.block));
        self.evicted.extend(victims.into_iter().map(name));
        true
    }

    fn put(&mut self, block: usize, mode: MemoryMode, size: u64) -> bool {
        let fits = self.room(size, mode, block);
        if fits {
            self.entries.push(Entry {
                block,
                mode,
                size,
                values: false,
            });
        }
        fits
    }

    /// Spark's steps with a threshold of 512, a period of 16 and a factor of 1.5.
    fn put_values(&mut self, block: usize, count: u64, cost: u64) -> bool {
        let (mut held, mut limit, mut sum) = (0, 512, 0);
        let mut fits = self.reserve(512, block, &mut held);
        for element in 0..count {
            if !fits {
                break;
            }
            sum += cost;
            if element % 16 == 0 && sum >= limit {
                let ask = sum * 3 / 2 - limit;
                fits = self.reserve(ask, block, &mut held);
                limit += ask;
            }
        }
        if fits && sum > held {
            fits = self.reserve(sum - held, block, &mut held);
        }
        self.unroll -= held;
        if fits {
            self.entries.push(Entry {
                block,
                mode: ON,
                size: sum,
                values: true,
            });
        }
        fits
    }

    fn reserve(&mut self, bytes: u64, block: usize, held: &mut u64) -> bool {
        let fits = self.room(bytes, ON, block);
        if fits {
            self.unroll += bytes;
            *held += bytes;
        }
        fits
    }
}

struct Bench {
    store: Arc<MemoryStore>,
    dropped: Arc<Dropped>,
    pins: Vec<(usize, ReadGuard)>,
    held: Vec<(usize, BytesGuard)>,
    model: Model,
}

impl Bench {
    fn run(&mut self, step: Step) {
        match step {
            Step::PutBytes { block, off, size } => {
                let mode = if off { OFF } else { ON };
                let put = self
                    .store
                    .put_bytes(&id(&name(block)), mode, size, |b| fill_with(b, size, 1));
                if self.model.find(block, false).is_some() {
                    assert!(matches!(put, Err(StoreError::AlreadyPresent { .. })));
                } else {
                    assert_eq!(
                        put.expect("nothing fails"),
                        self.model.put(block, mode, size)
                    );
                }
            }
            Step::PutValues { block, count, cost } => {
                let (context, costs) = (TaskContext::default(), Costs::new(move |_: &u64| cost));
                let block_id = id(&name(block));
                let put =
                    self.store
                        .put_iterator_as_values(&block_id, context, ON, 0..count, costs);
                if self.model.find(block, false).is_some() {
                    assert!(matches!(put, Err(StoreError::AlreadyPresent { .. })));
                } else {
                    let stored = matches!(put.expect("nothing fails"), Put::Stored { .. });
                    assert_eq!(stored, self.model.put_values(block, count, cost));
                }
            }
            Step::Get(block) => {
                let entry = self.model.find(block, true);
                let got = self.store.get_bytes(&id(&name(block)));
                match entry {
                    Some(entry) if entry.values => assert!(got.is_err()),
                    entry => assert_eq!(
                        got.expect("nothing fails").map(|b| b.len()),
                        entry.map(|e| e.size)
                    ),
                }
            }
            Step::GetSize(block) => {
                let entry = self.model.find(block, true);
                assert_eq!(
                    self.store.get_size(&id(&name(block))),
                    entry.map(|e| e.size)
                );
            }
            Step::Contains(block) => {
                let entry = self.model.find(block, false);
                assert_eq!(self.store.contains(&id(&name(block))), entry.is_some());
            }
            other => self.run_other(other),
        }
    }

    fn run_other(&mut self, step: Step) {
        match step {
            Step::Pin(block) => {
                let pin = self
                    .store
                    .infos()
                    .try_lock_for_reading(&id(&name(block)), None);
                assert_eq!(pin.is_some(), self.model.find(block, false).is_some());
                if let Some(pin) = pin {
                    self.model.pins[block] += 1;
                    self.pins.push((block, pin));
                }
            }
            Step::Unpin(block) => {
                if let Some(at) = self.pins.iter().position(|(pinned, _)| *pinned == block) {
                    self.model.pins[block] -= 1;
                    drop(self.pins.swap_remove(at));
                }
            }
            Step::Hold(block) => {
                let entry = self.model.find(block, true);
                let got = self.store.get_bytes(&id(&name(block)));
                if let Ok(Some(bytes)) = got {
                    assert_eq!(Some(bytes.len()), entry.map(|entry| entry.size));
                    self.model.pins[block] += 1;
                    self.held.push((block, bytes));
                } else {
                    assert!(entry.is_none_or(|entry| entry.values));
                }
            }
            Step::LetGo(block) => {
                if let Some(at) = self.held.iter().position(|(held, _)| *held == block) {
                    self.model.pins[block] -= 1;
                    drop(self.held.swap_remove(at));
                }
            }
            Step::Remove(block) => {
                let entry = self.model.find(block, false);
                assert_eq!(self.store.remove(&id(&name(block))), entry.is_some());
                self.model.entries.retain(|entry| entry.block != block);
                self.forget_pins(block);
            }
            Step::Reserve { block, bytes } => {
                let asked = i64::try_from(bytes).expect("nothing fails");
                let block_id = id(&name(block));
                let reserved = self
                    .store
                    .reserve_unroll_for_task(&block_id, None, ON, asked);
                assert_eq!(
                    reserved.expect("nothing fails"),
                    self.model.reserve(bytes, block, &mut 0)
                );
            }
            Step::Release(bytes) => {
                let released = self.store.release_unroll_for_task(None, ON, bytes);
                assert_eq!(released, bytes.min(self.model.unroll));
                self.model.unroll -= released;
            }
            Step::Clear => {
                self.store.clear();
                self.model.entries.clear();
                self.model.unroll = 0;
                (0..12).for_each(|block| self.forget_pins(block));
            }
            _ => unreachable!("done above"),
        }
    }

    /// A new block of the name has no readers.
    fn forget_pins(&mut self, block: usize) {
        self.pins.retain(|(pinned, _)| *pinned != block);
        self.held.retain(|(held, _)| *held != block);
        self.model.pins[block] = 0;
    }

    fn check(&mut self) {
        assert_eq!(self.dropped.take(), std::mem::take(&mut self.model.evicted));
        let snapshot = self.store.manager().ledger().snapshot();
        for mode in [ON, OFF] {
            assert_eq!(snapshot.of_mode(mode).storage_used, self.model.used(mode));
        }
        assert_eq!(self.store.stats().blocks, self.model.entries.len() as u64);
        assert_eq!(self.store.current_unroll_memory(), self.model.unroll);
        check_books(&self.store, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(steps in prop::collection::vec(step(), 1..80)) {
        let (store, dropped) = watched(ON_HEAP);
        let mut bench = Bench { store, dropped, pins: Vec::new(), held: Vec::new(), model: Model::default() };
        for step in steps {
            bench.run(step);
            bench.check();
        }
    }
}
