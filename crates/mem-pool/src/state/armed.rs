//! Who may use slack now, by mode.

use std::sync::Arc;

use mem_block::MemoryMode;

use crate::slack::Slack;
use crate::task::TaskId;

/// Each knows its place in its list, so that one leaves without a search.
#[derive(Debug, Default)]
pub(super) struct Armed {
    on_heap: Vec<Arc<Slack>>,
    off_heap: Vec<Arc<Slack>>,
}

impl Armed {
    pub(super) fn of(&self, mode: MemoryMode) -> &[Arc<Slack>] {
        match mode {
            MemoryMode::OnHeap => &self.on_heap,
            MemoryMode::OffHeap => &self.off_heap,
        }
    }

    fn list(&mut self, mode: MemoryMode) -> &mut Vec<Arc<Slack>> {
        match mode {
            MemoryMode::OnHeap => &mut self.on_heap,
            MemoryMode::OffHeap => &mut self.off_heap,
        }
    }

    /// Adds one that is not in.
    pub(super) fn add(&mut self, slack: &Arc<Slack>) {
        let list = self.list(slack.mode);
        slack.set_place(list.len());
        list.push(Arc::clone(slack));
    }

    /// Takes out one that is in.
    pub(super) fn remove(&mut self, slack: &Slack) -> Arc<Slack> {
        let list = self.list(slack.mode);
        let place = slack.place();
        let removed = list.swap_remove(place);
        if let Some(moved) = list.get(place) {
            moved.set_place(place);
        }
        removed
    }

    /// Takes out all of `mode`.
    pub(super) fn take(&mut self, mode: MemoryMode) -> Vec<Arc<Slack>> {
        std::mem::take(self.list(mode))
    }

    /// Takes out all of `task`.
    pub(super) fn take_of(&mut self, task: TaskId) -> Vec<Arc<Slack>> {
        let all = self.on_heap.iter().chain(&self.off_heap);
        let own: Vec<Arc<Slack>> = all.filter(|slack| slack.task == task).cloned().collect();
        own.iter().map(|slack| self.remove(slack)).collect()
    }
}
