//! The shared view of dates: calendar, list, availability. What moves goes through `lifecycle`.

pub mod availability;
pub mod calendar;
pub mod filter;
pub mod pages;
pub mod store;
pub mod views;
