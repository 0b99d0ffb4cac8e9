//! The lifecycle of an engagement: one pure table of status and command ([`domain`]), the hourly job that moves what is due,
//! and the pages that book: calendar, list, availability, requests and their approval. People, the report and the job all
//! go through the table.

pub mod approval;
pub mod availability;
pub mod calendar;
pub mod domain;
pub mod filter;
pub mod pages;
pub mod store;
pub mod views;
