//! The last merge: each part of it in a thread of its own.

use std::io::{self, Write};

use mem_sort::MergePart;
use mem_sync::thread;
use task_mem::Unpaged;

use super::error::SortFailure;
use super::output::{FileRange, LineWriter, Target};
use super::progress::Progress;

/// How many lines are written between two updates of the progress bar.
const LINES_A_LOOK: u64 = 1 << 16;

/// What the parts of a merge share.
pub(super) struct Merging<'a> {
    pub(super) progress: &'a Progress,
    pub(super) delimiter: u8,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Merged {
    pub(super) lines: u64,
    pub(super) bytes: u64,
}

impl Merging<'_> {
    /// Merges all `parts`, each through one of `buffers`. To a stream there is one part.
    pub(super) fn merge(
        &self,
        parts: Vec<MergePart>,
        buffers: Vec<Unpaged>,
        output: Target<'_>,
    ) -> Result<Merged, SortFailure> {
        let (file, offset) = match output {
            Target::File { file, offset } => (file, offset),
            Target::Stream(stream) => {
                let mut merged = Merged::default();
                for (part, buffer) in parts.into_iter().zip(buffers) {
                    merged += self.merge_part(part, &mut *stream, buffer)?;
                }
                return Ok(merged);
            }
        };
        let outcomes: Vec<_> = thread::scope(|scope| {
            let mut threads = Vec::new();
            for (index, (mut part, buffer)) in parts.into_iter().zip(buffers).enumerate() {
                let merge = move || {
                    let (lines, bytes) = part.begin()?;
                    // Each line has its delimiter. Sums of what files have room for.
                    let offset = offset + bytes + lines;
                    self.merge_part(part, FileRange { file, offset }, buffer)
                };
                let name = format!("merge-{index}");
                threads.push(thread::Builder::new().name(name).spawn_scoped(scope, merge));
            }
            let mut outcomes = Vec::new();
            for thread in threads {
                outcomes.push(match thread {
                    Ok(thread) => thread.join().unwrap_or(Err(SortFailure::Panicked)),
                    Err(error) => Err(SortFailure::Thread(error)),
                });
            }
            outcomes
        });
        let mut merged = Merged::default();
        for part in outcomes {
            merged += part?;
        }
        Ok(merged)
    }

    fn merge_part(
        &self,
        part: MergePart,
        output: impl Write,
        buffer: Unpaged,
    ) -> Result<Merged, SortFailure> {
        let mut output = LineWriter::new(output, buffer, self.delimiter);
        part.merge(sink(&mut output, self.progress))?;
        let (lines, bytes) = output.finish().map_err(SortFailure::Output)?;
        Ok(Merged { lines, bytes })
    }
}

impl std::ops::AddAssign for Merged {
    fn add_assign(&mut self, other: Self) {
        // Sums of what a file has room for.
        self.lines += other.lines;
        self.bytes += other.bytes;
    }
}

/// Where sorted lines go.
pub(super) fn sink<'a, W: Write>(
    output: &'a mut LineWriter<W, Unpaged>,
    progress: &'a Progress,
) -> impl FnMut(&[u8]) -> io::Result<()> + 'a {
    let mut shown = 0;
    move |line| {
        if output.lines().is_multiple_of(LINES_A_LOOK) {
            progress.advance(output.bytes() - shown);
            shown = output.bytes();
        }
        output.line(line)
    }
}
