//! What engagements give back to the library: a procedure as it was worked, an engagement as a test plan, and
//! where a procedure was used. Nothing of the client goes along unless somebody says that it may.

pub mod domain;
pub mod pages;
pub mod store;
pub mod views;
