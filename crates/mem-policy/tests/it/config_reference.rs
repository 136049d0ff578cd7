//! The document of settings agrees with the table, and the refusals in it are real.

use std::path::Path;

use mem_policy::config::{
    Collector, Environment, REFUSALS, SparkConf, Standing, find_key, reference_markdown, resolve,
};
use mem_policy::{MemoryConfig, PolicyKind};

#[test]
fn the_document_is_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let expected = reference_markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).expect("the document can be written");
    }
    let document = std::fs::read_to_string(&path).expect("the document is there");
    assert_eq!(
        document, expected,
        "run the tests of mem-policy with UPDATE_DOCS=1"
    );
}

#[test]
fn what_is_refused_beyond_spark_is_refused_here_and_taken_by_spark() {
    for refusal in REFUSALS {
        let (key, value) = (refusal.key, refusal.value);
        let checked = MemoryConfig::new().with(key, value);
        assert!(checked.is_err(), "{key} = {value} is not refused");

        let is_taken = |policy: PolicyKind| {
            let pairs = [("spark.testing.memory", "1099511627776"), (key, value)];
            let environment = Environment {
                cores: 4,
                is_driver: false,
                collector: Collector::Parallel,
                max_heap: 1 << 40,
            };
            resolve(&SparkConf::from_iter(pairs), policy, &environment).is_ok()
        };
        let is_legacy = find_key(key).is_some_and(|key| key.standing == Standing::Legacy);
        let by_unified = !is_legacy && is_taken(PolicyKind::Unified);
        assert!(
            by_unified || is_taken(PolicyKind::Static),
            "Spark refuses {key} = {value} too"
        );
    }
}
