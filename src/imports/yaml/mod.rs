//! YAML as our own formats use it: read into nodes that know their line and never follow an alias, and
//! written with bytes that are the same each time.

pub mod read;
pub mod write;
