//! What the audit log is asked for: the address as typed, what holds of it, and a sentence for each part that
//! does not.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::PersonId;
use crate::kernel::base::show;
use crate::kernel::base::times;
use crate::kernel::event::domain::Category;
use crate::kernel::event::record::Place;
use crate::lifecycle::domain::starts_at;

/// What the address says for the 24 hours before now, wherever midnight was.
pub const PAST_DAY: &str = "24h";
/// The most words of a search.
pub const WORDS: usize = 10;
/// The most characters of each: a SHA-256 in hexadecimal digits is a word too.
pub const WORD_CHARS: usize = 64;
/// The most characters of a search that are looked at.
const Q_CHARS: usize = 2_000;

crate::text_enum! {
    /// How a person takes part in an event.
    #[derive(Default)]
    pub enum Part {
        #[default]
        Either => "either", "By or about";
        By => "by", "By";
        About => "about", "About";
    }
}

/// The address as typed. What cannot be read is told beside its field; the rest applies.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// [`PAST_DAY`], in place of dates.
    pub past: String,
    pub from: String,
    pub to: String,
    pub q: String,
    pub category: Vec<String>,
    pub user: String,
    /// How that person takes part.
    pub part: String,
    /// Page of what is older than this.
    pub before: String,
    /// Page of what is newer than this.
    pub after: String,
    /// The day to jump to.
    pub jump: String,
    /// The row that is open.
    pub open: String,
    /// One event alone, for its proof.
    pub event: String,
    /// Whether an export carries proofs.
    pub proof: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Page {
    #[default]
    Newest,
    /// Those before a place.
    Before(Place),
    After(Place),
    /// Those of a day and before it.
    Day(NaiveDate),
}

/// A word or phrase that an event must have, or must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The characters, as typed.
    pub text: String,
    /// Whether events that have it are left out.
    pub not: bool,
}

impl Term {
    /// Whether it is a word of one or two letters or digits. The index of three-letter parts does not find it
    /// inside of other words, so that it is found where a word begins with it.
    pub fn is_short_word(&self) -> bool {
        self.text.chars().count() < 3 && self.text.chars().all(char::is_alphanumeric)
    }

    /// Whether it has no letter and no digit, by which an index could find it.
    pub fn is_sign(&self) -> bool {
        !self.text.contains(char::is_alphanumeric)
    }

    /// The first and the last id that begin with it, where it is at least eight digits of one, with its
    /// hyphens or without.
    pub fn ids(&self) -> Option<(Uuid, Uuid)> {
        let plain = |c: char| c == '-' || c.is_ascii_hexdigit();
        let digits: String = self.text.chars().filter(char::is_ascii_hexdigit).collect();
        if !(8..=32).contains(&digits.len()) || !self.text.chars().all(plain) {
            return None;
        }
        let filled = |with: &str| Uuid::try_parse(&(digits.clone() + &with.repeat(32 - digits.len()))).ok();
        Some((filled("0")?, filled("f")?))
    }

    /// Whether it may be the beginning of a file's SHA-256.
    pub fn is_digest(&self) -> bool {
        (8..=64).contains(&self.text.len()) && self.text.chars().all(|c| c.is_ascii_hexdigit())
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only the 24 hours before now.
    pub past_day: bool,
    /// First day, in the organisation's zone.
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
    /// The search as typed.
    pub q: String,
    /// What of it applies.
    pub terms: Vec<Term>,
    /// Categories; none means all.
    pub categories: Vec<Category>,
    pub user: Option<PersonId>,
    /// How that person takes part.
    pub part: Part,
    pub page: Page,
    /// The row that is open.
    pub open: Option<Place>,
}

impl Asked {
    /// Reads a query string, whatever it holds: of a value that is given twice the last counts, NUL does not,
    /// and names that are none of ours are passed over.
    pub fn of(query: &str) -> Self {
        let pairs: Vec<(String, String)> = serde_html_form::from_str(query).unwrap_or_default();
        let mut asked = Self::default();
        for (name, value) in pairs {
            let value = value.replace('\0', "");
            match name.as_str() {
                "past" => asked.past = value,
                "from" => asked.from = value,
                "to" => asked.to = value,
                "q" => asked.q = value,
                "category" => asked.category.push(value),
                "user" => asked.user = value,
                "as" => asked.part = value,
                "before" => asked.before = value,
                "after" => asked.after = value,
                "jump" => asked.jump = value,
                "open" => asked.open = value,
                "event" => asked.event = value,
                "proof" => asked.proof = value,
                _ => {}
            }
        }
        asked
    }

