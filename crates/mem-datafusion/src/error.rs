//! Why there is no runtime.

use datafusion_common::DataFusionError;
use mem_policy::ConfigError;
use mem_spill::SpillError;
use mem_store::StoreError;

/// Why a [`HearthRuntime`](crate::HearthRuntime) could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Spill files can't be as `hearth.spill.dirs`, `.codec` or `.blockSize` say.
    #[error("hearth.spill: {0}")]
    Spill(#[from] SpillError),
    /// The block store; its workspace is taken when it is made.
    #[error("the cached blocks' store could not be made: {0}")]
    Store(#[from] StoreError),
    /// DataFusion.
    #[error(transparent)]
    DataFusion(#[from] DataFusionError),
}

impl From<RuntimeError> for DataFusionError {
    fn from(error: RuntimeError) -> Self {
        match error {
            RuntimeError::DataFusion(error) => error,
            RuntimeError::Config(error) => Self::Configuration(error.to_string()),
            other => Self::External(Box::new(other)),
        }
    }
}
