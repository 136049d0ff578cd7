//! Tests of mem-policy through its public interface.

mod config_files;
mod config_messages;
mod config_properties;
mod config_reference;
mod conformance;
mod explained;
mod recorded;
