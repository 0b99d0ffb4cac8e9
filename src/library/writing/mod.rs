//! How a library procedure is written: the form, the merge of what several people wrote, and what differs
//! between two versions. Pure.

pub mod differences;
pub mod form;
pub mod merge;
