//! Operations on the block store.

use std::io;
use std::sync::Arc;

use mem_block::MemoryMode;
use mem_pool::{TaskId, raw};
use mem_store::{BlockId, Put, StoreError, TaskContext};

use super::Session;
use super::blocks::{Blocks, Element, Elements, Partial, Recorded, Zeros};
use crate::format::{Answer, Operation};
use crate::report::Problem;
use crate::spark_errors;

impl Session {
    /// Does an operation of the block store; none where it is something else.
    pub(super) fn store_operation(
        &mut self,
        operation: &Operation,
    ) -> Result<Option<Answer>, Problem> {
        let release = self.manager.resolved().policy.release();
        let blocks = &mut self.blocks;
        let result = match operation {
            Operation::PutBytes {
                block,
                bytes,
                mode,
                task: _,
            } => put_bytes(blocks, &name(block)?, *bytes, (*mode).into()),
            Operation::PutValues { block, .. } | Operation::PutIterBytes { block, .. } => {
                put_elements(blocks, name(block)?, operation)
            }
            Operation::PartialClose { block } => {
                drop(take_partial(blocks, block)?);
                Ok(Answer::Done {})
            }
            Operation::PartialDrain { block } => Ok(drain(take_partial(blocks, block)?)?),
            Operation::GetBytes { block } => {
                blocks
                    .store
                    .get_bytes(&name(block)?)
                    .map(|found| Answer::Found {
                        found: found.is_some(),
                        bytes: found.map(|bytes| bytes.len()),
                    })
            }
            Operation::GetValues { block } => {
                let found = blocks.store.get_values::<Element>(&name(block)?);
                found.map(|found| Answer::Found {
                    found: found.is_some(),
                    bytes: None,
                })
            }
            Operation::GetSize { block } => Ok(match blocks.store.get_size(&name(block)?) {
                Some(bytes) => Answer::Bytes { bytes },
                None => spark_errors::of_size_of_nothing(block).into(),
            }),
            Operation::Contains { block } => Ok(Answer::Found {
                found: blocks.store.contains(&name(block)?),
                bytes: None,
            }),
            Operation::Remove { block } => {
                let id = name(block)?;
                blocks.pins.remove(&id);
                Ok(Answer::Removed {
                    removed: blocks.store.remove(&id),
                })
            }
            Operation::Clear {} => {
                blocks.pins.clear();
                blocks.store.clear();
                raw::release_all_storage_memory(self.manager.ledger());
                Ok(Answer::Done {})
            }
            Operation::Pin { block } => Ok(Answer::Accepted {
                ok: pin(blocks, name(block)?),
            }),
            Operation::Unpin { block } => {
                drop(blocks.pins.get_mut(&name(block)?).and_then(Vec::pop));
                Ok(Answer::Done {})
            }
            _ => return self.unroll_operation(operation),
        };
        Ok(Some(result.unwrap_or_else(|error| {
            spark_errors::of_store(&error, release).into()
        })))
    }

    /// Does an operation on the unroll memory of a task; none where it is something else.
    fn unroll_operation(&self, operation: &Operation) -> Result<Option<Answer>, Problem> {
        let release = self.manager.resolved().policy.release();
        let store = &self.blocks.store;
        Ok(Some(match operation {
            Operation::ReserveUnroll {
                block,
                bytes,
                mode,
                task,
            } => {
                let task = task.map(TaskId::new);
                match store.reserve_unroll_for_task(&name(block)?, task, (*mode).into(), *bytes) {
                    Ok(ok) => Answer::Accepted { ok },
                    Err(error) => spark_errors::of_store(&error, release).into(),
                }
            }
            Operation::ReleaseTaskUnroll { mode, bytes, task } => {
                // Less than nothing releases nothing; no number, everything.
                let bytes = bytes.map_or(u64::MAX, |bytes| u64::try_from(bytes).unwrap_or(0));
                store.release_unroll_for_task(task.map(TaskId::new), (*mode).into(), bytes);
                Answer::Done {}
            }
            Operation::TaskUnroll { task } => Answer::Bytes {
                bytes: store.current_unroll_for_task(task.map(TaskId::new)),
            },
            _ => return Ok(None),
        }))
    }
}

