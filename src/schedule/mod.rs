//! The pages that book: calendar, list, availability, requests and their approval, and the hourly job that moves what is
//! due. People, the report and the job all go through the table of `lifecycle`.

pub mod approval;
pub mod availability;
pub mod calendar;
pub mod filter;
pub mod pages;
pub mod store;
pub mod views;
