//! How things look: dates, periods, durations, sizes, counts. The same thing looks the same on every page.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

/// For reading: "21 Nov 2026, 14:05".
pub fn time(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%-d %b %Y, %H:%M").to_string()
}

/// For reading where seconds count: "21 Nov 2026, 14:05:08".
pub fn seconds(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%-d %b %Y, %H:%M:%S").to_string()
}

/// A time not far from `now`: "14:05", or on another day "22 Nov, 14:05".
pub fn soon(at: DateTime<Utc>, now: DateTime<Utc>, zone: Tz) -> String {
    let (at, now) = (at.with_timezone(&zone), now.with_timezone(&zone));
    let form = if at.date_naive() == now.date_naive() { "%H:%M" } else { "%-d %b, %H:%M" };
    at.format(form).to_string()
}

/// A date for reading: "21 Nov 2026".
pub fn date(date: NaiveDate) -> String {
    date.format("%-d %b %Y").to_string()
}

/// How long ago, for the last day only: "just now", "58 s ago", "3 min ago", "5 h ago". A moment that lies
/// ahead by less than a minute counts as now, since clocks differ; otherwise `None`.
pub fn relative(at: DateTime<Utc>, now: DateTime<Utc>) -> Option<String> {
    match (now - at).num_seconds() {
        -59..5 => Some("just now".into()),
        s @ 5..60 => Some(format!("{s} s ago")),
        s @ 60..3_600 => Some(format!("{} min ago", s / 60)),
        s @ 3_600..86_400 => Some(format!("{} h ago", s / 3_600)),
        _ => None,
    }
}

/// A duration in its two largest units: "58 s", "4 min 12 s", "2 h 5 min", "3 d 4 h"; the smaller one only
/// when it is not zero. Smaller parts are dropped.
pub fn duration(duration: TimeDelta) -> String {
    let total = duration.num_seconds();
    let sign = if total < 0 { "−" } else { "" };
    let total = total.unsigned_abs();
    let two = |large: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{sign}{large} {unit}"),
        _ => format!("{sign}{large} {unit} {small} {small_unit}"),
    };
    match total {
        0..60 => format!("{sign}{total} s"),
        60..3_600 => two(total / 60, "min", total % 60, "s"),
        3_600..86_400 => two(total / 3_600, "h", total % 3_600 / 60, "min"),
        _ => two(total / 86_400, "d", total % 86_400 / 3_600, "h"),
    }
}

/// How long something took: "84 ms", from a second on as [`duration`].
pub fn took(took: TimeDelta) -> String {
    match took.num_milliseconds() {
        short @ ..1_000 => format!("{} ms", short.max(0)),
        _ => duration(took),
    }
}

/// "16 – 27 Nov 2026", "from 16 Nov 2026", "until 27 Nov 2026", or nothing.
pub fn dates(start: Option<NaiveDate>, end: Option<NaiveDate>) -> String {
    match (start, end) {
        (Some(start), Some(end)) if start == end => date(start),
        (Some(start), Some(end)) if start.format("%Y-%m").to_string() == end.format("%Y-%m").to_string() => {
            format!("{} – {}", start.format("%-d"), date(end))
        }
        (Some(start), Some(end)) if start.format("%Y").to_string() == end.format("%Y").to_string() => {
            format!("{} – {}", start.format("%-d %b"), date(end))
        }
        (Some(start), Some(end)) => format!("{} – {}", date(start), date(end)),
        (Some(start), None) => format!("from {}", date(start)),
        (None, Some(end)) => format!("until {}", date(end)),
        (None, None) => String::new(),
    }
}

/// An instant for `<time>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    pub iso: String,
    /// "3 min ago" within a day, otherwise the date and time.
    pub text: String,
    /// The exact time with its zone, as a title.
    pub title: String,
}

impl When {
    /// Relative within the last day.
    pub fn ago(at: DateTime<Utc>, now: DateTime<Utc>, zone: Tz) -> Self {
        let text = relative(at, now).unwrap_or_else(|| time(at, zone));
        Self { text, ..Self::exact(at, zone) }
    }
    /// Always the date and time.
    pub fn exact(at: DateTime<Utc>, zone: Tz) -> Self {
        Self {
            iso: at.to_rfc3339(),
            text: time(at, zone),
            title: format!("{} {}", seconds(at, zone), zone.name()),
        }
    }
}

