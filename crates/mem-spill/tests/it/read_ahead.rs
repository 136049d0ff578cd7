//! Read-ahead: blocks are there before they are asked for, and whatever becomes of the threads,
//! readers go on.

use crate::support::{CODECS, block, bytes, decoders, drain, in_memory, reader_ahead, write};
use mem_spill::testing::FaultyFiles;
use mem_spill::{Codec, Decoders, Encoder, ReadAhead, Segment, SpillDirs, SpillError};
use mem_spill::{SpillOptions, SpillReader, SpillWriter};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

fn written(codec: Codec, length: usize) -> (FaultyFiles, SpillDirs, Segment, Vec<u8>) {
    let (files, dirs) = in_memory();
    let options = SpillOptions::new(codec, 1024).unwrap();
    let data = bytes(9, 100, length);
    let segment = write(&mut dirs.create().unwrap(), options, &data, 5000).unwrap();
    (files, dirs, segment, data)
}

/// Tells which thread reads what, as it happens.
fn watch(files: &FaultyFiles) -> mpsc::Receiver<(Option<String>, u64)> {
    let (told, tell) = mpsc::channel();
    files.hook(move |access| {
        let name = thread::current().name().map(ToOwned::to_owned);
        told.send((name, access.offset)).unwrap_or_default();
        Ok(())
    });
    tell
}

#[test]
fn the_next_block_is_read_while_the_caller_has_this_one() {
    let (files, _, segment, data) = written(Codec::None, 992 * 3);
    let reads = watch(&files);
    let threads = ReadAhead::start(1).unwrap();
    let mut reader = reader_ahead(&segment, &threads);
    // Nothing has been asked for; these come by themselves: a header, then its payload.
    let by_thread = Some("spill-read-ahead".to_owned());
    assert_eq!(reads.recv().unwrap(), (by_thread.clone(), 0));
    assert_eq!(reads.recv().unwrap(), (by_thread.clone(), 32));
    // While the caller has this block, the one behind it is read.
    let first = reader.next_block().unwrap().unwrap();
    assert_eq!(reads.recv().unwrap(), (by_thread, 1024 + 32));
    assert_eq!(first, &data[..992]);
    assert_eq!(reader.next_block().unwrap().unwrap(), &data[992..1984]);
    assert_eq!(reader.next_block().unwrap().unwrap(), &data[1984..]);
    assert!(reader.next_block().unwrap().is_none());
}

#[test]
fn a_reader_does_not_wait_for_a_thread_that_is_busy_elsewhere() {
    let (slow_files, _, slow, _) = written(Codec::Lz4, 10_000);
    let (started, has_started) = mpsc::channel();
    let (release, held) = mpsc::channel::<()>();
    let held = mem_sync::Mutex::new(held);
    slow_files.hook(move |_| {
        started.send(()).unwrap_or_default();
        held.lock().recv().unwrap_or_default();
        Ok(())
    });
    let threads = ReadAhead::start(1).unwrap();
    let slow_reader = reader_ahead(&slow, &threads);
    has_started.recv().unwrap();
    // The only thread hangs. This reader does its own reading, to the end.
    let (_, dirs, segment, data) = written(Codec::Lz4, 10_000);
    let (read, error) = drain(reader_ahead(&segment, &threads));
    assert!(error.is_none() && read == data);
    assert_eq!(dirs.stats().blocks_ready, 0);
    // Dropping the slow one waits for the thread, which has its buffer; so let it go first.
    drop(release);
    assert_eq!(slow_reader.into_buffers().len(), 2);
}

#[test]
fn without_threads_readers_read_by_themselves() {
    for codec in CODECS {
        let (_, _, segment, data) = written(codec, 10_000);
        let none = ReadAhead::start(0).unwrap();
        assert!(drain(reader_ahead(&segment, &none)).0 == data);
        let threads = ReadAhead::start(2).unwrap();
        let mut reader = reader_ahead(&segment, &threads);
        let first = reader.next_block().unwrap().unwrap().len();
        drop(threads);
        let (rest, error) = drain(reader);
        assert!(error.is_none());
        assert!(rest == data[first..]);
    }
}

