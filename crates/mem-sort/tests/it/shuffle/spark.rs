//! What Spark's `UnsafeShuffleWriterSuite` checks, as far as there is such a thing here.

use std::fs;

use mem_sort::{ChecksumAlgorithm, ShuffleFiles, ShuffleOptions, ShuffleReader};
use mem_spill::Codec;
use task_mem::Wait;

use super::support::{Bench, CODECS, options, spill_memory, with_codec};

const MIB: u64 = 1 << 20;
/// Partitions of the suite.
const PARTITIONS: u32 = 4;

/// Records `n` to partition `n` modulo their number.
fn write_numbers(writer: &mut mem_sort::ShuffleWriter, numbers: &[u32]) {
    for number in numbers {
        let record = number.to_be_bytes();
        writer
            .write(&record, number % PARTITIONS, &Wait::default())
            .unwrap();
    }
}

/// The numbers in each partition, sorted.
fn numbers(bench: &Bench) -> Vec<Vec<u32>> {
    let sorted = |bytes: Vec<u8>| {
        let (numbers, rest) = bytes.as_chunks::<4>();
        assert!(rest.is_empty());
        let mut numbers: Vec<_> = numbers
            .iter()
            .map(|bytes| u32::from_be_bytes(*bytes))
            .collect();
        numbers.sort_unstable();
        numbers
    };
    bench.partitions().into_iter().map(sorted).collect()
}

#[test]
fn unsafe_shuffle_writer_stopped_without_success_leaves_nothing() {
    let bench = Bench::new(4 * MIB, MIB);
    let mut writer = bench.writer(options(PARTITIONS));
    write_numbers(&mut writer, &[1, 2, 3]);
    writer.spill().unwrap();
    write_numbers(&mut writer, &[4]);
    assert!(bench.files.alive() > 0);
    drop(writer);
    bench.check_nothing_left();
    assert!(bench.listed().is_empty());
}

#[test]
fn unsafe_shuffle_writer_empty_input() {
    let bench = Bench::new(4 * MIB, MIB);
    let stats = bench
        .writer(options(PARTITIONS))
        .finish(&Wait::default())
        .unwrap();
    assert_eq!(
        (stats.records, stats.spills, stats.written_bytes),
        (0, 0, 0)
    );
    assert_eq!(
        (stats.memory_spilled_bytes, stats.disk_spilled_bytes),
        (0, 0)
    );
    let files = ShuffleFiles::below(bench.directory());
    assert_eq!(fs::read(files.data()).unwrap(), []);
    assert_eq!(fs::read(files.index()).unwrap(), [0; 8 * 5]);
    assert_eq!(numbers(&bench), vec![vec![]; 4]);
    assert_eq!(bench.dirs.stats().files_created, 0);
    bench.check_nothing_left();
}

#[test]
fn unsafe_shuffle_writer_one_record_per_partition_without_spill() {
    let bench = Bench::new(4 * MIB, MIB);
    let mut writer = bench.writer(with_codec(PARTITIONS, Codec::None));
    write_numbers(&mut writer, &[0, 1, 2, 3]);
    let stats = writer.finish(&Wait::default()).unwrap();
    assert_eq!(
        (stats.records, stats.record_bytes, stats.spills),
        (4, 16, 0)
    );
    assert_eq!(
        (stats.memory_spilled_bytes, stats.disk_spilled_bytes),
        (0, 0)
    );

    let files = ShuffleFiles::below(bench.directory());
    let index = fs::read(files.index()).unwrap();
    let offsets: Vec<_> = index
        .as_chunks()
        .0
        .iter()
        .map(|word| u64::from_be_bytes(*word))
        .collect();
    let lengths: Vec<_> = offsets.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(lengths, [lengths[0]; 4]);
    assert_eq!(offsets[4], fs::metadata(files.data()).unwrap().len());
    assert_eq!(offsets[4], stats.written_bytes);
    assert_eq!(numbers(&bench), [[0], [1], [2], [3]]);
}

#[test]
fn unsafe_shuffle_writer_checksum_file_is_8_bytes_a_partition() {
    for force_spill_records in [u64::MAX, 1] {
        for algorithm in ChecksumAlgorithm::ALL {
            let bench = Bench::new(4 * MIB, MIB);
            let mut writer = bench.writer(ShuffleOptions {
                checksum: Some(algorithm),
                force_spill_records,
                ..options(PARTITIONS)
            });
            write_numbers(&mut writer, &[0, 1, 2, 3, 0, 1]);
            let stats = writer.finish(&Wait::default()).unwrap();
            assert_eq!(stats.spills, if force_spill_records == 1 { 5 } else { 0 });
            let path = ShuffleFiles::below(bench.directory()).checksums(algorithm);
            assert_eq!(fs::metadata(path).unwrap().len(), 8 * u64::from(PARTITIONS));
            let reader = ShuffleReader::open(bench.directory()).unwrap();
            assert_eq!(reader.checksum(), Some(algorithm));
            assert_eq!(numbers(&bench), [vec![0, 0], vec![1, 1], vec![2], vec![3]]);
        }
    }
}

