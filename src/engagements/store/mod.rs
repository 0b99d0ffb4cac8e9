//! SQL of engagements.

pub mod approval;
pub mod create;
pub mod details;
pub mod layer;
pub mod lifecycle;
pub mod list;
pub mod origins;
pub mod plan;
pub mod sections;
pub mod show;
pub mod wizard;
