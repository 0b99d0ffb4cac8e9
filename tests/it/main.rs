//! Tests on a real database and a real server: one binary, so that it links once.

mod accounts;
mod administration;
mod attack;
mod audit;
mod crashes;
mod demo;
mod engagements;
mod harness;
mod hostile;
mod interleaved;
mod journey;
mod kernel;
mod library;
mod procedures;
mod proof;
mod reports;
mod retention;
mod schedule;
mod signing_in;

/// Ends the PostgreSQL that the tests share; `bin/test` asks for it when it is done.
#[test]
#[ignore = "ends the shared cluster; bin/test runs it last"]
fn stop_the_cluster() {
    harness::database::cluster().stop_always();
}
