//! Importers: read and check ([`attack`], [`atomics`], [`plextrac`], [`layer`], [`repository`]), then
//! compare, then write in one transaction; and the exports of the library. What is read is hostile until it
//! is checked, and no reader touches the database: a file that is refused has written nothing.

pub mod archive;
pub mod atomics;
pub mod attack;
pub mod domain;
pub mod findings;
pub mod layer;
pub mod layers;
pub mod outcome;
pub mod pages;
pub mod plextrac;
pub mod repository;
pub mod store;
pub mod yaml;
