//! The log as people use it: searched, exported, and kept for as long as the settings say.

pub mod export;
pub mod ocsf;
pub mod pages;
pub mod query;
pub mod request;
pub mod retention;
pub mod search;
pub mod store;
pub mod views;
