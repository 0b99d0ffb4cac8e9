//! How the log proves itself: `record` → `merkle` → `seal` → `sealer`, and `verify` goes the same way; each
//! night in `verification`, whose page says how the log stands.

pub mod archive;
pub mod inclusion;
pub mod merkle;
pub mod pages;
pub mod record;
pub mod seal;
pub mod sealer;
pub mod set_aside;
pub mod store;
pub mod verification;
pub mod verify;
pub mod views;
