//! Importers: read and check ([`attack`], [`atomics`]), then compare ([`domain::plan`]), then write
//! in one transaction. What is read is hostile until it is checked, and nothing here touches the
//! database: a file that is refused has written nothing.

pub mod archive;
pub mod atomics;
pub mod attack;
pub mod domain;
pub mod store;
