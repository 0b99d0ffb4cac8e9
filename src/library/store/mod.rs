//! SQL of the library.

pub mod attack;
pub mod curated;
pub mod incoming;
pub mod plans;
pub mod procedures;
mod seed;
pub mod shelf;

pub use attack::{Tactic, highest_version, list_tactics};
pub use plans::{Plan, PlanRow, get_plan, list_plan_procedures, list_plans};
pub use procedures::{Hit, Repository, Search, count, list_hits, list_platforms, list_repositories, search};
pub use seed::seed_starter;
