//! Samples of every view, for the test that renders them all.

/// Every view of the slice.
pub fn samples() -> Vec<(&'static str, String)> {
    Vec::new()
}
