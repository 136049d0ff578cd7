//! Users of memory outside the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;

use mem_block::MemoryMode;
use mem_policy::MemoryManager;
use mem_policy::unmanaged::{
    UnmanagedMemoryConsumer, UnmanagedMemoryConsumerId, UnmanagedRegistry, UnmanagedTotals,
    UsageError,
};
use mem_sync::atomic::{AtomicI64, Ordering};

const KIND: &str = "trace";

/// The users of a trace, and the registry that asks them.
#[derive(Debug, Default)]
pub(super) struct Users {
    registry: Arc<UnmanagedRegistry>,
    users: BTreeMap<String, Arc<User>>,
}

#[derive(Debug)]
struct User {
    name: String,
    mode: MemoryMode,
    /// What it says that it uses.
    bytes: AtomicI64,
}

impl UnmanagedMemoryConsumer for User {
    fn id(&self) -> UnmanagedMemoryConsumerId {
        UnmanagedMemoryConsumerId::new(KIND, &self.name)
    }

    fn memory_mode(&self) -> MemoryMode {
        self.mode
    }

    fn mem_bytes_used(&self) -> Result<i64, UsageError> {
        Ok(self.bytes.load(Ordering::Relaxed))
    }
}

impl Users {
    /// Sets what a user says, who comes into being where there is none of that name, and has all
    /// asked. Where the manager counts them, the books follow.
    pub(super) fn set(
        &mut self,
        manager: &dyn MemoryManager,
        name: &str,
        mode: MemoryMode,
        bytes: i64,
    ) -> UnmanagedTotals {
        let known = self
            .registry
            .instance_keys(KIND)
            .iter()
            .any(|key| key == name);
        if let Some(user) = self.users.get(name).filter(|_| known) {
            user.bytes.store(bytes, Ordering::Relaxed);
        } else {
            let user = Arc::new(User {
                name: name.to_owned(),
                mode,
                bytes: AtomicI64::new(bytes),
            });
            self.registry
                .register(Arc::clone(&user) as Arc<dyn UnmanagedMemoryConsumer>);
            self.users.insert(name.to_owned(), user);
        }
        if manager.resolved().unmanaged_polling_interval_ms > 0 {
            self.registry.poll_once(manager.ledger())
        } else {
            self.registry.poll()
        }
    }
}
