//! What is refused, what is noted, and in which words.

use mem_policy::config::Severity;
use mem_policy::{ConfigError, MemoryConfig};

fn check_error(toml: &str, expected: &str) {
    let error = MemoryConfig::from_toml(toml, "h.toml").expect_err(toml);
    assert_eq!(error.to_string(), expected, "{toml}");
}

#[test]
fn errors_name_file_line_key_and_what_was_expected() {
    check_error(
        "\n\"spark.memory.fracton\" = 0.7",
        "h.toml:2: spark.memory.fracton: unknown key; did you mean spark.memory.fraction?",
    );
    check_error(
        "[hearth.spill]\ncompression = 'lz4'",
        "h.toml:2: hearth.spill.compression: unknown key; the nearest known one is \
         hearth.spill.codec",
    );
    check_error(
        "spark.memory.fraction = 1.2",
        "h.toml:1: spark.memory.fraction: expected a number from 0 to 1; got \"1.2\"",
    );
    check_error(
        "spark.memory.storageFraction = nan",
        "h.toml:1: spark.memory.storageFraction: expected a number from 0 up to, but not, 1; got \"nan\"",
    );
    check_error(
        "spark.memory.offHeap.size = '1.5 gg'",
        "h.toml:1: spark.memory.offHeap.size: expected a size with a unit and no fraction, such as 512k, \
         64m or 2g; got \"1.5 gg\"",
    );
    check_error(
        "spark.executor.memory = 512",
        "h.toml:1: spark.executor.memory: expected a size with a unit and no fraction, such as 512k, 64m or \
         2g, of at least 1 bytes; without a unit Spark would count in MiB here; got \"512\"",
    );
    check_error(
        "hearth.wait.timeout = 30",
        "h.toml:1: hearth.wait.timeout: expected a time with a unit, such as 500ms, 30s or 10min, of at \
         least 1ms; without a unit Spark would count in milliseconds here; got \"30\"",
    );
    check_error(
        "hearth.spill.codec = 'snappy'",
        "h.toml:1: hearth.spill.codec: expected none or lz4 or zstd; got \"snappy\"",
    );
    check_error(
        "spark.io.encryption.enabled = true",
        "h.toml:1: spark.io.encryption.enabled: expected false (Spill files are not encrypted, so asking \
         for it is refused.); got \"true\"",
    );
}

#[test]
fn every_cause_has_a_line_of_its_own() {
    check_error(
        "spark.memory.fraction = -1\nspark.buffer.pageSize = 0\nspark.bufer.size = 1\nspark.app.name = 'x'",
        "h.toml:1: spark.memory.fraction: expected a number from 0 to 1; got \"-1\"\n\
         h.toml:2: spark.buffer.pageSize: expected a size with a unit and no fraction, such as 512k, 64m or \
         2g, of 1 to 17179869176 bytes; got \"0\"\n\
         h.toml:3: spark.bufer.size: unknown key; did you mean spark.buffer.size?",
    );
    let error = MemoryConfig::from_toml("a = \nb = 1\nc = ]", "h.toml").expect_err("not TOML");
    let lines: Vec<String> = error
        .diagnostics()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].starts_with("h.toml:1: ") && lines[1].starts_with("h.toml:3: "),
        "{lines:?}"
    );
}

#[test]
fn a_key_is_given_once_in_toml_and_lastly_in_properties() -> Result<(), ConfigError> {
    check_error(
        "\"spark.memory.fraction\" = 0.5\n[spark.memory]\nfraction = 0.5",
        "h.toml:3: spark.memory.fraction: given twice; the first one is in line 1",
    );
    let text = "spark.memory.fraction 0.5\nspark.memory.fraction 0.7";
    let config = MemoryConfig::from_spark_defaults(text, "h.conf")?;
    assert_eq!(config.split().memory_fraction, 0.7);
    let notes: Vec<String> = config.notes().iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        ["h.conf:2: warning: spark.memory.fraction: takes the place of line 1"]
    );
    Ok(())
}

#[test]
fn single_settings_are_named_by_their_option() {
    let mut config = MemoryConfig::new();
    let error = config
        .set("spark.memory.fraction=2")
        .expect_err("not a share");
    let expected = "--set: spark.memory.fraction: expected a number from 0 to 1; got \"2\"";
    assert_eq!(error.to_string(), expected);
    let error = config.set("spark.memory.fraction").expect_err("no value");
    assert_eq!(
        error.to_string(),
        "--set: expected KEY=VALUE; got \"spark.memory.fraction\""
    );
    config
        .set(" spark.memory.fraction = 0.5 ")
        .expect("blanks around either part");
    assert_eq!(config.split().memory_fraction, 0.5);
}

#[test]
fn messages_stay_on_one_line_whatever_is_in_them() {
    let mut config = MemoryConfig::new();
    for assignment in [
        "hearth.\n.\u{1b}[1m=1",
        "spark.memory.fraction=a\nb",
        "hearth.spill.dirs=a,,\n",
    ] {
        let error = config.set(assignment).expect_err(assignment);
        assert!(!error.to_string().contains(['\n', '\u{1b}']), "{error}");
    }
}

fn check_notes(toml: &str, expected: &[(Severity, &str, &str)]) {
    let notes = MemoryConfig::from_toml(toml, "h.toml").expect(toml).notes();
    let notes: Vec<_> = notes
        .iter()
        .map(|n| (n.severity, n.key.as_str(), n.message.as_str()))
        .collect();
    assert_eq!(notes, expected, "{toml}");
}

#[test]
fn what_probably_does_not_do_what_was_meant_is_noted() {
    use Severity::{Note, Warning};
    check_notes("", &[]);
    check_notes(
        "spark.app.name = 'x'",
        &[(
            Note,
            "spark.app.name",
            "ignored, it has nothing to do with memory management",
        )],
    );
    check_notes(
        "spark.storage.memoryFraction = 0.5",
        &[(
            Warning,
            "spark.storage.memoryFraction",
            "has no effect unless spark.memory.useLegacyMode is true",
        )],
    );
    check_notes(
        "spark.memory.useLegacyMode = true\nspark.memory.fraction = 0.5",
        &[(
            Warning,
            "spark.memory.fraction",
            "has no effect while spark.memory.useLegacyMode is true",
        )],
    );
    check_notes(
        "spark.memory.offHeap.size = '1g'",
        &[(
            Warning,
            "spark.memory.offHeap.size",
            "pages do not use it unless spark.memory.offHeap.enabled is true",
        )],
    );
    check_notes(
        "spark.unsafe.offHeap = true\nspark.memory.offHeap.size = '1g'",
        &[(
            Warning,
            "spark.unsafe.offHeap",
            "is an old name; use spark.memory.offHeap.enabled",
        )],
    );
    check_notes(
        "'spark.testing.memory' = 1000000000\nspark.executor.memory = '1g'",
        &[(
            Warning,
            "spark.executor.memory",
            "does not size the heap beside spark.testing.memory",
        )],
    );
    check_notes(
        "spark.shuffle.spill = false",
        &[(
            Note,
            "spark.shuffle.spill",
            "has no effect: Consumers always spill; Spark ignores it too, since 1.6.",
        )],
    );
}
