//! Tests on a real database and a real server: one binary, so that it links once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod accounts;
mod administration;
mod attack;
mod audit;
mod clients;
mod commands;
mod crashes;
mod demo;
mod engagements;
mod evidence;
mod exchange;
mod exchanged;
mod first_hour;
mod harness;
mod hostile;
mod imports;
mod interleaved;
mod journey;
mod kernel;
mod library;
mod observation;
mod pictures;
mod plans;
mod procedures;
mod proof;
mod proof_ways;
mod reports;
mod retention;
mod schedule;
mod shelf;
mod signing_in;
mod tags;
mod terms;
mod texts;
mod verification;
mod what_happened;

/// Ends the PostgreSQL that the tests share; `bin/test` asks for it when it is done.
#[test]
#[ignore = "ends the shared cluster; bin/test runs it last"]
fn stop_the_cluster() {
    harness::database::cluster().stop_always();
}
