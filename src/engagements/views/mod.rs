//! Pages of engagements, made from what the stores return.

pub mod forms;
pub mod glance;
pub mod list;
pub mod origins;
pub mod requests;
pub mod sections;
pub mod show;
pub mod table;
pub mod wizard;
