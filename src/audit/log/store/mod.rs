//! SQL of the log.

pub mod export;
pub mod matching;
pub mod retention;
pub mod search;
