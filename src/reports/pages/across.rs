//! `/findings`: what was found, across reports, with owner and due date.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::kernel::authz::Permission as P;
use crate::kernel::base::error::Result;
use crate::kernel::base::keyset::{At, LOADED, Page, ROWS};
use crate::kernel::base::show;
use crate::kernel::web::permit::{Permit, ReadReport};
use crate::kernel::web::{Query, Section};
use crate::reports::content::{FindingSort, FindingState};
use crate::reports::store::{self, FindingFilter, FindingRow};
use crate::reports::views::across::{Findings, FindingsAsked, Line};

/// How far they are counted.
const COUNTED: i64 = 1_001;

/// Filter of the list, as its address has it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    q: String,
    client: String,
    severity: String,
    /// Empty: what is still to be done; `all`; or a state.
    state: String,
    mine: String,
    overdue: String,
    sort: String,
    after: String,
}

impl Asked {
    fn query(&self) -> String {
        let all = [
            ("q", &self.q),
            ("client", &self.client),
            ("severity", &self.severity),
            ("state", &self.state),
            ("mine", &self.mine),
            ("overdue", &self.overdue),
            ("sort", &self.sort),
        ];
        let parts = all.into_iter().filter(|(_, value)| !value.is_empty());
        let parts =
            parts.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
        parts.collect::<Vec<_>>().join("&")
    }

    fn states(&self) -> Vec<FindingState> {
        match self.state.as_str() {
            "all" => Vec::new(),
            stored => match stored.parse() {
                Ok(state) => vec![state],
                Err(_) => vec![FindingState::Open, FindingState::InRemediation],
            },
        }
    }
}

pub async fn list(permit: Permit<ReadReport>, Query(asked): Query<Asked>) -> Result<HttpResponse> {
    let viewer = permit.viewer();
    let today = permit.app.clock.now().with_timezone(&viewer.organisation.zone()).date_naive();
    let owners = vec![viewer.name.clone(), viewer.email.clone()];
    let filter = FindingFilter {
        readable: permit.clients(),
        q: asked.q.chars().take(200).collect(),
        client: asked.client.parse().ok(),
        severity: asked.severity.parse().ok(),
        states: asked.states(),
        owners: if asked.mine.is_empty() { Vec::new() } else { owners },
        overdue: !asked.overdue.is_empty(),
        today,
        sort: asked.sort.parse().unwrap_or(FindingSort::Due),
        after: asked.after.parse().ok(),
    };
    let (readable, chosen) = (permit.clients(), filter.clone());
    let (rows, count, clients) = permit
        .read(move |conn| {
            let rows = store::list_across(conn, &filter, LOADED)?;
            let count = store::count_across(conn, &filter, COUNTED)?;
            Ok((rows, count, store::list_client_names(conn, &readable)?))
        })
        .await?;
    let rows = Page::cut(rows, &At::from(chosen.after), ROWS);
    let newest = asked.query();
    let (_, next) = rows.links(FindingRow::cursor, |at| format!("{newest}&after={}", at.written().0));
    let line = |row: FindingRow| Line {
        overdue: row.remediation().overdue(today),
        due: row.due_on.map(show::date),
        may_remediate: permit.may_at(P::FindingRemediate, row.client),
        row,
    };
    let page = Findings {
        frame: permit.frame(Section::Reports, "Findings").crumb("Reports", "/reports"),
        next,
        later: rows.earlier,
        first: newest,
        lines: rows.rows.into_iter().map(line).collect(),
        count: show::counted_to(count, COUNTED, "finding", "findings"),
        sort: chosen.sort,
        clients,
        asked: FindingsAsked {
            mine: !asked.mine.is_empty(),
            overdue: !asked.overdue.is_empty(),
            q: asked.q,
            client: asked.client,
            severity: asked.severity,
            state: asked.state,
        },
    };
    if permit.partial { permit.html(StatusCode::OK, page.as_results().render()?) } else { permit.page(&page) }
}
