//! What is worth saying about a configuration that is in order.

use super::keys::legacy::USE_LEGACY_MODE;
use super::keys::memory::{EXECUTOR_MEMORY, OFF_HEAP_ENABLED, OFF_HEAP_SIZE, TESTING_MEMORY};
use super::keys::{KeyInfo, Standing};
use super::memory_config::{MemoryConfig, Setting};
use super::origin::{Note, Severity};
use super::resolve::PolicyKind;

impl MemoryConfig {
    /// Notes on keys that were ignored, have no effect, or probably do not do what was meant.
    #[must_use]
    pub fn notes(&self) -> Vec<Note> {
        let mut notes = self.ignored().to_vec();
        for (name, setting) in self.settings() {
            let key = super::keys::find_key(name);
            if let Some((severity, message)) = key.and_then(|key| self.standing_note(key)) {
                notes.push(note(severity, name, setting, message));
            }
        }
        notes.extend(self.unused_off_heap());
        notes
    }

    /// What a key's standing has to say, given the rest of the configuration.
    fn standing_note(&self, key: &KeyInfo) -> Option<(Severity, String)> {
        let message = match (key.standing, self.split().policy) {
            (Standing::NoEffect { why }, _) => {
                return Some((Severity::Note, format!("has no effect: {why}")));
            }
            (Standing::Legacy, PolicyKind::Unified) => {
                format!("has no effect unless {} is true", USE_LEGACY_MODE.name)
            }
            (Standing::Unified, PolicyKind::Static) if key.name != TESTING_MEMORY.name => {
                format!("has no effect while {} is true", USE_LEGACY_MODE.name)
            }
            (Standing::Deprecated { instead }, _) if self.is_given(&OFF_HEAP_ENABLED) => {
                format!("has no effect beside {instead}")
            }
            (Standing::Deprecated { instead }, _) => format!("is an old name; use {instead}"),
            (Standing::Effective, _)
                if key.name == EXECUTOR_MEMORY.name && self.is_given(&TESTING_MEMORY) =>
            {
                format!("does not size the heap beside {}", TESTING_MEMORY.name)
            }
            (Standing::Effective | Standing::Unified | Standing::Legacy, _) => return None,
        };
        Some((Severity::Warning, message))
    }

    /// Spark sizes off-heap memory that is not enabled, and users wonder where it went.
    fn unused_off_heap(&self) -> Option<Note> {
        let split = self.split();
        let setting = self.setting(&OFF_HEAP_SIZE)?;
        if split.off_heap_enabled || split.off_heap_size_bytes == 0 {
            return None;
        }
        let message = format!(
            "pages do not use it unless {} is true",
            OFF_HEAP_ENABLED.name
        );
        Some(note(
            Severity::Warning,
            OFF_HEAP_SIZE.name,
            setting,
            message,
        ))
    }

    fn is_given(&self, key: &KeyInfo) -> bool {
        self.setting(key).is_some()
    }
}

fn note(severity: Severity, key: &str, setting: &Setting, message: String) -> Note {
    Note {
        severity,
        origin: setting.origin.clone(),
        key: key.to_owned(),
        message,
    }
}
