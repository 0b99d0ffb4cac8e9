//! Users as administrators keep them: list, invitation, roles, lock, reset, end.

pub mod pages;
pub mod store;
pub mod views;
