//! Client access: who may see which client, in which role, given by whom and when; from the person's side,
//! the client's side, and as one list.

pub mod pages;
pub mod store;
pub mod views;
