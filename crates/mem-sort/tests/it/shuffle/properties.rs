//! Any records, under any budget: each partition has its records and no others.

use std::sync::Arc;
use std::thread;

use mem_block::MemoryMode;
use mem_sort::{ChecksumAlgorithm, ShuffleError, ShuffleOptions, ShuffleReader, ShuffleWriter};
use mem_spill::SpillDirs;
use task_mem::{ConsumerOptions, NoSpill, Page, Spillable, TaskId, TaskMemoryManager, Wait};

use super::support::{Bench, CODECS, Random, options, spill_memory, with_codec};

/// Records, each with its length in front so that they can be told apart again.
type Partitions = Vec<Vec<Vec<u8>>>;

fn framed(record: &[u8]) -> Vec<u8> {
    let length = u32::try_from(record.len()).unwrap();
    [&length.to_be_bytes(), record].concat()
}

/// The records in each partition, sorted.
fn records(partitions: Vec<Vec<u8>>) -> Partitions {
    let split = |bytes: Vec<u8>| {
        let (mut rest, mut records) = (bytes.as_slice(), Vec::new());
        while let Some((length, more)) = rest.split_first_chunk() {
            let (record, more) = more.split_at(u32::from_be_bytes(*length) as usize);
            records.push(record.to_vec());
            rest = more;
        }
        assert!(rest.is_empty());
        records.sort();
        records
    };
    partitions.into_iter().map(split).collect()
}

fn random_options(random: &mut Random) -> ShuffleOptions {
    let partitions = 1 + u32::try_from(random.below(40)).unwrap();
    let codec = CODECS[usize::try_from(random.below(3)).unwrap()];
    let or_never = |random: &mut Random, bound| match random.below(3) {
        0 => 1 + random.below(bound),
        _ => u64::MAX,
    };
    ShuffleOptions {
        initial_buffer_entries: 1 + random.below(100),
        use_radix_sort: random.below(2) == 0,
        force_spill_records: or_never(random, 300),
        force_spill_bytes: or_never(random, 20_000),
        fast_merge: random.below(3) > 0,
        checksum: [
            None,
            Some(ChecksumAlgorithm::Adler32),
            Some(ChecksumAlgorithm::Crc32),
        ][usize::try_from(random.below(3)).unwrap()],
        mode: [None, Some(MemoryMode::OnHeap)][usize::from(random.below(8) == 0)],
        ..with_codec(partitions, codec)
    }
}

/// Other consumers that take memory and give it back at any time, and spill for nobody.
struct Others {
    consumer: task_mem::MemoryConsumer,
    held: Vec<Page>,
}

impl Others {
    fn new(bench: &Bench) -> Self {
        let options = ConsumerOptions {
            spill: Spillable::Never,
            ..ConsumerOptions::named("others")
        };
        Self {
            consumer: bench.task.register(options),
            held: Vec::new(),
        }
    }

    fn step(&mut self, random: &mut Random) {
        let at = usize::try_from(random.below(8)).unwrap();
        if at < self.held.len() {
            drop(self.held.swap_remove(at));
        } else if self.held.len() < 4 {
            let words = 1 + random.below(1000);
            let page = self.consumer.try_allocate_array(words, &mut NoSpill);
            self.held.extend(page.ok());
        }
    }
}

fn run(seed: u64) {
    let mut random = Random(seed);
    let options = random_options(&mut random);
    let page = 64 + random.below(4000);
    let memory = spill_memory(&options) + 8 * 100 + 2000 + random.below(60_000) + 100_000;
    let bench = Bench::new(memory, page);
    let mut others = Others::new(&bench);
    let mut expected: Partitions = vec![Vec::new(); options.partitions as usize];
    let mut writer = bench.writer(options.clone());
    let longest = 1 + random.below(600);
    for _ in 0..random.below(2500) {
        let partition = u32::try_from(random.below(options.partitions.into())).unwrap();
        let length = match random.below(200) {
            0 => random.below(20_000),
            _ => random.below(longest),
        };
        let record = random.bytes(length);
        if random.below(4) == 0 {
            others.step(&mut random);
        }
        let framed = framed(&record);
        let written = match random.below(100) {
            0 => write_in_pieces(&mut writer, &framed, partition),
            _ => writer.write(&framed, partition, &Wait::default()),
        };
        match written {
            Ok(()) => expected[partition as usize].push(record),
            // Others have it; what was written before is kept.
            Err(ShuffleError::Memory(_)) => others.held.clear(),
            Err(error) => panic!("seed {seed}: {error:?}"),
        }
    }
    others.held.clear();
    let stats = writer.finish(&Wait::default()).unwrap();
    let inserted: usize = expected.iter().map(Vec::len).sum();
    assert_eq!(stats.records, inserted as u64, "seed {seed}");
    if options.mode.is_none() {
        assert!(stats.peak_memory_bytes <= memory, "seed {seed}");
    }
    expected.iter_mut().for_each(|records| records.sort());
    assert!(records(bench.partitions()) == expected, "seed {seed}");
    drop(others);
    bench.check_nothing_left();
}

