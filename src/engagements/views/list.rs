//! The list of engagements.

use askama::Template;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::engagements::domain::RunbookState;
use crate::engagements::store::list::{Choices, EngagementPage, Place, Row, Search, Sort};
use crate::kernel::base::keyset::At;
use crate::kernel::base::show::{When, dates};
use crate::kernel::web::Frame;
use crate::kernel::web::filters;
use crate::kernel::web::link;
use crate::lifecycle::domain::EngagementStatus;
use crate::procedures::domain::Progress;

#[derive(Template)]
#[template(path = "engagements/list.html", blocks = ["results"])]
pub struct List {
    pub frame: Frame,
    /// What the form shows.
    pub shown: Shown,
    /// What the filters offer.
    pub choices: Choices,
    pub rows: Vec<Line>,
    /// Column heads that sort.
    pub heads: Vec<Head>,
    /// Link to the page before.
    pub newer: Option<String>,
    /// Link to the page after.
    pub older: Option<String>,
    /// Whether the person may start an engagement.
    pub may_create: bool,
    /// Name of the zone that times are in.
    pub zone: &'static str,
}

/// The filters as the form shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    pub q: String,
    pub client: String,
    pub status: String,
    pub operator: String,
    pub tag: String,
    /// Sort; empty for the usual one.
    pub sort: String,
    /// asc or desc; empty for the usual one.
    pub dir: String,
}

impl Shown {
    /// Whether anything is left out by them.
    pub fn filtered(&self) -> bool {
        [&self.q, &self.client, &self.status, &self.operator, &self.tag].iter().any(|value| !value.is_empty())
    }

    fn href(&self, sort: &str, dir: &str, at: &At<Place>) -> String {
        let (after, before) = at.written();
        link(
            "/engagements",
            &[
                ("q", &self.q),
                ("client", &self.client),
                ("status", &self.status),
                ("operator", &self.operator),
                ("tag", &self.tag),
                ("sort", sort),
                ("dir", dir),
                ("after", &after),
                ("before", &before),
            ],
        )
    }
}

/// A column head that sorts.
#[derive(Debug, Clone)]
pub struct Head {
    pub label: &'static str,
    pub href: String,
    /// `ascending`, `descending`, or nothing.
    pub sorted: &'static str,
    /// Whether the column vanishes on middling widths.
    pub wide: bool,
}

pub struct Line {
    pub href: String,
    pub title: String,
    /// Test plan's title, or nothing.
    pub plan: String,
    pub client: String,
    pub client_href: String,
    /// Label of the status.
    pub status: &'static str,
    pub class: &'static str,
    /// What a submitted one is at, where its status does not say it.
    pub stage: Option<&'static str>,
    pub start: String,
    pub updated: When,
    pub updated_by: String,
    pub progress: Progress,
    /// Percent, without procedures none.
    pub percent: Option<u32>,
    pub submitted: bool,
    /// At 100 % and not submitted.
    pub unsubmitted: bool,
    /// Link of Edit, where the person may.
    pub edit: Option<String>,
    /// Link of Delete, where the person may.
    pub delete: Option<String>,
}

/// What a person may do with a row.
#[derive(Debug, Clone, Copy, Default)]
pub struct May {
    pub edit: bool,
    pub delete: bool,
}

impl Line {
    /// A row as the page shows it.
    pub fn new(
        row: &Row,
        state: RunbookState,
        progress: Progress,
        may: May,
        now: DateTime<Utc>,
        zone: Tz,
    ) -> Self {
        let href = format!("/engagements/{}", row.id);
        Self {
            title: row.title.clone(),
            plan: row.plan.clone(),
            client: row.client_name.clone(),
            client_href: link("/engagements", &[("client", &row.client.to_string())]),
            status: row.status.label(),
            class: row.status.class(),
            stage: (state == RunbookState::Submitted && row.status == EngagementStatus::InProgress)
                .then_some("report in Draft"),
            start: dates(row.start, None).trim_start_matches("from ").to_owned(),
            updated: When::ago(row.updated, now, zone),
            updated_by: row.updated_by.clone(),
            percent: progress.percent(),
            progress,
            submitted: state == RunbookState::Submitted,
            unsubmitted: state == RunbookState::NotSubmitted,
            edit: may.edit.then(|| format!("{href}/edit")),
            delete: may.delete.then(|| format!("{href}/delete")),
            href,
        }
    }
}

/// Heads and pager of a page.
pub fn navigation(
    shown: &Shown,
    search: &Search,
    page: &EngagementPage,
) -> (Vec<Head>, Option<String>, Option<String>) {
    let head = |sort: Sort, label, wide, usual_descending: bool| {
        let current = search.sort == sort;
        let descending = if current { !search.descending } else { usual_descending };
        let sorted = match (current, search.descending) {
            (true, true) => "descending",
            (true, false) => "ascending",
            _ => "",
        };
        Head {
            label,
            href: shown.href(sort.as_str(), if descending { "desc" } else { "asc" }, &At::First),
            sorted,
            wide,
        }
    };
    let heads = vec![
        head(Sort::Title, "Title", false, false),
        head(Sort::Client, "Client", false, false),
        head(Sort::Start, "Start", true, true),
        head(Sort::Activity, "Last updated", false, true),
    ];
    let (newer, older) =
        page.links(|(row, ..)| row.place(search.sort), |at| shown.href(&shown.sort, &shown.dir, at));
    (heads, newer, older)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::base::ids::EngagementId;

    #[test]
    fn a_place_survives_its_link() {
        let at = At::Before(Place { key: "a.b & c".into(), id: EngagementId::new() });
        let href = Shown::default().href("title", "asc", &at);
        let query: Vec<(String, String)> =
            serde_html_form::from_str(href.split_once('?').unwrap().1).unwrap();
        assert_eq!(At::read("", &query.iter().find(|(name, _)| name == "before").unwrap().1), at);
    }

    #[test]
    fn a_second_click_on_a_head_turns_the_order() {
        let search = Search {
            q: String::new(),
            client: None,
            status: None,
            now: DateTime::UNIX_EPOCH,
            operator: None,
            tag: String::new(),
            sort: Sort::Title,
            descending: false,
            at: At::First,
        };
        let (heads, ..) = navigation(&Shown::default(), &search, &EngagementPage::default());
        assert_eq!(
            (heads[0].sorted, heads[0].href.as_str()),
            ("ascending", "/engagements?sort=title&dir=desc")
        );
        assert_eq!((heads[3].sorted, heads[3].href.as_str()), ("", "/engagements?sort=activity&dir=desc"));
    }
}
