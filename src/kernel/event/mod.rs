//! What an event is. How it is searched, kept and proved lies above, in `audit`.

pub mod domain;
