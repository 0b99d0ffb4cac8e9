//! An event as it was recorded: the one form that pages, exports, seals and archives share.

use chrono::{DateTime, Utc};
use diesel::dsl::{SqlTypeOf, sql};
use diesel::expression::SqlLiteral;
use diesel::pg::Pg;
use diesel::sql_types::Text;
use uuid::Uuid;

use super::domain::{ActorKind, EventOutcome};
use super::schema::events;
use crate::kernel::base::keyset::{Cursor, NotACursor};
use crate::kernel::base::query::prelude::*;

/// The place of an event in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub at: DateTime<Utc>,
    pub id: i64,
}

impl Place {
    /// How the event is named in a sentence.
    pub fn name(self) -> String {
        format!("The event of {} UTC, id {}", self.at.format("%Y-%m-%d %H:%M:%S%.6f"), self.id)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Cursor { key: self.at, id: self.id }.fmt(f)
    }
}

impl std::str::FromStr for Place {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let Cursor { key, id } = text.parse().map_err(drop::<NotACursor>)?;
        Ok(Self { at: key, id })
    }
}

/// An event as it stands in the database, its words as they were recorded: whoever looks for a record that
/// was tampered with, or reads an archive of another version, must be able to read words that are none of
/// ours.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = events, check_for_backend(Pg))]
pub struct Record {
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    pub id: i64,
    /// The transaction that wrote it.
    pub transaction_id: i64,
    /// `noun.past_tense`
    pub kind: String,
    /// Stored name of its category.
    pub category: String,
    /// Stored name of the [`EventOutcome`].
    pub outcome: String,
    /// Reason code of a failure.
    pub reason: Option<String>,
    /// Stored name of the [`ActorKind`].
    pub actor_kind: String,
    /// Whose act it was.
    pub actor_id: Option<Uuid>,
    /// Their name at that time.
    pub actor_name: String,
    /// Their e-mail address at that time.
    pub actor_email: Option<String>,
    /// For whom, where that is not the actor.
    pub on_behalf_of: Option<Uuid>,
    /// What kind of thing it is about.
    pub subject_type: Option<String>,
    pub subject_id: Option<Uuid>,
    /// Its name at that time.
    pub subject_label: Option<String>,
    /// The person it is about.
    pub about_person: Option<Uuid>,
    /// The client it belongs to.
    pub client_id: Option<Uuid>,
    /// The engagement it belongs to.
    pub engagement_id: Option<Uuid>,
    pub address: Option<String>,
    /// What the browser said of itself.
    pub user_agent: Option<String>,
    /// The request's id in the server's log.
    pub request_id: Option<Uuid>,
    /// What the log says.
    pub sentence: String,
    /// Changed fields and whatever else belongs to the kind: JSON as PostgreSQL writes it.
    #[diesel(select_expression = detail_text(), select_expression_type = SqlLiteral<Text>)]
    pub detail: String,
    /// Short values that the search finds beside the sentence.
    pub search_values: String,
}

/// The columns of a [`Record`] as diesel types them.
pub type Columns = SqlTypeOf<<Record as Selectable<Pg>>::SelectExpression>;

fn detail_text() -> SqlLiteral<Text> {
    // The text of jsonb is one form for equal values, and what an export shows.
    sql("audit.events.detail::text")
}

impl Record {
    pub fn place(&self) -> Place {
        Place { at: self.at, id: self.id }
    }
    pub fn succeeded(&self) -> bool {
        self.outcome == EventOutcome::Success.as_str()
    }
    /// Whether a job of this server did it.
    pub fn is_by_system(&self) -> bool {
        self.actor_kind == ActorKind::System.as_str()
    }
}
