//! A checked configuration: what an operator wrote, with where it was written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::error::{ConfigError, Diagnostic, Problem};
use super::file::{Assignment, FileForm, SyntaxError, Written};
use super::keys::memory::TESTING;
use super::keys::{self, KeyInfo, Recognized, Standing, Value};
use super::origin::{Note, Origin, Severity};

/// The largest configuration file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A configuration that passed the strict checks.
///
/// It begins with Spark's defaults; files and single settings are put on top, a later one replacing an
/// earlier one. What Spark would silently accept and do something surprising with is refused;
/// `docs/configuration.md` lists all of that. Values are read by group: [`split`](Self::split),
/// [`pages`](Self::pages), [`spill`](Self::spill) and so on.
///
/// ```
/// use mem_policy::MemoryConfig;
///
/// let text = r#"
///     "spark.executor.memory" = "2g"
///     "spark.memory.fraction" = 0.75
/// "#;
/// let config = MemoryConfig::from_toml(text, "hearth.toml")?;
/// let regions = config.resolve(4)?;
/// assert_eq!(regions.on_heap.max, 1_374_683_136);
///
/// let error = MemoryConfig::from_toml(r#""spark.memory.fracton" = 0.7"#, "a.toml").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "a.toml:1: spark.memory.fracton: unknown key; did you mean spark.memory.fraction?"
/// );
/// # Ok::<(), mem_policy::ConfigError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MemoryConfig {
    settings: BTreeMap<&'static str, Setting>,
    ignored: Vec<Note>,
}

/// One setting that was given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Setting {
    /// As it was written.
    pub(crate) written: Written,
    /// As it was read.
    pub(crate) value: Value,
    /// Where.
    pub(crate) origin: Origin,
}

impl MemoryConfig {
    /// Spark's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads TOML. `name` is what the text is called in messages.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every unknown key, bad value and violation of TOML.
    pub fn from_toml(text: &str, name: &str) -> Result<Self, ConfigError> {
        Self::from_text(FileForm::Toml, text, name)
    }

    /// Reads the form of `spark-defaults.conf`. `name` is what the text is called in messages.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every unknown key and bad value.
    pub fn from_spark_defaults(text: &str, name: &str) -> Result<Self, ConfigError> {
        Self::from_text(FileForm::SparkDefaults, text, name)
    }

