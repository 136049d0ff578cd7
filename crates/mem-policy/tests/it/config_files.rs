//! Files of both forms, and the typed values that come out.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use mem_policy::config::{Severity, ShuffleChecksum, SpillCodec};
use mem_policy::{ConfigError, MemoryConfig, PolicyKind};

#[test]
fn the_defaults_are_sparks() {
    let config = MemoryConfig::new();
    let split = config.split();
    assert_eq!(split.policy, PolicyKind::Unified);
    assert_eq!(split.heap_bytes, 1 << 30);
    assert_eq!((split.memory_fraction, split.storage_fraction), (0.6, 0.5));
    assert_eq!(
        (split.off_heap_enabled, split.off_heap_size_bytes),
        (false, 0)
    );
    assert_eq!(split.unmanaged_polling_interval, None);
    let pages = config.pages();
    assert_eq!(
        (pages.page_size_bytes, pages.debug_fill, pages.kept_fraction),
        (None, false, 0.25)
    );
    let tasks = config.tasks();
    assert_eq!(
        (tasks.quantum_bytes, tasks.wait_timeout),
        (64 << 10, Duration::from_secs(600))
    );
    assert!(tasks.deadlock_detection && !tasks.exception_on_memory_leak);
    let store = config.store();
    assert_eq!(store.unroll_memory_threshold_bytes, 1 << 20);
    assert_eq!(
        (
            store.unroll_memory_check_period,
            store.unroll_memory_growth_factor
        ),
        (16, 1.5)
    );
    let spill = config.spill();
    assert_eq!(
        (spill.codec, spill.block_size_bytes),
        (SpillCodec::Lz4, None)
    );
    assert!(spill.dirs.is_empty());
    let sorting = config.sorting();
    assert_eq!(sorting.force_spill_records, 2_147_483_647);
    assert_eq!(sorting.force_spill_bytes, 9_223_372_036_854_775_807);
    assert_eq!(sorting.checksum, Some(ShuffleChecksum::Adler32));
    assert_eq!(
        (sorting.merge_factor, sorting.reader_buffer_bytes),
        (None, 1 << 20)
    );
}

#[test]
fn toml_reaches_every_group() -> Result<(), ConfigError> {
    let text = "
        spark.executor.memory = '2GiB'
        spark.buffer.pageSize = 0x20_0000
        spark.shuffle.sort.useRadixSort = 'FALSE'
        spark.unsafe.sorter.spill.merge.factor = 64
        spark.shuffle.checksum.enabled = false
        [spark.memory]
        offHeap = { enabled = true, size = '1g' }
        unmanagedMemoryPollingInterval = '100ms'
        [spark.storage]
        unrollMemoryThreshold = 4096
        [hearth]
        wait.timeout = '90s'
        spill.dirs = ['/disk1', '/disk, 2']
        spill.codec = 'ZSTD'
        spill.blockSize = '256k'
        alloc.keptFraction = 0
        memory.debugFill = true
    ";
    let config = MemoryConfig::from_toml(text, "hearth.toml")?;
    let split = config.split();
    assert_eq!(
        (split.heap_bytes, split.off_heap_size_bytes),
        (2 << 30, 1 << 30)
    );
    assert!(split.off_heap_enabled);
    assert_eq!(
        split.unmanaged_polling_interval,
        Some(Duration::from_millis(100))
    );
    assert_eq!(config.pages().page_size_bytes, Some(2 << 20));
    assert!(config.pages().debug_fill);
    assert_eq!(config.store().unroll_memory_threshold_bytes, 4096);
    assert_eq!(config.tasks().wait_timeout, Duration::from_secs(90));
    let spill = config.spill();
    assert_eq!(
        spill.dirs,
        [PathBuf::from("/disk1"), PathBuf::from("/disk, 2")]
    );
    assert_eq!(
        (spill.codec, spill.block_size_bytes),
        (SpillCodec::Zstd, Some(256 << 10))
    );
    let sorting = config.sorting();
    assert_eq!(
        (sorting.use_radix_sort, sorting.merge_factor),
        (false, Some(64))
    );
    assert_eq!(sorting.checksum, None);
    assert_eq!(config.notes(), []);
    Ok(())
}

