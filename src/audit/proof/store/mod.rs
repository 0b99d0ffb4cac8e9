//! SQL of the proof.

pub mod definitions;
pub mod rights;
pub mod seal;
pub mod set_aside;
pub mod standing;
pub mod verification;
pub mod verify;
