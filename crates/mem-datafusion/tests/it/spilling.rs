//! Spill files as DataFusion's operators use them.

use std::io::Write;
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use datafusion_common::Result;
use datafusion_execution::SpillFile;
use datafusion_execution::runtime_env::RuntimeEnv;
use futures::StreamExt;
use futures::executor::block_on;
use mem_datafusion::{HearthRuntime, RuntimeOptions};
use mem_policy::ManagerOptions;
use mem_spill::testing::FaultyFiles;
use mem_spill::{Codec, SpillDirs, SpillError};
use mem_sync::Mutex;

use crate::support::{MIB, check_empty, plain, runtime_with, two_workers};

const TOTAL: usize = 64 * MIB;

fn with_options(options: RuntimeOptions) -> (HearthRuntime, FaultyFiles) {
    let files = FaultyFiles::default();
    let dirs = SpillDirs::with_provider(vec!["a".into(), "b".into()], files.clone()).unwrap();
    let options = RuntimeOptions {
        spill_dirs: dirs,
        spill_block_bytes: Some(4096),
        ..options
    };
    let runtime = runtime_with(TOTAL, ManagerOptions::default(), options);
    (runtime, files)
}

fn in_memory() -> (HearthRuntime, FaultyFiles) {
    with_options(plain())
}

fn create(env: &RuntimeEnv) -> Arc<dyn SpillFile> {
    env.disk_manager.create_tmp_file("a test").unwrap()
}

/// Bytes that compress somewhat.
fn data(length: usize) -> Vec<u8> {
    (0_u32..)
        .flat_map(|n| (n.wrapping_mul(n) / 7).to_le_bytes())
        .take(length)
        .collect()
}

async fn read(file: &dyn SpillFile) -> Result<Vec<u8>> {
    let chunks: Vec<Result<Bytes>> = file.read_stream()?.collect().await;
    let chunks: Result<Vec<Bytes>> = chunks.into_iter().collect();
    Ok(chunks?.concat())
}

#[test]
fn what_is_written_is_read_back_on_any_runtime_or_none() {
    for codec in [Codec::None, Codec::Lz4, Codec::Zstd { level: 1 }] {
        let options = RuntimeOptions {
            spill_codec: codec,
            ..plain()
        };
        let (runtime, files) = with_options(options);
        let env = runtime.query_env().unwrap();
        let file = create(&env);
        let data = data(100_000);
        let mut writer = file.open_writer().unwrap();
        for piece in data.chunks(777) {
            assert_eq!(writer.write(piece).unwrap(), piece.len());
        }
        writer.finish().unwrap();
        drop(writer);
        assert!(file.size().unwrap() > 0 && file.path().is_none());
        assert_eq!(file.size().unwrap(), runtime.stats().on_disk);
        assert_eq!(block_on(read(&*file)).unwrap(), data);
        // Any number of readers, at once.
        let both = two_workers().block_on(async { tokio::join!(read(&*file), read(&*file)) });
        assert!(both.0.unwrap() == data && both.1.unwrap() == data);
        drop(file);
        assert_eq!(files.alive(), 0);
        drop(env);
        check_empty(&runtime);
    }
}

/// A worker does not wait for a disk: what is in memory it reads by itself, the rest others read.
#[test]
fn what_the_system_has_in_memory_is_read_at_once_and_the_rest_elsewhere() {
    /// What the system says where a disk would have to be waited for.
    const WOULD_BLOCK: i32 = if cfg!(target_os = "linux") { 11 } else { 35 };
    let (runtime, files) = in_memory();
    let env = runtime.query_env().unwrap();
    let file = create(&env);
    let mut writer = file.open_writer().unwrap();
    writer.write_all(&data(100_000)).unwrap();
    writer.finish().unwrap();
    let reads = Arc::new(Mutex::new(Vec::new()));
    files.hook({
        let reads = Arc::clone(&reads);
        move |access| {
            let mut reads = reads.lock();
            reads.push((access.cached, thread::current().id()));
            let is_third = reads.len().is_multiple_of(3);
            match access.cached && is_third {
                true => Err(WOULD_BLOCK),
                false => Ok(()),
            }
        }
    });
    // Polled on this thread.
    let back = two_workers().block_on(read(&*file)).unwrap();
    assert!(back == data(100_000));
    let here = thread::current().id();
    let reads = reads.lock();
    assert!(reads.iter().all(|(cached, on)| *cached == (*on == here)));
    let elsewhere = reads.iter().filter(|(cached, _)| !cached).count();
    assert!(
        (5..20).contains(&elsewhere),
        "{elsewhere} of some 25 blocks"
    );
}

#[test]
fn files_go_to_all_directories_in_turn() {
    let (runtime, _files) = in_memory();
    let env = runtime.query_env().unwrap();
    let files: Vec<_> = (0..4).map(|_| create(&env)).collect();
    assert_eq!(runtime.stats().spilled.files_alive, 4);
    drop(files);
    assert_eq!(runtime.stats().spilled.files_alive, 0);
}

/// What a repartition does: it reads while it writes, and only what is flushed.
#[test]
fn what_is_flushed_can_be_read_while_more_is_written() {
    let (runtime, _files) = in_memory();
    let env = runtime.query_env().unwrap();
    let runner = two_workers();
    runner.block_on(async {
        let file = create(&env);
        let mut writer = file.open_writer().unwrap();
        let mut stream = file.read_stream().unwrap();
        assert!(stream.next().await.is_none());
        for round in 0..20_usize {
            let data = data(round * 500 + 1);
            writer.write_all(&data).unwrap();
            writer.flush().unwrap();
            let mut read = Vec::new();
            while read.len() < data.len() {
                read.extend_from_slice(&stream.next().await.unwrap().unwrap());
            }
            assert_eq!(read, data);
            assert!(stream.next().await.is_none());
        }
    });
}

