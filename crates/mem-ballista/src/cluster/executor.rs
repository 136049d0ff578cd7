//! One executor of a cluster in this process.

use std::net::SocketAddr;
use std::sync::Arc;

use arrow_flight::flight_service_server::FlightServiceServer;
use ballista_core::error::{BallistaError, Result};
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_core::serde::BallistaCodec;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::utils::{
    GrpcServerConfig, create_grpc_server, create_grpc_server_incoming, default_config_producer,
};
use ballista_executor::execution_loop::poll_loop;
use ballista_executor::executor::Executor as BallistaExecutor;
use ballista_executor::executor_process::{ExecutorProcessConfig, structure_executor_metadata};
use ballista_executor::flight_service::BallistaFlightService;
use ballista_executor::health::ExecutorHealth;
use ballista_executor::metrics::LoggingMetricsCollector;
use mem_datafusion::HearthRuntime;

use crate::memory::ExecutorMemory;
use crate::work_dir::WorkDir;

/// One executor. Ballista's own for one process has no end, and no pool for each task.
#[derive(Debug)]
pub(super) struct Executor {
    memory: ExecutorMemory,
    _work_dir: WorkDir,
}

impl Executor {
    /// Starts one, on the threads of the calling task, that pulls its tasks from `scheduler`.
    pub(super) async fn start(
        runtime: &HearthRuntime,
        vcores: usize,
        scheduler: SocketAddr,
    ) -> Result<Self> {
        let server = GrpcServerConfig::default();
        let incoming = create_grpc_server_incoming(SocketAddr::from(([127, 0, 0, 1], 0)), &server)?;
        let address = incoming.local_addr()?;
        let work_dir = WorkDir::create(&std::env::temp_dir())?;
        let mut config = ExecutorProcessConfig {
            external_host: Some(address.ip().to_string()),
            port: address.port(),
            vcores,
            work_dir: Some(work_dir.name()?.to_owned()),
            ..ExecutorProcessConfig::default()
        };
        let memory = ExecutorMemory::install(runtime, &mut config)?;
        let flight =
            FlightServiceServer::new(BallistaFlightService::new(work_dir.name()?.to_owned()))
                .max_decoding_message_size(message_bytes(config.grpc_max_decoding_message_size))
                .max_encoding_message_size(message_bytes(config.grpc_max_encoding_message_size));
        let flight = create_grpc_server(&server).add_service(flight);
        drop(tokio::spawn(flight.serve_with_incoming(incoming)));
        let executor = Arc::new(ballista_executor(config, &memory, work_dir.name()?)?);
        let client = SchedulerGrpcClient::connect(format!("http://{scheduler}")).await;
        let polling = poll_loop(
            client.map_err(|error| BallistaError::GrpcConnectionError(error.to_string()))?,
            executor,
            BallistaCodec::default(),
            // What is done is told with the next poll, too, so there is nothing to wait for.
            None,
            None,
            ExecutorHealth::new(),
        );
        drop(tokio::spawn(polling));
        Ok(Self {
            memory,
            _work_dir: work_dir,
        })
    }

    pub(super) fn memory(&self) -> &ExecutorMemory {
        &self.memory
    }

    /// Whether no task runs any more, and none holds memory.
    pub(super) fn is_stopped(&self) -> bool {
        let jobs = self.memory.jobs();
        jobs.iter().all(|job| job.running == 0 && job.held == 0)
    }
}

fn ballista_executor(
    mut config: ExecutorProcessConfig,
    memory: &ExecutorMemory,
    work_dir: &str,
) -> Result<BallistaExecutor> {
    let missing = || BallistaError::Internal("installing sets both".to_owned());
    let engine = config
        .override_execution_engine
        .take()
        .ok_or_else(missing)?;
    let runtimes = config
        .override_runtime_producer
        .take()
        .ok_or_else(missing)?;
    let vcores = u32::try_from(memory.vcores()).unwrap_or(u32::MAX);
    let metadata = structure_executor_metadata(&Arc::new(config), vcores);
    Ok(BallistaExecutor::new(
        metadata,
        work_dir,
        runtimes,
        Arc::new(default_config_producer),
        Arc::new(BallistaFunctionRegistry::default()),
        Arc::new(LoggingMetricsCollector::default()),
        memory.vcores(),
        engine,
    ))
}

fn message_bytes(size: u32) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}
