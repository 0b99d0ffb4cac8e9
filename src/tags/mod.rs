//! Tags are one thing everywhere: what suggests them, how often each is used, and the one act that gives a
//! tag another name wherever it stands.

pub mod domain;
pub mod pages;
pub mod store;
pub mod views;
