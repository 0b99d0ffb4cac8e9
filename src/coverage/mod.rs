//! The matrix: what the library has for each technique, and what blue answered last. A screen over library
//! and procedures, because what an answer means is read there.

pub mod pages;
pub mod views;
