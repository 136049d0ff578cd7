//! A small executor: operations that may block are futures, polled here and nowhere else.
//!
//! An operation *has blocked* when its future is pending after everything has come to rest. There
//! are no threads, so every run of a trace is the same.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use mem_pool::CancelToken;
use mem_sync::Mutex;

use crate::format::Answer;

/// An operation on its way.
pub(super) type Running = Pin<Box<dyn Future<Output = Answer>>>;

/// An operation that has come to its end.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) operation: u64,
    pub(super) task: i64,
    pub(super) answer: Answer,
}

struct Pending {
    task: i64,
    future: Running,
    cancel: CancelToken,
    waker: Waker,
}

/// The operations that were woken and not yet polled, in order of waking.
#[derive(Debug, Default)]
struct Ready(Mutex<VecDeque<u64>>);

struct OperationWaker {
    operation: u64,
    ready: Arc<Ready>,
}

impl Wake for OperationWaker {
    fn wake(self: Arc<Self>) {
        self.ready.0.lock().push_back(self.operation);
    }
}

/// Operations that have not come to their end, by number.
#[derive(Default)]
pub(super) struct Executor {
    pending: BTreeMap<u64, Pending>,
    ready: Arc<Ready>,
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.pending.keys()).finish()
    }
}

impl Executor {
    /// Takes on an operation of `task`; it is polled first in the next [`rest`](Self::rest).
    pub(super) fn start(
        &mut self,
        operation: u64,
        task: i64,
        cancel: CancelToken,
        future: Running,
    ) {
        let ready = Arc::clone(&self.ready);
        let waker = Waker::from(Arc::new(OperationWaker { operation, ready }));
        waker.wake_by_ref();
        self.pending.insert(
            operation,
            Pending {
                task,
                future,
                cancel,
                waker,
            },
        );
    }

    /// Polls what was woken, first in first, until nothing is. `turn` is told whose turn it is.
    pub(super) fn rest(&mut self, mut turn: impl FnMut(u64)) -> Vec<Finished> {
        let mut finished = Vec::new();
        loop {
            let next = self.ready.0.lock().pop_front();
            let Some(operation) = next else {
                return finished;
            };
            let Some(pending) = self.pending.get_mut(&operation) else {
                continue;
            };
            turn(operation);
            if let Poll::Ready(answer) = pending
                .future
                .as_mut()
                .poll(&mut Context::from_waker(&pending.waker))
            {
                let task = pending.task;
                self.pending.remove(&operation);
                finished.push(Finished {
                    operation,
                    task,
                    answer,
                });
            }
        }
    }

    /// Cancels the operation that `task` waits in; false where there is none.
    pub(super) fn interrupt(&self, task: i64) -> bool {
        let waiting = self.pending.values().find(|pending| pending.task == task);
        waiting.map(|pending| pending.cancel.cancel()).is_some()
    }
}
