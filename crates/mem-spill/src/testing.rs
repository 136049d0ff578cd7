//! A provider of spill files in memory that fails on demand, for tests of whoever spills.
//!
//! ```
//! use mem_spill::testing::FaultyFiles;
//! use mem_spill::{Codec, Encoder, SpillDirs, SpillOptions, SpillWriter};
//!
//! let files = FaultyFiles::default();
//! files.limit_disk(3000);
//! let dirs = SpillDirs::with_provider(vec!["a".into(), "b".into()], files.clone())?;
//! let options = SpillOptions::new(Codec::None, 1024)?;
//! let mut encoder = Encoder::new(options, vec![0; options.write_buffer_bytes()])?;
//! let mut file = dirs.create()?;
//! let mut writer = SpillWriter::new(&mut file, &mut encoder);
//! let error = writer.append(&[0; 4000]).unwrap_err();
//! assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
//! # Ok::<(), mem_spill::SpillError>(())
//! ```

use crate::storage::{Storage, StorageProvider};
use mem_sync::Mutex;
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One call to a file, as a hook sees it before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Whether it writes.
    pub write: bool,
    /// Whether it is a read that may not wait for a disk.
    pub cached: bool,
    /// Which file, counted from 1 in the order of their creation.
    pub file: u64,
    /// Where, in bytes.
    pub offset: u64,
    /// How many bytes are asked for.
    pub length: usize,
}

/// What bytes read as that were given back.
const RELEASED: u8 = 0xa5;

/// What a hook answers: go on, or fail with this number of an error of the system.
pub type Answer = Result<(), i32>;

type Hook = Arc<dyn Fn(Access) -> Answer + Send + Sync>;

/// Files in memory, and what is wrong with them. Cloning shares them.
///
/// No lock is held while a hook runs: it may block, which makes for a slow disk under the test's
/// control.
#[derive(Clone, Default)]
pub struct FaultyFiles {
    shared: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    created: u64,
    released: usize,
    contents: BTreeMap<u64, Vec<u8>>,
    disk_bytes_max: Option<usize>,
    call_bytes_max: Option<usize>,
    calls: u64,
    failing_directories: BTreeMap<PathBuf, i32>,
    hook: Option<Hook>,
}

impl FaultyFiles {
    /// All files together hold `bytes` at most; what goes beyond fails with `ENOSPC`.
    pub fn limit_disk(&self, bytes: usize) {
        self.shared.lock().disk_bytes_max = Some(bytes);
    }

    /// One call moves `bytes` at most, and every third call is interrupted.
    pub fn limit_calls(&self, bytes: usize) {
        self.shared.lock().call_bytes_max = Some(bytes);
    }

    /// Creating a file in `directory` fails with the system's error `errno`.
    pub fn fail_directory(&self, directory: &Path, errno: i32) {
        let directory = directory.to_owned();
        self.shared
            .lock()
            .failing_directories
            .insert(directory, errno);
    }

    /// Asks `hook` before each call to a file.
    pub fn hook(&self, hook: impl Fn(Access) -> Answer + Send + Sync + 'static) {
        self.shared.lock().hook = Some(Arc::new(hook));
    }

    /// Lets `change` at the bytes of a file, counted from 1; `None` if it is gone.
    pub fn with_bytes<T>(&self, file: u64, change: impl FnOnce(&mut Vec<u8>) -> T) -> Option<T> {
        self.shared.lock().contents.get_mut(&file).map(change)
    }

    /// How many files there are now.
    #[must_use]
    pub fn alive(&self) -> usize {
        self.shared.lock().contents.len()
    }

    /// How many bytes were given back before their file was gone.
    #[must_use]
    pub fn released(&self) -> usize {
        self.shared.lock().released
    }

    /// Runs the hook and the faults of calls; returns how many bytes the call may move.
    fn admit(&self, access: Access) -> io::Result<usize> {
        let hook = self.shared.lock().hook.clone();
        if let Some(hook) = hook {
            hook(access).map_err(io::Error::from_raw_os_error)?;
        }
        let mut state = self.shared.lock();
        let Some(call_bytes_max) = state.call_bytes_max else {
            return Ok(access.length);
        };
        state.calls += 1;
        if state.calls.is_multiple_of(3) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(access.length.min(call_bytes_max))
    }
}

impl fmt::Debug for FaultyFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyFiles").finish_non_exhaustive()
    }
}

impl StorageProvider for FaultyFiles {
    fn create(&self, directory: &Path) -> io::Result<Box<dyn Storage>> {
        let mut state = self.shared.lock();
        if let Some(errno) = state.failing_directories.get(directory) {
            return Err(io::Error::from_raw_os_error(*errno));
        }
        state.created += 1;
        let number = state.created;
        state.contents.insert(number, Vec::new());
        Ok(Box::new(FaultyFile {
            files: self.clone(),
            number,
        }))
    }
}

/// One of them.
#[derive(Debug)]
struct FaultyFile {
    files: FaultyFiles,
    number: u64,
}

impl FaultyFile {
    fn access(&self, offset: u64, length: usize) -> Access {
        Access {
            write: false,
            cached: false,
            file: self.number,
            offset,
            length,
        }
    }

    fn read(&self, room: &mut [u8], offset: u64, cached: bool) -> io::Result<usize> {
        let admitted = self.files.admit(Access {
            cached,
            ..self.access(offset, room.len())
        })?;
        let offset = index(offset)?;
        let state = self.files.shared.lock();
        let content = state
            .contents
            .get(&self.number)
            .map_or(&[][..], Vec::as_slice);
        let rest = content.get(offset..).unwrap_or_default();
        let length = admitted.min(rest.len());
        room[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }
}

/// An offset as an index: files in memory are as long as memory at most.
fn index(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(io::Error::other)
}

impl Storage for FaultyFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let admitted = self.files.admit(Access {
            write: true,
            ..self.access(offset, bytes.len())
        })?;
        let offset = index(offset)?;
        let mut state = self.files.shared.lock();
        let taken: usize = state.contents.values().map(Vec::len).sum();
        let free = state.disk_bytes_max.map(|max| max.saturating_sub(taken));
        let content = state.contents.entry(self.number).or_default();
        // Bytes that are there already can be overwritten on a full disk.
        let room = free.map_or(admitted, |free| {
            free.saturating_add(content.len().saturating_sub(offset))
        });
        let length = admitted.min(room);
        if length == 0 && !bytes.is_empty() {
            return Err(Errno::NOSPC.into());
        }
        let end = offset + length;
        if content.len() < end {
            content.resize(end, 0);
        }
        content[offset..end].copy_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        self.read(room, offset, false)
    }

    fn read_cached_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        self.read(room, offset, true)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let length = index(length)?;
        let mut state = self.files.shared.lock();
        state
            .contents
            .entry(self.number)
            .or_default()
            .resize(length, 0);
        Ok(())
    }

    fn will_need(&self, _offset: u64, _length: u64) {}

    fn release(&self, offset: u64, length: u64) {
        let mut state = self.files.shared.lock();
        let content = state.contents.entry(self.number).or_default();
        let bytes = content
            .iter_mut()
            .skip(usize::try_from(offset).unwrap_or(usize::MAX))
            .take(usize::try_from(length).unwrap_or(usize::MAX));
        let released = bytes.map(|byte| *byte = RELEASED).count();
        state.released += released;
    }
}

impl Drop for FaultyFile {
    fn drop(&mut self) {
        self.files.shared.lock().contents.remove(&self.number);
    }
}
