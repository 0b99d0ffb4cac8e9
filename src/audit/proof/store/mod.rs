//! SQL of the proof.

pub mod definitions;
pub mod seal;
pub mod set_aside;
pub mod verify;
