//! How the log proves itself: `record` → `merkle` → `seal` → `sealer`, and `verify` goes the same way.

pub mod archive;
pub mod inclusion;
pub mod merkle;
pub mod record;
pub mod seal;
pub mod sealer;
pub mod set_aside;
pub mod store;
pub mod verify;
