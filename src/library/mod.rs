//! The library: what a release of ATT&CK says, procedures and their versions, repositories, test plans; pages
//! to browse and search it. The starter library comes with the binary.

pub mod attack_pages;
pub mod domain;
pub mod editor;
pub mod paging;
pub mod plan_pages;
pub mod procedure_pages;
pub mod show;
pub mod store;
pub mod views;
