//! Submitting an engagement and the report that it fills: the frozen runbook, findings, figures, the page that prints.
//!
//! Submit writes `report_revisions` once, names and labels as text; findings are rows of their own, because they live on.

pub mod domain;
pub mod figures;
pub mod pages;
mod samples;
pub mod store;
pub mod views;
