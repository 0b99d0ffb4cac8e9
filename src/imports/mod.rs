//! Importers and exporters. What is read is hostile until it is checked: [`source`] knows what a file is and
//! has it read ([`archive`], [`atomics`], [`attack`], [`plextrac`], [`layer`], [`repository`]) without
//! touching the database, so that one that is refused has written nothing. The engine in [`store`] compares
//! it with the library ([`preview`]) and writes in one transaction; the command line and the pages differ in
//! who is asked in between ([`check`]).

pub mod archive;
pub mod atomics;
pub mod attack;
pub mod check;
pub mod domain;
pub mod findings;
pub mod forms;
pub mod known;
pub mod layer;
pub mod layers;
pub mod outcome;
pub mod pages;
pub mod plextrac;
pub mod preview;
pub mod releases;
pub mod repository;
pub mod source;
pub mod store;
pub mod upload;
pub mod views;
pub mod yaml;
