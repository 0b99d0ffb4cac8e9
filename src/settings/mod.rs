//! The organisation's settings and its outcome lists.

pub mod domain;
pub mod forms;
pub mod pages;
pub mod store;
pub mod views;
