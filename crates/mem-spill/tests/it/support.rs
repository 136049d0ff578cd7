//! What the tests share.

use mem_spill::testing::FaultyFiles;
use mem_spill::{
    Codec, Decoders, Encoder, ReadAhead, Segment, SpillDirs, SpillError, SpillFile, SpillOptions,
    SpillReader, SpillWriter,
};
use proptest::test_runner::{Config as ProptestConfig, RngSeed};
use std::path::Path;

/// The same cases every time; a failing one is shown, made small.
pub(crate) fn seeded(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(0x5eed),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

pub(crate) const CODECS: [Codec; 3] = [Codec::None, Codec::Lz4, Codec::Zstd { level: 1 }];

/// Pseudo-random bytes of which `kinds` different ones occur: 2 compress well, 256 not at all.
pub(crate) fn bytes(seed: u64, kinds: u8, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3] % kinds.max(1)
    };
    (0..length).map(|_| next()).collect()
}

/// Files in memory in directories `a` and `b`.
pub(crate) fn in_memory() -> (FaultyFiles, SpillDirs) {
    let files = FaultyFiles::default();
    let dirs = SpillDirs::with_provider(vec!["a".into(), "b".into()], files.clone());
    (files, dirs.unwrap())
}

pub(crate) fn encoder(options: SpillOptions) -> Encoder<Vec<u8>> {
    Encoder::new(options, vec![0; options.write_buffer_bytes()]).unwrap()
}

pub(crate) fn decoders(options: SpillOptions, count: usize) -> Decoders<Vec<u8>> {
    let scratch = vec![vec![0; options.scratch_bytes()]; count];
    Decoders::new(options, scratch).unwrap()
}

pub(crate) fn block(options: SpillOptions) -> Vec<u8> {
    vec![0; options.block_bytes()]
}

/// Appends `data` as one segment, in pieces of `piece` bytes.
pub(crate) fn write(
    file: &mut SpillFile,
    options: SpillOptions,
    data: &[u8],
    piece: usize,
) -> Result<Segment, SpillError> {
    let mut encoder = encoder(options);
    let mut writer = SpillWriter::new(file, &mut encoder);
    for piece in data.chunks(piece) {
        writer.append(piece)?;
    }
    writer.finish()
}

pub(crate) fn reader(segment: &Segment) -> SpillReader<Vec<u8>> {
    let options = segment.options();
    SpillReader::new(segment, &decoders(options, 1), block(options)).unwrap()
}

pub(crate) fn reader_ahead(segment: &Segment, threads: &ReadAhead) -> SpillReader<Vec<u8>> {
    let second = block(segment.options());
    reader(segment).with_read_ahead(threads, second).unwrap()
}

/// All that can be read, and the error that ends it.
pub(crate) fn drain(mut reader: SpillReader<Vec<u8>>) -> (Vec<u8>, Option<SpillError>) {
    let mut read = Vec::new();
    loop {
        match reader.next_block() {
            Ok(Some(block)) => read.extend_from_slice(block),
            Ok(None) => return (read, None),
            Err(error) => return (read, Some(error)),
        }
    }
}

/// The names in a directory, sorted.
pub(crate) fn listed(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