#[test]
fn many_readers_share_a_file_a_decoder_and_two_threads() {
    for codec in CODECS {
        let (_, dirs) = in_memory();
        let options = SpillOptions::new(codec, 1024).unwrap();
        let mut file = dirs.create().unwrap();
        let runs: Vec<_> = (1..=8)
            .map(|seed| {
                let data = bytes(seed, 100, 30_000);
                let segment = write(&mut file, options, &data, 3000).unwrap();
                (segment, data)
            })
            .collect();
        let threads = ReadAhead::start(2).unwrap();
        let decoders = decoders(options, 1);
        let open = |segment: &Segment| {
            let reader = SpillReader::new(segment, &decoders, block(options)).unwrap();
            reader.with_read_ahead(&threads, block(options)).unwrap()
        };
        thread::scope(|scope| {
            for (segment, data) in &runs {
                // Two at the same segment, of which one goes in the middle.
                scope.spawn(|| assert!(drain(open(segment)).0 == *data));
                scope.spawn(|| open(segment).next_block().map(|_| ()).unwrap());
            }
        });
        assert_eq!(dirs.stats().files_alive, 1);
        drop((runs, file));
        assert_eq!(dirs.stats().files_alive, 0);
        assert_eq!(decoders.into_buffers().unwrap().len(), 1);
    }
}

/// Lent memory that tells when it is given back, and that panics in the threads of the read-ahead
/// when told to.
struct Lent {
    bytes: Vec<u8>,
    panics: Arc<AtomicBool>,
    returned: Arc<AtomicBool>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsMut<[u8]> for Lent {
    fn as_mut(&mut self) -> &mut [u8] {
        if thread::current().name() == Some("spill-read-ahead") {
            let panics = self.panics.swap(false, Ordering::Relaxed);
            assert!(!panics, "as the test wants it");
        }
        &mut self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.returned.store(true, Ordering::Release);
    }
}

struct LentReader {
    reader: SpillReader<Lent>,
    returned: Arc<AtomicBool>,
    panics: Arc<AtomicBool>,
}

fn lent_reader(segment: &Segment, threads: &ReadAhead, panics: bool) -> LentReader {
    let (returned, panics) = (Arc::default(), Arc::new(AtomicBool::new(panics)));
    let options = segment.options();
    let lend = |returned: &Arc<AtomicBool>| Lent {
        bytes: block(options),
        panics: Arc::clone(&panics),
        returned: Arc::clone(returned),
    };
    let decoders = Decoders::new(options, vec![lend(&Arc::default())]).unwrap();
    let reader = SpillReader::new(segment, &decoders, lend(&Arc::default())).unwrap();
    let reader = reader.with_read_ahead(threads, lend(&returned)).unwrap();
    LentReader {
        reader,
        returned,
        panics,
    }
}

#[test]
fn a_dropped_reader_has_given_its_memory_back() {
    let (files, _, segment, _) = written(Codec::None, 10_000);
    let (started, has_started) = mpsc::channel();
    let (release, held) = mpsc::channel::<()>();
    let held = mem_sync::Mutex::new(held);
    files.hook(move |_| {
        started.send(()).unwrap_or_default();
        held.lock().recv().unwrap_or_default();
        Ok(())
    });
    let threads = ReadAhead::start(1).unwrap();
    let lent = lent_reader(&segment, &threads, false);
    has_started.recv().unwrap();
    // A thread is reading into the memory now.
    let dropping = thread::spawn(move || {
        drop(lent.reader);
        lent.returned.load(Ordering::Acquire)
    });
    drop(release);
    assert!(dropping.join().unwrap(), "still lent after the drop");
}

#[test]
fn a_panic_in_a_thread_ends_the_wait() {
    let (_, _, segment, data) = written(Codec::None, 10_000);
    let threads = ReadAhead::start(1).unwrap();
    let mut lent = lent_reader(&segment, &threads, true);
    // The flag falls when the thread has the block.
    while lent.panics.load(Ordering::Relaxed) {
        thread::yield_now();
    }
    let error = lent.reader.next_block().unwrap_err();
    assert!(matches!(error, SpillError::ReadAheadPanicked), "{error}");
    // The reader goes on without the thread, from the same block on.
    let mut read = Vec::new();
    while let Some(block) = lent.reader.next_block().unwrap() {
        read.extend_from_slice(block);
    }
    assert!(read == data);
    assert_eq!(lent.reader.into_buffers().len(), 2);
}

#[test]
fn borrowed_slices_can_be_lent_too() {
    let (_, dirs) = in_memory();
    let options = SpillOptions::new(Codec::Zstd { level: 3 }, 2048).unwrap();
    let mut memory = vec![0; options.write_buffer_bytes() + 2 * options.block_bytes()];
    let (writing, reading) = memory.split_at_mut(options.write_buffer_bytes());
    let (scratch, block) = reading.split_at_mut(options.block_bytes());
    let mut encoder = Encoder::new(options, writing).unwrap();
    let mut file = dirs.create().unwrap();
    let mut writer = SpillWriter::new(&mut file, &mut encoder);
    writer.append(b"lent, not given").unwrap();
    let segment = writer.finish().unwrap();
    let decoders = Decoders::new(options, vec![scratch]).unwrap();
    let mut reader = SpillReader::new(&segment, &decoders, block).unwrap();
    assert_eq!(reader.next_block().unwrap(), Some(&b"lent, not given"[..]));
}
