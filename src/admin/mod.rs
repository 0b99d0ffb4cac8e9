//! Administration: the index of what a person may administer, and the page of the jobs.

pub mod pages;
pub mod store;
pub mod views;
