//! Which events a filter means, as conditions: plainly, and so that one index answers all of them.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::sql_types::{Array, Bool, Text};

use crate::audit::log::query::{Filter, Part, Term};
use crate::kernel::authz::Visible;
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::text::like_literal;
use crate::kernel::event::schema::events;

/// Whose events, over which instants.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Only these clients' events; none means all.
    pub clients: Option<Visible>,
    /// From this instant on.
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
    /// How many of the newest events a search reads first: `WALKED`, except where a test has fewer events.
    pub walked: i64,
}

pub(super) type Boxed<'a> = events::BoxedQuery<'a, Pg>;

/// The events between a scope's instants, whosever they are.
pub(super) fn within<'a>(scope: &Scope) -> Boxed<'a> {
    let mut query = events::table.into_boxed();
    if let Some(from) = scope.from {
        query = query.filter(events::at.ge(from));
    }
    if let Some(to) = scope.to {
        query = query.filter(events::at.lt(to));
    }
    query
}

/// The events of a filter within a scope, in no order yet.
pub(super) fn matching<'a>(scope: &Scope, filter: &Filter) -> Boxed<'a> {
    let mut query = within(scope);
    if let Some(clients) = &scope.clients {
        query = query.filter(events::client_id.eq_any(clients.ids().to_vec()).assume_not_null());
    }
    if !filter.categories.is_empty() {
        query = query.filter(events::category.eq_any(categories(filter)));
    }
    if let Some(user) = filter.user {
        query = match filter.part {
            Part::By => query.filter(events::actor_id.eq(user).assume_not_null()),
            Part::About => query.filter(events::about_person.eq(user).assume_not_null()),
            Part::Either => {
                query.filter(events::actor_id.eq(user).or(events::about_person.eq(user)).assume_not_null())
            }
        };
    }
    having_terms(query, filter)
}

/// The same, written so that the index of words answers all of it: of two indexes that apply the planner
/// would ask the one that it guesses to be better, and be wrong where two filters never meet. What has
/// several ways (a person who acts or is meant, a word behind a space or a quotation mark, an id) is a way
/// for each combination, and each holds everything.
pub(super) fn matching_by_words<'a>(scope: &Scope, filter: &Filter) -> Boxed<'a> {
    let (wanted, unwanted): (Vec<&Term>, Vec<&Term>) = filter.terms.iter().partition(|term| !term.not);
    let people = if filter.user.is_some() && filter.part == Part::Either { 2 } else { 1 };
    let ways: Vec<usize> = wanted.iter().map(|term| ways_to_have(term).len()).collect();
    let combinations = people * ways.iter().product::<usize>();
    if combinations > COMBINATIONS {
        return matching(scope, filter);
    }
    let combination = |number: usize| {
        let (mut conditions, mut by_words) = (Vec::new(), true);
        let mut rest = number / people;
        for term in &wanted {
            let mut ways = ways_to_have_as(term, number % people);
            let chosen = rest % ways.len();
            rest /= ways.len();
            let Way { condition, is_id } = ways.swap_remove(chosen);
            conditions.push(condition);
            by_words &= !is_id;
        }
        // An id has an index of its own, and is rarer than anything beside it.
        conditions.extend(narrowed(scope, filter, number % people, by_words));
        all(conditions)
    };
    let query = within(scope).filter(any((0..combinations).map(combination).collect()));
    unwanted.into_iter().fold(query, |query, term| query.filter(is_missing(term)))
}

/// Up to so many combinations of ways are asked one by one.
const COMBINATIONS: usize = 32;

/// What narrows a search beside its words, as the index of words holds it, or as no index does. The person as
/// who acted, or as whom it is about.
fn narrowed(scope: &Scope, filter: &Filter, person: usize, by_words: bool) -> Vec<Condition> {
    let end = if by_words { ")" } else { ") IS TRUE" };
    let mut conditions: Vec<Condition> = Vec::new();
    if let Some(clients) = &scope.clients {
        let ids: Vec<String> = clients.ids().iter().map(ToString::to_string).collect();
        let is_one = sql::<Bool>("((events.client_id::text) = ANY (").bind::<Array<Text>, _>(ids);
        conditions.push(Box::new(is_one.sql(")").sql(end)));
    }
    if !filter.categories.is_empty() {
        let is_one =
            sql::<Bool>("((events.category || '') = ANY (").bind::<Array<Text>, _>(categories(filter));
        conditions.push(Box::new(is_one.sql(")").sql(end)));
    }
    if let Some(user) = filter.user {
        let acted = match filter.part {
            Part::By => true,
            Part::About => false,
            Part::Either => person == 0,
        };
        let column = if acted { "((events.actor_id::text) = " } else { "((events.about_person::text) = " };
        conditions.push(Box::new(sql::<Bool>(column).bind::<Text, _>(user.to_string()).sql(end)));
    }
    conditions
}

fn categories(filter: &Filter) -> Vec<&'static str> {
    filter.categories.iter().map(|category| category.as_str()).collect()
}

