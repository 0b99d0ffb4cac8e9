//! The library: what a release of ATT&CK says, procedures and their versions, repositories, test plans; pages
//! to browse and search it. The starter library comes with the binary.

pub mod changes;
pub mod compare;
pub mod domain;
pub mod editor;
pub mod forms;
pub mod pages;
pub mod placeholders;
pub mod repository;
pub mod store;
pub mod views;
pub mod writing;
