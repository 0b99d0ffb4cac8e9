//! Pages of imports.

pub mod copies;
pub mod releases;
pub mod uploads;
