//! Times as people type and read them: parsed in a named zone, shown again, and told in words.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};

/// Years outside this range are typing errors, and far ones break the database's own range.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=2199;

/// The instant that a page's cursor names, in microseconds since 1970; none for one that no row can have.
pub fn from_cursor(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros).filter(|at| YEARS.contains(&at.year()))
}

const TIME_FORMATS: &[&str] = &[
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%d %b %Y, %H:%M:%S",
    "%d %b %Y, %H:%M",
];

/// The zone of this name, such as "Europe/Lisbon".
///
/// # Errors
/// A sentence when no such zone exists.
pub fn zone(raw: &str) -> Result<Tz, String> {
    raw.trim().parse().map_err(|_| {
        "This time zone is not known. Choose one from the list, such as Europe/Lisbon.".to_owned()
    })
}

/// A wall-clock time in `zone`: what a `datetime-local` input posts, with or without seconds, or the form
/// people read ("21 Nov 2026, 14:11:08"). An ambiguous time is the earlier of the two; fractions of a second
/// are dropped. An [`instant`], a time with its offset (RFC 3339) and seconds or milliseconds since 1970, as
/// alerts carry them, are taken as they are, whatever the zone.
///
/// # Errors
/// A sentence when the text is no time, the year is out of range, or the zone's clock skipped that time.
pub fn parse(raw: &str, zone: Tz) -> Result<DateTime<Utc>, String> {
    if let Some(utc) = raw.trim().strip_suffix('Z') {
        return Ok(parse_wall(utc)?.and_utc());
    }
    if let Some(at) = parse_exact(raw.trim()) {
        check_year(at.date_naive())?;
        return Ok(DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at));
    }
    let local = parse_wall(raw)?;
    if let Some(at) = zone.from_local_datetime(&local).earliest() {
        return Ok(at.to_utc());
    }
    let gap = GapInfo::new(&local, &zone)
        .and_then(|gap| gap.begin.zip(gap.end))
        .map(|((begin, _), end)| {
            let format = |at: NaiveDateTime| {
                let same_day = at.date() == local.date();
                at.format(if same_day { "%H:%M" } else { "%-d %b %Y, %H:%M" }).to_string()
            };
            format!(": its clocks went from {} to {}", format(begin), format(end.naive_local()))
        })
        .unwrap_or_default();
    Err(format!(
        "{} did not exist in {zone}{gap}. Choose a time before or after.",
        local.format("%-d %b %Y, %H:%M")
    ))
}

/// An instant that needs no zone: with an offset, or counted since 1970.
fn parse_exact(raw: &str) -> Option<DateTime<Utc>> {
    let whole = raw.split_once('.').map_or(raw, |(whole, _)| whole);
    let is_number = raw.replacen('.', "", 1).bytes().all(|b| b.is_ascii_digit());
    if is_number && let Ok(count) = whole.parse::<i64>() {
        // Ten digits are seconds until the year 2286; thirteen are milliseconds, sixteen microseconds.
        return match whole.len() {
            9..=10 => DateTime::from_timestamp(count, 0),
            12..=13 => DateTime::from_timestamp_millis(count),
            15..=16 => DateTime::from_timestamp_micros(count),
            _ => None,
        };
    }
    let spaced = || DateTime::parse_from_str(raw, "%Y-%m-%d %H:%M:%S%.f%:z").ok();
    let basic = || DateTime::parse_from_str(raw, "%Y-%m-%dT%H:%M:%S%.f%z").ok();
    let found = DateTime::parse_from_rfc3339(raw).ok().or_else(spaced).or_else(basic);
    found.map(|at| at.to_utc())
}

/// The text that times are kept and compared by, whatever zone people see them in: "2026-11-21T14:05:08Z".
pub fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Which instant a time typed in `zone` means: one of `known` where that shows the same wall clock, so that
/// the second pass of an hour which the clocks repeat stays the second; else `typed`.
pub fn nearest(
    typed: DateTime<Utc>,
    zone: Tz,
    known: impl IntoIterator<Item = DateTime<Utc>>,
) -> DateTime<Utc> {
    known.into_iter().find(|at| for_input(*at, zone) == for_input(typed, zone)).unwrap_or(typed)
}

