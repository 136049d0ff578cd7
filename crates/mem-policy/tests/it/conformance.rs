//! `resolve` and `parse_size` against every recorded configuration.

use mem_block::MemoryMode;
use mem_policy::config::{Collector, Environment, ResolvedMode, SparkConf, resolve};
use mem_policy::{PolicyKind, ResolvedMemory, parse_size};
use serde_json::{Value, json};

use crate::recorded::{Question, recorded};

#[test]
fn every_recorded_configuration_resolves_as_in_spark() {
    let (mut headers, mut sizes, mut differences) = (0, 0, Vec::new());
    for line in recorded() {
        let ours = match &line.question {
            Question::Header {
                policy,
                environment,
                conf,
            } => {
                headers += 1;
                match resolve(conf, *policy, environment) {
                    Ok(resolved) => json!({
                        "ok": true, "resolved": resolved_json(&resolved), "state": state(&resolved)
                    }),
                    Err(e) => refusal(e.class, e.condition, Some(e.stage.name())),
                }
            }
            Question::Size { text, release } => {
                sizes += 1;
                match parse_size(text, *release) {
                    Ok(bytes) => json!({ "bytes": bytes }),
                    Err(e) => refusal(e.spark_class(), None, None),
                }
            }
        };
        if ours != line.answer {
            differences.push(format!("{}: Spark {}, here {ours}", line.at, line.answer));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!((headers, sizes), (1435, 700), "the recording is complete");
}

fn refusal(class: &str, condition: Option<&str>, stage: Option<&str>) -> Value {
    let mut out = json!({ "error": class });
    let fields = [("condition", condition), ("stage", stage)];
    for (name, value) in fields
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    {
        out[name] = value.into();
    }
    out
}

fn resolved_json(resolved: &ResolvedMemory) -> Value {
    let mut out = json!({
        "max_off_heap": resolved.off_heap.max,
        "off_storage_region": resolved.off_heap.storage_region,
        "max_on_storage": resolved.max_storage(MemoryMode::OnHeap),
        "max_off_storage": resolved.max_storage(MemoryMode::OffHeap),
        "page_size": resolved.page_size,
        "tungsten_mode": match resolved.tungsten_mode {
            MemoryMode::OnHeap => "on",
            MemoryMode::OffHeap => "off",
        },
        "unroll_threshold": resolved.unroll.threshold,
    });
    match resolved.policy {
        PolicyKind::Unified => {
            out["max_heap"] = resolved.on_heap.max.into();
            out["on_storage_region"] = resolved.on_heap.storage_region.into();
        }
        PolicyKind::Static => out["max_unroll"] = resolved.max_unroll.into(),
    }
    out
}

/// The pools as a recording shows them, before anything is in use.
fn state(resolved: &ResolvedMemory) -> Value {
    let pools = |mode: &ResolvedMode| json!([mode.storage_start, 0, mode.execution_start, 0]);
    json!({ "on": pools(&resolved.on_heap), "off": pools(&resolved.off_heap), "unroll": 0 })
}

/// What Spark does with 1 GiB of heap and these settings: an error's class, condition and stage, or none.
fn check(
    policy: PolicyKind,
    pairs: &[(&str, &str)],
    expected: Result<(), (&str, Option<&str>, &str)>,
) -> Option<ResolvedMemory> {
    let environment = Environment {
        cores: 4,
        is_driver: true,
        collector: Collector::Parallel,
        max_heap: 1 << 30,
    };
    let conf: SparkConf = pairs.iter().copied().collect();
    match resolve(&conf, policy, &environment) {
        Ok(resolved) => {
            assert_eq!(expected, Ok(()), "{pairs:?}");
            Some(resolved)
        }
        Err(e) => {
            assert_eq!(
                expected,
                Err((e.class, e.condition, e.stage.name())),
                "{pairs:?}: {e}"
            );
            None
        }
    }
}

const MISMATCH: Result<(), (&str, Option<&str>, &str)> = Err((
    "SparkIllegalArgumentException",
    Some("INVALID_CONF_VALUE.TYPE_MISMATCH"),
    "manager",
));
const REQUIREMENT: Result<(), (&str, Option<&str>, &str)> = Err((
    "SparkIllegalArgumentException",
    Some("INVALID_CONF_VALUE.REQUIREMENT"),
    "manager",
));
const NUMBER_FORMAT: Result<(), (&str, Option<&str>, &str)> =
    Err(("NumberFormatException", None, "manager"));
const ILLEGAL_ARGUMENT: Result<(), (&str, Option<&str>, &str)> =
    Err(("IllegalArgumentException", None, "manager"));

#[test]
fn rules_of_4_3_that_no_recording_shows() {
    let unified = |key, value, expected| check(PolicyKind::Unified, &[(key, value)], expected);
    unified("spark.testing.reservedMemory", " 1", NUMBER_FORMAT);
    unified("spark.executor.memory", "-1g", NUMBER_FORMAT);
    unified("spark.executor.memory", "8388608t", ILLEGAL_ARGUMENT);
    unified(
        "spark.memory.storageFraction",
        "0.99999999999999999",
        REQUIREMENT,
    );
    unified("spark.memory.offHeap.size", " -5m", MISMATCH);
    unified("spark.memory.offHeap.size", "- 5m", REQUIREMENT);
    unified("spark.unsafe.offHeap", "yes", MISMATCH);
    unified("spark.unsafe.offHeap", "true", ILLEGAL_ARGUMENT);
    unified("spark.memory.fraction", "0x1p-1", Ok(()));
    let conf = [
        ("spark.memory.offHeap.enabled", "false"),
        ("spark.unsafe.offHeap", "yes"),
    ];
    check(PolicyKind::Unified, &conf, Ok(()));
    // Spark counts the polling interval's microseconds away.
    let resolved = unified(
        "spark.memory.unmanagedMemoryPollingInterval",
        "999us",
        Ok(()),
    );
    assert_eq!(
        resolved.map(|resolved| resolved.unmanaged_polling_interval_ms),
        Some(0)
    );
}

#[test]
fn rules_of_2_4_that_no_recording_shows() {
    let fixed = |key, value, expected| check(PolicyKind::Static, &[(key, value)], expected);
    fixed("spark.testing.memory", " 1073741824", NUMBER_FORMAT);
    fixed("spark.memory.offHeap.enabled", "yes", ILLEGAL_ARGUMENT);
    fixed("spark.memory.offHeap.size", "1gib", NUMBER_FORMAT);
    fixed("spark.memory.offHeap.size", "8388608t", ILLEGAL_ARGUMENT);
    fixed("spark.memory.offHeap.size", "-1", ILLEGAL_ARGUMENT);
    let conf = [
        ("spark.memory.offHeap.size", "1g"),
        ("spark.memory.storageFraction", "1.5"),
    ];
    check(PolicyKind::Static, &conf, ILLEGAL_ARGUMENT);
}

#[test]
fn what_only_a_put_reads_fails_there() {
    for (policy, class, condition) in [
        (
            PolicyKind::Unified,
            "SparkIllegalArgumentException",
            Some("INVALID_CONF_VALUE.TYPE_MISMATCH"),
        ),
        (PolicyKind::Static, "IllegalArgumentException", None),
    ] {
        let conf = [
            ("spark.storage.unrollMemoryCheckPeriod", "-3"),
            ("spark.storage.unrollMemoryGrowthFactor", "x"),
        ];
        let resolved = check(policy, &conf, Ok(())).expect("Spark starts");
        assert_eq!(resolved.unroll.check_period, Ok(-3));
        let error = resolved.unroll.growth_factor.expect_err("it is no number");
        assert_eq!(
            (error.class, error.condition, error.stage.name()),
            (class, condition, "put")
        );
    }
}

#[test]
fn legacy_mode_chooses_the_manager() {
    let chosen = |value| {
        PolicyKind::chosen_by(
            &[("spark.memory.useLegacyMode", value)]
                .into_iter()
                .collect(),
        )
    };
    assert_eq!(chosen("TRUE"), Ok(PolicyKind::Static));
    assert_eq!(chosen("false"), Ok(PolicyKind::Unified));
    assert_eq!(
        PolicyKind::chosen_by(&SparkConf::new()),
        Ok(PolicyKind::Unified)
    );
    let error = chosen(" true").expect_err("2.4.8 does not trim it");
    assert_eq!(
        (error.class, error.stage.name()),
        ("IllegalArgumentException", "conf")
    );
}
