//! The setting that sessions have besides DataFusion's.

use std::any::Any;

use datafusion::common::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::common::{Result, config_datafusion_err, config_err};
use mem_store::StorageLevel;

/// `hearth.storage_level`: where the blocks of cached tables may be, where `CACHE TABLE` does not say,
/// and for `DataFrame::cache()`. `SET hearth.storage_level = 'MEMORY_ONLY'` changes it for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HearthOptions {
    /// Rows are always kept as bytes, in the memory that the runtime counts in: of the level it only
    /// matters whether it uses memory, and whether it uses disk.
    pub storage_level: StorageLevel,
}

impl HearthOptions {
    /// Those of a session, or the default.
    pub(crate) fn of(config: &ConfigOptions) -> Self {
        config.extensions.get().copied().unwrap_or_default()
    }
}

impl Default for HearthOptions {
    /// As in Spark, `MEMORY_AND_DISK`.
    fn default() -> Self {
        Self {
            storage_level: StorageLevel::MEMORY_AND_DISK,
        }
    }
}

impl ConfigExtension for HearthOptions {
    const PREFIX: &'static str = "hearth";
}

impl ExtensionOptions for HearthOptions {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(*self)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        if key != "storage_level" {
            return config_err!("expected hearth.storage_level; got hearth.{key}");
        }
        let level = value.parse();
        self.storage_level =
            level.map_err(|error| config_datafusion_err!("hearth.{key}: {error}"))?;
        Ok(())
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        vec![ConfigEntry {
            key: format!("{}.storage_level", Self::PREFIX),
            value: Some(self.storage_level.to_string()),
            description: "Where the blocks of cached tables may be: MEMORY_AND_DISK, MEMORY_ONLY, DISK_ONLY",
        }]
    }
}
