//! The reference of settings in `docs/configuration.md`, written out from the table of keys.

mod prose;
mod refusals;

use std::fmt::Write as _;

pub use refusals::{REFUSALS, Refusal};

use super::keys::{KEY_GROUPS, KeyGroup, KeyInfo, KeyKind, SizeUnit, Standing};

/// The whole of `docs/configuration.md`.
///
/// It is made from the same table that configurations are checked against, and a test compares it with the
/// file.
#[must_use]
pub fn reference_markdown() -> String {
    let mut text = String::from(prose::INTRODUCTION);
    for group in KEY_GROUPS {
        text.push_str(&group_section(group));
    }
    text.push_str(prose::REFUSED);
    text.push_str(&refusals_table());
    text.push_str(prose::NOTES);
    text
}

fn group_section(group: &KeyGroup) -> String {
    let mut text = format!("\n### {}\n\n", group.title);
    text.push_str(
        "| key | value | default | since | what it does |\n| --- | --- | --- | --- | --- |\n",
    );
    for key in group.keys {
        // Writing to a string does not fail.
        let _infallible = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} |",
            key.name,
            value_text(key),
            default_text(key),
            key.since,
            about_text(key)
        );
    }
    text
}

/// What a key may hold, short enough for a column.
fn value_text(key: &KeyInfo) -> String {
    match key.kind {
        KeyKind::Fraction { one: true } => "0 to 1".to_owned(),
        KeyKind::Fraction { one: false } => "0 to below 1".to_owned(),
        KeyKind::Factor { min } => format!("number, {min} or more"),
        KeyKind::Size {
            unit: SizeUnit::Byte,
            ..
        } => "size".to_owned(),
        KeyKind::Size { .. } => "size, with a unit".to_owned(),
        KeyKind::Whole { .. } => "whole number".to_owned(),
        KeyKind::Time { zero: true } => "time, or 0".to_owned(),
        KeyKind::Time { zero: false } => "time".to_owned(),
        KeyKind::Choice(words) => words
            .iter()
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(", "),
        KeyKind::Flag => "true or false".to_owned(),
        KeyKind::Directories => "directories".to_owned(),
    }
}

fn default_text(key: &KeyInfo) -> String {
    key.default
        .map_or_else(|| "–".to_owned(), |default| format!("`{default}`"))
}

fn about_text(key: &KeyInfo) -> String {
    match key.standing {
        Standing::Effective | Standing::NoEffect { .. } => key.about.to_owned(),
        Standing::Unified => format!("{} *(unified manager only)*", key.about),
        Standing::Legacy => format!("{} *(static manager only)*", key.about),
        Standing::Deprecated { .. } => format!("{} *(deprecated)*", key.about),
    }
}

fn refusals_table() -> String {
    let mut text = String::from(
        "\n| setting | example | Spark | why it is refused |\n| --- | --- | --- | --- |\n",
    );
    for refusal in REFUSALS {
        let Refusal {
            key,
            value,
            in_spark,
            why,
        } = refusal;
        let _infallible = writeln!(text, "| `{key}` | `{value}` | {in_spark} | {why} |");
    }
    text
}
