//! Pages of engagements, made from what the stores return.

pub mod forms;
pub mod glance;
pub mod list;
pub mod requests;
mod samples;
pub mod sections;
pub mod show;
pub mod table;
pub mod wizard;

/// What the samples of the engagement's page are made of, for slices that show the same engagement.
pub fn samples_of_page() -> show::Loaded {
    samples::sample().0
}

/// Every view of the slice, for the samples test.
pub fn samples() -> Vec<(&'static str, String)> {
    [list::samples(), samples::pages(), samples::fragments(), wizard::samples(), forms::samples()].concat()
}
