//! Writing lines, through a buffer.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

/// Where sorted lines go.
pub(super) enum Target<'a> {
    /// One after the other.
    Stream(&'a mut dyn Write),
    /// To a file from `offset` on, in any order.
    File {
        /// The file.
        file: &'a File,
        /// Where the first line begins, in bytes.
        offset: u64,
    },
}

impl<'a> Target<'a> {
    /// All of it one after the other.
    pub(super) fn into_stream(self) -> Box<dyn Write + 'a> {
        match self {
            Self::Stream(stream) => Box::new(stream),
            Self::File { file, offset } => Box::new(FileRange { file, offset }),
        }
    }
}

/// Writes to a file from an offset on, without its cursor.
pub(super) struct FileRange<'a> {
    pub(super) file: &'a File,
    pub(super) offset: u64,
}

impl Write for FileRange<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write_at(bytes, self.offset)?;
        // The system has refused to write beyond 2^63.
        self.offset += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes lines to `W` through a buffer `B`.
pub(super) struct LineWriter<W, B> {
    inner: W,
    buffer: B,
    filled: usize,
    delimiter: u8,
    bytes: u64,
    lines: u64,
}

impl<W: Write, B: AsMut<[u8]>> LineWriter<W, B> {
    pub(super) fn new(inner: W, buffer: B, delimiter: u8) -> Self {
        Self {
            inner,
            buffer,
            filled: 0,
            delimiter,
            bytes: 0,
            lines: 0,
        }
    }

    /// Writes a line and its delimiter.
    #[inline]
    pub(super) fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let buffer = self.buffer.as_mut();
        if let Some(room) = buffer.get_mut(self.filled..=self.filled + line.len()) {
            room[..line.len()].copy_from_slice(line);
            room[line.len()] = self.delimiter;
        } else {
            self.flush()?;
            return self.line_at_start(line);
        }
        self.filled += line.len() + 1;
        self.lines += 1;
        Ok(())
    }

    /// A line for which there was no room; now the buffer is empty.
    #[cold]
    fn line_at_start(&mut self, line: &[u8]) -> io::Result<()> {
        if line.len() < self.buffer.as_mut().len() {
            return self.line(line);
        }
        self.inner.write_all(line)?;
        self.inner.write_all(&[self.delimiter])?;
        self.bytes += line.len() as u64 + 1;
        self.lines += 1;
        Ok(())
    }

    /// Lines so far.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// Bytes written so far; what is in the buffer comes later.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn flush(&mut self) -> io::Result<()> {
        let filled = std::mem::take(&mut self.filled);
        self.inner.write_all(&self.buffer.as_mut()[..filled])?;
        self.bytes += filled as u64;
        Ok(())
    }

    /// Writes what is left; returns the number of lines and of bytes.
    pub(super) fn finish(mut self) -> io::Result<(u64, u64)> {
        self.flush()?;
        self.inner.flush()?;
        Ok((self.lines, self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_shorter_and_longer_than_the_buffer_are_written_whole() {
        for capacity in 1..12 {
            let mut written = Vec::new();
            let mut writer = LineWriter::new(&mut written, vec![0; capacity], b'\n');
            let lines = ["", "a", "bcdefghijk", "", "lmn", "opqrs"];
            for line in lines {
                writer.line(line.as_bytes()).unwrap();
            }
            assert_eq!(writer.finish().unwrap(), (6, 25));
            assert_eq!(written, (lines.join("\n") + "\n").as_bytes(), "{capacity}");
        }
    }
}
