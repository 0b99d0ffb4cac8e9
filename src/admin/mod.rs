//! Administration: the index of what a person may administer, the settings, and the page of the jobs.

pub mod pages;
pub mod settings_pages;
pub mod settings_store;
pub mod store;
pub mod views;