    /// Reads the address: what applies, and a sentence beside each field that does not.
    pub fn read(&self) -> (Filter, FieldErrors) {
        let mut errors = FieldErrors::default();
        let mut day = |field: &str, text: &str| {
            times::parse_date(text).unwrap_or_else(|sentence| {
                errors.add(field, sentence);
                None
            })
        };
        let (mut from, mut to, jump) =
            (day("from", &self.from), day("to", &self.to), day("jump", &self.jump));
        if let (Some(first), Some(last)) = (from, to)
            && first > last
        {
            errors.add("from", "The start date lies after the end date. Neither applies.");
            (from, to) = (None, None);
        }
        let mut categories = Vec::new();
        for name in self.category.iter().filter(|name| !name.is_empty()) {
            match name.parse::<Category>() {
                Ok(category) if !categories.contains(&category) => categories.push(category),
                Ok(_) => {}
                Err(_) => errors.add("category", "There is no such category. The others apply."),
            }
        }
        let user = match self.user.trim() {
            "" => None,
            id => id
                .parse()
                .map_err(|_| errors.add("user", "There is no such user. Choose one from the list."))
                .ok(),
        };
        let place = |text: &str| text.parse::<Place>().ok();
        let page = match (self.before.as_str(), self.after.as_str()) {
            ("", "") => jump.map_or_else(Default::default, Page::Day),
            (before, "") => place(before).map_or_else(Default::default, Page::Before),
            (_, after) => place(after).map_or_else(Default::default, Page::After),
        };
        if page == Page::Newest && !(self.before.is_empty() && self.after.is_empty()) {
            errors.add("page", "This address names no page of the log. The newest events are shown.");
        }
        // A search of ten kilobytes is cut, not refused: what lies beyond could not apply anyway.
        let q: String = self.q.trim().chars().take(Q_CHARS).collect();
        let q = q.trim_end().to_owned();
        let terms = read_terms(&q, &mut errors);
        let filter = Filter {
            // Whoever chooses a date means that.
            past_day: self.past == PAST_DAY && from.is_none() && to.is_none(),
            from,
            to,
            q,
            terms,
            categories,
            user,
            part: self.part.parse().unwrap_or_default(),
            page,
            open: place(&self.open),
        };
        (filter, errors)
    }
}

/// Reads the search. Words of signs alone would have everything read, so they wait for another beside them.
fn read_terms(q: &str, errors: &mut FieldErrors) -> Vec<Term> {
    let mut terms = split(q);
    if terms.len() > WORDS {
        errors.add("q", format!("A search has at most {WORDS} words. The first {WORDS} apply."));
        terms.truncate(WORDS);
    }
    for term in terms.iter_mut().filter(|term| term.text.chars().count() > WORD_CHARS) {
        errors.add("q", format!("A word has at most {WORD_CHARS} characters. The first {WORD_CHARS} apply."));
        term.text = term.text.chars().take(WORD_CHARS).collect();
    }
    let is_sign = |term: &Term| !term.not && term.is_sign();
    if terms.iter().any(is_sign) && terms.iter().all(|term| term.not || is_sign(term)) {
        errors.add("q", "A search needs a letter or a digit. Signs alone do not apply.");
        terms.retain(|term| !is_sign(term));
    }
    terms
}

/// Words, "phrases" and -exclusions. A quote that is not closed reaches to the end.
fn split(q: &str) -> Vec<Term> {
    let mut terms = Vec::new();
    let mut rest = q.trim_start();
    while !rest.is_empty() {
        let not = rest.len() > 1 && rest.starts_with('-') && !rest[1..].starts_with(char::is_whitespace);
        if not {
            rest = &rest[1..];
        }
        let (text, after) = match rest.strip_prefix('"') {
            Some(phrase) => phrase.split_once('"').unwrap_or((phrase, "")),
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if !text.is_empty() {
            terms.push(Term { text, not });
        }
        rest = after.trim_start();
    }
    terms
}

impl Filter {
    /// The instants that it covers, from the first on and before the second.
    pub fn instants(&self, zone: Tz) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
        let after = |day: NaiveDate| day.checked_add_days(Days::new(1)).map(|next| starts_at(next, zone));
        (self.from.map(|day| starts_at(day, zone)), self.to.and_then(after))
    }

    /// The place before which a page lies; the day that was jumped to ends there.
    pub fn page_in(&self, zone: Tz) -> Page {
        match self.page {
            Page::Day(day) => Page::Before(Place { at: starts_at(day + Days::new(1), zone), id: 0 }),
            other => other,
        }
    }

    /// Whether anything is left out.
    pub fn narrows(&self) -> bool {
        self.past_day
            || self.from.is_some()
            || self.to.is_some()
            || !self.terms.is_empty()
            || !self.categories.is_empty()
            || self.user.is_some()
    }

    /// The query of an address that shows this.
    pub fn query(&self) -> String {
        let mut query = form(&[
            ("past", if self.past_day { PAST_DAY.to_owned() } else { String::new() }),
            ("from", self.from.map(|day| day.to_string()).unwrap_or_default()),
            ("to", self.to.map(|day| day.to_string()).unwrap_or_default()),
            ("q", self.q.clone()),
            ("user", self.user.map(|id| id.to_string()).unwrap_or_default()),
            ("as", if self.part == Part::Either { String::new() } else { self.part.as_str().to_owned() }),
        ]);
        let mut add = |name: &str, value: &str| {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(&format!("{name}={value}"));
        };
        for category in &self.categories {
            add("category", category.as_str());
        }
        match self.page {
            Page::Newest => {}
            Page::Before(place) => add("before", &place.to_string()),
            Page::After(place) => add("after", &place.to_string()),
            Page::Day(day) => add("jump", &day.to_string()),
        }
        if let Some(open) = self.open {
            add("open", &open.to_string());
        }
        query
    }

    pub fn url(&self) -> String {
        match self.query() {
            query if query.is_empty() => "/admin/audit-log".to_owned(),
            query => format!("/admin/audit-log?{query}"),
        }
    }

    /// The same from its newest event on, with nothing open.
    pub fn anew(&self) -> Self {
        Self { page: Page::Newest, open: None, ..self.clone() }
    }
    /// Another page of the same.
    pub fn at(&self, page: Page) -> Self {
        Self { page, open: None, ..self.clone() }
    }
    /// The same over another time.
    pub fn over(&self, range: Range) -> Self {
        let (past_day, from, to) = match range {
            Range::All => (false, None, None),
            Range::PastDay => (true, None, None),
            Range::Days(from, to) => (false, Some(from), Some(to)),
        };
        Self { past_day, from, to, ..self.anew() }
    }
    /// Whether it is over this time.
    pub fn is_over(&self, range: Range) -> bool {
        let other = self.over(range);
        (self.past_day, self.from, self.to) == (other.past_day, other.from, other.to)
    }
    /// The same with a category more, or less.
    pub fn toggled(&self, category: Category) -> Self {
        let mut other = self.anew();
        match other.categories.iter().position(|c| *c == category) {
            Some(n) => drop(other.categories.remove(n)),
            None => other.categories.push(category),
        }
        other
    }

    /// "category Password, “foo”, 22 Oct 2026 – 21 Nov 2026", for the event of an export.
    pub fn words(&self) -> String {
        let mut words = Vec::new();
        match (self.from, self.to) {
            (None, None) if self.past_day => words.push("the past 24 hours".to_owned()),
            (None, None) => {}
            (Some(from), None) => words.push(format!("from {}", show::date(from))),
            (None, Some(to)) => words.push(format!("until {}", show::date(to))),
            (Some(from), Some(to)) => words.push(format!("{} – {}", show::date(from), show::date(to))),
        }
        if !self.categories.is_empty() {
            words.push(self.categories.iter().map(|c| c.label()).collect::<Vec<_>>().join(" or "));
        }
        if !self.terms.is_empty() {
            words.push("a search".to_owned());
        }
        if self.user.is_some() {
            words.push(format!("{} one user", self.part.label().to_lowercase()));
        }
        if words.is_empty() { "everything".to_owned() } else { words.join(", ") }
    }
}

fn form(pairs: &[(&str, String)]) -> String {
    let given: Vec<_> = pairs.iter().filter(|(_, value)| !value.is_empty()).collect();
    serde_html_form::to_string(given).unwrap_or_default()
}

/// A time that the log is shown over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// As far back as the log goes.
    All,
    PastDay,
    /// From one day to another, both included.
    Days(NaiveDate, NaiveDate),
}

