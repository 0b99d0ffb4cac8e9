//! What an export is asked for.

use std::str::FromStr;

use chrono_tz::Tz;
use serde_json::json;

use crate::audit::log::query::Filter;
use crate::audit::log::store::matching::Scope;
use crate::kernel::authz::Visible;
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::event::record::Place;

/// How the events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    /// For programs, and for proofs.
    Jsonl,
}

impl Format {
    /// The ending of its files.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Jsonl => "application/jsonl",
        }
    }
    /// Its name in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Jsonl => "JSON Lines",
        }
    }
}

impl FromStr for Format {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "csv" => Ok(Self::Csv),
            "jsonl" => Ok(Self::Jsonl),
            _ => Err("csv or jsonl".to_owned()),
        }
    }
}

#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// Whose events, over which instants.
    pub scope: Scope,
    pub filter: Filter,
    pub event: Option<Place>,
    /// Whether each event carries its proof; JSON Lines only.
    pub proof: bool,
    pub format: Format,
    /// The zone of the times that people read.
    pub zone: Tz,
}

/// The event of an export, written before its first byte. What was searched for stands in its detail, which
/// no search reads.
pub fn event(wanted: &ExportRequest) -> Event {
    let names = |ids: &Visible| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let clients = wanted.scope.clients.as_ref().map(names);
    Event::new(Kind::LogExported, format!("Exported events as {}", wanted.format.name())).detail(json!({
        "filter": wanted.words(),
        "search": wanted.filter.q,
        "user": wanted.filter.user.map(|id| id.to_string()),
        "clients": clients,
        "from": wanted.scope.from,
        "to": wanted.scope.to,
        "proof": wanted.proof,
    }))
}

impl ExportRequest {
    /// What of the log it is, in words.
    pub fn words(&self) -> String {
        let mut words = match self.event {
            Some(place) => format!("the event {place}"),
            None => self.filter.words(),
        };
        if self.scope.clients.is_some() {
            words.push_str(", of the reader's own clients");
        }
        if self.proof {
            words.push_str(", as far as it is sealed");
        }
        words
    }
}
