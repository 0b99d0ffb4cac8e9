//! Handlers of engagements.

pub mod approval;
pub mod cells;
pub mod details;
pub mod layer;
pub mod library;
pub mod lifecycle;
pub mod list;
pub mod origins;
pub mod plan;
pub mod requests;
pub mod show;
pub mod steps;
pub mod wizard;
