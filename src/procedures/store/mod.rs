//! SQL of procedures.

pub mod page;
pub mod parts;
pub mod save;
pub mod work;