/// A size in bytes: "812 bytes", "48 KiB", "1.5 MiB".
pub fn size(bytes: i64) -> String {
    const STEP: i64 = 1024;
    match bytes {
        b if b < STEP => format!("{b} bytes"),
        b if b < STEP * STEP => format!("{} KiB", (b + STEP / 2) / STEP),
        b => {
            let tenths = (b * 10 + STEP * STEP / 2) / (STEP * STEP);
            if tenths % 10 == 0 || tenths >= 100 {
                format!("{} MiB", (tenths + 5) / 10)
            } else {
                format!("{}.{} MiB", tenths / 10, tenths % 10)
            }
        }
    }
}

/// A number with separators: "1,818".
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + 2);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with its noun: "1 procedure", "1,818 procedures".
pub fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

/// The same of a count that was not taken further than `most`: "1,000+ reports".
pub fn counted_to(number: i64, most: i64, one: &str, many: &str) -> String {
    let number = usize::try_from(number).unwrap_or_default();
    let most = usize::try_from(most).unwrap_or_default();
    if number < most { counted(number, one, many) } else { format!("{}+ {many}", thousands(most - 1)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Option<NaiveDate> {
        text.parse().ok()
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    #[test]
    fn shows_times() {
        let at = utc("2026-11-01T13:05:08Z");
        assert_eq!(super::super::times::for_input(at, Tz::Europe__Lisbon), "2026-11-01T13:05:08");
        assert_eq!(time(at, Tz::Asia__Kolkata), "1 Nov 2026, 18:35");
        assert_eq!(seconds(at, Tz::UTC), "1 Nov 2026, 13:05:08");
        assert_eq!(date(at.date_naive()), "1 Nov 2026");
    }

    #[test]
    fn words() {
        let words = |s| duration(TimeDelta::seconds(s));
        for (seconds, text) in [
            (0, "0 s"),
            (58, "58 s"),
            (60, "1 min"),
            (252, "4 min 12 s"),
            (3_600, "1 h"),
            (7_500, "2 h 5 min"),
            (7_559, "2 h 5 min"),
            (86_400, "1 d"),
            (273_600, "3 d 4 h"),
            (-58, "−58 s"),
        ] {
            assert_eq!(words(seconds), text);
        }
        let now = utc("2026-11-21T14:00:00Z");
        let ago = |s| relative(now - TimeDelta::seconds(s), now);
        for (seconds, text) in [
            (-60, None),
            (-59, Some("just now")),
            (0, Some("just now")),
            (4, Some("just now")),
            (5, Some("5 s ago")),
            (59, Some("59 s ago")),
            (60, Some("1 min ago")),
            (215, Some("3 min ago")),
            (3_599, Some("59 min ago")),
            (3_600, Some("1 h ago")),
            (86_399, Some("23 h ago")),
            (86_400, None),
        ] {
            assert_eq!(ago(seconds).as_deref(), text, "{seconds}");
        }
    }

    #[test]
    fn dates_say_no_more_than_needed() {
        assert_eq!(dates(day("2026-11-16"), day("2026-11-27")), "16 – 27 Nov 2026");
        assert_eq!(dates(day("2026-10-30"), day("2026-11-27")), "30 Oct – 27 Nov 2026");
        assert_eq!(dates(day("2026-12-30"), day("2027-01-03")), "30 Dec 2026 – 3 Jan 2027");
        assert_eq!(dates(day("2026-12-30"), day("2026-12-30")), "30 Dec 2026");
        assert_eq!(dates(day("2026-12-30"), None), "from 30 Dec 2026");
        assert_eq!(dates(None, None), "");
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(size(0), "0 bytes");
        assert_eq!(size(48 * 1024), "48 KiB");
        assert_eq!(size(50 << 20), "50 MiB");
        assert_eq!(size(1_600_000), "1.5 MiB");
        assert_eq!(size((1 << 20) - 1), "1024 KiB");
    }

    #[test]
    fn counts_have_their_noun() {
        assert_eq!(counted(0, "event", "events"), "0 events");
        assert_eq!(counted(1, "event", "events"), "1 event");
        assert_eq!(counted(1818, "event", "events"), "1,818 events");
        assert_eq!(counted_to(1_000, 1_001, "event", "events"), "1,000 events");
        assert_eq!(counted_to(1_001, 1_001, "event", "events"), "1,000+ events");
    }
}