/// What a time typed in `zone` means that comes after `start`: the second pass of an hour which the clocks
/// repeat, where the first would lie before it.
pub fn not_before(start: DateTime<Utc>, typed: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
    let wall = typed.with_timezone(&zone).naive_local();
    let second = zone.from_local_datetime(&wall).latest().map(|at| at.to_utc());
    second.filter(|second| typed < start && *second >= start).unwrap_or(typed)
}

fn parse_wall(raw: &str) -> Result<NaiveDateTime, String> {
    let raw = raw.trim();
    let local = TIME_FORMATS
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(raw, format).ok())
        .ok_or("This is not a time. Write it like 2026-11-21 14:05:30 or 21 Nov 2026, 14:05:30.")?;
    check_year(local.date())?;
    // A leap second has no instant of its own and would print as :60, which no form takes back.
    let whole = local.and_utc().timestamp();
    Ok(DateTime::from_timestamp(whole, 0).map_or(local, |at| at.naive_utc()))
}

fn check_year(date: NaiveDate) -> Result<(), String> {
    if YEARS.contains(&date.year()) {
        return Ok(());
    }
    Err(format!("The year must lie between {} and {}.", YEARS.start(), YEARS.end()))
}

/// A date: "2026-11-21" or "21 Nov 2026"; empty text is no date.
///
/// # Errors
/// A sentence when the text is no date or the year is out of range.
pub fn parse_date(raw: &str) -> Result<Option<NaiveDate>, String> {
    let raw = raw.trim();
    if raw.is_empty() {
        return Ok(None);
    }
    let date = ["%Y-%m-%d", "%d %b %Y"]
        .iter()
        .find_map(|format| NaiveDate::parse_from_str(raw, format).ok())
        .ok_or("This is not a date. Write it like 2026-11-21.")?;
    check_year(date)?;
    Ok(Some(date))
}

