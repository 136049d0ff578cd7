//! Jobs that Ballista would leave standing still for ever.
//!
//! That happens where an executor is lost that had written what is still to be read. With the adaptive planner,
//! which is Ballista's default, a stage that was to read it goes back to being unresolved, and nothing resolves
//! it again (apache/datafusion-ballista#1986). And with either planner where tasks are pushed, the cores of
//! tasks that are cancelled with such a stage are not given back, so that there may be none left to go on with.

use std::collections::HashMap;
use std::time::Duration;

use ballista_core::JobId;
use ballista_scheduler::scheduler_server::SchedulerServer;
use ballista_scheduler::state::execution_graph::ExecutionGraphBox;
use ballista_scheduler::state::execution_stage::ExecutionStage;
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};

/// How often in a row a job has to be seen standing still: it may be between two of its steps.
const TIMES: u32 = 3;

type Scheduler = SchedulerServer<LogicalPlanNode, PhysicalPlanNode>;

/// Looks for jobs that stand still.
pub(super) struct Watch {
    scheduler: Scheduler,
    /// Those that did when it looked last, and how often in a row.
    seen: HashMap<JobId, u32>,
}

impl Watch {
    pub(super) fn over(scheduler: Scheduler) -> Self {
        Self {
            scheduler,
            seen: HashMap::new(),
        }
    }

    /// Waits for a while, and cancels jobs that have stood still for long. Their clients get an error.
    pub(super) async fn look(&mut self) {
        let every = self
            .scheduler
            .state
            .config
            .expire_dead_executor_interval_seconds;
        tokio::time::sleep(Duration::from_secs(every.max(1))).await;
        let stalled = stalled(&self.scheduler).await;
        self.seen.retain(|job, _| stalled.contains(job));
        for job in stalled {
            let times = self.seen.entry(job.clone()).or_insert(0);
            *times = times.saturating_add(1);
            if *times == TIMES {
                log::warn!(
                    "job {job} stands still, and Ballista would not end it: it is cancelled"
                );
                if let Err(error) = self.scheduler.cancel_job(job).await {
                    log::warn!("it can't be: {error}");
                }
            }
        }
    }
}

/// The jobs that stand still now.
async fn stalled(scheduler: &Scheduler) -> Vec<JobId> {
    let jobs = scheduler.state.task_manager.get_running_job_cache();
    let (mut some_run, mut ready, mut stalled) = (false, Vec::new(), Vec::new());
    for (id, job) in jobs.iter() {
        let graph = job.execution_graph.read().await;
        let runs = !graph.running_tasks().is_empty();
        some_run |= runs;
        if can_t_go_on(&graph) || (!runs && graph.available_tasks() == 0) {
            stalled.push(id.clone());
        } else if !runs {
            ready.push(id.clone());
        }
    }
    // What is ready waits for cores that others use, or for executors; if neither, for nothing.
    if !some_run && !ready.is_empty() && has_executors(scheduler).await {
        stalled.append(&mut ready);
    }
    stalled
}

async fn has_executors(scheduler: &Scheduler) -> bool {
    let executors = scheduler.state.executor_manager.get_executors_state().await;
    executors.is_ok_and(|executors| !executors.is_empty())
}

/// Whether a stage of an adaptive plan is unresolved, which it has gone back to: those stages are made as soon
/// as they are resolved. That a plan is adaptive shows in that its stages do not know who reads them.
fn can_t_go_on(graph: &ExecutionGraphBox) -> bool {
    let mut stages = graph.stages().values();
    let is_unresolved = |stage: &ExecutionStage| matches!(stage, ExecutionStage::UnResolved(_));
    let is_adaptive = stages.clone().all(|stage| stage.output_links().is_empty());
    is_adaptive && stages.any(is_unresolved)
}
