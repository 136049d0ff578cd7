//! A scheduler as a process of its own.

use std::sync::Arc;

use ballista_core::utils::default_session_builder;
use ballista_scheduler::config::SchedulerConfig;
use mem_datafusion::HearthRuntime;
use tokio::net::TcpListener;

use super::args::{SchedulerArgs, settings};
use super::signals::Signals;
use super::{Failure, announce};
use crate::cluster::scheduler::serve;
use crate::tuning::planned_for;

/// How many times within its timeout Ballista looks for executors that are dead.
const LOOKS: u64 = 3;

/// Serves until a signal comes.
pub(super) async fn run(args: SchedulerArgs) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let listener = TcpListener::bind(args.listen).await;
    let listener = listener.map_err(Failure::work)?;
    let address = listener.local_addr().map_err(Failure::work)?;
    let timeout = args.executor_timeout.as_secs();
    let advertise = args.advertise.clone();
    let mut config = SchedulerConfig {
        bind_host: address.ip().to_string(),
        bind_port: address.port(),
        external_host: advertise.unwrap_or_else(|| address.ip().to_string()),
        scheduling_policy: args.policy.into(),
        executor_timeout_seconds: timeout,
        no_executors_grace_period_seconds: timeout,
        expire_dead_executor_interval_seconds: (timeout / LOOKS).max(1),
        ..SchedulerConfig::default()
    };
    if let Some(path) = &args.config {
        let runtime = HearthRuntime::from_config(&settings(path)?).map_err(Failure::work)?;
        let vcores = usize::from(args.vcores);
        config.override_session_builder = Some(Arc::new(move |session| {
            default_session_builder(planned_for(&runtime, vcores, session))
        }));
    }
    let serving = serve(listener, config).await.map_err(Failure::work)?;
    announce(&format!("hearth-executor: scheduler on {address}"))?;
    tokio::select! {
        ended = serving => ended.map_err(Failure::work),
        () = signals.next() => Ok(()),
    }
}