fn name(block: &str) -> Result<BlockId, Problem> {
    block
        .parse()
        .map_err(|_empty| Problem::sense("a block without a name"))
}

fn put_bytes(
    blocks: &Blocks,
    block: &BlockId,
    bytes: i64,
    mode: MemoryMode,
) -> Result<Answer, StoreError> {
    let Ok(size) = u64::try_from(bytes) else {
        return Err(StoreError::InvalidBytes(bytes));
    };
    // Nobody reads the contents; what is never written to is never in memory.
    let stored = blocks.store.put_bytes(block, mode, size, |bytes| {
        loop {
            let room = bytes.unwritten().len();
            if room == 0 {
                return Ok(());
            }
            bytes.advance(room);
        }
    })?;
    Ok(Answer::Stored {
        stored,
        size: None,
        unroll_kept: None,
    })
}

fn put_elements(
    blocks: &mut Blocks,
    block: BlockId,
    operation: &Operation,
) -> Result<Answer, StoreError> {
    let (Operation::PutValues {
        mode,
        count,
        size,
        step,
        task,
        estimates,
        precise,
        ..
    }
    | Operation::PutIterBytes {
        mode,
        count,
        size,
        step,
        task,
        estimates,
        precise,
        ..
    }) = operation
    else {
        unreachable!("the caller has matched one of the two")
    };
    let context = TaskContext {
        task: task.map(TaskId::new),
        cancel: None,
    };
    let elements = Elements {
        left: *count,
        size: *size,
        step: *step,
    };
    let (mode, tracker) = ((*mode).into(), Recorded::new(estimates, *precise));
    let store = &blocks.store;
    let partial = if matches!(operation, Operation::PutValues { .. }) {
        match store.put_iterator_as_values(&block, context, mode, elements, tracker)? {
            Put::Stored { size } => return Ok(stored(size)),
            Put::Partial(partial) => Partial::Values(partial),
        }
    } else {
        match store.put_iterator_as_bytes(
            &block,
            context,
            mode,
            elements,
            Arc::new(Zeros),
            tracker,
        )? {
            Put::Stored { size } => return Ok(stored(size)),
            Put::Partial(partial) => Partial::Bytes(partial),
        }
    };
    let unroll_kept = match &partial {
        Partial::Values(values) => values.unroll_bytes(),
        Partial::Bytes(bytes) => bytes.unroll_bytes(),
    };
    blocks.partial.insert(block, partial);
    Ok(Answer::Stored {
        stored: false,
        size: None,
        unroll_kept: Some(unroll_kept),
    })
}

fn stored(size: u64) -> Answer {
    Answer::Stored {
        stored: true,
        size: Some(size),
        unroll_kept: None,
    }
}

fn take_partial(blocks: &mut Blocks, block: &str) -> Result<Partial, Problem> {
    let partial = blocks.partial.remove(&name(block)?);
    partial.ok_or_else(|| Problem::sense(format!("block {block} is not partly unrolled")))
}

fn drain(partial: Partial) -> io::Result<Answer> {
    Ok(match partial {
        Partial::Values(values) => Answer::Drained {
            elements: values.count() as u64,
        },
        Partial::Bytes(bytes) => Answer::Bytes {
            bytes: bytes.finish_writing_to(&mut io::sink())?,
        },
    })
}

fn pin(blocks: &mut Blocks, block: BlockId) -> bool {
    let lock = blocks.store.infos().try_lock_for_reading(&block, None);
    let ok = lock.is_some();
    blocks.pins.entry(block).or_default().extend(lock);
    ok
}