#[test]
fn spark_defaults_reach_the_same_values() -> Result<(), ConfigError> {
    let text = "\
# Default system properties.
spark.master                     spark://master:7077
spark.executor.memory            4g
spark.memory.fraction=0.75
spark.memory.useLegacyMode : false
hearth.spill.dirs  /disk1,/disk2
";
    let config = MemoryConfig::from_spark_defaults(text, "spark-defaults.conf")?;
    assert_eq!(config.split().heap_bytes, 4 << 30);
    assert_eq!(config.split().memory_fraction, 0.75);
    assert_eq!(
        config.spill().dirs,
        [PathBuf::from("/disk1"), PathBuf::from("/disk2")]
    );
    let notes = config.notes();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert_eq!(
        (notes[0].severity, notes[0].key.as_str()),
        (Severity::Note, "spark.master")
    );
    Ok(())
}

#[test]
fn a_later_setting_replaces_an_earlier_one() -> Result<(), ConfigError> {
    let mut config = MemoryConfig::from_toml("spark.memory.fraction = 0.5", "a.toml")?;
    config.set("spark.memory.fraction=0.7")?;
    assert_eq!(config.split().memory_fraction, 0.7);
    let debug = |config: &MemoryConfig| config.pages().debug_fill;
    let spark = MemoryConfig::new().with("spark.memory.debugFill", true)?;
    assert!(debug(&spark));
    assert!(
        !debug(&spark.with("hearth.memory.debugFill", false)?),
        "Hearth's own name wins"
    );
    let old = MemoryConfig::new().with("spark.unsafe.offHeap", true)?;
    assert!(old.split().off_heap_enabled);
    let new = old.with("spark.memory.offHeap.enabled", false)?;
    assert!(!new.split().off_heap_enabled, "the new name wins");
    Ok(())
}

#[test]
fn files_are_read_by_their_form_and_refused_by_name() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).expect("a file for the test");
        path
    };
    for (name, text) in [
        ("a.toml", "spark.executor.memory = '3g'"),
        ("b.toml", "\u{feff}spark.executor.memory = '3g'\r\n"),
        ("a.conf", "spark.executor.memory 3g"),
        ("plain", "spark.executor.memory=3g"),
        ("quoted", "\"spark.executor.memory\" = '3g'"),
    ] {
        let config = MemoryConfig::from_file(write(name, text.as_bytes())).expect(name);
        assert_eq!(config.split().heap_bytes, 3 << 30, "{name}");
    }
    let check = |path: PathBuf, expected: &str| {
        let error = MemoryConfig::from_file(&path)
            .expect_err(expected)
            .to_string();
        let name = path.display().to_string();
        assert!(
            error.starts_with(&name) && error.contains(expected),
            "{error}"
        );
    };
    check(
        dir.path().join("absent.toml"),
        "cannot be read: No such file",
    );
    check(
        write("bytes.toml", b"a = \xff"),
        "it is not UTF-8 text (byte 4)",
    );
    check(
        write("large.conf", &vec![b'#'; (1 << 20) + 1]),
        "it is larger than 1048576 bytes",
    );
    check(
        write("bad.toml", b"spark.memory.fraction = 1.2"),
        ":1: spark.memory.fraction: expected",
    );
    check(write("broken.toml", b"\n[spark"), ":2: ");
}

#[test]
fn written_out_as_toml_it_reads_back_the_same() -> Result<(), ConfigError> {
    let text = "
        spark.executor.memory = '2g'
        spark.memory.fraction = 0.75
        hearth.spill.dirs = ['/a', '/b \"c\"']
    ";
    let config = MemoryConfig::from_toml(text, "a.toml")?;
    let again = MemoryConfig::from_toml(&config.to_toml(), "b.toml")?;
    assert_eq!(
        (again.split(), again.spill()),
        (config.split(), config.spill())
    );
    assert_eq!(again.to_toml(), config.to_toml());
    Ok(())
}
