//! An executor as a process of its own.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use ballista_core::error::BallistaError;
use ballista_core::utils::{GrpcServerConfig, create_grpc_server, create_grpc_server_incoming};
use ballista_executor::ArrowFlightServerProvider;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_executor::flight_service::BallistaFlightService;
use ballista_executor::shutdown::Shutdown;
use mem_datafusion::HearthRuntime;
use mem_policy::MemoryConfig;
use mem_sync::Mutex;
use tokio::net::TcpStream;

use super::args::{ExecutorArgs, Policy, settings};
use super::signals::Signals;
use super::{Failure, announce};
use crate::memory::ExecutorMemory;
use crate::work_dir::WorkDir;

/// How long it waits before it tries again to reach the scheduler.
const AGAIN: Duration = Duration::from_millis(200);

/// Runs tasks until a signal comes, or the scheduler is gone. A first signal lets running tasks end, a
/// second does not.
pub(super) async fn run(args: ExecutorArgs) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let settings = settings(&args.config)?;
    let runtime = HearthRuntime::from_config(&settings).map_err(Failure::work)?;
    tokio::select! {
        found = scheduler(&args) => found?,
        () = signals.next() => return Ok(()),
    }
    let work_dir = WorkDir::create(&work_parent(&args, &settings)).map_err(Failure::work)?;
    let (config, memory) = configured(&args, &runtime, &work_dir)?;
    announce(&format!(
        "hearth-executor: {} on {}:{} with {} bytes and {} cores",
        config.executor_id,
        args.bind,
        config.port,
        runtime.stats().total,
        memory.vcores()
    ))?;
    let ended = tokio::select! {
        ended = start_executor_process(Arc::new(config)) => ended.map_err(Failure::work),
        () = async { signals.next().await; signals.next().await } => Ok(()),
    };
    report(&memory);
    ended
}

/// Waits for the scheduler to be reachable. Ballista's own wait has no end.
async fn scheduler(args: &ExecutorArgs) -> Result<(), Failure> {
    let (host, port) = &args.scheduler;
    let reached = async {
        while let Err(error) = TcpStream::connect((host.as_str(), *port)).await {
            log::debug!("no scheduler on {host}:{port} yet: {error}");
            tokio::time::sleep(AGAIN).await;
        }
    };
    let in_time = tokio::time::timeout(args.wait, reached).await;
    in_time.map_err(|_elapsed| {
        let message = format!("no scheduler on {host}:{port} after {:?}", args.wait);
        Failure::Work(message.into())
    })
}

/// Where the directory for shuffle files is made.
fn work_parent(args: &ExecutorArgs, settings: &MemoryConfig) -> PathBuf {
    let first = settings.spill().dirs.into_iter().next();
    let given = args.work_dir.clone().or(first);
    given.unwrap_or_else(std::env::temp_dir)
}

fn configured(
    args: &ExecutorArgs,
    runtime: &HearthRuntime,
    work_dir: &WorkDir,
) -> Result<(ExecutorProcessConfig, ExecutorMemory), Failure> {
    let server = GrpcServerConfig::default();
    let flight = FlightPort::bind(SocketAddr::new(args.bind, args.port), &server)?;
    let task_port = match (args.task_port, args.policy) {
        (0, Policy::Push) => any_port(args)?,
        (port, _) => port,
    };
    let cores = available_parallelism().map_or(1, usize::from);
    let (scheduler_host, scheduler_port) = args.scheduler.clone();
    let mut config = ExecutorProcessConfig {
        bind_host: args.bind.to_string(),
        external_host: args.advertise.clone(),
        port: flight.port,
        grpc_port: task_port,
        scheduler_host,
        scheduler_port,
        vcores: args.vcores.map_or(cores, usize::from),
        task_scheduling_policy: args.policy.into(),
        work_dir: Some(work_dir.name().map_err(Failure::work)?.to_owned()),
        executor_heartbeat_interval_seconds: args.heartbeat.as_secs(),
        override_arrow_flight_service: Some(flight.provider),
        grpc_server_config: server,
        ..ExecutorProcessConfig::default()
    };
    let memory = ExecutorMemory::install(runtime, &mut config).map_err(Failure::work)?;
    Ok((config, memory))
}

/// A port that is free now. Ballista binds it again: should somebody take it in between, it says so.
fn any_port(args: &ExecutorArgs) -> Result<u16, Failure> {
    let free = TcpListener::bind((args.bind, 0)).and_then(|free| free.local_addr());
    Ok(free.map_err(Failure::work)?.port())
}

/// The port on which shuffles are served, bound before Ballista tells the scheduler about it.
struct FlightPort {
    port: u16,
    provider: Arc<ArrowFlightServerProvider>,
}

impl FlightPort {
    fn bind(address: SocketAddr, server: &GrpcServerConfig) -> Result<Self, Failure> {
        let incoming = create_grpc_server_incoming(address, server).map_err(Failure::work)?;
        let port = incoming.local_addr().map_err(Failure::work)?.port();
        let incoming = Mutex::new(Some(incoming));
        let limits = ExecutorProcessConfig::default();
        let (encode, decode) = (
            message_bytes(limits.grpc_max_encoding_message_size),
            message_bytes(limits.grpc_max_decoding_message_size),
        );
        let provider = move |work_dir, _, mut shutdown: Shutdown, server| {
            let incoming = incoming.lock().take();
            let flight = FlightServiceServer::new(BallistaFlightService::new(work_dir))
                .max_encoding_message_size(encode)
                .max_decoding_message_size(decode);
            tokio::spawn(async move {
                let twice = || BallistaError::Internal("shuffles are served once".to_owned());
                let incoming = incoming.ok_or_else(twice)?;
                create_grpc_server(&server)
                    .add_service(flight)
                    .serve_with_incoming_shutdown(incoming, shutdown.recv())
                    .await
                    .map_err(BallistaError::TonicError)
            })
        };
        Ok(Self {
            port,
            provider: Arc::new(provider),
        })
    }
}

fn message_bytes(size: u32) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// What was done, at the end.
fn report(memory: &ExecutorMemory) {
    let stats = memory.runtime().stats();
    log::info!(
        "ends: memory {} of {} granted, at most {}; {} overdrawn, at most {}; spilled {} bytes, {} on disk",
        stats.execution,
        stats.total,
        stats.peak,
        stats.overdraft,
        stats.overdraft_peak,
        stats.spilled.bytes_written,
        stats.on_disk
    );
}