/// The presets above the list. "7 days" are seven: today and the six before.
pub fn presets(today: NaiveDate) -> [(&'static str, Range); 7] {
    let first = today.with_day(1).unwrap_or(today);
    let last = |days: u64| Range::Days(today - Days::new(days - 1), today);
    [
        ("All", Range::All),
        ("Past 24 hours", Range::PastDay),
        ("7 days", last(7)),
        ("30 days", last(30)),
        ("90 days", last(90)),
        ("This month", Range::Days(first, today)),
        ("Last month", Range::Days(first - Months::new(1), first - Days::new(1))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked(query: &str) -> (Filter, FieldErrors) {
        Asked::of(query).read()
    }
    fn words(q: &str) -> Vec<(String, bool)> {
        split(q).into_iter().map(|term| (term.text, term.not)).collect()
    }

    #[test]
    fn words_phrases_and_exclusions() {
        let term = |text: &str, not| (text.to_owned(), not);
        assert_eq!(words("wrong credentials"), [term("wrong", false), term("credentials", false)]);
        assert_eq!(
            words(" \"wrong  credentials\" -admin "),
            [term("wrong credentials", false), term("admin", true)]
        );
        assert_eq!(words("-\"two words\" 100%"), [term("two words", true), term("100%", false)]);
        assert_eq!(words("\"not closed"), [term("not closed", false)]);
        assert_eq!(words("- -- \"\""), [term("-", false), term("-", true)]);
        assert!(words("   ").is_empty());
    }

    #[test]
    fn ids_are_found_by_how_they_begin() {
        let term = |text: &str| Term { text: text.into(), not: false };
        let (first, last) = term("019a2b3c-4d5e").ids().unwrap();
        assert_eq!(first.to_string(), "019a2b3c-4d5e-0000-0000-000000000000");
        assert_eq!(last.to_string(), "019a2b3c-4d5e-ffff-ffff-ffffffffffff");
        let whole = "019a2b3c-4d5e-7000-8000-000000000001";
        assert_eq!(term(whole).ids(), Some((whole.parse().unwrap(), whole.parse().unwrap())));
        assert_eq!(term("019a2b3").ids(), None, "seven digits are in too many");
        assert_eq!(term("mimikatz").ids(), None);
        assert!(term("0123456789abcdef").is_digest());
        assert!(!term("019a2b3c-4d5e").is_digest());
    }

    #[test]
    fn what_cannot_be_read_is_told_and_the_rest_applies() {
        let (filter, errors) =
            asked("from=2026-02-30&q=password&category=password&category=x&user=1&before=abc");
        assert_eq!(
            (filter.from, filter.categories.as_slice(), filter.terms.len()),
            (None, [Category::Password].as_slice(), 1)
        );
        for field in ["from", "category", "user", "page"] {
            assert!(errors.get(field).is_some(), "{field}");
        }
        let (filter, errors) = asked("from=2026-11-02&to=2026-11-01&q=%25");
        assert_eq!((filter.from, filter.to, filter.terms.len()), (None, None, 0));
        assert!(errors.get("from").is_some() && errors.get("q").is_some());
    }

    #[test]
    fn short_words_apply_and_signs_alone_do_not() {
        for q in ["ab", "10.0.0.5", "李明", "DC", "e1"] {
            let (filter, errors) = asked(&format!("q={q}"));
            assert_eq!((filter.terms.len(), errors.is_empty()), (1, true), "{q}");
        }
        assert_eq!(asked("q=ab+%25").0.terms.len(), 2, "beside a word a sign applies");
        let (filter, errors) = asked("q=%25+-saved");
        assert_eq!(filter.terms.len(), 1);
        assert!(errors.get("q").unwrap().contains("a letter or a digit"));
    }

    #[test]
    fn limits_are_told() {
        let (filter, errors) = asked(&format!("q={}", "word+".repeat(2_000)));
        assert_eq!(filter.terms.len(), WORDS);
        assert!(errors.get("q").unwrap().contains("10 words"));
        let (filter, errors) = asked(&format!("q={}", "ä".repeat(5_000)));
        assert_eq!(filter.terms[0].text.chars().count(), WORD_CHARS);
        assert!(errors.get("q").unwrap().contains("64 characters"));
    }

    #[test]
    fn presets_mean_what_they_say() {
        let day = |m, d| NaiveDate::from_ymd_opt(2026, m, d).unwrap();
        let list = presets(day(3, 31));
        assert_eq!(list[2], ("7 days", Range::Days(day(3, 25), day(3, 31))));
        assert_eq!(list[5], ("This month", Range::Days(day(3, 1), day(3, 31))));
        assert_eq!(list[6], ("Last month", Range::Days(day(2, 1), day(2, 28))));
        for (name, range) in list {
            let (filter, _) = Asked::of(&Filter::default().over(range).query()).read();
            assert!(filter.is_over(range), "{name}");
        }
        let (filter, _) = asked("past=24h&from=2026-11-01");
        assert!(!filter.past_day, "a date that was chosen counts");
    }

    proptest! {
        #![proptest_config(crate::kernel::base::proptests::config())]
        #[test]
        fn an_address_reads_back_as_what_it_shows(
            q in "\\PC{0,60}",
            from in proptest::option::of(0u64..20_000),
            category in 0usize..14,
            micros in 0i64..4_000_000_000_000_000,
            id in 1i64..i64::MAX,
        ) {
            let base = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap();
            let asked = Asked {
                from: from.map(|n| (base + Days::new(n)).to_string()).unwrap_or_default(),
                q,
                category: vec![Category::ALL[category].as_str().into()],
                before: Place { at: DateTime::from_timestamp_micros(micros).unwrap(), id }.to_string(),
                ..Asked::default()
            };
            let (filter, _) = asked.read();
            let back = Asked::of(&filter.query());
            prop_assert_eq!(back.read().0, filter);
        }
        #[test]
        fn any_search_is_read(q in "\\PC{0,5000}") {
            let (filter, _) = Asked { q, ..Asked::default() }.read();
            prop_assert!(filter.terms.len() <= WORDS);
            prop_assert!(filter.terms.iter().all(|t| t.text.chars().count() <= WORD_CHARS));
        }
        #[test]
        fn any_cursor_is_read_or_refused(text in "\\PC{0,40}") {
            if let Ok(place) = text.parse::<Place>() { prop_assert_eq!(place.to_string(), text); }
        }
    }
}
