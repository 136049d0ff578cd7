//! A scheduler and executors in one process, each executor with memory of its own.

mod executor;
pub(crate) mod scheduler;
mod stalled;

use std::net::SocketAddr;
use std::time::Duration;

use ballista::prelude::{SessionConfigExt, SessionContextExt};
use ballista_core::error::BallistaError;
use ballista_core::utils::default_session_builder;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use datafusion::execution::SessionState;
use datafusion::prelude::{SessionConfig, SessionContext};
use mem_datafusion::HearthRuntime;
use tokio::runtime::{Builder, Runtime};

use crate::memory::ExecutorMemory;
use crate::tuning::planned_for;
use executor::Executor;

/// Threads that plan queries and serve shuffles. Tasks have threads of their own: as many as each
/// executor has cores.
const THREADS: usize = 2;
/// Planners recurse.
pub(crate) const STACK_BYTES: usize = 32 << 20;
/// How long tasks have to notice that they are stopped.
const STOP: Duration = Duration::from_secs(30);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// A Ballista cluster in this process: one scheduler, and executors that pull their tasks from it, on
/// ports of 127.0.0.1 that the system chooses.
///
/// It has threads of its own. [`shutdown`](Self::shutdown) stops all of it and waits for that; dropped
/// instead, it is stopped in the background.
#[derive(Debug)]
pub struct Cluster {
    /// There until it is stopped.
    threads: Option<Runtime>,
    scheduler: SocketAddr,
    executors: Vec<Executor>,
    /// What fits the executor with the least memory.
    planning: SessionConfig,
}

impl Cluster {
    /// Starts a scheduler and, for each of `executors`, an executor that runs tasks on `vcores` cores.
    ///
    /// Shuffle files go to directories in [`std::env::temp_dir`], which are removed at the end.
    ///
    /// # Errors
    /// Ballista's and the system's, as DataFusion's.
    pub async fn start(executors: &[HearthRuntime], vcores: usize) -> Result<Self> {
        let threads = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("hearth-cluster")
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()?;
        let planning = SessionConfig::new_with_ballista();
        let planning = executors.iter().fold(planning, |planning, runtime| {
            planned_for(runtime, vcores, planning)
        });
        let runtimes = executors.to_vec();
        let started = threads.spawn(async move {
            let scheduler = scheduler::local().await?;
            let mut executors = Vec::new();
            for runtime in &runtimes {
                executors.push(Executor::start(runtime, vcores, scheduler).await?);
            }
            Ok::<_, BallistaError>((scheduler, executors))
        });
        // From here on, whatever happens, the threads end with this.
        let mut cluster = Self {
            threads: Some(threads),
            scheduler: SocketAddr::from(([127, 0, 0, 1], 0)),
            executors: Vec::new(),
            planning,
        };
        let started = started.await;
        let started = started.map_err(|panic| exec_datafusion_err!("{panic}"))?;
        let started = started.map_err(|error| DataFusionError::External(Box::new(error)));
        (cluster.scheduler, cluster.executors) = started?;
        Ok(cluster)
    }

    /// Where the scheduler listens; `df://` and this is its address for Ballista's clients.
    #[must_use]
    pub fn scheduler(&self) -> SocketAddr {
        self.scheduler
    }

    /// The executors' memories, in the order in which they were given.
    #[must_use]
    pub fn executors(&self) -> Vec<&ExecutorMemory> {
        let executors = self.executors.iter();
        executors.map(Executor::memory).collect()
    }

    /// A session whose queries run on the cluster, with settings that fit it ([`planned_for`]).
    ///
    /// # Errors
    /// DataFusion's.
    pub async fn session(&self) -> Result<SessionContext> {
        let state = default_session_builder(self.planning.clone())?;
        self.session_with(state).await
    }

    /// A session with that state, tables and settings included, whose queries run on the cluster.
    ///
    /// # Errors
    /// DataFusion's.
    pub async fn session_with(&self, state: SessionState) -> Result<SessionContext> {
        SessionContext::remote_with_state(&format!("df://{}", self.scheduler), state).await
    }

    /// Stops scheduler and executors, running tasks included, removes the shuffle files, and waits until
    /// all memory is given back.
    ///
    /// # Errors
    /// DataFusion's `Execution`, where some is still held after half a minute, with who holds it.
    pub async fn shutdown(mut self) -> Result<()> {
        if let Some(threads) = self.threads.take() {
            let stopped = tokio::task::spawn_blocking(move || threads.shutdown_timeout(STOP));
            stopped
                .await
                .map_err(|panic| exec_datafusion_err!("{panic}"))?;
        }
        let stopped = async {
            while !self.executors.iter().all(Executor::is_stopped) {
                tokio::time::sleep(LOOK).await;
            }
        };
        let in_time = tokio::time::timeout(STOP, stopped).await;
        in_time.map_err(|_elapsed| {
            let left = self
                .executors
                .iter()
                .map(|executor| executor.memory().jobs());
            exec_datafusion_err!("tasks do not stop: {:?}", left.collect::<Vec<_>>())
        })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}
