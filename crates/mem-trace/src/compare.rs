//! Compares what was recorded with what came of it here, field by field.
//!
//! Everything counts but the wording of messages. The operations that one operation woke are a set:
//! the machine that was recorded woke them in any order.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// What a line says must come of it. It can be compared and shown; nothing else can read it, so no
/// replay can peek.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Expected<'a>(#[serde(borrow)] &'a RawValue);

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The path of the field, as in `state.on[1]`; of woken operations as in `woken.op 12.granted`.
    pub field: String,
    /// What was recorded; null where the field was absent.
    pub expected: Value,
    /// What came of it here; null where the field is absent.
    pub got: Value,
}

impl Expected<'_> {
    /// The fields that differ from `got`.
    ///
    /// # Errors
    /// Where the recorded text is no JSON value.
    pub(crate) fn differences(
        &self,
        got: &impl Serialize,
    ) -> Result<Vec<Difference>, serde_json::Error> {
        let expected = serde_json::from_str(self.0.get())?;
        let got = serde_json::to_value(got)?;
        let mut differences = Vec::new();
        compare("", Some(&expected), Some(&got), &mut differences);
        Ok(differences)
    }
}

fn compare(path: &str, expected: Option<&Value>, got: Option<&Value>, into: &mut Vec<Difference>) {
    match (expected, got) {
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let only_other = other.keys().filter(|key| !one.contains_key(*key));
            for key in one.keys().chain(only_other).filter(|key| *key != "message") {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                match (key.as_str(), one.get(key), other.get(key)) {
                    ("woken", one, other) => compare_woken(&path, one, other, into),
                    (_, one, other) => compare(&path, one, other, into),
                }
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) => {
            for at in 0..one.len().max(other.len()) {
                compare(&format!("{path}[{at}]"), one.get(at), other.get(at), into);
            }
        }
        _ if expected == got => {}
        _ => into.push(Difference {
            field: path.to_owned(),
            expected: expected.cloned().unwrap_or_default(),
            got: got.cloned().unwrap_or_default(),
        }),
    }
}

fn compare_woken(
    path: &str,
    expected: Option<&Value>,
    got: Option<&Value>,
    into: &mut Vec<Difference>,
) {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let number = |entry: &Value| entry.get("op").and_then(Value::as_u64);
    let mut others = list(got);
    for one in list(expected) {
        let op = number(&one);
        let at = others.iter().position(|other| number(other) == op);
        let other = at.map(|at| others.swap_remove(at));
        let path = format!("{path}.op {}", op.unwrap_or_default());
        compare(&path, Some(&one), other.as_ref(), into);
    }
    for other in others {
        let path = format!("{path}.op {}", number(&other).unwrap_or_default());
        compare(&path, None, Some(&other), into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn fields(expected: &str, got: &Value) -> Vec<String> {
        let expected: Expected<'_> = serde_json::from_str(expected).unwrap();
        let differences = expected.differences(got).unwrap();
        differences
            .into_iter()
            .map(|difference| difference.field)
            .collect()
    }

    #[test]
    fn only_messages_may_differ() {
        let line = r#"{"error":"E","message":"theirs","state":{"on":[1,2]}}"#;
        assert_eq!(
            fields(
                line,
                &json!({"error":"E","message":"ours","state":{"on":[1,2]}})
            ),
            [""; 0]
        );
        assert_eq!(
            fields(line, &json!({"error":"F","state":{"on":[1,3,4]}})),
            ["error", "state.on[1]", "state.on[2]"]
        );
    }

    #[test]
    fn a_field_too_many_and_one_too_few_both_count() {
        assert_eq!(fields(r#"{"a":1}"#, &json!({"b":1})), ["a", "b"]);
        assert_eq!(
            fields(r#"{"page":null}"#, &json!({})),
            ["page"],
            "absent is not null"
        );
    }

    #[test]
    fn woken_operations_are_a_set() {
        let line = r#"{"woken":[{"op":1,"granted":5},{"op":2,"granted":6}]}"#;
        assert_eq!(
            fields(
                line,
                &json!({"woken":[{"op":2,"granted":6},{"op":1,"granted":5}]})
            ),
            [""; 0]
        );
        assert_eq!(
            fields(line, &json!({"woken":[{"op":2,"granted":7}, {"op":3}]})),
            ["woken.op 1", "woken.op 2.granted", "woken.op 3"]
        );
    }

    #[test]
    fn sixty_four_bits_are_told_apart_to_the_last() {
        let line = "{\"a\":9223372036854775807}";
        assert_eq!(fields(line, &json!({"a": i64::MAX})), [""; 0]);
        assert_eq!(fields(line, &json!({"a": i64::MAX - 1})), ["a"]);
    }
}
