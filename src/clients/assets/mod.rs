//! A client's assets: what procedures are run against.

pub mod lines;
pub mod pages;
pub mod store;
