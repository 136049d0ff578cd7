//! The ledger answers most requests by what a policy says all tasks could have, without asking it. It is the
//! same as asking: answers, books, counters and steps.

use std::sync::Arc;

use mem_block::MemoryMode;
use mem_policy::{StaticPolicy, UnifiedPolicy};
use mem_pool::{
    Ask, Books, Cause, Decision, Event, Ledger, LedgerOptions, LedgerStep, Limit, Policy,
    PoolSizes, Probe, Refusal, Request, Reservation, Resize, Snapshot, Step, TaskId,
};
use mem_sync::Mutex;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// A policy that has to be asked each time.
#[derive(Debug)]
struct Asked<P>(P);

impl<P: Policy> Policy for Asked<P> {
    fn decide(&self, books: &Books, request: &Request) -> Decision {
        self.0.decide(books, request)
    }

    fn reexamines(&self, cause: Cause) -> bool {
        self.0.reexamines(cause)
    }

    fn max_storage(&self, books: &Books) -> u64 {
        self.0.max_storage(books)
    }

    fn resize(&self, books: &Books, total: u64) -> Resize {
        self.0.resize(books, total)
    }

    fn remedy(&self, mode: MemoryMode, limit: Limit) -> &'static str {
        self.0.remedy(mode, limit)
    }
}

#[derive(Debug, Default)]
struct Steps(Mutex<Vec<(u64, LedgerStep)>>);

impl Probe for Steps {
    fn record(&self, _sequence: Option<u64>, _event: &Event) {}

    fn wants_steps(&self) -> bool {
        true
    }

    fn step(&self, number: u64, step: &LedgerStep) {
        self.0.lock().push((number, *step));
    }
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Acquire(i64, u64),
    Store(u64),
    /// Of all that was granted and not given back, the one with about that number shrinks.
    Shrink(usize, u64),
    LetGo(usize),
    Register(i64, u32),
    End(i64),
    Unmanaged(u64),
    Limit(u64),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let task = 0..4_i64;
    let op = prop_oneof![
        8 => (task.clone(), 0..500_u64).prop_map(|(task, bytes)| Op::Acquire(task, bytes)),
        3 => (0..400_u64).prop_map(Op::Store),
        4 => (any::<usize>(), 0..300_u64).prop_map(|(which, bytes)| Op::Shrink(which, bytes)),
        4 => any::<usize>().prop_map(Op::LetGo),
        2 => (task.clone(), 1..4_u32).prop_map(|(task, weight)| Op::Register(task, weight)),
        1 => task.prop_map(Op::End),
        1 => (0..300_u64).prop_map(Op::Unmanaged),
        1 => (200..1400_u64).prop_map(Op::Limit),
    ];
    prop::collection::vec(op, 1..80)
}

/// What each operation came to, with the books after it; and the steps that were told.
type Came = (Vec<(String, Snapshot)>, Vec<(u64, LedgerStep)>);

type Answer = fn(&Arc<Ledger>, Ask) -> Result<Reservation, Refusal>;

/// Each step of the request by its ticket: nothing is short.
fn step_by_step(ledger: &Arc<Ledger>, ask: Ask) -> Result<Reservation, Refusal> {
    let mut ticket = ledger.ticket(ask);
    loop {
        match ticket.step(None) {
            Step::Granted(reservation) => return Ok(reservation),
            Step::Refused(refusal) => return Err(refusal),
            Step::Evict(reclaim) => reclaim.run(),
            Step::Parked => unreachable!("without a waker it does not wait"),
        }
    }
}

fn outcomes(policy: Arc<dyn Policy>, ops: &[Op], answer: Answer) -> Came {
    const MODE: MemoryMode = MemoryMode::OnHeap;
    let steps = Arc::new(Steps::default());
    let on_heap = PoolSizes {
        storage: 500,
        execution: 500,
        storage_region: 500,
        max_unroll: 100,
    };
    let options = LedgerOptions {
        on_heap,
        probe: Some(Arc::clone(&steps) as Arc<dyn Probe>),
        ..LedgerOptions::default()
    };
    let ledger = Ledger::new(options, policy);
    let mut held: Vec<Reservation> = Vec::new();
    let ask = |held: &mut Vec<Reservation>, ask| match answer(&ledger, ask) {
        Ok(granted) => {
            let came = format!("granted {}", granted.bytes());
            held.push(granted);
            came
        }
        Err(refusal) => format!("{:?}", refusal.reason()),
    };
    let mut outcomes = Vec::new();
    for op in ops {
        let came = match *op {
            Op::Acquire(task, bytes) => {
                ask(&mut held, Ask::execution(TaskId::new(task), MODE, bytes))
            }
            Op::Store(bytes) => ask(&mut held, Ask::storage(MODE, bytes, None)),
            Op::Shrink(which, bytes) => {
                let count = held.len().max(1);
                if let Some(one) = held.get_mut(which % count) {
                    one.shrink_to(bytes);
                }
                String::new()
            }
            Op::LetGo(which) => {
                if !held.is_empty() {
                    drop(held.swap_remove(which % held.len()));
                }
                String::new()
            }
            Op::Register(task, weight) => {
                ledger.register_weighted(TaskId::new(task), weight);
                String::new()
            }
            Op::End(task) => {
                let (own, others) = held
                    .drain(..)
                    .partition(|one| one.task() == Some(TaskId::new(task)));
                held = others;
                let own: Vec<Reservation> = own;
                own.into_iter().map(Reservation::leave).for_each(drop);
                format!("{:?}", ledger.end_task(TaskId::new(task)))
            }
            Op::Unmanaged(bytes) => {
                ledger.set_unmanaged(MODE, bytes);
                String::new()
            }
            Op::Limit(total) => format!("{:?}", ledger.set_limit(MODE, total)),
        };
        ledger.check();
        outcomes.push((came, ledger.snapshot()));
    }
    drop(held);
    let told = steps.0.lock().clone();
    (outcomes, told)
}

/// The same cases in every run.
fn fixed() -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(0x4ea7),
        failure_persistence: None,
        ..ProptestConfig::with_cases(500)
    }
}

proptest! {
    #![proptest_config(fixed())]

    #[test]
    fn the_short_way_comes_to_the_same_as_asking(ops in ops()) {
        let short: Answer = |ledger, ask| ledger.try_acquire(ask);
        let unified = outcomes(Arc::new(UnifiedPolicy), &ops, short);
        prop_assert_eq!(&unified, &outcomes(Arc::new(Asked(UnifiedPolicy)), &ops, short));
        prop_assert_eq!(&unified, &outcomes(Arc::new(UnifiedPolicy), &ops, step_by_step));
        let fixed = outcomes(Arc::new(StaticPolicy), &ops, short);
        prop_assert_eq!(&fixed, &outcomes(Arc::new(Asked(StaticPolicy)), &ops, short));
        prop_assert_eq!(&fixed, &outcomes(Arc::new(StaticPolicy), &ops, step_by_step));
    }
}
