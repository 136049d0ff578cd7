//! Operations of tasks and their consumers.

use std::future::Future;
use std::sync::Arc;

use mem_block::MemoryMode;
use mem_pool::{CancelToken, Wait};
use task_mem::raw::{self, RawError, RawPage};
use task_mem::{Held, MemoryError};

use super::consumer::TraceConsumer;
use super::{Issued, Session, not_negative};
use crate::format::{Answer, Operation};
use crate::report::Problem;
use crate::spark_errors;

impl Session {
    /// Does an operation of a task; none where it is something else.
    pub(super) fn task_operation(
        &mut self,
        number: u64,
        operation: &Operation,
    ) -> Result<Option<Issued>, Problem> {
        let answer = match *operation {
            Operation::NewTask { task } => {
                self.tasks.begin(&self.manager, task)?;
                Answer::Done {}
            }
            Operation::NewConsumer {
                task,
                consumer,
                mode,
                spill,
                page_size,
            } => {
                self.tasks.add_consumer(
                    (task, consumer),
                    (mode, page_size),
                    spill,
                    &self.journal,
                )?;
                Answer::Done {}
            }
            Operation::ConsumerFree { consumer, bytes } => {
                raw::free_memory(&self.tasks.consumer(consumer)?.memory, not_negative(bytes)?);
                Answer::Done {}
            }
            Operation::FreePage { consumer, page } | Operation::TmmFreePage { consumer, page } => {
                self.free_page(consumer, page)?
            }
            Operation::FailNextAllocs { task, count } => {
                self.tasks.task(task)?.allocator.fail_next(count);
                Answer::Done {}
            }
            Operation::Consumption { task } => Answer::Bytes {
                bytes: self.tasks.task(task)?.memory.memory_consumption(),
            },
            Operation::Peak { task } => {
                let memory = &self.tasks.task(task)?.memory;
                Answer::Peak {
                    on: memory.peak_execution_memory(MemoryMode::OnHeap),
                    off: memory.peak_execution_memory(MemoryMode::OffHeap),
                }
            }
            Operation::Cleanup { task } => Answer::Released {
                released: self.tasks.end(task)?,
            },
            Operation::Encode {
                consumer,
                page,
                offset,
            } => self.encode(consumer, page, offset)?,
            _ => return self.asking_operation(number, operation),
        };
        Ok(Some(answer.into()))
    }

    /// Does an operation in which a consumer asks for memory, and which may block.
    fn asking_operation(
        &mut self,
        number: u64,
        operation: &Operation,
    ) -> Result<Option<Issued>, Problem> {
        match *operation {
            Operation::ConsumerAcquire { consumer, bytes } => {
                self.ask(number, consumer, move |asker, cancel| {
                    acquire(asker, bytes, cancel)
                })
            }
            Operation::AllocPage { consumer, bytes } => {
                self.ask(number, consumer, move |asker, cancel| {
                    own_page(asker, bytes, cancel)
                })
            }
            Operation::AllocArray { consumer, longs } => {
                self.ask(number, consumer, move |asker, cancel| {
                    array(asker, longs, cancel)
                })
            }
            Operation::TmmAllocPage { consumer, bytes } => {
                self.ask(number, consumer, move |asker, cancel| {
                    page(asker, bytes, cancel)
                })
            }
            Operation::TmmAllocMany {
                consumer,
                bytes,
                count,
            } => self.ask(number, consumer, move |asker, cancel| {
                pages(asker, bytes, count, cancel)
            }),
            _ => return Ok(None),
        }
        .map(Some)
    }

    /// Has a consumer ask; the executor drives it.
    fn ask<F: Future<Output = Answer> + 'static>(
        &mut self,
        number: u64,
        consumer: u64,
        asking: impl FnOnce(Arc<TraceConsumer>, CancelToken) -> F,
    ) -> Result<Issued, Problem> {
        let consumer = Arc::clone(self.tasks.consumer(consumer)?);
        let task = consumer.memory.task().task().get();
        let cancel = CancelToken::new();
        let asking = asking(consumer, cancel.clone());
        self.executor.start(number, task, cancel, Box::pin(asking));
        Ok(Issued::Started)
    }

    fn free_page(&self, consumer: u64, page: u64) -> Result<Answer, Problem> {
        let consumer = self.tasks.consumer(consumer)?;
        if u16::try_from(page).is_ok_and(|page| consumer.free(page)) {
            Ok(Answer::Done {})
        } else {
            Err(Problem::sense(format!(
                "consumer {} has no page {page}",
                consumer.number
            )))
        }
    }

    fn encode(&self, consumer: u64, page: u64, offset: u64) -> Result<Answer, Problem> {
        let task = self.tasks.consumer(consumer)?.memory.task();
        let address = u16::try_from(page)
            .ok()
            .and_then(|page| raw::encode(task, page, offset).ok()?);
        let place = address.and_then(|address| Some((address, task.decode(address)?)));
        let Some((address, (page, offset))) = place else {
            return Err(Problem::sense(format!(
                "there is no byte {offset} of a page {page}"
            )));
        };
        Ok(Answer::Encoded {
            address: address.to_raw().to_string(),
            page: page.into(),
            offset,
            in_object: task.tungsten_memory_mode() == MemoryMode::OnHeap,
        })
    }
}

