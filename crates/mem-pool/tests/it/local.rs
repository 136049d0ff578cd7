//! Reservations with local slack: cheap for their owner, and nobody else's loss.

use mem_pool::{Ask, LedgerOptions, LocalReservation, TaskId, Wait};
use proptest::prelude::*;

use crate::house::{House, ON, ask, sizes};
use crate::policies::Unified;

const QUANTUM: u64 = 64;

fn house(execution: u64, storage: u64) -> House {
    let options = LedgerOptions {
        on_heap: sizes(execution, storage, storage),
        ..LedgerOptions::default()
    };
    House::new(Unified::default(), options)
}

fn local(house: &House, task: i64, quantum: u64) -> LocalReservation {
    house.ledger.local(TaskId::new(task), ON, quantum)
}

fn held(house: &House, task: i64) -> u64 {
    house.ledger.execution_usage(TaskId::new(task))
}

#[test]
fn small_changes_stay_away_from_the_ledger() {
    let house = house(10_000, 0);
    let mut mine = local(&house, 1, QUANTUM);
    mine.try_grow(10).unwrap();
    assert_eq!((mine.bytes(), held(&house, 1)), (10, 74));
    let grants = house.ledger.snapshot().on_heap;
    for _ in 0..100 {
        mine.try_grow(30).unwrap();
        mine.shrink(30);
    }
    assert_eq!(house.ledger.snapshot().on_heap, grants);
    assert_eq!(house.ledger.slack(ON), 64);
    assert_eq!(mine.reader().bytes(), 10);
    drop(mine);
    assert_eq!(held(&house, 1), 0);
    assert_eq!(house.ledger.slack(ON), 0);
    house.ledger.check();
}

/// Neither more than there is in reserve, nor more than is in use, nor so much that there would be too
/// much in reserve: nothing is moved then, whether slack may be used or was taken back.
#[test]
fn what_can_not_be_moved_stays_where_it_is() {
    let house = house(10_000, 0);
    let mut mine = local(&house, 1, QUANTUM);
    mine.try_grow(10).unwrap();
    let is_so = |mine: &LocalReservation, used, slack| {
        assert_eq!((mine.bytes(), mine.slack()), (used, slack));
        assert_eq!(mine.reader().bytes(), used);
        assert_eq!(house.ledger.slack(ON), slack);
    };
    for bytes in [65, u64::MAX] {
        assert!(!mine.draw(bytes));
        is_so(&mine, 10, 64);
    }
    for bytes in [11, u64::MAX, u64::MAX - 64] {
        assert!(!mine.put_back(bytes));
        is_so(&mine, 10, 64);
    }
    assert!(mine.draw(64) && mine.put_back(74));
    is_so(&mine, 0, 74);
    mine.try_grow(1_000).unwrap();
    let slack = mine.slack();
    assert!(!mine.put_back(1_000));
    is_so(&mine, 1_000, slack);
    drop(house.ledger.try_acquire(ask(2, 20_000)));
    is_so(&mine, 1_000, 0);
    for bytes in [1, 1_000, u64::MAX] {
        assert!(!mine.draw(bytes) && !mine.put_back(bytes));
        is_so(&mine, 1_000, 0);
    }
    assert_eq!(held(&house, 1), 1_000);
}

/// One grows and shrinks, as it counts itself; another has all slack taken back, and a third looks on.
#[test]
fn the_books_are_right_beside_who_recalls_and_who_reads() {
    let house = house(1 << 20, 0);
    let mut mine = local(&house, 1, QUANTUM);
    let (reader, ledger) = (mine.reader(), &house.ledger);
    let done = std::sync::atomic::AtomicBool::new(false);
    let is_done = || done.load(std::sync::atomic::Ordering::Relaxed);
    let mut used = 0_u64;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done() {
                drop(ledger.try_acquire(ask(2, 2 << 20)));
            }
        });
        scope.spawn(|| {
            while !is_done() {
                assert!(reader.bytes() < 10_000, "never so much was in use");
            }
        });
        for step in 0..200_000_u64 {
            let bytes = step * 7_919 % 100;
            if step % 64 < 32 {
                mine.try_grow(bytes).unwrap();
                used += bytes;
            } else {
                mine.shrink(bytes);
                used -= bytes.min(used);
            }
            assert_eq!(mine.bytes(), used);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(held(&house, 1), used + house.ledger.slack(ON));
    drop(mine);
    assert_eq!(held(&house, 1), 0);
    house.ledger.check();
}

#[test]
fn the_quantum_grows_with_use_and_starts_again_after_a_recall() {
    let house = house(10_000, 0);
    let mut mine = local(&house, 1, QUANTUM);
    for expected in [64, 128, 256] {
        let slack = house.ledger.slack(ON);
        mine.try_grow(slack + 1).unwrap();
        assert_eq!(house.ledger.slack(ON), expected);
    }
    let other = house.ledger.try_acquire(ask(2, 20_000));
    drop(other);
    assert_eq!(house.ledger.slack(ON), 0);
    mine.try_grow(1).unwrap();
    assert_eq!(house.ledger.slack(ON), 64);
}

#[test]
fn much_that_is_given_back_does_not_stay() {
    let house = house(10_000, 0);
    let mut mine = local(&house, 1, QUANTUM);
    mine.try_grow(5_000).unwrap();
    mine.shrink(5_000);
    assert_eq!((mine.bytes(), held(&house, 1)), (0, 128));
}

