//! What an event is, how it is written, and how the newest ones about something are read and shown. How the
//! log is searched, kept and proved lies above, in `audit`.

pub mod about;
pub mod domain;
pub mod months;
pub mod record;
pub mod schema;
pub mod store;
pub mod views;
