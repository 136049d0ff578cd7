//! The spill files that runs are written to.

use std::collections::VecDeque;

use mem_spill::{Buffer, Encoder, SpillDirs, SpillError, SpillFile};

use crate::error::SortError;
use crate::run::{Run, RunWriter};

/// Runs of one file. More make fewer open files; fewer give disk space back earlier.
const RUNS_PER_FILE: usize = 64;

/// One open file in each directory, used in turn.
#[derive(Debug)]
pub(crate) struct RunFiles {
    dirs: SpillDirs,
    /// The files and how many runs each was used for; the one that was used last is the last.
    open: VecDeque<(SpillFile, usize)>,
    width: usize,
    /// The most marks of a run.
    marks: usize,
}

impl RunFiles {
    pub(crate) fn new(dirs: SpillDirs) -> Self {
        Self {
            width: dirs.directories().count(),
            dirs,
            open: VecDeque::new(),
            marks: 0,
        }
    }

    /// The same for runs with up to so many marks.
    pub(crate) fn with_marks(self, marks: usize) -> Self {
        Self { marks, ..self }
    }

    /// The file for the next run.
    pub(crate) fn next(&mut self) -> Result<&mut SpillFile, SpillError> {
        let in_turn = if self.open.len() < self.width {
            None
        } else {
            self.open.pop_front()
        };
        let next = match in_turn {
            Some((file, runs)) if runs < RUNS_PER_FILE => (file, runs + 1),
            _ => (self.dirs.create()?, 1),
        };
        Ok(&mut self.open.push_back_mut(next).0)
    }

    /// Writes a run. Where a file can't be written, `write` is called again with a new file, which
    /// goes to another directory if there is one.
    pub(crate) fn write<B: Buffer>(
        &mut self,
        encoder: &mut Encoder<B>,
        mut write: impl FnMut(&mut RunWriter<'_, B>) -> Result<(), SortError>,
    ) -> Result<Run, SortError> {
        let mut attempts = self.width;
        loop {
            let marks = self.marks;
            let mut writer = RunWriter::new(self.next()?, encoder, marks);
            let written = write(&mut writer).and_then(|()| Ok(writer.finish()?));
            attempts = attempts.saturating_sub(1);
            match written {
                Err(error) if is_write_failure(&error) => {
                    // The runs in it stay; no more go there.
                    self.open.pop_back();
                    if attempts == 0 {
                        return Err(error);
                    }
                }
                other => return other,
            }
        }
    }
}

/// Whether a run may succeed in another file.
fn is_write_failure(error: &SortError) -> bool {
    matches!(
        error,
        SortError::Spill(SpillError::Io {
            action: "write",
            ..
        })
    )
}
