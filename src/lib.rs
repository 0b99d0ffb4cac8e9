//! Tyrian: purple-team engagements. See README.md for what it does and `routes` for every address it answers.

pub mod accounts;
pub mod admin;
pub mod app;
pub mod audit;
pub mod authz;
pub mod cli;
pub mod clients;
pub mod clock;
pub mod config;
pub mod dashboard;
pub mod db;
pub mod demo;
pub mod engagements;
pub mod error;
pub mod ids;
pub mod imports;
pub mod jobs;
pub mod library;
pub mod procedures;
pub mod reports;
pub mod routes;
pub mod schedule;
pub mod server;
pub mod text_enum;
pub mod web;