async fn acquire(asker: Arc<TraceConsumer>, bytes: i64, cancel: CancelToken) -> Answer {
    let result = async {
        let bytes = positive(bytes)?;
        let mut spill = |need| asker.spill_itself(need);
        let held = asker
            .memory
            .acquire_async(bytes, &mut spill, &waiting(&cancel))
            .await;
        held.map(Held::leave).map_err(left_with_the_task)
    };
    answer(result.await, |granted| Answer::Granted { granted })
}

async fn own_page(asker: Arc<TraceConsumer>, bytes: i64, cancel: CancelToken) -> Answer {
    let result = async {
        let required = u64::try_from(bytes).unwrap_or(0);
        let mut spill = |need| asker.spill_itself(need);
        let page = asker
            .memory
            .allocate_page_async(required, &mut spill, &waiting(&cancel))
            .await;
        page.map(raw::leave_page).map_err(left_with_the_task)
    };
    answer(result.await, |page| {
        asker.keep(page);
        page_answer(Some(page), None)
    })
}

async fn array(asker: Arc<TraceConsumer>, longs: i64, cancel: CancelToken) -> Answer {
    let result = async {
        let bytes = positive(longs.wrapping_mul(8))?;
        let mut spill = |need| asker.spill_itself(need);
        let page = asker
            .memory
            .allocate_array_async(bytes / 8, &mut spill, &waiting(&cancel))
            .await;
        page.map(raw::leave_page).map_err(left_with_the_task)
    };
    answer(result.await, |page| {
        asker.keep(page);
        page_answer(Some(page), Some(page.bytes / 8))
    })
}

async fn page(asker: Arc<TraceConsumer>, bytes: i64, cancel: CancelToken) -> Answer {
    answer(page_up_to(&asker, bytes, &cancel).await, |page| {
        page_answer(page, None)
    })
}

async fn pages(asker: Arc<TraceConsumer>, bytes: i64, count: u64, cancel: CancelToken) -> Answer {
    let mut last_page = None;
    let mut allocated = 0;
    while allocated < count {
        match page_up_to(&asker, bytes, &cancel).await {
            Ok(Some(page)) => last_page = Some(page.number.into()),
            Ok(None) => break,
            Err(error) => return spark_errors::of_task(&error).into(),
        }
        allocated += 1;
    }
    Answer::Pages {
        last_page,
        allocated,
    }
}

async fn page_up_to(
    asker: &TraceConsumer,
    bytes: i64,
    cancel: &CancelToken,
) -> Result<Option<RawPage>, RawError> {
    let size = positive(bytes)?;
    let mut spill = |need| asker.spill_itself(need);
    let page = asker
        .memory
        .allocate_page_up_to_async(size, &mut spill, &waiting(cancel))
        .await;
    Ok(page.map_err(left_with_the_task)?.map(raw::leave_page))
}

fn page_answer(page: Option<RawPage>, longs: Option<u64>) -> Answer {
    Answer::Page {
        page: page.map(|page| page.number.into()),
        size: page.map(|page| page.bytes),
        longs,
    }
}

fn answer<T>(result: Result<T, RawError>, ok: impl FnOnce(T) -> Answer) -> Answer {
    match result {
        Ok(value) => ok(value),
        Err(error) => spark_errors::of_task(&error).into(),
    }
}

fn waiting(cancel: &CancelToken) -> Wait<'_> {
    Wait {
        cancel: Some(cancel),
        ..Wait::default()
    }
}

fn positive(bytes: i64) -> Result<u64, RawError> {
    let positive = u64::try_from(bytes).ok().filter(|bytes| *bytes > 0);
    positive.ok_or(RawError::InvalidBytes(bytes))
}

fn left_with_the_task(mut error: MemoryError) -> RawError {
    error.leave_kept();
    RawError::Memory(error)
}
