//! The audit log: what an event is, how it is written beside the change it tells of, and how the Activity lists read it.
//! `db::WriteTx` is the only writer; nothing else can insert an event, and no change is committed without one.

pub mod domain;
pub mod flood_store;
pub mod pages;
pub mod query;
pub mod schema;
pub mod search_store;
pub mod store;
pub mod text;
pub mod views;
