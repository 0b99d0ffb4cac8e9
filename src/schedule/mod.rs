//! The pages that book: calendar, list, availability, requests and their approval. What moves goes through
//! `lifecycle`.

pub mod approval;
pub mod availability;
pub mod calendar;
pub mod filter;
pub mod pages;
pub mod store;
pub mod views;