    /// Reads a file: TOML (`.toml`), Spark's form (`.conf`, `.properties`), or whichever its text looks like.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] as above, or because the file cannot be read, is not text, or is above 1 MiB.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let text = read_text(path).map_err(|why| Diagnostic {
            origin: None,
            key: None,
            problem: Problem::Unreadable {
                file: name.clone(),
                why,
            },
        })?;
        Self::from_text(FileForm::of(path, &text), &text, &name)
    }

    fn from_text(form: FileForm, text: &str, name: &str) -> Result<Self, ConfigError> {
        let name: Arc<str> = name.into();
        let at = |line| Origin::File {
            name: name.clone(),
            line,
        };
        let syntax = |e: SyntaxError| Diagnostic {
            origin: Some(at(e.line)),
            key: None,
            problem: Problem::Syntax(e.message),
        };
        let assignments = form.assignments(text).or_else(|errors| {
            ConfigError::unless_empty(errors.into_iter().map(syntax).collect()).map(|()| Vec::new())
        })?;
        let mut config = Self::new();
        let mut diagnostics = Vec::new();
        let mut first_lines: BTreeMap<String, usize> = BTreeMap::new();
        for Assignment { line, key, written } in assignments {
            let earlier = first_lines.insert(key.clone(), line);
            let result = match (earlier, form) {
                (Some(first_line), FileForm::Toml) => Err(Problem::GivenTwice { first_line }),
                // Java's rule for properties: the last one counts.
                (Some(first_line), FileForm::SparkDefaults) => {
                    let message = format!("takes the place of line {first_line}");
                    config.note(Severity::Warning, at(line), &key, message);
                    config.assign(&key, written, at(line))
                }
                (None, _) => config.assign(&key, written, at(line)),
            };
            if let Err(problem) = result {
                diagnostics.push(Diagnostic {
                    origin: Some(at(line)),
                    key: Some(key),
                    problem,
                });
            }
        }
        ConfigError::unless_empty(diagnostics).map(|()| config)
    }

    /// Sets one key from `KEY=VALUE`, as `--set` takes it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where there is no `=`, the key is unknown, or the value is bad.
    pub fn set(&mut self, assignment: &str) -> Result<(), ConfigError> {
        let origin = Origin::named("--set");
        let Some((key, value)) = assignment.split_once('=') else {
            let message = format!("expected KEY=VALUE; got {assignment:?}");
            let problem = Problem::Syntax(message);
            return Err(Diagnostic {
                origin: Some(origin),
                key: None,
                problem,
            }
            .into());
        };
        self.insert(key.trim(), value.trim(), origin)
    }

    /// Sets one key.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where the key is unknown or the value is bad.
    pub fn insert(&mut self, key: &str, value: &str, origin: Origin) -> Result<(), ConfigError> {
        let written = Written::Text(value.to_owned());
        self.assign(key, written, origin.clone())
            .map_err(|problem| {
                Diagnostic {
                    origin: Some(origin),
                    key: Some(key.to_owned()),
                    problem,
                }
                .into()
            })
    }

    /// The same configuration with one key set, for building one in code.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where the key is unknown or the value is bad.
    pub fn with(mut self, key: &str, value: impl ToString) -> Result<Self, ConfigError> {
        self.insert(key, &value.to_string(), Origin::named("code"))?;
        Ok(self)
    }

    fn assign(&mut self, name: &str, written: Written, origin: Origin) -> Result<(), Problem> {
        let key = match keys::recognize(name) {
            Recognized::Known(key) => key,
            Recognized::Elsewhere => {
                let message = "ignored, it has nothing to do with memory management".to_owned();
                self.note(Severity::Note, origin, name, message);
                return Ok(());
            }
            Recognized::Unknown(nearest) => {
                let nearest = nearest.map(|nearest| (nearest.name, nearest.edits));
                return Err(Problem::UnknownKey { nearest });
            }
        };
        let value = match &written {
            Written::Text(text) => key.kind.read(text),
            Written::List(items) => key.kind.read_list(items.clone()),
        };
        let value = value.map_err(|expected| {
            let expected = format!("{expected}{}", hint(key));
            Problem::BadValue {
                expected,
                got: written.text(),
            }
        })?;
        self.settings.insert(
            key.name,
            Setting {
                written,
                value,
                origin,
            },
        );
        Ok(())
    }

    fn note(&mut self, severity: Severity, origin: Origin, key: &str, message: String) {
        self.ignored.push(Note {
            severity,
            origin,
            key: key.to_owned(),
            message,
        });
    }

    /// What was given for a key.
    pub(crate) fn setting(&self, key: &KeyInfo) -> Option<&Setting> {
        self.settings.get(key.name)
    }

    /// Everything that was given, by key.
    pub(crate) fn settings(&self) -> impl Iterator<Item = (&'static str, &Setting)> {
        self.settings.iter().map(|(name, setting)| (*name, setting))
    }

    /// The notes on keys that are not settings of Hearth's.
    pub(crate) fn ignored(&self) -> &[Note] {
        &self.ignored
    }

    /// The settings as a TOML file that reads back as this configuration; ignored keys are left out.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let line = |(name, setting): (&str, &Setting)| {
            let value = match &setting.written {
                Written::Text(text) => toml::Value::from(text.as_str()),
                Written::List(items) => toml::Value::from(items.clone()),
            };
            format!("{} = {value}\n", toml::Value::from(name))
        };
        self.settings().map(line).collect()
    }
}

/// What to add where the reason for refusing a value is the setting's own.
fn hint(key: &KeyInfo) -> String {
    if key.name == TESTING.name {
        return " (to Spark it counts as given, whatever it says; leave it out)".to_owned();
    }
    match key.standing {
        Standing::NoEffect { why } => format!(" ({why})"),
        Standing::Effective
        | Standing::Unified
        | Standing::Legacy
        | Standing::Deprecated { .. } => String::new(),
    }
}

/// Reads a text file of limited size.
fn read_text(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| e.to_string())?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > FILE_BYTES_MAX) {
        return Err(format!("it is larger than {FILE_BYTES_MAX} bytes"));
    }
    String::from_utf8(bytes).map_err(|e| {
        format!(
            "it is not UTF-8 text (byte {})",
            e.utf8_error().valid_up_to()
        )
    })
}
