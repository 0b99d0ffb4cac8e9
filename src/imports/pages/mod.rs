//! Handlers of imports and exports.

pub mod copies;
pub mod exports;
pub mod releases;
pub mod uploads;
