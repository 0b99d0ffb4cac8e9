//! SQL of the library.

pub mod attack;
pub mod curated;
pub mod exchange;
pub mod exchanged;
pub mod incoming;
pub mod matrix;
pub mod plans;
pub mod procedures;
pub mod repositories;
pub mod revisions;
mod rows;
mod seed;
pub mod shelf;
pub mod tags;
pub mod term_exchange;
pub mod terms;
mod under;
pub mod undo;
mod versions;
pub mod writing;

pub use attack::{Tactic, highest_version, list_tactics};
pub use plans::{Plan, PlanRow, get_plan, list_plan_procedures, list_plans};
pub use procedures::{Choice, Choices, Hit, Search, count, list_choices, list_hits, search};
pub use repositories::{Repository, list_repositories};
pub use seed::seed_starter;
