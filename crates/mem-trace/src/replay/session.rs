//! One trace's world: a memory manager, a block store and tasks, all of them the real ones.
//!
//! Nothing here counts memory. An operation is translated into the call that it names, and what the
//! call returns is translated back; the pools are read from the ledger.

mod blocks;
mod consumer;
mod executor;
mod journal;
mod managing;
mod plain;
mod starting;
mod storing;
mod tasking;
mod tasks;
mod unmanaged;

use std::collections::BTreeMap;
use std::sync::Arc;

use mem_policy::MemoryManager;

use self::blocks::Blocks;
use self::executor::Executor;
use self::journal::Journal;
use self::tasks::Tasks;
use self::unmanaged::Users;
use crate::format::{Answer, Operation, Outcome, PoolState, Woken};
use crate::report::Problem;

/// The world that a header made.
#[derive(Debug)]
pub(super) struct Session {
    manager: Arc<dyn MemoryManager>,
    tasks: Tasks,
    executor: Executor,
    journal: Journal,
    blocks: Blocks,
    users: Users,
}

/// What a call came to, or that it may block and was handed to the executor.
enum Issued {
    Answered(Answer),
    Started,
}

impl From<Answer> for Issued {
    fn from(answer: Answer) -> Self {
        Self::Answered(answer)
    }
}

impl Session {
    /// Does operation `number`, lets everything that it set off come to rest, and reports.
    ///
    /// # Errors
    /// Where the operation makes no sense: it names what is not there.
    pub(super) fn run(&mut self, number: u64, operation: &Operation) -> Result<Outcome, Problem> {
        self.journal.turn(number);
        let mut answer = match self.issue(number, operation)? {
            Issued::Answered(answer) => Some(answer),
            Issued::Started => None,
        };
        let mut woken = Vec::new();
        for finished in self.executor.rest(|turn| self.journal.turn(turn)) {
            if finished.operation == number {
                answer = Some(finished.answer);
            } else {
                woken.push(Woken {
                    task: finished.task,
                    op: finished.operation,
                    answer: finished.answer,
                    spills: self.journal.take_spills(finished.operation),
                });
            }
        }
        // What a call that still waits had spilled is told when it is woken.
        let spills = answer.as_ref().map(|_| self.journal.take_spills(number));
        Ok(Outcome {
            answer: answer.unwrap_or(Answer::Blocked { blocked: true }),
            spills: spills.unwrap_or_default(),
            evicted: self.journal.take_evicted(),
            used: self.used(operation, &woken)?,
            woken,
            state: Some(self.state()),
        })
    }

    fn issue(&mut self, number: u64, operation: &Operation) -> Result<Issued, Problem> {
        if let Some(issued) = self.manager_operation(number, operation)? {
            return Ok(issued);
        }
        if let Some(issued) = self.task_operation(number, operation)? {
            return Ok(issued);
        }
        if let Some(answer) = self.store_operation(operation)? {
            return Ok(answer.into());
        }
        let answer = self.plain_operation(operation)?;
        let nobody = || Problem::sense("there is nobody who does this");
        answer.map(Issued::from).ok_or_else(nobody)
    }

    /// What the consumers use of the task that ran the operation, and of those that were woken.
    fn used(&self, operation: &Operation, woken: &[Woken]) -> Result<BTreeMap<u64, u64>, Problem> {
        let own = match (operation.task(), operation.consumer()) {
            (Some(task), _) => Some(task),
            (None, Some(consumer)) => {
                Some(self.tasks.consumer(consumer)?.memory.task().task().get())
            }
            (None, None) => None,
        };
        let tasks = own.into_iter().chain(woken.iter().map(|woken| woken.task));
        Ok(tasks.flat_map(|task| self.tasks.used(task)).collect())
    }

    /// The pools now.
    fn state(&self) -> PoolState {
        let unroll = self.blocks.store.current_unroll_memory();
        PoolState::of(&self.manager.ledger().snapshot(), unroll)
    }
}

/// A release of less than nothing adds to Spark's books; ours can't be written so.
fn not_negative(bytes: i64) -> Result<u64, Problem> {
    u64::try_from(bytes).map_err(|_negative| Problem::sense("a release of less than nothing"))
}
