//! Engagements: list, wizard, engagement page with its sections, submit, delete.

pub mod domain;
