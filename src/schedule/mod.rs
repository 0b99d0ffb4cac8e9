//! The lifecycle of an engagement: one pure table of status and command ([`domain`]), and the hourly job that moves what is
//! due. People, the report and the job all go through the table.

pub mod domain;
pub mod store;