/// For the value of a `datetime-local` input: "2026-11-21T14:05:08".
pub fn for_input(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// Names of time zones to choose from: one for each place, and UTC.
pub fn zones() -> &'static [&'static str] {
    static ZONES: std::sync::LazyLock<Vec<&'static str>> = std::sync::LazyLock::new(|| {
        const AREAS: [&str; 9] = [
            "Africa/",
            "America/",
            "Antarctica/",
            "Asia/",
            "Atlantic/",
            "Australia/",
            "Europe/",
            "Indian/",
            "Pacific/",
        ];
        let places = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        std::iter::once("UTC")
            .chain(places.filter(|name| AREAS.iter().any(|area| name.starts_with(area))))
            .collect()
    });
    &ZONES
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    #[test]
    fn a_time_that_comes_twice_is_the_pass_that_fits() {
        let of = |start, typed| not_before(utc(start), utc(typed), Tz::America__New_York);
        assert_eq!(of("2026-11-01T05:50:00Z", "2026-11-01T05:10:00Z"), utc("2026-11-01T06:10:00Z"));
        assert_eq!(of("2026-11-01T05:00:00Z", "2026-11-01T05:10:00Z"), utc("2026-11-01T05:10:00Z"));
        assert_eq!(of("2026-11-01T07:00:00Z", "2026-11-01T05:10:00Z"), utc("2026-11-01T05:10:00Z"));
        assert_eq!(of("2026-11-02T05:50:00Z", "2026-11-02T05:10:00Z"), utc("2026-11-02T05:10:00Z"));
    }

    #[test]
    fn reads_what_inputs_and_people_write() {
        for (raw, instant) in [
            ("2026-11-21T14:11", "2026-11-21T13:11:00Z"),
            ("2026-11-21T14:11:08", "2026-11-21T13:11:08Z"),
            ("2026-11-21T14:11:08.250", "2026-11-21T13:11:08Z"),
            (" 2026-11-21 14:11 ", "2026-11-21T13:11:00Z"),
            ("21 Nov 2026, 14:11:08", "2026-11-21T13:11:08Z"),
            ("1 nov 2026, 09:05", "2026-11-01T08:05:00Z"),
            ("2016-12-31T23:59:60", "2016-12-31T22:59:59Z"),
        ] {
            assert_eq!(parse(raw, Tz::Europe__Berlin), Ok(utc(instant)), "{raw}");
        }
        for raw in [
            "",
            "yesterday",
            "2026-13-01T00:00",
            "14:11",
            "2026-11-21",
            "0026-11-21T14:11",
            "9999-11-21T14:11",
        ] {
            assert!(parse(raw, Tz::UTC).is_err(), "{raw}");
        }
    }

    #[test]
    fn an_ambiguous_time_is_the_earlier_one() {
        assert_eq!(parse("2026-10-25T02:30", Tz::Europe__Berlin), Ok(utc("2026-10-25T00:30:00Z")));
    }

    #[test]
    fn a_skipped_time_is_refused_with_both_ends_of_the_gap() {
        assert_eq!(
            parse("2026-03-29T02:30", Tz::Europe__Berlin),
            Err("29 Mar 2026, 02:30 did not exist in Europe/Berlin: its clocks went from 02:00 to 03:00. \
                Choose a time before or after."
                .into())
        );
        assert!(parse("2026-04-24T00:15", Tz::Africa__Cairo).is_err());
        assert_eq!(
            parse("1994-12-31T12:00", Tz::Pacific__Kiritimati),
            Err("31 Dec 1994, 12:00 did not exist in Pacific/Kiritimati: its clocks went from 00:00 to 1 \
                Jan 1995, 00:00. Choose a time before or after."
                .into())
        );
    }

    #[test]
    fn dates() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 21);
        assert_eq!(parse_date("2026-11-21"), Ok(day));
        assert_eq!(parse_date(" 21 Nov 2026 "), Ok(day));
        assert_eq!(parse_date("  "), Ok(None));
        assert!(parse_date("2026-02-30").is_err());
        assert!(parse_date("12026-02-03").is_err());
    }

    #[test]
    fn zones_have_names() {
        assert_eq!(zone(" Europe/Lisbon "), Ok(Tz::Europe__Lisbon));
        assert!(zone("Europe/Atlantis").is_err());
        assert!(zone("").is_err());
    }

    proptest! {
        #![proptest_config(crate::kernel::base::proptests::config())]
        // What a form shows and posts back untouched is the same text, and never later than the instant it
        // came from.
        #[test]
        fn a_shown_time_reads_back(
            zone in prop::sample::select(&chrono_tz::TZ_VARIANTS[..]),
            seconds in 86_400i64..7_000_000_000,
        ) {
            let at = DateTime::from_timestamp(seconds, 0).expect("in range");
            let shown = for_input(at, zone);
            prop_assert_eq!(nearest(parse(&shown, zone).expect("it exists"), zone, [at]), at);
            prop_assert_eq!(parse(&instant(at), zone), Ok(at));
            let back = parse(&shown, zone).expect("it exists");
            prop_assert!(back <= at);
            prop_assert_eq!(for_input(back, zone), shown);
            prop_assert_eq!(parse(&crate::kernel::base::show::seconds(at, zone), zone), Ok(back));
        }

        #[test]
        fn no_text_panics(raw in ".{0,40}") {
            let _ = parse(&raw, Tz::Africa__Cairo);
            let _ = parse_date(&raw);
        }
    }

    #[test]
    fn an_alerts_own_time_is_taken_as_it_is() {
        let at = Utc.with_ymd_and_hms(2026, 11, 1, 6, 12, 33).unwrap();
        for raw in [
            "2026-11-01T06:12:33Z",
            "2026-11-01T01:12:33-05:00",
            "2026-11-01 07:12:33.250+01:00",
            "2026-11-01T07:12:33.250+0100",
            "1793513553",
            "1793513553.25",
            "1793513553250",
            "1793513553250000",
        ] {
            assert_eq!(parse(raw, Tz::America__New_York), Ok(at), "{raw}");
        }
        assert!(parse("20261101", Tz::UTC).is_err(), "a date without signs is no count of seconds");
    }
}
