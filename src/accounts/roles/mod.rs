//! Roles: built-in ones to read and copy, custom ones from the permission list.

pub mod pages;
pub mod store;
pub mod views;
