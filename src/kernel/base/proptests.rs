//! What the property tests share.

use proptest::test_runner::{Config, FileFailurePersistence};

/// proptest's own defaults, except that a case which failed once is kept below `tests/`, and tried first
/// from then on.
pub fn config() -> Config {
    Config::with_failure_persistence(FileFailurePersistence::SourceParallel("tests/proptest-regressions"))
}
