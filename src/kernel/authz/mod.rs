//! Who may do what: the pure table. `web::permit` turns it into values that store functions demand.

pub mod policy;
pub mod shelf;
pub mod visible;
pub mod write_rule;

pub use policy::{Permission, Rights};
pub use shelf::Shelf;
pub use visible::Visible;
pub use write_rule::WriteRule;
