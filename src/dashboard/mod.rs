//! The first page: what waits on the person, what is under way, what starts and ends this week.

pub mod pages;
pub mod store;
pub mod views;
