//! The six statuses of an engagement and the statuses of its report: who may move what, and what is due.

pub mod domain;
pub mod store;
pub mod views;
