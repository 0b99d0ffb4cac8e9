//! A repository as a folder of YAML that a team keeps under version control: written so that two exports of
//! one state are equal bytes, read back without loss, and compared with what is here field by field.

mod fields;
pub mod file;
pub mod merge;
pub mod plans;
mod read;
mod read_terms;
pub mod store;
pub mod terms;
mod write;

pub use read::{ReadArchive, read};
pub use write::{files, zip};
