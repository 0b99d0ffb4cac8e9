//! What an event is and how it is written. How it is searched, kept and proved lies above, in `audit`.

pub mod domain;
pub mod schema;
pub mod store;
