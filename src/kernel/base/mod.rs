//! Words and values: the lowest floor.

pub mod clock;
pub mod csv;
pub mod error;
pub mod harmless;
pub mod hex;
pub mod ids;
pub mod keyset;
pub mod logging;
pub mod network;
pub mod pairs;
pub mod private;
pub mod query;
pub mod show;
pub mod team;
pub mod text;
pub mod text_enum;
pub mod times;
pub mod zone;

#[cfg(test)]
pub mod proptests;
