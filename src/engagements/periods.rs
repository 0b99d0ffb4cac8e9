//! Operators and their own dates within an engagement's, as forms post them. Pure.

use chrono::NaiveDate;

use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::PersonId;
use crate::kernel::base::pairs::Pairs;
use crate::kernel::base::team::Team;
use crate::kernel::base::times;

/// Own dates of operators as typed: who, first day, last day.
pub type OwnDates = Vec<(PersonId, String, String)>;

/// An operator's own dates within the engagement's; without them they take part in all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnPeriod {
    pub person: PersonId,
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
}

/// Own dates as typed.
pub fn typed_periods(pairs: &Pairs) -> OwnDates {
    let of = |name: String| pairs.get(&name).unwrap_or_default().to_owned();
    pairs
        .under("from.")
        .filter_map(|(person, from)| {
            let person: PersonId = person.parse().ok()?;
            Some((person, from.to_owned(), of(format!("to.{person}"))))
        })
        .collect()
}

/// Operators as a form ticks them (`red`, `blue`), or with the prefix `had_` as it showed them.
pub fn ticked(pairs: &Pairs, prefix: &str) -> impl Iterator<Item = (PersonId, Team)> {
    Team::ALL.iter().flat_map(move |team| {
        let name = format!("{prefix}{}", team.as_str());
        pairs.all(&name).filter_map(|person| Some((person.parse().ok()?, *team))).collect::<Vec<_>>()
    })
}

/// Own dates as typed, where they are not as they are stored (`had_from.{person}`, `had_to.{person}`).
pub fn changed_as_typed(pairs: &Pairs) -> OwnDates {
    let had = |name: String| pairs.get(&name).unwrap_or_default();
    let mut typed = typed_periods(pairs);
    typed.retain(|(person, from, to)| {
        had(format!("had_from.{person}")) != from || had(format!("had_to.{person}")) != to
    });
    typed
}

/// Own dates that are not as they are stored.
///
/// # Errors
/// A sentence under `from.{person}` for what is no date.
pub fn changed_periods(pairs: &Pairs) -> Result<Vec<OwnPeriod>, FieldErrors> {
    let mut errors = FieldErrors::default();
    let mut changed = Vec::new();
    for (person, from, to) in changed_as_typed(pairs) {
        match (times::parse_date(&from), times::parse_date(&to)) {
            (Ok(from), Ok(to)) => changed.push(OwnPeriod { person, from, to }),
            (Err(sentence), _) | (_, Err(sentence)) => errors.add(&format!("from.{person}"), sentence),
        }
    }
    if errors.is_empty() { Ok(changed) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_dates_that_changed_are_saved() {
        let (a, b, c) = (PersonId::new(), PersonId::new(), PersonId::new());
        let pair = |name: &str, who: PersonId, value: &str| (format!("{name}.{who}"), value.to_owned());
        let posted = [
            pair("from", a, "2026-11-21"),
            pair("to", a, ""),
            pair("had_from", b, "2026-11-22"),
            pair("from", b, "2026-11-22"),
            pair("from", c, "soon"),
        ];
        assert_eq!(
            changed_periods(&posted[..4].iter().cloned().collect()).unwrap(),
            [OwnPeriod { person: a, from: "2026-11-21".parse().ok(), to: None }]
        );
        assert!(
            changed_periods(&posted.into_iter().collect()).unwrap_err().get(&format!("from.{c}")).is_some()
        );
    }
}
