//! A client's assets: what procedures are run against.

pub mod pages;
pub mod store;
