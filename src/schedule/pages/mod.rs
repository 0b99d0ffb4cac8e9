//! Handlers of the schedule.

pub mod approval;
pub mod requests;
pub mod show;
