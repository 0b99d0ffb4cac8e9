//! The library: what a release of ATT&CK says and a team's own terms beside it, repositories, procedures and
//! test plans with their versions; pages to browse, search and write it. The starter library comes with the
//! binary.

pub mod changes;
pub mod compare;
pub mod domain;
pub mod editor;
pub mod forms;
pub mod pages;
pub mod placeholders;
pub mod planning;
pub mod repository;
pub mod revisions;
pub mod store;
pub mod terms;
pub mod views;
pub mod writing;
