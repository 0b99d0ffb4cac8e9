//! The list of engagements.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::engagements::store::list::{self as store, Search, Sort};
use crate::engagements::views::list::{Line, List, May, Shown, navigation};
use crate::kernel::authz::Permission as P;
use crate::kernel::base::error::Result;
use crate::kernel::base::keyset::{At, ROWS};
use crate::kernel::web::permit::{Permit, ReadEngagement};
use crate::kernel::web::{Query, Section};
use crate::procedures::domain::planning_allowed;

/// Filters, order and place.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    q: String,
    client: String,
    status: String,
    operator: String,
    tag: String,
    sort: String,
    dir: String,
    after: String,
    before: String,
}

impl Wanted {
    fn search(&self, now: DateTime<Utc>) -> Search {
        let sort = self.sort.parse().unwrap_or(Sort::Activity);
        Search {
            q: self.q.trim().to_owned(),
            client: self.client.parse().ok(),
            status: self.status.parse().ok(),
            now,
            operator: self.operator.parse().ok(),
            tag: self.tag.trim().to_lowercase(),
            sort,
            descending: match self.dir.as_str() {
                "asc" => false,
                "desc" => true,
                _ => matches!(sort, Sort::Activity | Sort::Start),
            },
            at: At::read(&self.after, &self.before),
        }
    }

    fn shown(self) -> Shown {
        let Self { q, client, status, operator, tag, sort, dir, .. } = self;
        Shown { q, client, status, operator, tag, sort, dir }
    }
}

pub async fn list(permit: Permit<ReadEngagement>, Query(wanted): Query<Wanted>) -> Result<HttpResponse> {
    let search = wanted.search(permit.app.clock.now());
    let (at, asked) = (permit.clients(), search.clone());
    let (page, choices) = permit
        .read(move |conn| Ok((store::list(conn, &at, &asked, ROWS)?, store::choices(conn, &at)?)))
        .await?;
    let (now, zone) = (permit.app.clock.now(), permit.viewer().organisation.zone());
    let shown = wanted.shown();
    let (heads, newer, older) = navigation(&shown, &search, &page);
    let rows = page
        .rows
        .iter()
        .map(|(row, state, progress)| {
            let open = planning_allowed(row.status, row.submitted.is_some()).is_ok();
            let edit = open && permit.may_at(P::EngagementPlan, row.client);
            let may = May { edit, delete: permit.may_at(P::EngagementDelete, row.client) };
            Line::new(row, *state, *progress, may, now, zone)
        })
        .collect();
    let may_create = permit.viewer().rights.may_anywhere(P::EngagementPlan);
    let frame = permit.frame(Section::Engagements, "Engagements");
    let page = List { frame, shown, choices, rows, heads, newer, older, may_create, zone: zone.name() };
    if permit.partial { permit.html(StatusCode::OK, page.as_results().render()?) } else { permit.page(&page) }
}
