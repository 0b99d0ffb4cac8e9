//! The one place that reads the machine's clock. Everything else is told the time, so that tests can move it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeZone, Utc};

/// Tells the time: the machine's, or one that a test sets.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    Machine,
    Set(Arc<AtomicI64>),
}

impl Clock {
    pub fn machine() -> Self {
        Self(Source::Machine)
    }

    /// A clock that stands at `at` until [`Clock::set`] moves it.
    pub fn standing_at(at: DateTime<Utc>) -> Self {
        Self(Source::Set(Arc::new(AtomicI64::new(at.timestamp_micros()))))
    }

    /// Whether it tells the machine's time, and not one that was set.
    pub fn is_machine(&self) -> bool {
        matches!(self.0, Source::Machine)
    }

    /// The time, to the microsecond: finer would not survive a round trip through PostgreSQL.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn now(&self) -> DateTime<Utc> {
        let micros = match &self.0 {
            Source::Machine => Utc::now().timestamp_micros(),
            Source::Set(micros) => micros.load(Ordering::SeqCst),
        };
        Utc.timestamp_micros(micros).single().unwrap_or_default()
    }

    /// Moves a standing clock, and every copy of it. The machine's clock stays as it is.
    pub fn set(&self, at: DateTime<Utc>) {
        if let Source::Set(micros) = &self.0 {
            micros.store(at.timestamp_micros(), Ordering::SeqCst);
        }
    }
}
