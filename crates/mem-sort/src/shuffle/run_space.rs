//! Where runs are written to, and the memory that writing them takes.

use mem_block::PackedRecordPointer;
use mem_spill::{Encoder, SpillDirs, SpillError, SpillWriter};
use task_mem::WorkspaceBuffer;

use super::error::ShuffleError;
use super::record_pages::RecordPages;
use super::run::{RunWriter, ShuffleRun, SingleWriter};
use crate::run_files::RunFiles;

/// The files of runs and of their tables, and an encoder for the tables.
#[derive(Debug)]
pub(crate) struct RunSpace {
    dirs: SpillDirs,
    files: RunFiles,
    tables: RunFiles,
    table_encoder: Encoder<WorkspaceBuffer>,
}

impl RunSpace {
    pub(crate) fn new(dirs: SpillDirs, table_encoder: Encoder<WorkspaceBuffer>) -> Self {
        Self {
            files: RunFiles::new(dirs.clone()),
            tables: RunFiles::new(dirs.clone()),
            dirs,
            table_encoder,
        }
    }

    /// Writes the records that sorted pointers point to.
    pub(crate) fn write_sorted(
        &mut self,
        pointers: &[u64],
        pages: &RecordPages,
        encoder: &mut Encoder<WorkspaceBuffer>,
    ) -> Result<ShuffleRun, ShuffleError> {
        let unpack = |raw: &u64| PackedRecordPointer::from_raw(*raw);
        let same_partition = |a: &u64, b: &u64| unpack(a).partition() == unpack(b).partition();
        self.write(|run| {
            for group in pointers.chunk_by(same_partition) {
                let records = group.iter().map(|raw| pages.record(unpack(raw).address()));
                run.encode(unpack(&group[0]).partition(), records, encoder)?;
            }
            Ok(())
        })
    }

    /// Writes a run. Where a file can't be written, `write` is called again with other files, which
    /// go to another directory if there is one.
    pub(crate) fn write(
        &mut self,
        mut write: impl FnMut(&mut RunWriter<'_, WorkspaceBuffer>) -> Result<(), ShuffleError>,
    ) -> Result<ShuffleRun, ShuffleError> {
        let mut attempts = self.dirs.directories().count();
        loop {
            let table = SpillWriter::new(self.tables.next()?, &mut self.table_encoder);
            let mut run = RunWriter::new(self.files.next()?, table);
            let written = write(&mut run).and_then(|()| Ok(run.finish()?));
            attempts = attempts.saturating_sub(1);
            match written {
                Err(error) if is_write_failure(&error) => {
                    self.give_up_files();
                    if attempts == 0 {
                        return Err(error);
                    }
                }
                other => return other,
            }
        }
    }

    /// Begins the run of a single record.
    pub(crate) fn begin_single<'a>(
        &'a mut self,
        encoder: &'a mut Encoder<WorkspaceBuffer>,
    ) -> Result<SingleWriter<'a, WorkspaceBuffer>, ShuffleError> {
        let table = SpillWriter::new(self.tables.next()?, &mut self.table_encoder);
        let segment = SpillWriter::new(self.files.next()?, encoder);
        Ok(SingleWriter::new(segment, table))
    }

    /// Has new runs go to new files. What is in the old ones stays.
    fn give_up_files(&mut self) {
        self.files = RunFiles::new(self.dirs.clone());
        self.tables = RunFiles::new(self.dirs.clone());
    }
}

/// Whether a run may succeed in another file.
fn is_write_failure(error: &ShuffleError) -> bool {
    let ShuffleError::Spill(error) = error else {
        return false;
    };
    matches!(
        error,
        SpillError::Io {
            action: "write",
            ..
        }
    )
}
