//! The audit log: how the events of `kernel::event` are written beside the change they tell of, searched,
//! exported, kept and dropped, and how the whole of it proves itself (`record` → `merkle` → `seal` →
//! `sealer`; `verify` goes the same way). `db::WriteTx` is the only writer; nothing else can insert an event,
//! and no change is committed without one.

pub mod archive;
pub mod export;
pub mod export_store;
pub mod merkle;
pub mod ocsf;
pub mod pages;
pub mod proof;
pub mod query;
pub mod record;
pub mod retention;
pub mod retention_store;
pub mod seal;
pub mod seal_store;
pub mod sealer;
pub mod search;
pub mod search_store;
pub mod store;
pub mod text;
pub mod verify;
pub mod verify_store;
pub mod views;
