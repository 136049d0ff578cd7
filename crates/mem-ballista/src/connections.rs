//! Connections to other executors, kept for the next shuffle.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ballista_core::client::BallistaClient;
use ballista_core::client_pool::{BallistaClientPool, PooledClient};
use ballista_core::error::Result;
use ballista_core::extension::BallistaConfigGrpcEndpoint;
use ballista_core::utils::GrpcClientConfig;
use mem_sync::{Clock, Moment, Mutex, SystemClock};

/// Idle connections to one address that are kept at most.
const IDLE_MAX: usize = 16;

/// Whom a connection leads to, and how.
type Key = (String, u16, GrpcClientConfig);

/// Connections that nobody uses now, and since when.
type Idle = HashMap<Key, Vec<(BallistaClient, Moment)>>;

/// Keeps connections for a while after their use. Without it each fetch of a shuffle opens its own, and
/// large shuffles run out of ports; Ballista's own is not for who brings an engine.
#[derive(Debug)]
pub(crate) struct Connections {
    kept: Arc<Kept>,
}

struct Kept {
    /// How long an idle connection is kept.
    idle: Duration,
    clock: SystemClock,
    clients: Mutex<Idle>,
}

impl Connections {
    pub(crate) fn new(idle: Duration) -> Self {
        Self {
            kept: Arc::new(Kept {
                idle,
                clock: SystemClock::new(),
                clients: Mutex::default(),
            }),
        }
    }
}

impl Kept {
    fn take(&self, key: &Key) -> Option<BallistaClient> {
        let mut clients = self.clients.lock();
        clients.get_mut(key)?.pop().map(|(client, _)| client)
    }

    /// Keeps one more, and closes those that were idle for too long.
    fn put(&self, key: Key, client: BallistaClient) {
        let now = self.clock.now();
        let mut clients = self.clients.lock();
        let same = clients.entry(key).or_default();
        if same.len() < IDLE_MAX {
            same.push((client, now));
        }
        self.expire(&mut clients, now);
    }

    fn expire(&self, clients: &mut Idle, now: Moment) {
        clients.retain(|_, same| {
            same.retain(|(_, since)| now.since(*since) < self.idle);
            !same.is_empty()
        });
    }
}

#[async_trait]
impl BallistaClientPool for Connections {
    async fn acquire(
        &self,
        host: &str,
        port: u16,
        config: &GrpcClientConfig,
        customize_endpoint: Option<Arc<BallistaConfigGrpcEndpoint>>,
    ) -> Result<PooledClient> {
        let key = (host.to_owned(), port, config.clone());
        let client = match self.kept.take(&key) {
            Some(client) => client,
            None => {
                BallistaClient::try_new(
                    host,
                    port,
                    config.max_message_size,
                    config.use_tls,
                    customize_endpoint,
                    config.io_retries_times,
                    config.io_retry_wait_time_ms,
                    config.initial_connection_window_size,
                    config.initial_stream_window_size,
                )
                .await?
            }
        };
        let kept = Arc::clone(&self.kept);
        Ok(PooledClient::new(
            client,
            Box::new(move |client| kept.put(key, client)),
        ))
    }

    async fn evict_idle(&self) {
        let now = self.kept.clock.now();
        self.kept.expire(&mut self.kept.clients.lock(), now);
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}
