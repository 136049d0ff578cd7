//! Any damage to a spilled segment: the reader gives the bytes that were written, or an error.
#![no_main]

use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use mem_spill::testing::FaultyFiles;
use mem_spill::{Codec, Decoders, Encoder, SpillDirs, SpillOptions, SpillReader, SpillWriter};

fuzz_target!(|input: (Vec<u8>, Vec<(u16, u8)>)| {
    let (content, damage) = input;
    let files = FaultyFiles::default();
    let dirs = SpillDirs::with_provider(vec![PathBuf::from("/fuzz")], files.clone())
        .expect("one directory is enough");
    let options = SpillOptions::new(Codec::Lz4, 1 << 10).expect("1 KiB is allowed");
    let mut encoder = Encoder::new(options, vec![0; options.write_buffer_bytes()]).expect("fits");
    let mut file = dirs.create().expect("memory files never fail unasked");
    let mut writer = SpillWriter::new(&mut file, &mut encoder);
    writer.append(&content).expect("memory files never fail unasked");
    let segment = writer.finish().expect("memory files never fail unasked");
    let changed = files.with_bytes(0, |bytes| {
        let before = bytes.clone();
        for (at, value) in damage {
            if let Some(byte) = bytes.get_mut(usize::from(at)) {
                *byte = value;
            }
        }
        *bytes != before
    });
    let decoders = Decoders::new(options, vec![vec![0; options.scratch_bytes()]]).expect("fits");
    let mut reader =
        SpillReader::new(&segment, &decoders, vec![0; options.block_bytes()]).expect("fits");
    let mut read = Vec::new();
    loop {
        match reader.next_block() {
            Ok(Some(block)) => read.extend_from_slice(block),
            Ok(None) => break assert_eq!(read, content),
            Err(_) => break assert_ne!(changed, Some(false), "undamaged bytes are read"),
        }
    }
});
