//! Operations on the memory manager.

use mem_block::MemoryMode;
use mem_pool::raw::{self, RawError};
use mem_pool::{CancelToken, Dataset, Reservation, TaskId, Wait};
use mem_store::BlockId;

use super::{Issued, Session, not_negative};
use crate::format::{Answer, Mode, Operation};
use crate::report::Problem;
use crate::spark_errors;

impl Session {
    /// Does an operation on the manager; none where it is something else.
    pub(super) fn manager_operation(
        &mut self,
        number: u64,
        operation: &Operation,
    ) -> Result<Option<Issued>, Problem> {
        let ledger = self.manager.ledger();
        let answer = match *operation {
            Operation::AcquireExecution { task, bytes, mode } => {
                return Ok(Some(self.acquire_execution(number, task, bytes, mode)));
            }
            Operation::ReleaseExecution { task, bytes, mode } => {
                let bytes = not_negative(bytes)?;
                raw::release_execution_memory(ledger, bytes, TaskId::new(task), mode.into());
                Answer::Done {}
            }
            Operation::ReleaseAllExecution { task } => {
                let task = TaskId::new(task);
                let released = raw::release_all_execution_memory_for_task(ledger, task);
                Answer::Released { released }
            }
            Operation::Usage { task } => Answer::Usage {
                usage: ledger.execution_usage(TaskId::new(task)),
            },
            Operation::Limits {} => Answer::Limits {
                max_on_storage: ledger.max_storage(MemoryMode::OnHeap),
                max_off_storage: ledger.max_storage(MemoryMode::OffHeap),
            },
            Operation::SetUnmanaged {
                ref name,
                mode,
                bytes,
            } => {
                let totals = self.users.set(&*self.manager, name, mode.into(), bytes);
                let (on, off) = (totals.on_heap, totals.off_heap);
                Answer::Unmanaged {
                    unmanaged_on: on,
                    unmanaged_off: off,
                }
            }
            Operation::NotifyAll {} => {
                ledger.notify_all();
                Answer::Done {}
            }
            Operation::Interrupt { task } => {
                if !self.executor.interrupt(task) {
                    return Err(Problem::sense(format!("task {task} does not wait")));
                }
                Answer::Done {}
            }
            _ => return Ok(self.storage_operation(operation)?.map(Issued::from)),
        };
        Ok(Some(answer.into()))
    }

    /// Does an operation on storage memory alone; none where it is something else.
    fn storage_operation(&self, operation: &Operation) -> Result<Option<Answer>, Problem> {
        let ledger = self.manager.ledger();
        Ok(Some(match *operation {
            Operation::AcquireStorage {
                ref block,
                bytes,
                mode,
            } => {
                let dataset = dataset(block);
                accepted(raw::acquire_storage_memory(
                    ledger,
                    dataset,
                    bytes,
                    mode.into(),
                ))
            }
            Operation::AcquireUnroll {
                ref block,
                bytes,
                mode,
            } => {
                let dataset = dataset(block);
                accepted(raw::acquire_unroll_memory(
                    ledger,
                    dataset,
                    bytes,
                    mode.into(),
                ))
            }
            Operation::ReleaseStorage { bytes, mode } => {
                raw::release_storage_memory(ledger, not_negative(bytes)?, mode.into());
                Answer::Done {}
            }
            Operation::ReleaseUnroll { bytes, mode } => {
                raw::release_unroll_memory(ledger, not_negative(bytes)?, mode.into());
                Answer::Done {}
            }
            Operation::ReleaseAllStorage {} => {
                raw::release_all_storage_memory(ledger);
                Answer::Done {}
            }
            _ => return Ok(None),
        }))
    }

    fn acquire_execution(&mut self, number: u64, task: i64, bytes: i64, mode: Mode) -> Issued {
        let ask = match raw::execution_ask(bytes, TaskId::new(task), mode.into()) {
            Ok(ask) => ask,
            Err(error) => return Issued::Answered(spark_errors::of_raw(&error).into()),
        };
        let cancel = CancelToken::new();
        let wait = Wait {
            cancel: Some(&cancel),
            ..Wait::default()
        };
        let acquire = self.manager.ledger().acquire_async(ask).with(&wait);
        let answer = async {
            match acquire.await.map(Reservation::leave) {
                Ok(granted) => Answer::Granted { granted },
                Err(refusal) => spark_errors::of_refusal(&refusal).into(),
            }
        };
        self.executor.start(number, task, cancel, Box::pin(answer));
        Issued::Started
    }
}

fn accepted(result: Result<bool, RawError>) -> Answer {
    match result {
        Ok(ok) => Answer::Accepted { ok },
        Err(error) => spark_errors::of_raw(&error).into(),
    }
}

/// The dataset that a block of that name would belong to.
fn dataset(block: &str) -> Option<Dataset> {
    block
        .parse()
        .ok()
        .and_then(|block: BlockId| block.dataset())
}
