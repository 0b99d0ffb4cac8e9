//! The procedure page, the heart of the product: outcomes, steps, logs, attachments, and the merge that lets
//! two people write on one page without losing a word.

pub mod domain;
pub mod entries;
pub mod evidence;
pub mod inputs;
pub mod pages;
pub mod queue;
pub mod store;
pub mod sweep;
pub mod upload;
pub mod views;
