//! Seeing that nobody who waits can ever be helped.

use std::collections::BTreeSet;

use mem_block::MemoryMode;

use crate::state::State;
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

/// Whether all that hold memory of `mode` are among `tasks`, each of which is named once.
fn holders_among(state: &State, mode: MemoryMode, tasks: impl Iterator<Item = TaskId>) -> bool {
    let execution = state.books(mode).execution();
    let among = tasks.filter(|task| execution.held_by(*task) > 0).count();
    u64::try_from(among) == Ok(execution.holders())
}
