//! Addresses of imports and exports.

pub mod exports;
