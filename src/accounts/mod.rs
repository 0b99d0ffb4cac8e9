//! People and how they come in: first start, sign-in, sessions, password, roles, client access. Everyone's
//! rights are loaded with their session in one statement, so a change of rights acts on the next request
//! everywhere.

pub mod access;
pub mod domain;
pub mod pages;
pub mod roles;
pub mod session;
pub mod store;
pub mod sweep;
pub mod two_factor;
pub mod users;
pub mod views;