#[test]
fn unsafe_shuffle_writer_merge_spills_of_each_codec_fast_and_slow() {
    for codec in CODECS {
        let mut written = Vec::new();
        for fast_merge in [true, false] {
            let bench = Bench::new(4 * MIB, MIB);
            let options = ShuffleOptions {
                fast_merge,
                ..with_codec(PARTITIONS, codec)
            };
            let mut writer = bench.writer(options.clone());
            write_numbers(&mut writer, &[1, 2, 3, 4]);
            assert_eq!(writer.spill().unwrap(), MIB);
            write_numbers(&mut writer, &[4, 2]);
            let stats = writer.finish(&Wait::default()).unwrap();
            assert_eq!((stats.records, stats.spills), (6, 1));
            assert_eq!(stats.memory_spilled_bytes, MIB);
            assert!(stats.disk_spilled_bytes > 0);
            assert!(stats.disk_spilled_bytes < stats.written_bytes);
            assert_eq!(numbers(&bench), [vec![4, 4], vec![1], vec![2, 2], vec![3]]);
            bench.check_nothing_left();

            let mut sorter = bench.sorter(options);
            for number in [1, 2, 3, 4] {
                sorter
                    .insert(&[1], number % PARTITIONS, &Wait::default())
                    .unwrap();
            }
            sorter.spill().unwrap();
            sorter.insert(&[1], 0, &Wait::default()).unwrap();
            assert_eq!(sorter.close_and_get_spills().unwrap().runs(), 2);
            written.push(stats.written_bytes);
        }
        assert!(
            written[1] < written[0],
            "the slow way makes fewer blocks: {written:?}"
        );
    }
}

#[test]
fn unsafe_shuffle_writer_enough_data_to_spill_at_a_16th_of_the_suites_size() {
    let limit = (1 << 27) / 16;
    let options = options(PARTITIONS);
    let bench = Bench::new(limit + spill_memory(&options), MIB / 16);
    let mut sorter = bench.sorter(options);
    let record = vec![7; usize::try_from(limit / 10).unwrap()];
    for number in 0..11 {
        sorter
            .insert(&record, number % PARTITIONS, &Wait::default())
            .unwrap();
    }
    assert_eq!(sorter.close_and_get_spills().unwrap().runs(), 2);
}

#[test]
fn unsafe_shuffle_writer_pointer_array_grows_and_spills() {
    for (use_radix_sort, runs) in [(false, 2), (true, 3)] {
        let options = ShuffleOptions {
            use_radix_sort,
            ..options(PARTITIONS)
        };
        let first_array = 4096;
        let bench = Bench::new(first_array * 16 + spill_memory(&options), MIB);
        let mut sorter = bench.sorter(options);
        for number in 0..=4096_u32 {
            let record = number.to_be_bytes();
            sorter
                .insert(&record, number % PARTITIONS, &Wait::default())
                .unwrap();
        }
        let spills = sorter.close_and_get_spills().unwrap();
        assert_eq!(spills.runs(), runs, "radix {use_radix_sort}");
        drop(spills);
        bench.check_nothing_left();
    }
}

#[test]
fn unsafe_shuffle_writer_record_of_two_and_a_half_disk_buffers() {
    let bench = Bench::new(8 * MIB, MIB);
    let mut writer = bench.writer(options(PARTITIONS));
    let record: Vec<u8> = (0..MIB * 5 / 2).map(|n| n.to_le_bytes()[1]).collect();
    writer.write(&record, 1, &Wait::default()).unwrap();
    writer.finish(&Wait::default()).unwrap();
    assert!(bench.partitions() == [vec![], record, vec![], vec![]]);
}

#[test]
fn unsafe_shuffle_writer_records_of_1_byte_page_less_4_and_page() {
    for page in [1 << 10, MIB] {
        let bench = Bench::new(8 * MIB, page);
        let mut writer = bench.writer(options(PARTITIONS));
        let records = [1, page - 4, page].map(|length| vec![9; usize::try_from(length).unwrap()]);
        for (partition, record) in (0..).zip(&records) {
            writer.write(record, partition, &Wait::default()).unwrap();
        }
        writer.finish(&Wait::default()).unwrap();
        assert!(bench.partitions()[..3] == records);
        bench.check_nothing_left();
    }
}

#[test]
fn unsafe_shuffle_writer_peak_memory_grows_by_a_page_for_32_records() {
    let (page, record) = (256, [0; 4]);
    let bench = Bench::new(8 * MIB, page);
    let mut sorter = bench.sorter(options(PARTITIONS));
    let mut before = sorter.stats().peak_memory_bytes;
    for number in 0..320_u32 {
        sorter
            .insert(&record, number % PARTITIONS, &Wait::default())
            .unwrap();
        let grown = if number % 32 == 0 { page } else { 0 };
        assert_eq!(
            sorter.stats().peak_memory_bytes,
            before + grown,
            "record {number}"
        );
        before += grown;
    }
    sorter.spill().unwrap();
    for number in 0..32 {
        sorter
            .insert(&record, number % PARTITIONS, &Wait::default())
            .unwrap();
    }
    assert_eq!(sorter.stats().peak_memory_bytes, before);
    let spills = sorter.close_and_get_spills().unwrap();
    assert_eq!(spills.stats().peak_memory_bytes, before);
}
