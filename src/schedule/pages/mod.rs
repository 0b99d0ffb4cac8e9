//! Handlers of the schedule.

pub mod show;
