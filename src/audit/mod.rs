//! The audit log: how the events of `kernel::event` are searched, exported, kept and dropped (`log`), and how
//! the whole of them proves itself (`proof`).

pub mod log;
pub mod proof;
