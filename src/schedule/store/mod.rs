//! SQL of the schedule: what the views show.

pub mod bookings;
