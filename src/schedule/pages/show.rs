//! Calendar, List and Availability, and the drawer that tells of one engagement.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use chrono::NaiveDate;
use diesel::pg::PgConnection;

use crate::engagements::store::show::get_head;
use crate::kernel::authz::Permission as P;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::EngagementId;
use crate::kernel::base::keyset::{At, LOADED, Page, ROWS};
use crate::kernel::web::markdown::prepare;
use crate::kernel::web::permit::{Permit, ReadEngagement};
use crate::kernel::web::{Query, Section};
use crate::lifecycle::domain::{EngagementStatus, ReportStatus};
use crate::procedures::domain::planning_allowed;
use crate::procedures::store::runbook;
use crate::schedule::availability;
use crate::schedule::calendar::{MONTH_LANES, Span, WEEK_LANES, taken, weeks};
use crate::schedule::filter::{Asked, Filter, View};
use crate::schedule::store::bookings::{self, Booking, BookingCursor, Choices, Counts, Days, Wanted};
use crate::schedule::views::{Availability, Body, Calendar, Day, Drawer, Grid, List, Schedule};

/// The most engagements that a calendar lays out.
const LAID: i64 = 2_000;
/// The most people whose availability is shown at once.
const PEOPLE: i64 = 200;

pub async fn show(permit: Permit<ReadEngagement>, Query(asked): Query<Asked>) -> Result<HttpResponse> {
    permit.anywhere_or_promised()?;
    let page = page(&permit, &asked, None).await?;
    if permit.partial {
        permit.html(StatusCode::OK, page.as_schedule().render()?)
    } else {
        permit.page(&page)
    }
}

fn today(permit: &Permit<ReadEngagement>) -> NaiveDate {
    permit.app.clock.now().with_timezone(&permit.viewer().organisation.zone()).date_naive()
}

async fn page(permit: &Permit<ReadEngagement>, asked: &Asked, drawer: Option<Drawer>) -> Result<Schedule> {
    let today = today(permit);
    let filter = asked.read(today);
    let wanted = Wanted {
        at: permit.clients(),
        client: filter.client,
        operator: filter.operator,
        plan: filter.plan,
        status: filter.status,
        plans: permit.viewer().rights.may_anywhere(P::EngagementPlan),
        reads_reports: permit.viewer().rights.clients_with(P::ReportRead),
        now: permit.app.clock.now(),
    };
    let (shown, after) = (filter.clone(), asked.after.parse().ok());
    let (choices, counts, body) = permit.read(move |conn| load(conn, &wanted, &shown, today, after)).await?;
    Ok(Schedule {
        frame: permit.frame(Section::Schedule, "Schedule"),
        may_request: permit.viewer().rights.may_anywhere(P::EngagementRequest),
        may_create: permit.viewer().rights.may_anywhere(P::EngagementPlan),
        may_approve: permit.viewer().rights.may_anywhere(P::EngagementApprove),
        zone: permit.viewer().organisation.zone(),
        filter,
        choices,
        counts,
        body,
        drawer,
        closed: asked.closed.parse().ok(),
        today,
    })
}

fn load(
    conn: &mut PgConnection,
    wanted: &Wanted,
    filter: &Filter,
    today: NaiveDate,
    after: Option<BookingCursor>,
) -> Result<(Choices, Counts, Body)> {
    let (first, last) = filter.days();
    let days = Days { first, last, today };
    let choices = bookings::choices(conn, &wanted.at)?;
    let (counts, body) = match filter.view {
        View::List => (bookings::count_by_status(conn, wanted, None)?, list(conn, wanted, after)?),
        View::Availability => {
            (bookings::count_by_status(conn, wanted, Some(days))?, availability(conn, wanted, days)?)
        }
        View::Calendar => {
            (bookings::count_by_status(conn, wanted, Some(days))?, calendar(conn, wanted, filter, days)?)
        }
    };
    Ok((choices, counts, body))
}

fn calendar(conn: &mut PgConnection, wanted: &Wanted, filter: &Filter, days: Days) -> Result<Body> {
    let all = bookings::list_between(conn, wanted, days, LAID)?;
    if let Some(day) = filter.day {
        return Ok(Body::Day(Day { day, bookings: all }));
    }
    let lanes = if filter.span == Span::Month { MONTH_LANES } else { WEEK_LANES };
    let periods: Vec<_> = all.iter().map(|b| taken(b.status, b.start_date, b.end_date, days.today)).collect();
    Ok(Body::Calendar(Calendar { weeks: weeks(days.first, days.last, &periods, lanes), bookings: all }))
}

fn list(conn: &mut PgConnection, wanted: &Wanted, after: Option<BookingCursor>) -> Result<Body> {
    let page = Page::cut(bookings::list_page(conn, wanted, after, LOADED)?, &At::from(after), ROWS);
    let (_, older) = page.links(Booking::cursor, |at| at.written().0);
    Ok(Body::List(List { later: page.earlier, rows: page.rows, older }))
}

fn availability(conn: &mut PgConnection, wanted: &Wanted, days: Days) -> Result<Body> {
    let (people, parts) = bookings::list_parts(conn, wanted, days, PEOPLE)?;
    let rows = availability::rows(&people, &parts, days.first, days.last);
    Ok(Body::Availability(Availability { grid: Grid::of(days.first, days.last), rows }))
}

/// `GET /schedule/{id}`: the drawer alone for htmx; otherwise the view with the drawer in it.
pub async fn drawer(
    permit: Permit<ReadEngagement>,
    path: web::Path<EngagementId>,
    Query(asked): Query<Asked>,
) -> Result<HttpResponse> {
    let drawer = load_drawer(&permit, path.into_inner(), &asked).await?;
    if permit.partial {
        return permit.page(&drawer);
    }
    let mut page = page(&permit, &asked, Some(drawer)).await?;
    page.closed = None;
    permit.page(&page)
}

async fn load_drawer(permit: &Permit<ReadEngagement>, id: EngagementId, asked: &Asked) -> Result<Drawer> {
    let (visible, now) = (permit.visible(), permit.app.clock.now());
    let (head, operators, progress) = permit
        .read(move |conn| {
            let head = get_head(conn, id, &visible)?.as_of(now);
            Ok((
                head,
                runbook::list_operators(conn, id, None, &visible)?,
                runbook::get_progress(conn, id, &visible)?,
            ))
        })
        .await?;
    permit.check(head.own.client_id)?;
    prepare(
        [&head.own.objective, &head.own.description, &head.own.scope].map(String::as_str),
        permit.viewer().id.0,
    )
    .await?;
    let holds = |right| permit.may_at(right, head.own.client_id);
    let published = head.report.as_ref().is_some_and(|report| report.status == ReportStatus::Published);
    Ok(Drawer {
        may_approve: holds(P::EngagementApprove) && head.own.status == EngagementStatus::Pending,
        may_start: holds(P::EngagementApprove) && head.own.status == EngagementStatus::Scheduled,
        may_edit: holds(P::EngagementPlan)
            && planning_allowed(head.own.status, head.own.submitted_at.is_some()).is_ok(),
        may_cancel: holds(P::EngagementCancel)
            && !matches!(head.own.status, EngagementStatus::Complete | EngagementStatus::Canceled),
        may_report: holds(P::ReportRead) || holds(P::ReportReadPublished) && published,
        overdue: head.own.status == EngagementStatus::Pending
            && head.own.starts_at.is_some_and(|start| start <= now),
        back: asked.read(today(permit)).url(),
        operators: operators.iter().filter(|operator| !operator.is_own()).cloned().collect(),
        head,
        progress,
    })
}