#[test]
fn a_flipped_bit_is_an_error_that_names_the_place() {
    let (runtime, files) = in_memory();
    let env = runtime.query_env().unwrap();
    let file = create(&env);
    let mut writer = file.open_writer().unwrap();
    writer.write_all(&data(20_000)).unwrap();
    writer.finish().unwrap();
    let length = files.with_bytes(1, |bytes| bytes.len()).unwrap();
    for at in [0, 40, length / 2, length - 1] {
        files.with_bytes(1, |bytes| bytes[at] ^= 4).unwrap();
        let error = block_on(read(&*file)).unwrap_err();
        let spill = std::error::Error::source(&error);
        let spill = spill.and_then(|source| source.downcast_ref::<SpillError>());
        assert!(
            matches!(spill, Some(SpillError::Corrupt { .. })),
            "{error:?}"
        );
        files.with_bytes(1, |bytes| bytes[at] ^= 4).unwrap();
    }
    assert_eq!(block_on(read(&*file)).unwrap(), data(20_000));
}

#[test]
fn workspace_is_the_querys_and_goes_with_the_writer() {
    let (runtime, _files) = in_memory();
    let env = runtime.query_env().unwrap();
    assert_eq!(env.memory_pool.reserved(), 0);
    let file = create(&env);
    let mut writer = file.open_writer().unwrap();
    let writing = env.memory_pool.reserved();
    // What is not compressed takes a block to write, and two to read.
    assert!(writing >= 4096);
    writer.write_all(b"few").unwrap();
    writer.finish().unwrap();
    drop(writer);
    assert_eq!(env.memory_pool.reserved(), 0);
    let reader = file.read_stream().unwrap();
    let reading = env.memory_pool.reserved();
    assert!(reading >= 2 * 4096);
    drop(reader);
    // The decoders stay for the next reader.
    assert_eq!(env.memory_pool.reserved(), reading - 2 * 4096);
    assert_eq!(runtime.stats().overdraft_peak, 0);
}

#[test]
fn a_full_disk_is_an_error_and_gives_back_what_it_took() {
    let (runtime, files) = in_memory();
    let env = runtime.query_env().unwrap();
    files.limit_disk(10_000);
    let file = create(&env);
    let mut writer = file.open_writer().unwrap();
    let error = writer
        .write_all(&vec![0xa7; 1 << 20])
        .and_then(|()| writer.flush());
    if error.is_ok() {
        // It compresses too well: random bytes do not.
        let noise: Vec<u8> = (0_u64..100_000)
            .map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56).to_le_bytes()[0])
            .collect();
        let error = writer.write_all(&noise).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }
    assert!(writer.write_all(b"more").is_err() && writer.finish().is_err());
    drop((writer, file));
    assert_eq!((files.alive(), runtime.stats().on_disk), (0, 0));
}

#[test]
fn the_quota_holds_for_all_queries_together() {
    let options = RuntimeOptions {
        spill_codec: Codec::None,
        max_spill_bytes: 20_000,
        ..plain()
    };
    let (runtime, _files) = with_options(options);
    let (one, two) = (runtime.query_env().unwrap(), runtime.query_env().unwrap());
    let first = create(&one);
    let mut writer = first.open_writer().unwrap();
    writer.write_all(&[1; 15_000]).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let second = create(&two);
    let mut writer = second.open_writer().unwrap();
    let error = writer.write_all(&[1; 15_000]).unwrap_err();
    assert!(
        error.to_string().contains("20000 bytes together"),
        "{error}"
    );
    drop((writer, first));
    let third = create(&two);
    let mut writer = third.open_writer().unwrap();
    writer.write_all(&[1; 10_000]).unwrap();
    writer.finish().unwrap();
}

#[test]
fn a_file_has_one_writer_at_a_time_and_can_be_appended_to() {
    let (runtime, _files) = in_memory();
    let env = runtime.query_env().unwrap();
    let file = create(&env);
    let mut writer = file.open_writer().unwrap();
    assert!(file.open_writer().is_err());
    writer.write_all(b"one ").unwrap();
    writer.finish().unwrap();
    drop(writer);
    let mut lost = file.open_writer().unwrap();
    lost.write_all(b"never finished").unwrap();
    drop(lost);
    let mut writer = file.open_writer().unwrap();
    writer.write_all(b"two").unwrap();
    writer.finish().unwrap();
    assert_eq!(block_on(read(&*file)).unwrap(), b"one two");
}

/// Its files have no name: whatever becomes of the process, there is nothing to remove.
#[test]
fn real_files_have_no_name() {
    let directory = tempfile::tempdir().unwrap();
    let options = RuntimeOptions {
        spill_dirs: SpillDirs::new(vec![directory.path().to_owned()]).unwrap(),
        ..plain()
    };
    let runtime = runtime_with(TOTAL, ManagerOptions::default(), options);
    let env = runtime.query_env().unwrap();
    let file = create(&env);
    let mut writer = file.open_writer().unwrap();
    writer.write_all(&data(300_000)).unwrap();
    writer.finish().unwrap();
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    assert_eq!(block_on(read(&*file)).unwrap(), data(300_000));
}