#[test]
fn what_another_needs_comes_back_from_an_idle_owner() {
    let house = house(1_000, 0);
    let mut mine = local(&house, 1, 900);
    mine.try_grow(50).unwrap();
    assert_eq!(held(&house, 1), 950);
    let theirs = house.ledger.try_reserve(ask(2, 500)).unwrap();
    assert_eq!((theirs.bytes(), held(&house, 1)), (500, 50));
    // What is released now is seen at once.
    mine.shrink(20);
    assert_eq!(held(&house, 1), 30);
}

#[test]
fn a_task_that_uses_nothing_does_not_lower_the_share_of_others() {
    let house = house(1_000, 0);
    let mut mine = local(&house, 1, QUANTUM);
    mine.try_grow(10).unwrap();
    mine.shrink(10);
    assert!(held(&house, 1) > 0);
    let all = house.ledger.try_reserve(ask(2, 1_000)).unwrap();
    assert_eq!(all.bytes(), 1_000);
}

#[test]
fn a_block_is_not_refused_for_slack() {
    let house = house(1_000, 0);
    let mut mine = local(&house, 1, 800);
    mine.try_grow(10).unwrap();
    let block = house
        .ledger
        .try_reserve(Ask::storage(ON, 900, None))
        .unwrap();
    assert_eq!(block.bytes(), 900);
}

#[test]
fn nothing_is_taken_in_advance_while_somebody_waits() {
    let house = house(1_000, 0);
    let _most = house.grant(3, 800);
    let mut mine = local(&house, 1, QUANTUM);
    mine.try_grow(50).unwrap();
    let waker = std::task::Waker::noop();
    let mut waiting = house.ledger.ticket(ask(2, 300));
    assert!(matches!(waiting.step(Some(waker)), mem_pool::Step::Parked));
    mine.shrink(10);
    assert_eq!((held(&house, 1), house.ledger.slack(ON)), (40, 0));
    mine.try_grow(1).unwrap();
    assert_eq!((held(&house, 1), house.ledger.slack(ON)), (41, 0));
}

#[test]
fn an_exact_reservation_comes_to_the_ledger_for_every_byte() {
    let house = house(1_000, 0);
    let mut mine = local(&house, 1, QUANTUM);
    mine.try_grow(10).unwrap();
    house.ledger.set_exact(&mine.reader(), true);
    assert_eq!(held(&house, 1), 10);
    mine.grow(5, &Wait::default()).unwrap();
    mine.shrink(8);
    assert_eq!(held(&house, 1), 7);
    house.ledger.set_exact(&mine.reader(), false);
    mine.try_grow(1).unwrap();
    assert_eq!(held(&house, 1), 72);
}

#[test]
fn a_task_that_ends_takes_the_slack_with_it() {
    let house = house(1_000, 0);
    let mut mine = local(&house, 1, QUANTUM);
    mine.try_grow(10).unwrap();
    assert_eq!(house.ledger.end_task(TaskId::new(1)), (10, 0));
    assert_eq!(house.ledger.slack(ON), 0);
    mine.shrink(10);
    house.ledger.check();
}

#[test]
fn reservations_go_in_and_out() {
    let house = house(1_000, 0);
    let mut mine = local(&house, 1, QUANTUM);
    mine.absorb(house.grant(1, 100)).unwrap();
    let other = mine.absorb(house.grant(2, 100)).unwrap_err();
    assert_eq!((mine.bytes(), other.bytes()), (100, 100));
    let part = mine.split(40);
    assert_eq!((mine.bytes(), part.bytes(), held(&house, 1)), (60, 40, 100));
}

/// What one of three owners, or a task without slack, does.
#[derive(Debug, Clone, Copy)]
enum Act {
    Grow(usize, u64),
    Shrink(usize, u64),
    Ask(u64),
    LetGo,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0..3_usize, 1..200_u64).prop_map(|(owner, bytes)| Act::Grow(owner, bytes)),
        4 => (0..3_usize, 1..200_u64).prop_map(|(owner, bytes)| Act::Shrink(owner, bytes)),
        2 => (1..600_u64).prop_map(Act::Ask),
        1 => Just(Act::LetGo),
    ];
    prop::collection::vec(act, 1..80)
}

/// Does `acts`, with every task counted from the start: what a task was granted as slack before others
/// came, it may use when its share has become smaller, as anything that it was granted. Gives what came of each for those who have no slack, and what the owners use.
fn outcomes(acts: &[Act], quantum: u64) -> Vec<(Option<u64>, [u64; 3])> {
    let house = house(600, 400);
    let counted = [1, 2, 3].map(|task| house.grant(task, 1));
    let mut owners = [1, 1, 2].map(|task| local(&house, task, quantum));
    let mut others = Vec::new();
    let mut outcomes = Vec::new();
    for act in acts {
        let came = match *act {
            Act::Grow(owner, bytes) => Some(u64::from(owners[owner].try_grow(bytes).is_ok())),
            Act::Shrink(owner, bytes) => {
                owners[owner].shrink(bytes);
                None
            }
            Act::Ask(bytes) => {
                let granted = house.ledger.try_acquire(ask(3, bytes)).ok();
                let bytes = granted.as_ref().map(mem_pool::Reservation::bytes);
                others.extend(granted);
                bytes
            }
            Act::LetGo => {
                others.pop();
                None
            }
        };
        house.ledger.check();
        outcomes.push((came, owners.each_ref().map(LocalReservation::bytes)));
    }
    drop((owners, others, counted));
    let end = house.ledger.snapshot().on_heap;
    assert_eq!((end.execution_used, end.storage_used), (0, 0));
    outcomes
}

proptest! {
    /// The answers to everybody are the same with slack and without.
    #[test]
    fn slack_changes_no_answer(acts in acts()) {
        prop_assert_eq!(outcomes(&acts, 50), outcomes(&acts, 0));
    }
}