fn having_terms<'a>(query: Boxed<'a>, filter: &Filter) -> Boxed<'a> {
    filter
        .terms
        .iter()
        .fold(query, |query, term| query.filter(if term.not { is_missing(term) } else { is_there(term) }))
}

pub(super) type Condition = Box<dyn BoxableExpression<events::table, Pg, SqlType = Bool>>;

/// Signs at which a word of ASCII begins, as a class of a regular expression that the index of three-letter
/// parts can use: it gives up at any sign beyond U+07FF.
const WORD_BEGINS: &str = r"(^|[ !-/:-@\[-`{-~\u00a0\u00ab\u00b7\u00bb])";
/// The others before names: sentences of ours quote them.
const WORD_BEGINS_TOO: [&str; 2] = ["“", "‘"];

/// Whether an event has a term.
fn is_there(term: &Term) -> Condition {
    any(ways_to_have(term).into_iter().map(|way| way.condition).collect())
}

/// Whether an event lacks a term. Without a request or a digest it is neither true nor false that it has one.
fn is_missing(term: &Term) -> Condition {
    Box::new(is_there(term).is_distinct_from(true))
}

/// A way to have a term.
struct Way {
    condition: Condition,
    /// Whether it is an id or a digest, which has an index of its own, and not the words'.
    is_id: bool,
}

fn ways_to_have(term: &Term) -> Vec<Way> {
    ways_to_have_as(term, 0)
}

/// The ways in which an event can have a term; an index answers each. The search column is the database's
/// own and unknown to diesel; both sides are lowered by the same function. `variant` writes the same in
/// another way: what two sides of an OR have in common, word for word, PostgreSQL takes out of it, and asks
/// for alone.
fn ways_to_have_as(term: &Term, variant: usize) -> Vec<Way> {
    let like = |pattern: String| -> Condition {
        let pattern = pattern + &"%".repeat(variant);
        Box::new(sql::<Bool>("events.search LIKE lower(").bind::<Text, _>(pattern).sql(")"))
    };
    let mut ways: Vec<Condition> = Vec::new();
    if term.is_short_word() {
        // The index holds the beginnings of words, however short. What only looks alike is left out by
        // plain comparison, which is cheaper, before that is asked.
        let holds =
            || sql::<Bool>("strpos(events.search, lower(").bind::<Text, _>(term.text.clone()).sql(")) > 0");
        let mut signs: Vec<&str> = WORD_BEGINS_TOO.to_vec();
        if term.text.chars().all(|c| c <= '\u{7ff}') {
            let text = regex_literal(&term.text);
            let text = (0..variant).fold(text, |text, _| format!("({text})"));
            let pattern = format!("{WORD_BEGINS}{text}");
            let begins = sql::<Bool>("events.search ~ lower(").bind::<Text, _>(pattern).sql(")");
            ways.push(Box::new(holds().and(begins)));
        } else {
            ways.push(like(format!("{}%", like_literal(&term.text))));
            signs.extend([" ", "\"", "'", "(", "-", ".", ",", ":", "/", "@", "·"]);
        }
        ways.extend(signs.into_iter().map(|sign| like(format!("%{sign}{}%", like_literal(&term.text)))));
    } else {
        ways.push(like(format!("%{}%", like_literal(&term.text))));
    }
    let mut ids: Vec<Condition> = Vec::new();
    if let Some((first, last)) = term.ids() {
        // The id of a request, as error pages show it, may be cut short.
        ids.push(Box::new(events::request_id.between(first, last).assume_not_null()));
        if first == last {
            ids.push(Box::new(events::subject_id.eq(first).assume_not_null()));
            ids.push(Box::new(events::actor_id.eq(first).assume_not_null()));
            ids.push(Box::new(events::about_person.eq(first).assume_not_null()));
            ids.push(Box::new(events::client_id.eq(first).assume_not_null()));
            ids.push(Box::new(events::engagement_id.eq(first).assume_not_null()));
        }
    }
    if term.is_digest() {
        let digest = sql::<Bool>("(events.detail ->> 'sha256') LIKE lower(");
        ids.push(Box::new(digest.bind::<Text, _>(format!("{}%", like_literal(&term.text))).sql(")")));
    }
    let words = ways.into_iter().map(|condition| Way { condition, is_id: false });
    words.chain(ids.into_iter().map(|condition| Way { condition, is_id: true })).collect()
}

/// The text itself as a part of a regular expression.
fn regex_literal(text: &str) -> String {
    text.chars().flat_map(|c| c.is_ascii_punctuation().then_some('\\').into_iter().chain([c])).collect()
}

/// Whether all of them hold.
pub(super) fn all(conditions: Vec<Condition>) -> Condition {
    let none: Condition = Box::new(sql::<Bool>("true"));
    conditions.into_iter().reduce(|a, b| Box::new(a.and(b))).unwrap_or(none)
}

/// Whether one of them holds.
fn any(conditions: Vec<Condition>) -> Condition {
    let none: Condition = Box::new(sql::<Bool>("false"));
    conditions.into_iter().reduce(|a, b| Box::new(a.or(b))).unwrap_or(none)
}
