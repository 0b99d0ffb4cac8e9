//! SQL of the proof.

pub mod seal;
pub mod verify;
