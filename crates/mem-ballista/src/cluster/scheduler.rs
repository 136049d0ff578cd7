//! Ballista's scheduler on a port that is known before it runs.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::error::Result;
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::{create_scheduler, start_grpc_service_with_listener};
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use tokio::net::TcpListener;

use super::stalled::Watch;

/// Starts one for executors of this process, on the threads of the calling task.
pub(super) async fn local() -> Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let config = SchedulerConfig {
        external_host: address.ip().to_string(),
        bind_port: address.port(),
        scheduling_policy: TaskSchedulingPolicy::PullStaged,
        ..SchedulerConfig::default()
    };
    let serving = serve(listener, config).await?;
    // It ends with the threads that it runs on.
    drop(tokio::spawn(serving));
    Ok(address)
}

/// A scheduler that is ready to serve on that listener, and ends the jobs that Ballista never would.
pub(crate) async fn serve(
    listener: TcpListener,
    config: SchedulerConfig,
) -> Result<impl Future<Output = Result<()>> + Send + 'static> {
    config.validate()?;
    let config = Arc::new(config);
    let cluster = BallistaCluster::new_from_config(&config).await?;
    let scheduler = create_scheduler::<LogicalPlanNode, PhysicalPlanNode>(cluster, config).await?;
    let mut watch = Watch::over(scheduler.clone());
    Ok(async move {
        let mut serving = pin!(start_grpc_service_with_listener(listener, scheduler));
        loop {
            tokio::select! {
                ended = &mut serving => break ended,
                () = watch.look() => {}
            }
        }
    })
}
