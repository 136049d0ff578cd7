//! The recorded configurations: what Spark 4.3.0 and 2.4.8 made of them.
//!
//! `tests/data/config.jsonl.zst` holds one header or one size a line, with the place in the recording
//! that it comes from, and without Spark's message texts.

use mem_policy::PolicyKind;
use mem_policy::config::{Collector, Environment, SparkConf, SparkRelease};
use serde_json::Value;

/// One recorded line.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// Family, file and line of the recording.
    pub(crate) at: String,
    /// What was asked.
    pub(crate) question: Question,
    /// What Spark answered.
    pub(crate) answer: Value,
}

/// What was asked of Spark.
#[derive(Debug)]
pub(crate) enum Question {
    /// To create a manager and a store.
    Header {
        policy: PolicyKind,
        environment: Environment,
        conf: SparkConf,
    },
    /// To parse a size.
    Size { text: String, release: SparkRelease },
}

/// Every recorded line, in order.
pub(crate) fn recorded() -> Vec<Recorded> {
    let compressed = include_bytes!("../data/config.jsonl.zst");
    let text = zstd::decode_all(compressed.as_slice()).expect("the test data is intact");
    let text = String::from_utf8(text).expect("the test data is text");
    // A size line does not say which release it was recorded from; the header before it does.
    let mut policy = PolicyKind::Unified;
    text.lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("each line is JSON");
            let question = question(&line["in"], &mut policy);
            Recorded {
                at: str_of(&line["at"]).to_owned(),
                question,
                answer: line["out"].clone(),
            }
        })
        .collect()
}

fn question(asked: &Value, policy: &mut PolicyKind) -> Question {
    if asked["op"] == "parse_size" {
        let release = policy.release();
        return Question::Size {
            text: str_of(&asked["text"]).to_owned(),
            release,
        };
    }
    *policy = match str_of(&asked["policy"]) {
        "unified" => PolicyKind::Unified,
        "static" => PolicyKind::Static,
        other => panic!("unknown policy {other}"),
    };
    let conf = asked["conf"]
        .as_object()
        .expect("a header has a configuration");
    Question::Header {
        policy: *policy,
        environment: Environment {
            cores: asked["cores"]
                .as_i64()
                .and_then(|c| c.try_into().ok())
                .expect("cores"),
            is_driver: asked["is_driver"].as_bool().unwrap_or(true),
            collector: match asked["gc"].as_str() {
                Some("g1") => Collector::G1,
                _ => Collector::Parallel,
            },
            // Never looked at: every header gives spark.testing.memory.
            max_heap: 0,
        },
        conf: conf
            .iter()
            .map(|(key, value)| (key.as_str(), str_of(value)))
            .collect(),
    }
}

fn str_of(value: &Value) -> &str {
    value.as_str().expect("a string")
}
