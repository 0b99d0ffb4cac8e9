//! Pages of engagements, made from what the stores return.

pub mod forms;
pub mod glance;
pub mod list;
pub mod marks;
mod samples;
pub mod sections;
pub mod show;
pub mod table;
pub mod wizard;

/// Every view of the slice, for the samples test.
pub fn samples() -> Vec<(&'static str, String)> {
    [list::samples(), samples::pages(), samples::fragments(), wizard::samples(), forms::samples()].concat()
}
