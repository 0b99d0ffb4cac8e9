//! Handlers of the library and of the test plans.

pub mod attack;
pub mod plans;
pub mod procedures;
pub mod repositories;
pub mod revisions;
pub mod terms;
pub mod writing;
