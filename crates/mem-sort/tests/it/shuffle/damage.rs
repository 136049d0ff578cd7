//! Damaged files: always an error that names the file, never a panic, never other records.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use mem_sort::{ChecksumAlgorithm, ShuffleError, ShuffleFiles, ShuffleOptions, ShuffleReader};
use task_mem::{ConsumerOptions, Wait};

use super::support::{Bench, Random, options};

/// An output with three partitions, the second one empty.
fn written(checksum: Option<ChecksumAlgorithm>) -> (Bench, Vec<Vec<u8>>) {
    let bench = Bench::new(1 << 20, 4 << 10);
    let mut writer = bench.writer(ShuffleOptions {
        checksum,
        ..options(3)
    });
    let mut random = Random(1);
    let mut expected = vec![Vec::new(); 3];
    for number in 0..40_u32 {
        let record = random.bytes(60);
        let partition = if number % 3 == 0 { 0 } else { 2 };
        writer.write(&record, partition, &Wait::default()).unwrap();
        expected[partition as usize].extend_from_slice(&record);
        if number == 20 {
            writer.spill().unwrap();
        }
    }
    writer.finish(&Wait::default()).unwrap();
    (bench, expected)
}

/// Reads everything. What comes out is right as far as it goes.
fn read_all(bench: &Bench, expected: &[Vec<u8>]) -> Result<(), String> {
    let show = |error: ShuffleError| match error {
        ShuffleError::Damaged { .. } | ShuffleError::Io { .. } => error.to_string(),
        ShuffleError::Spill(error) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let reader = ShuffleReader::open(bench.directory()).map_err(show)?;
    let consumer = bench.task.register(ConsumerOptions::named("test"));
    assert_eq!(reader.partitions(), 3);
    for (partition, expected) in (0..).zip(expected) {
        let opened = reader.partition(partition, &consumer, &Wait::default());
        let mut bytes = Vec::new();
        let read = opened.map_err(show)?.read_to_end(&mut bytes);
        assert!(expected.starts_with(&bytes), "other bytes came out");
        read.map_err(|error| error.to_string())?;
        assert_eq!(bytes.len(), expected.len());
    }
    Ok(())
}

fn files(bench: &Bench, checksum: ChecksumAlgorithm) -> [PathBuf; 3] {
    let files = ShuffleFiles::below(bench.directory());
    [files.data(), files.index(), files.checksums(checksum)]
}

/// The error names the directory in which the files are, and one of them.
fn check_named(error: &str, directory: &Path) {
    let named = format!("{}/shuffle_0_0_0.", directory.display());
    assert!(error.contains(&named), "{error}");
}

#[test]
fn every_flipped_bit_is_noticed() {
    for algorithm in ChecksumAlgorithm::ALL {
        let (bench, expected) = written(Some(algorithm));
        read_all(&bench, &expected).unwrap();
        for path in files(&bench, algorithm) {
            let whole = fs::read(&path).unwrap();
            let step = if whole.len() > 1000 { 29 } else { 1 };
            for bit in (0..whole.len() * 8).step_by(step) {
                let mut bytes = whole.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                fs::write(&path, &bytes).unwrap();
                let error = read_all(&bench, &expected).expect_err("a bit was flipped");
                check_named(&error, bench.directory());
            }
            fs::write(&path, &whole).unwrap();
        }
        read_all(&bench, &expected).unwrap();
        bench.check_nothing_left();
    }
}

#[test]
fn without_checksums_the_blocks_have_their_own() {
    let (bench, expected) = written(None);
    let path = ShuffleFiles::below(bench.directory()).data();
    let whole = fs::read(&path).unwrap();
    for bit in (0..whole.len() * 8).step_by(37) {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &bytes).unwrap();
        let error = read_all(&bench, &expected).expect_err("a bit was flipped");
        check_named(&error, bench.directory());
    }
}

#[test]
fn every_truncation_is_noticed() {
    let algorithm = ChecksumAlgorithm::Adler32;
    let (bench, expected) = written(Some(algorithm));
    for path in files(&bench, algorithm) {
        let whole = fs::read(&path).unwrap();
        for length in (0..whole.len()).step_by(if whole.len() > 1000 { 7 } else { 1 }) {
            fs::write(&path, &whole[..length]).unwrap();
            let error = read_all(&bench, &expected).expect_err("a byte is missing");
            check_named(&error, bench.directory());
        }
        fs::write(&path, [&whole[..], &[0; 8]].concat()).unwrap();
        read_all(&bench, &expected).expect_err("eight bytes are too many");
        fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn files_of_two_outputs_do_not_go_together() {
    let algorithm = ChecksumAlgorithm::Crc32;
    let (bench, expected) = written(Some(algorithm));
    let (other, _) = written(Some(ChecksumAlgorithm::Adler32));
    let stray = ShuffleFiles::below(bench.directory()).checksums(ChecksumAlgorithm::Adler32);
    let source = ShuffleFiles::below(other.directory()).checksums(ChecksumAlgorithm::Adler32);
    fs::copy(source, &stray).unwrap();
    let error = read_all(&bench, &expected).unwrap_err();
    assert!(error.contains("of another output"), "{error}");
    fs::remove_file(stray).unwrap();

    // Partitions exchanged: offsets rise and the length is right, the checksums tell.
    let [data, index, _] = files(&bench, algorithm);
    let mut offsets = fs::read(&index).unwrap();
    let length = fs::metadata(&data).unwrap().len();
    offsets[8..16].copy_from_slice(&length.to_be_bytes());
    offsets[16..24].copy_from_slice(&length.to_be_bytes());
    fs::write(&index, &offsets).unwrap();
    let error = read_all(&bench, &expected).unwrap_err();
    assert!(
        error.contains("the CRC32 of partition 0 should be"),
        "{error}"
    );
}

#[test]
fn a_missing_file_is_named() {
    let (bench, expected) = written(Some(ChecksumAlgorithm::Crc32));
    let [data, index, _] = files(&bench, ChecksumAlgorithm::Crc32);
    for path in [data, index] {
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let error = read_all(&bench, &expected).unwrap_err();
        assert_eq!(error, format!("could not read {}", path.display()));
        fs::write(&path, whole).unwrap();
    }
}
