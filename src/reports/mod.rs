//! Submitting an engagement and the report that it fills: the frozen runbook, findings, narrative, figures,
//! the page that prints, and the way from Draft to Published ([`workflow`]).
//!
//! Submit writes a revision's runbook once, names and labels as text. In Draft narrative and findings are
//! rows that people edit ([`content`]); Publish keeps what they said whole, and taking back goes on as a new
//! revision.

pub mod content;
pub mod domain;
pub mod figures;
pub mod pages;
pub mod store;
pub mod views;
pub mod workflow;
