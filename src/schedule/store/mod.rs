//! SQL of the schedule: what a move judges from and the move itself, the sweep of the hourly job, what the views show.

pub mod bookings;
mod lifecycle;
mod sweep;

pub use lifecycle::{Locked, apply, lock_engagement, touch};
pub use sweep::sweep;
