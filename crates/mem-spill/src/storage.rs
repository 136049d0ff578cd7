//! Where the bytes of one spill file are: the system's files, or a test's memory.

use crate::release::Credit;
use rustix::fs::{Advice, CWD, Mode, OFlags};
use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The bytes of one spill file. Reads may come from several threads at once.
///
/// The real one is a file of the system; [`testing`](crate::testing) has one that fails on demand.
pub trait Storage: Debug + Send + Sync {
    /// Writes some of `bytes` at `offset`; returns how many, at most their length.
    ///
    /// # Errors
    ///
    /// As the system reports them; [`io::ErrorKind::Interrupted`] is tried again.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Reads at `offset` into the front of `room`; returns how many bytes, 0 at the end.
    ///
    /// # Errors
    ///
    /// As the system reports them; [`io::ErrorKind::Interrupted`] is tried again.
    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Does the same where no disk has to be waited for, as the bytes are in memory still.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] where a disk has to be waited for, or nobody knows.
    fn read_cached_at(&self, _room: &mut [u8], _offset: u64) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Cuts everything from `length` on, and gives its disk space back.
    ///
    /// # Errors
    ///
    /// As the system reports them.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// Is told that these bytes will be read soon.
    fn will_need(&self, offset: u64, length: u64);

    /// Gives the disk space of these bytes back, which nobody reads any more. Where that can't be
    /// done, or takes too long, they stay until the file goes.
    fn release(&self, _offset: u64, _length: u64) {}
}

/// A file of the system.
#[derive(Debug)]
pub(crate) struct SystemFile {
    file: File,
    releasing: Credit,
}

impl SystemFile {
    pub(crate) fn new(file: File) -> Self {
        Self {
            file,
            releasing: Credit::default(),
        }
    }
}

impl Storage for SystemFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(room, offset)
    }

    #[cfg(target_os = "linux")]
    fn read_cached_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        use rustix::io::{Errno, ReadWriteFlags, preadv2};
        let room = &mut [io::IoSliceMut::new(room)];
        match preadv2(&self.file, room, offset, ReadWriteFlags::NOWAIT) {
            // Not every file system can tell.
            Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            read => Ok(read?),
        }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn will_need(&self, offset: u64, length: u64) {
        if let Some(length) = NonZeroU64::new(length) {
            // Advice that the system does not take costs speed only.
            let advised = rustix::fs::fadvise(&self.file, offset, Some(length), Advice::WillNeed);
            advised.unwrap_or_default();
        }
    }

    #[cfg(target_os = "linux")]
    fn release(&self, offset: u64, length: u64) {
        use rustix::fs::{FallocateFlags, fallocate};
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        self.releasing
            .spend(|| fallocate(&self.file, hole, offset, length));
    }
}

/// Makes the bytes of new spill files.
pub trait StorageProvider: Debug + Send + Sync {
    /// A new, empty file in `directory`, which nobody can find by a name.
    ///
    /// # Errors
    ///
    /// As the system reports them; the next directory is then tried.
    fn create(&self, directory: &Path) -> io::Result<Box<dyn Storage>>;
}

/// The system's files, without a name.
#[derive(Debug)]
pub(crate) struct UnnamedFiles;

impl StorageProvider for UnnamedFiles {
    fn create(&self, directory: &Path) -> io::Result<Box<dyn Storage>> {
        let file = match open_unnamed(directory, OFlags::EXCL, Mode::RUSR | Mode::WUSR)? {
            Some(file) => file,
            None => create_unlinked(directory)?,
        };
        Ok(Box::new(SystemFile::new(file)))
    }
}

/// Opens a file that never has a name, or `None` where the file system can't do that. With
/// `OFlags::EXCL` it can't be given one later either.
pub(crate) fn open_unnamed(
    directory: &Path,
    flags: OFlags,
    mode: Mode,
) -> io::Result<Option<File>> {
    use rustix::io::Errno;
    let flags = flags | OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::openat(CWD, directory, flags, mode) {
        Ok(descriptor) => Ok(Some(descriptor.into())),
        Err(Errno::OPNOTSUPP | Errno::ISDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The fallback: a file whose name is removed at once. A kill between the two calls leaves an
/// empty file.
fn create_unlinked(directory: &Path) -> io::Result<File> {
    let (file, name) = tempfile::Builder::new()
        .prefix(".spill-")
        .tempfile_in(directory)?
        .into_parts();
    name.close()?;
    Ok(file)
}

/// Writes all of `bytes`, in as many calls as that takes.
pub(crate) fn write_fully(storage: &dyn Storage, bytes: &[u8], offset: u64) -> io::Result<()> {
    // The sums of offsets stay below 2^63: the system refuses to write beyond.
    let (mut rest, mut at) = (bytes, offset);
    while !rest.is_empty() {
        match storage.write_at(rest, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                rest = &rest[written..];
                at += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether a read may wait for a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    Waits,
    /// Rather than that it is an error, [`io::ErrorKind::WouldBlock`].
    Refuses,
}

/// Fills `room`, in as many calls as that takes; returns fewer bytes only where the file ends.
pub(crate) fn read_fully(
    storage: &dyn Storage,
    room: &mut [u8],
    offset: u64,
    patience: Patience,
) -> io::Result<usize> {
    let mut filled = 0;
    while filled < room.len() {
        let (rest, at) = (&mut room[filled..], offset + filled as u64);
        let read = match patience {
            Patience::Waits => storage.read_at(rest, at),
            Patience::Refuses => storage.read_cached_at(rest, at),
        };
        match read {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fallback_leaves_no_name_either() {
        let directory = tempfile::tempdir().unwrap();
        let file = SystemFile::new(create_unlinked(directory.path()).unwrap());
        write_fully(&file, b"still writable", 5).unwrap();
        let mut back = [0; 20];
        assert_eq!(
            read_fully(&file, &mut back, 5, Patience::Waits).unwrap(),
            14
        );
        assert_eq!(&back[..14], b"still writable");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
