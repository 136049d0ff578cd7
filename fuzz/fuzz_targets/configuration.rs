//! Any text as a configuration: an error or a configuration, never a panic, and what is accepted is
//! accepted again in the form in which it is written out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mem_policy::MemoryConfig;

fuzz_target!(|text: &str| {
    if let Ok(config) = MemoryConfig::from_toml(text, "fuzz.toml") {
        let again = MemoryConfig::from_toml(&config.to_toml(), "again.toml");
        assert!(again.is_ok(), "{again:?}");
        drop(config.resolve(2));
    }
    drop(MemoryConfig::from_spark_defaults(text, "fuzz.conf").map(|config| config.resolve(2)));
});
