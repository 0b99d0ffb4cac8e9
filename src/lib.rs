//! Tyrian: purple-team engagements. See README.md for what it does and `routes` for every address it answers.

pub mod accounts;
pub mod admin;
pub mod audit;
pub mod cli;
pub mod clients;
pub mod coverage;
pub mod dashboard;
pub mod demo;
pub mod engagements;
pub mod harvest;
pub mod health;
pub mod imports;
pub mod jobs;
pub mod kernel;
pub mod library;
pub mod lifecycle;
pub mod metrics;
pub mod procedures;
pub mod reports;
pub mod routes;
pub mod schedule;
pub mod server;
pub mod settings;
pub mod tags;
