//! What every slice stands on, and nothing of any slice.

pub mod app;
pub mod authz;
pub mod base;
pub mod config;
pub mod db;
pub mod drafts;
pub mod event;
pub mod job;
pub mod live;
pub mod merge;
pub mod refusals;
pub mod web;
