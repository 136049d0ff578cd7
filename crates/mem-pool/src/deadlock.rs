//! Seeing that nobody who waits can ever be helped.

use std::collections::BTreeSet;

use mem_block::MemoryMode;

use crate::state::State;
use crate::sum::add;
use crate::task::TaskId;
use crate::waiter::{Status, Waiter};

/// A parked request of a mode in which every holder of memory is itself parked: the newest, if there
/// are any, of those whose tasks hold some of it. None while an eviction or a spill runs for somebody:
/// what it leaves may let others proceed.
///
/// Costs the number of waiters. A holder that waits in the other mode counts as able to move on,
/// unless that mode is stuck as well.
pub(crate) fn newest_stuck(state: &State) -> Option<u64> {
    let is_moving =
        |waiter: &Waiter| waiter.is_evicting() || matches!(waiter.status, Status::Granted { .. });
    if state.queue.iter().any(|(_, waiter)| is_moving(waiter)) {
        return None;
    }
    if !may_be_stuck(state) {
        return None;
    }
    if state.books.iter().any(|books| books.execution().kept() > 0) {
        return None;
    }
    let parked: BTreeSet<(TaskId, MemoryMode)> = state
        .queue
        .iter()
        .filter(|(_, waiter)| waiter.is_parked())
        .filter_map(|(_, waiter)| Some((waiter.attempt.task()?, waiter.attempt.mode)))
        .collect();
    if parked.is_empty() {
        return None;
    }
    let anywhere: BTreeSet<TaskId> = parked.iter().map(|(task, _)| *task).collect();
    let modes = [MemoryMode::OnHeap, MemoryMode::OffHeap];
    let all_hold_back = modes
        .iter()
        .all(|mode| holders_among(state, *mode, anywhere.iter().copied()));
    let stuck = |mode: MemoryMode| {
        let here = parked
            .iter()
            .filter(|(_, at)| *at == mode)
            .map(|(task, _)| *task);
        all_hold_back || holders_among(state, mode, here)
    };
    let queue = state.queue.iter();
    let candidates = queue.filter(|(_, waiter)| waiter.is_parked() && stuck(waiter.attempt.mode));
    // A holder that is refused can spill, and then the others move on; anybody else can only fail.
    let holds = |task: TaskId, mode: MemoryMode| state.books(mode).execution().held_by(task) > 0;
    let rank = |(id, waiter): &(u64, &Waiter)| {
        let task = waiter.attempt.task();
        let here = task.is_some_and(|task| holds(task, waiter.attempt.mode));
        let anywhere = task.is_some_and(|task| modes.iter().any(|mode| holds(task, *mode)));
        (here, anywhere, *id)
    };
    candidates.max_by_key(rank).map(|(id, _)| id)
}

/// False where some holder of every mode that is waited for surely goes on: mostly so, and seen at once.
/// A task is counted here as often as it waits, so it can be true where nobody is stuck.
fn may_be_stuck(state: &State) -> bool {
    let modes = [MemoryMode::OnHeap, MemoryMode::OffHeap];
    let mut waited_for = [false; 2];
    // Waiters, in this mode and in all, whose tasks hold some of the mode.
    let (mut here, mut anywhere) = ([0_u64; 2], [0_u64; 2]);
    for (_, waiter) in state.queue.iter().filter(|(_, waiter)| waiter.is_parked()) {
        let Some(task) = waiter.attempt.task() else {
            continue;
        };
        for (at, mode) in modes.into_iter().enumerate() {
            let holds = u64::from(state.books(mode).execution().held_by(task) > 0);
            anywhere[at] = add(anywhere[at], holds);
            if waiter.attempt.mode == mode {
                waited_for[at] = true;
                here[at] = add(here[at], holds);
            }
        }
    }
    let holders = modes.map(|mode| state.books(mode).execution().holders());
    let all_of = |waiting: &[u64; 2], at: usize| waiting[at] >= holders[at];
    let any_waits = waited_for.contains(&true);
    (any_waits && (0..2).all(|at| all_of(&anywhere, at)))
        || (0..2).any(|at| waited_for[at] && all_of(&here, at))
}

/// Whether all that hold memory of `mode` are among `tasks`, each of which is named once.
fn holders_among(state: &State, mode: MemoryMode, tasks: impl Iterator<Item = TaskId>) -> bool {
    let execution = state.books(mode).execution();
    let among = tasks.filter(|task| execution.held_by(*task) > 0).count();
    u64::try_from(among) == Ok(execution.holders())
}
