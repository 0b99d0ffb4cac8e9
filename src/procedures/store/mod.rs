//! SQL of procedures.

pub mod save;
pub mod work;
