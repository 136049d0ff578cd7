//! The tables as Parquet files.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use tpchgen_arrow::arrow::error::ArrowError;

use crate::Table;

/// Rows of a batch while files are written.
const BATCH_ROWS: usize = 8192;
/// Rows of a row group: several for each partition of a scan of the large tables, already at scale 1.
const GROUP_ROWS: usize = 256 << 10;

/// Why the files could not be written.
#[derive(Debug)]
pub enum Error {
    /// The operating system's reason.
    Io(io::Error),
    /// A batch could not be made.
    Arrow(ArrowError),
    /// A batch could not be written.
    Parquet(ParquetError),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Arrow(error) => write!(f, "{error}"),
            Self::Parquet(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

impl From<ParquetError> for Error {
    fn from(error: ParquetError) -> Self {
        Self::Parquet(error)
    }
}

/// Where [`write_parquet`] puts a table.
#[must_use]
pub fn file_of(table: Table, directory: &Path) -> PathBuf {
    directory.join(table.name()).with_extension("parquet")
}

/// Writes all tables at `scale` into `directory`, which must exist: a file each, compressed by Snappy.
/// Scale 1 takes some 350 MB and, optimized, some 20 seconds.
///
/// # Errors
/// [`Error`].
pub fn write_parquet(scale: f64, directory: &Path) -> Result<(), Error> {
    for table in Table::ALL {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let file = File::create(file_of(table, directory))?;
        let mut writer = ArrowWriter::try_new(file, table.schema(), Some(properties))?;
        for batch in table.batches(scale, BATCH_ROWS) {
            writer.write(&batch?)?;
        }
        writer.close()?;
    }
    Ok(())
}
