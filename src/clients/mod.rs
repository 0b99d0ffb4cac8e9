//! Clients and their assets: whom engagements are for, and what is tested. Nothing here is deleted while
//! something hangs on it.

pub mod assets;
pub mod domain;
pub mod pages;
pub mod store;
pub mod views;
