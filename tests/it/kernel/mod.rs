//! What the kernel promises: schema, audit log, edge, permissions, outages, and rules that are read off the
//! sources.

mod app_role;
mod audit_log;
mod dependencies;
mod docs;
mod edge;
mod floors;
mod forms;
mod head;
mod jobs;
mod matrix;
mod metrics;
mod migrations;
mod names;
mod outage;
mod prepared;
mod schema;
mod scripts;
pub mod sources;
mod style;
mod tables;
mod tour;
mod twice;
