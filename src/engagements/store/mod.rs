//! SQL of engagements.

pub mod create;
