//! `explain` against the recorded configurations, and its two forms.

use std::path::Path;

use mem_policy::config::{Collector, Environment, Origin, SparkConf};
use mem_policy::{ConfigError, Explanation, MemoryConfig, PolicyKind};
use serde_json::Value;

use crate::recorded::{Question, recorded};

/// A checked configuration with the entries of a recorded one; `None` where the check refuses it.
fn checked(conf: &SparkConf, policy: PolicyKind) -> Option<MemoryConfig> {
    let mut config = MemoryConfig::new();
    let legacy = (policy == PolicyKind::Static).then_some(("spark.memory.useLegacyMode", "true"));
    for (key, value) in conf.iter().chain(legacy) {
        config.insert(key, value, Origin::named("recording")).ok()?;
    }
    Some(config)
}

#[test]
fn explain_agrees_with_every_recorded_configuration_that_is_not_refused() {
    let (mut explained, mut refused_by_both, mut refused_here) = (0, 0, 0);
    for line in recorded() {
        let Question::Header {
            policy,
            environment,
            conf,
        } = &line.question
        else {
            continue;
        };
        let Some(config) = checked(conf, *policy) else {
            refused_here += usize::from(line.answer["ok"] == true);
            continue;
        };
        match Explanation::in_environment(&config, environment) {
            Ok(explanation) => {
                let ours = serde_json::to_value(&explanation).expect("plain data");
                assert_eq!(ours["resolved"], line.answer["resolved"], "{}", line.at);
                check_rows(&ours, &line.at);
                explained += 1;
            }
            Err(e) => {
                assert!(line.answer["error"].is_string(), "{}: {e}", line.at);
                refused_by_both += 1;
            }
        }
    }
    // Most of what Spark takes is explained; the rest is what validation refuses beyond Spark.
    assert!(
        explained > 2 * refused_here,
        "{explained} explained, {refused_here} refused"
    );
    assert!(refused_by_both > 100, "{refused_by_both}");
}

/// The rows carry the same sizes as the recording's names for them.
fn check_rows(explanation: &Value, at: &str) {
    let bytes = |name: &str| {
        let rows = explanation["rows"].as_array().expect("rows");
        rows.iter()
            .find(|row| row["name"] == name)
            .map(|row| &row["bytes"])
    };
    let resolved = &explanation["resolved"];
    for (row, size) in [
        ("on-heap memory", "max_heap"),
        ("on-heap storage region", "on_storage_region"),
        ("unroll limit", "max_unroll"),
        ("off-heap memory", "max_off_heap"),
        ("page size", "page_size"),
        ("unroll threshold", "unroll_threshold"),
    ] {
        assert_eq!(bytes(row), resolved.get(size), "{at}: {row}");
    }
}

#[test]
fn without_a_collector_pages_are_powers_of_two() -> Result<(), ConfigError> {
    let config = MemoryConfig::new();
    let g1 = Environment {
        collector: Collector::G1,
        ..config.environment(4)
    };
    let page = |explanation: Explanation| explanation.resolved.page_size;
    assert_eq!(page(Explanation::new(&config, 4)?), 4_194_304);
    assert_eq!(page(Explanation::in_environment(&config, &g1)?), 4_194_288);
    Ok(())
}

/// Compares the text with a file of the test data; `UPDATE_DOCS` rewrites the file first.
fn check_text(toml: &str, file: &str) {
    let config = MemoryConfig::from_toml(toml, "hearth.toml").expect("a good configuration");
    let text = Explanation::new(&config, 4)
        .expect("a possible configuration")
        .to_text();
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(file);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).expect("the test data can be written");
    }
    let expected = std::fs::read_to_string(&path).expect("the test data is there");
    assert_eq!(text, expected, "\n{text}");
}

#[test]
fn the_table_of_the_defaults() {
    check_text("", "explain_defaults.txt");
}

#[test]
fn the_table_of_the_unified_manager() {
    let toml = "
        spark.executor.memory = '2g'
        spark.app.name = 'x'
        [spark.memory]
        fraction = 0.75
        storageFraction = 0.25
        offHeap.enabled = true
        offHeap.size = '1g'
    ";
    check_text(toml, "explain_unified.txt");
}

#[test]
fn the_table_of_the_static_manager() {
    let toml = "
        spark.memory.useLegacyMode = true
        spark.memory.fraction = 0.7
        spark.buffer.pageSize = '2m'
        spark.executor.memoryOverhead = '512m'
    ";
    check_text(toml, "explain_static.txt");
}

#[test]
fn the_container_is_the_sum_of_its_parts() -> Result<(), ConfigError> {
    let config = MemoryConfig::new()
        .with("spark.executor.memory", "8g")?
        .with("spark.memory.offHeap.enabled", true)?
        .with("spark.memory.offHeap.size", "2g")?
        .with("spark.executor.pyspark.memory", "1g")?;
    let row = |config: &MemoryConfig, name: &str| -> Result<u64, ConfigError> {
        let rows = Explanation::new(config, 1)?.rows;
        Ok(rows
            .into_iter()
            .find(|row| row.name == name)
            .expect("the row")
            .bytes)
    };
    assert_eq!(
        row(&config, "memory overhead")?,
        819 << 20,
        "a tenth, in whole MiB"
    );
    assert_eq!(row(&config, "container")?, (8192 + 819 + 2048 + 1024) << 20);
    let disabled = config.with("spark.memory.offHeap.enabled", false)?;
    assert_eq!(row(&disabled, "container")?, (8192 + 819 + 1024) << 20);
    Ok(())
}

#[test]
fn what_cannot_be_names_the_setting_and_its_place() {
    let cases = [
        (
            "spark.executor.memory = '100m'",
            "a.toml:1: spark.executor.memory: a heap of 104857600 bytes is too small: it must be at least \
             471859200 bytes, 1.5 times the reserved 314572800; increase heap size with \
             spark.executor.memory",
        ),
        (
            "\nspark.memory.offHeap.enabled = true",
            "default: spark.memory.offHeap.size: spark.memory.offHeap.size must be above 0 when \
             spark.memory.offHeap.enabled is true",
        ),
        (
            "spark.memory.fraction = 0",
            "a.toml:1: spark.memory.fraction: nothing is left for on-heap execution: it makes 0 bytes of \
             759169024 usable ones, of which storage has 0",
        ),
    ];
    for (toml, expected) in cases {
        let config = MemoryConfig::from_toml(toml, "a.toml").expect("each value is fine");
        let error = Explanation::new(&config, 1).expect_err("the whole is not");
        assert_eq!(error.to_string(), expected);
    }
}
