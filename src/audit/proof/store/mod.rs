//! SQL of the proof.

pub mod seal;
pub mod standing;
pub mod verification;
pub mod verify;
