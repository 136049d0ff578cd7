//! The output's files: whole or not at all, and read as they were written.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use mem_sort::{ChecksumAlgorithm, ShuffleError, ShuffleFiles, ShuffleOptions, ShuffleReader};
use mem_sort::{ShuffleWriter, partition_of};
use mem_spill::SpillDirs;
use task_mem::{ConsumerOptions, Wait};

use super::support::{Bench, options};

fn write(bench: &Bench, options: ShuffleOptions, record: &[u8]) {
    let mut writer = bench.writer(options);
    writer.write(record, 1, &Wait::default()).unwrap();
    writer.finish(&Wait::default()).unwrap();
}

#[test]
fn an_earlier_output_is_replaced_when_the_new_one_is_whole() {
    let bench = Bench::new(1 << 20, 4 << 10);
    write(&bench, options(3), b"old");
    let mut writer = bench.writer(options(2));
    writer.write(b"new", 1, &Wait::default()).unwrap();
    writer.spill().unwrap();
    assert_eq!(bench.partitions(), [&b""[..], b"old", b""]);
    drop(writer);
    assert_eq!(bench.partitions(), [&b""[..], b"old", b""]);

    write(&bench, options(2), b"new");
    assert_eq!(bench.partitions(), [&b""[..], b"new"]);
    assert_eq!(bench.listed().len(), 3);
    bench.check_nothing_left();
}

#[test]
fn checksums_of_an_earlier_output_do_not_stay() {
    let bench = Bench::new(1 << 20, 4 << 10);
    let [adler, crc] = ChecksumAlgorithm::ALL.map(Some);
    for (checksum, files) in [(adler, 3), (crc, 3), (None, 2), (adler, 3)] {
        write(
            &bench,
            ShuffleOptions {
                checksum,
                ..options(2)
            },
            b"x",
        );
        assert_eq!(bench.listed().len(), files);
        let reader = ShuffleReader::open(bench.directory()).unwrap();
        assert_eq!(reader.checksum(), checksum);
        assert_eq!(bench.partitions(), [&b""[..], b"x"]);
    }
}

#[test]
fn what_can_not_be_written_is_refused_before_any_record() {
    let bench = Bench::new(1 << 20, 4 << 10);
    let files = ShuffleFiles::below(bench.directory());
    fs::create_dir(files.index()).unwrap();
    let (dirs, wait) = (SpillDirs::default(), Wait::default());
    let create =
        |directory| ShuffleWriter::create(directory, &bench.task, dirs.clone(), options(2), &wait);
    let error = create(bench.directory()).unwrap_err();
    assert!(matches!(error, ShuffleError::Output(_)), "{error:?}");
    let plain_file = bench.directory().join("file");
    fs::write(&plain_file, "").unwrap();
    let error = create(&plain_file.join("below")).unwrap_err();
    assert!(matches!(error, ShuffleError::Io { .. }), "{error:?}");
    assert!(error.to_string().contains("could not create"), "{error}");
    bench.check_nothing_left();
}

#[test]
fn the_files_mode_is_that_of_any_new_file() {
    let bench = Bench::new(1 << 20, 4 << 10);
    write(&bench, options(2), b"x");
    let plain = bench.directory().join("plain");
    fs::write(&plain, "").unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode();
    let files = ShuffleFiles::below(bench.directory());
    assert_eq!(mode(files.data()), mode(plain));
}

#[test]
fn a_reader_asks_for_its_memory_and_gives_it_back() {
    let bench = Bench::new(100_000, 1 << 10);
    write(&bench, options(2), &[1; 5000]);
    let reader = ShuffleReader::open(bench.directory()).unwrap();
    let consumer = bench.task.register(ConsumerOptions::named("test"));
    let error = reader
        .partition(2, &consumer, &Wait::default())
        .unwrap_err();
    assert!(matches!(error, ShuffleError::NoSuchPartition { .. }));
    let mut partition = reader.partition(1, &consumer, &Wait::default()).unwrap();
    assert!(bench.task.memory_consumption() >= 1024);
    let mut bytes = Vec::new();
    partition.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, [1; 5000]);
    drop(partition);
    bench.check_nothing_left();

    let small = Bench::new(1000, 64);
    let consumer = small.task.register(ConsumerOptions::named("test"));
    let error = reader
        .partition(1, &consumer, &Wait::default())
        .unwrap_err();
    assert!(matches!(error, ShuffleError::Memory(_)), "{error:?}");
    small.check_nothing_left();
}

#[test]
fn lines_go_to_the_partition_of_their_crc() {
    // As zlib.crc32(line) % 200 of Python says.
    for (line, partition) in [
        (&b""[..], 0),
        (b"a", 107),
        (b"hello world", 157),
        (b"\xff\x00\r", 138),
    ] {
        assert_eq!(partition_of(line, 200), partition);
    }
    assert_eq!(partition_of(b"anything", 1), 0);
}
