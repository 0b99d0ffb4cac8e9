//! The library: what a release of ATT&CK says, procedures and their versions, repositories, test plans; pages to browse
//! and search it. The starter library comes with the binary.

pub mod domain;
pub mod store;
