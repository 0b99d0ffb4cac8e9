//! SQL of procedures.

pub mod assets;
pub mod attachments;
pub mod done;
pub mod fields;
pub mod logs;
pub mod page;
pub mod parts;
pub mod place;
pub mod runbook;
pub mod save;
pub mod work;
