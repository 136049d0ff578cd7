//! TPC-H's tables as files, and answers that can be compared.

use std::path::{Path, PathBuf};

use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::common::{DataFusionError, Result};
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use hearth_tpch::{Table, file_of, write_parquet};
use tempfile::TempDir;

use super::Options;
use crate::query::Rows;

/// Where the tables are.
#[derive(Debug)]
pub(crate) struct Data {
    directory: PathBuf,
    /// Removes them.
    _temporary: Option<TempDir>,
}

impl Data {
    /// The tables in the directory that is named, made if they are not there; or in a temporary one.
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let (directory, temporary) = match &options.directory {
            Some(directory) => (directory.clone(), None),
            None => {
                let temporary = TempDir::with_prefix("hearth-tpch-")?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        std::fs::create_dir_all(&directory)?;
        if !has_all(&directory) {
            let written = write_parquet(options.scale, &directory);
            written.map_err(|error| DataFusionError::External(Box::new(error)))?;
        }
        Ok(Self {
            directory,
            _temporary: temporary,
        })
    }

    /// Makes the tables known to a session.
    pub(crate) async fn register(&self, context: &SessionContext) -> Result<()> {
        for table in Table::ALL {
            let file = file_of(table, &self.directory);
            let path = file.to_string_lossy();
            let options = ParquetReadOptions::default();
            context
                .register_parquet(table.name(), path, options)
                .await?;
        }
        Ok(())
    }
}

/// Whether somebody has written all tables; the last one is whole if it is there.
fn has_all(directory: &Path) -> bool {
    Table::ALL
        .iter()
        .all(|table| file_of(*table, directory).is_file())
}

/// A query's rows, in no order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer(Vec<String>);

impl Answer {
    pub(crate) fn of(rows: &Rows) -> Result<Self> {
        let shown = pretty_format_batches(&rows.kept)?.to_string();
        let mut lines: Vec<_> = shown.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        Ok(Self(lines))
    }
}