fn write_in_pieces(
    writer: &mut ShuffleWriter,
    record: &[u8],
    partition: u32,
) -> Result<(), ShuffleError> {
    let mut long = writer.write_long()?;
    for piece in record.chunks(100) {
        long.append(piece)?;
    }
    assert_eq!(long.length(), record.len() as u64);
    long.finish(partition)
}

#[test]
fn any_records_under_any_budget_end_in_their_partitions() {
    for seed in 0..40 {
        run(seed);
    }
}

#[test]
fn more_runs_than_can_be_merged_at_once_are_merged_in_several_passes() {
    for fast_merge in [true, false] {
        let options = ShuffleOptions {
            initial_buffer_entries: 2,
            force_spill_records: 3,
            fast_merge,
            ..options(7)
        };
        // Room for the tables of a few runs.
        let bench = Bench::new(spill_memory(&options) + 8_000, 64);
        let mut writer = bench.writer(options);
        let mut expected: Partitions = vec![Vec::new(); 7];
        for number in 0..600_u32 {
            let record = number.to_be_bytes().repeat(2);
            writer
                .write(&framed(&record), number % 7, &Wait::default())
                .unwrap();
            expected[number as usize % 7].push(record);
        }
        let stats = writer.finish(&Wait::default()).unwrap();
        assert_eq!(stats.spills, 199);
        assert!(
            stats.remerged_bytes > stats.disk_spilled_bytes,
            "two passes or more"
        );
        assert!(records(bench.partitions()) == expected);
        bench.check_nothing_left();
    }
}

#[test]
fn records_longer_than_all_memory_go_through() {
    let options = options(3);
    let bench = Bench::new(spill_memory(&options) + 60_000, 4 << 10);
    let mut random = Random(7);
    let mut expected: Partitions = vec![Vec::new(); 3];
    let mut writer = bench.writer(options);
    for number in 0..12 {
        let length = if number % 3 == 0 { 200_000 } else { 100 };
        let record = random.bytes(length);
        writer
            .write(&framed(&record), number % 3, &Wait::default())
            .unwrap();
        expected[number as usize % 3].push(record);
    }
    let never_there = writer.write_long().unwrap();
    drop(never_there);
    let stats = writer.finish(&Wait::default()).unwrap();
    assert_eq!((stats.records, stats.spills), (12, 4 + 3));
    expected.iter_mut().for_each(|records| records.sort());
    assert!(records(bench.partitions()) == expected);
    bench.check_nothing_left();
}

#[test]
fn memory_does_not_grow_with_the_number_of_partitions() {
    let partitions = 1 << 18;
    let options = ShuffleOptions {
        force_spill_records: 500,
        ..options(partitions)
    };
    let bench = Bench::new(spill_memory(&options) + 60_000, 4 << 10);
    let mut writer = bench.writer(options);
    for number in 0..2000 {
        let partition = number * 131 % partitions;
        writer
            .write(&number.to_be_bytes(), partition, &Wait::default())
            .unwrap();
    }
    writer.finish(&Wait::default()).unwrap();
    let reader = ShuffleReader::open(bench.directory()).unwrap();
    assert_eq!(reader.partitions(), partitions);
    let consumer = bench.task.register(ConsumerOptions::named("test"));
    for number in [0, 1, 1999] {
        let read = reader
            .partition(number * 131, &consumer, &Wait::default())
            .unwrap();
        assert_eq!(read.record_bytes(), 4);
    }
}

#[test]
fn tasks_that_shuffle_at_once_share_the_memory() {
    let bench = Bench::new(600_000, 4 << 10);
    let threads: Vec<_> = (0..3)
        .map(|number| {
            let manager = Arc::clone(&bench.manager);
            let directory = bench.directory().join(number.to_string());
            thread::spawn(move || {
                let task = TaskMemoryManager::new(manager, TaskId::new(10 + number));
                let (dirs, wait) = (SpillDirs::default(), Wait::default());
                let created = ShuffleWriter::create(&directory, &task, dirs, options(5), &wait);
                let mut writer = created.unwrap();
                for record in 0..20_000_u32 {
                    writer
                        .write(&record.to_be_bytes(), record % 5, &wait)
                        .unwrap();
                }
                let stats = writer.finish(&wait).unwrap();
                assert_eq!(stats.record_bytes, 80_000);
                ShuffleReader::open(&directory).unwrap();
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    bench.check_nothing_left();
}
