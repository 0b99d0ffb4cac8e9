//! SQL of the log.

pub mod export;
pub mod retention;
pub mod search;
