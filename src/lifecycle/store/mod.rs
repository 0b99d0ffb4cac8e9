//! SQL of the lifecycle: what a move judges from and the move itself, and the sweep of the hourly job.

mod moves;
mod sweep;

pub use moves::{Locked, apply, lock_engagement, touch};
pub use sweep::{move_batch, sweep};
