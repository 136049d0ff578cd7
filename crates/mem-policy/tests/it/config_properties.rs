//! Arbitrary text never panics, and what is accepted keeps its promises.

use mem_policy::config::{Collector, Environment, KEY_GROUPS, Origin, Problem, SparkConf, resolve};
use mem_policy::{Explanation, MemoryConfig, PolicyKind, SparkRelease, parse_size};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;

/// A key of the table, or something like one.
fn key() -> impl Strategy<Value = String> {
    let known: Vec<&'static str> = KEY_GROUPS
        .iter()
        .flat_map(|group| group.keys)
        .map(|key| key.name)
        .collect();
    prop_oneof![
        8 => select(known).prop_map(str::to_owned),
        1 => "(spark|hearth)\\.[a-zA-Z.]{0,20}",
        1 => any::<String>(),
    ]
}

/// A value that some setting may take, or nearly.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[-+ ]?[0-9]{1,20}(b|k|m|g|t|p|kb|gib|us|ms|s|min|h|d)?",
        2 => "[-+]?(0x)?[0-9a-f]{0,5}\\.?[0-9a-f]{0,20}(e|p)?[-+]?[0-9]{0,4}[dDfF]?",
        1 => select(vec!["true", "false", "TRUE", "NaN", "Infinity", "-0.0", "lz4", "CRC32", ""])
            .prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn environment() -> impl Strategy<Value = Environment> {
    (any::<i32>(), any::<bool>(), any::<bool>(), any::<i64>()).prop_map(
        |(cores, is_driver, has_regions, max_heap)| Environment {
            cores,
            is_driver,
            collector: if has_regions {
                Collector::G1
            } else {
                Collector::Parallel
            },
            max_heap,
        },
    )
}

/// The same cases in every run.
fn fixed() -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(0x4ea7),
        failure_persistence: None,
        ..ProptestConfig::with_cases(400)
    }
}

proptest! {
    #![proptest_config(fixed())]

    #[test]
    fn files_of_arbitrary_text_do_not_panic(text in any::<String>(), structured in "[\\[\\]{}=.,\"'#\\\\ \na-z0-9:u]{0,80}") {
        for text in [text, structured] {
            for result in [MemoryConfig::from_toml(&text, "t"), MemoryConfig::from_spark_defaults(&text, "t")] {
                if let Err(error) = result {
                    prop_assert!(!error.diagnostics().is_empty());
                    prop_assert_eq!(error.to_string().lines().count(), error.diagnostics().len());
                }
            }
        }
    }

    #[test]
    fn resolving_arbitrary_settings_keeps_the_pools_in_order(
        pairs in proptest::collection::vec((key(), value()), 0..6),
        environment in environment(),
        legacy in any::<bool>(),
    ) {
        let policy = if legacy { PolicyKind::Static } else { PolicyKind::Unified };
        let conf = SparkConf::from_iter(pairs);
        if let Ok(resolved) = resolve(&conf, policy, &environment) {
            for mode in [&resolved.on_heap, &resolved.off_heap] {
                prop_assert!(mode.storage_start >= 0 && mode.execution_start >= 0, "{mode:?}");
                let sum = mode.storage_start.saturating_add(mode.execution_start);
                prop_assert_eq!(sum, mode.max);
            }
            prop_assert!(policy == PolicyKind::Static || resolved.on_heap.execution_start > 0);
        }
    }

    #[test]
    fn checked_settings_are_explained_or_impossible(
        pairs in proptest::collection::vec((key(), value()), 0..6),
        cores in any::<u32>(),
    ) {
        let mut config = MemoryConfig::new();
        for (key, value) in &pairs {
            // Refusals are covered above; here what is accepted is put together.
            let _refused = config.insert(key, value, Origin::named("test")).is_err();
        }
        match Explanation::new(&config, cores) {
            Ok(explanation) => {
                prop_assert!(explanation.rows.iter().all(|row| !row.name.is_empty()));
                prop_assert!(config.resolve(cores).is_ok_and(|r| r.unroll.check_period.is_ok()
                    && r.unroll.growth_factor.is_ok() && r.page_size > 0));
                let again = MemoryConfig::from_toml(&config.to_toml(), "t");
                prop_assert_eq!(again.map(|again| again.resolve(cores)), Ok(config.resolve(cores)));
            }
            Err(error) => {
                let all_impossible =
                    error.diagnostics().iter().all(|d| matches!(d.problem, Problem::Impossible(_)));
                prop_assert!(all_impossible, "{error}");
            }
        }
    }

    #[test]
    fn sizes_of_2_4_are_sizes_of_4_3(text in value()) {
        if let Ok(bytes) = parse_size(&text, SparkRelease::V2_4) {
            prop_assert_eq!(parse_size(&text, SparkRelease::V4_3), Ok(bytes));
            prop_assert!(i64::try_from(bytes).is_ok());
        }
    }
}
