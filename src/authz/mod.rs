//! Who may do what. `policy` is the pure table; `permit` turns it into values that store functions demand.

pub mod owner;
pub mod permit;
pub mod policy;

pub use permit::{Permit, Viewer};
pub use policy::{Permission, Rights};
