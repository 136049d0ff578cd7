//! The memory of one running task, from its begin to the report of its end.

use std::sync::Arc;
use std::time::Duration;

use ballista_core::error::BallistaError;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::runtime_env::RuntimeEnv;
use mem_datafusion::HearthMemoryPool;
use tokio::runtime::Handle;

use crate::jobs::Outcome;
use crate::memory::ExecutorMemory;

/// How long a task's own helpers, which are stopped with it, have to let go of what they hold.
const GRACE: Duration = Duration::from_secs(2);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(1);

/// One running task. Where it is dropped without [`end`](Self::end), the task was broken off; it is over as
/// soon as what it held is given back, as any other.
#[derive(Debug)]
pub(crate) struct TaskMemory {
    memory: ExecutorMemory,
    job: String,
    name: String,
    pool: Arc<HearthMemoryPool>,
    outcome: Outcome,
    /// Nobody waits for what it holds any more: with this, it is over.
    is_last: bool,
}

impl TaskMemory {
    pub(crate) fn new(
        memory: ExecutorMemory,
        job: String,
        name: String,
        vcores: usize,
        pool: Arc<HearthMemoryPool>,
    ) -> Self {
        log::debug!("{name} begins as {}, with {vcores} cores", pool.task());
        Self {
            memory,
            job,
            name,
            pool,
            outcome: Outcome::BrokenOff,
            is_last: false,
        }
    }

    /// The environment `base` with the task's pool.
    pub(crate) fn env_over(&self, base: &RuntimeEnv) -> Result<Arc<RuntimeEnv>> {
        let pool = Arc::clone(&self.pool);
        self.memory.runtime().env_over(base, pool)
    }

    /// An error for want of memory speaks of tasks by number: says what Ballista calls them.
    pub(crate) fn explain(&self, error: DataFusionError) -> DataFusionError {
        if !is_for_want_of_memory(&error) {
            return error;
        }
        let names = self.memory.book().names();
        error.context(format!(
            "{} is {} of its executor, where {names}",
            self.name,
            self.pool.task()
        ))
    }

    /// The task is over. What it held is given back, or soon will be: helpers of its operators may
    /// be about to notice their end. What is held after that has leaked.
    pub(crate) async fn end(mut self, succeeded: bool) {
        self.outcome = if succeeded {
            Outcome::Succeeded
        } else {
            Outcome::Failed
        };
        self.give_back().await;
    }

    /// Waits for what it holds to be given back, and says where it is not.
    async fn give_back(&mut self) {
        let given_back = async {
            while self.pool.stats().used > 0 {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(GRACE, given_back).await.is_err() {
            self.report_leak();
        }
        self.is_last = true;
    }

    fn report_leak(&self) {
        let stats = self.pool.stats();
        self.memory.book().leaked(&self.job);
        let holders = stats.consumers.iter().filter(|consumer| consumer.held > 0);
        let holders: Vec<_> = holders
            .map(|consumer| format!("{} with {}", consumer.name, consumer.held))
            .collect();
        log::warn!(
            "leak: {} of job {} is over and holds {} bytes: {}",
            self.name,
            self.job,
            stats.used,
            holders.join(", ")
        );
    }
}

/// Whether the pool refused it. Ballista's shuffle writers wrap errors in their own and those in DataFusion's.
fn is_for_want_of_memory(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => true,
        DataFusionError::External(inner) => match inner.downcast_ref::<BallistaError>() {
            Some(BallistaError::DataFusionError(inner)) => is_for_want_of_memory(inner),
            _ => false,
        },
        _ => false,
    }
}

impl Drop for TaskMemory {
    fn drop(&mut self) {
        // Who breaks a task off, be it at its end, does not wait for its helpers.
        if !self.is_last
            && self.pool.stats().used > 0
            && let Ok(threads) = Handle::try_current()
        {
            let mut rest = Self {
                memory: self.memory.clone(),
                job: std::mem::take(&mut self.job),
                name: std::mem::take(&mut self.name),
                pool: Arc::clone(&self.pool),
                outcome: self.outcome,
                is_last: true,
            };
            drop(threads.spawn(async move { rest.give_back().await }));
            return;
        }
        let stats = self.pool.stats();
        let book = self.memory.book();
        if let Some(job) = book.end(&self.job, &self.pool, &stats, self.outcome) {
            let memory = self.memory.runtime().stats();
            // Where one has begun meanwhile, that is its memory, and its end is yet to be told.
            if book.rests_since(&job) {
                log::info!(
                    "{job}; memory {} of {} granted, at most {}; spilled {} bytes so far",
                    memory.execution,
                    memory.total,
                    memory.peak,
                    memory.spilled.bytes_written
                );
            }
        }
    }
}
