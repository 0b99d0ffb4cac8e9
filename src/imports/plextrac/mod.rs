//! Test plans of PlexTrac: its YAML of version 2 read and written, that of version 1 read, and what a
//! procedure's steps look like as the text that is all it knows of them.

pub mod convert;
pub mod file;
mod html;
mod legacy;
mod read;
pub mod store;
pub mod text;
mod write;

pub use read::{Plan, read};
pub use write::write;
