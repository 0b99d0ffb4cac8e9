//! Every view of the slice with hostile text, for the samples test.

use askama::Template;
use chrono::{DateTime, NaiveDate};

use super::{Availability, Body, Calendar, Day, Drawer, Grid, List, Schedule};
use crate::engagements::approval::Draft;
use crate::engagements::store::approval::Request;
use crate::engagements::store::sections::{Candidate, File};
use crate::engagements::store::show::Head;
use crate::engagements::views::requests::{ApprovalPage, Queue, RequestForm};
use crate::engagements::views::samples_of_page;
use crate::engagements::views::sections::Choosable;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::{AttachmentId, ClientId, EngagementId, PersonId, TestPlanId};
use crate::kernel::base::team::Team;
use crate::kernel::web::Frame;
use crate::lifecycle::domain::{EngagementStatus, ReportStatus};
use crate::procedures::domain::Progress;
use crate::schedule::availability::Row;
use crate::schedule::calendar::{MONTH_LANES, Span, weeks};
use crate::schedule::filter::{Filter, View};
use crate::schedule::store::bookings::{Booking, Choices, Counts};

fn evil() -> String {
    "<script>alert(1)</script>".to_owned()
}

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 21).unwrap_or_default()
}

/// Every view of the slice, for the samples test.
pub fn samples() -> Vec<(&'static str, String)> {
    let pages = crate::kernel::web::rendered([
        ("calendar", schedule(calendar(5), View::Calendar).render()),
        ("calendar schedule", schedule(calendar(5), View::Calendar).as_schedule().render()),
        ("calendar empty", schedule(calendar(0), View::Calendar).render()),
        (
            "day",
            schedule(Body::Day(Day { day: today(), bookings: vec![booking()] }), View::Calendar).render(),
        ),
        ("list", schedule(list(vec![booking()]), View::List).render()),
        ("list empty", schedule(list(Vec::new()), View::List).render()),
        ("availability", schedule(availability(), View::Availability).render()),
        (
            "with a drawer",
            Schedule { drawer: Some(drawer()), ..schedule(calendar(1), View::Calendar) }.render(),
        ),
        ("drawer", drawer().render()),
    ]);
    pages.into_iter().chain(requests()).collect()
}

fn booking() -> Booking {
    Booking {
        id: EngagementId::new(),
        title: evil(),
        client: evil(),
        status: EngagementStatus::Pending,
        start_date: Some(today()),
        end_date: Some(today() + chrono::TimeDelta::days(4)),
        plan: evil(),
        client_id: ClientId::new(),
        report: Some(ReportStatus::Draft),
        overdue: true,
        operators: vec![evil()],
        place: DateTime::UNIX_EPOCH,
    }
}

fn calendar(n: usize) -> Body {
    let bookings: Vec<Booking> = (0..n).map(|_| booking()).collect();
    let taken: Vec<_> = bookings.iter().map(|b| b.start_date.zip(b.end_date)).collect();
    let (first, last) = Span::Month.days(today());
    Body::Calendar(Calendar { weeks: weeks(first, last, &taken, MONTH_LANES), bookings })
}

fn list(rows: Vec<Booking>) -> Body {
    Body::List(List { rows, older: Some("1.x".into()), later: true })
}

fn availability() -> Body {
    let days: Vec<Vec<String>> = vec![Vec::new(), vec![evil()], vec![evil(), evil()]];
    let row = Row { person: PersonId::new(), name: evil(), days };
    Body::Availability(Availability {
        grid: Grid::of(today(), today() + chrono::TimeDelta::days(2)),
        rows: vec![row],
    })
}

fn schedule(body: Body, view: View) -> Schedule {
    let client = ClientId::new();
    Schedule {
        frame: Frame::sample("Schedule"),
        filter: Filter {
            view,
            span: Span::Month,
            on: today(),
            day: None,
            client: Some(client),
            operator: None,
            plan: None,
            status: Some(EngagementStatus::Pending),
        },
        choices: Choices {
            clients: vec![(client, evil())],
            operators: vec![(PersonId::new(), evil())],
            plans: vec![(TestPlanId::new(), evil())],
        },
        counts: Counts { by_status: vec![(EngagementStatus::Pending, 5)], undated: 2 },
        body,
        drawer: None,
        closed: None,
        may_request: true,
        may_create: true,
        may_approve: true,
        today: today(),
        zone: chrono_tz::UTC,
    }
}

fn head() -> Head {
    let mut head = samples_of_page().head;
    head.own.cancel_reason = Some(evil());
    head
}

fn drawer() -> Drawer {
    let page = samples_of_page();
    Drawer {
        head: head(),
        operators: page.operators,
        progress: Progress { done: 1, total: 3 },
        may_approve: true,
        may_report: true,
        overdue: true,
        back: "/schedule?on=2026-11-21".into(),
    }
}

fn requests() -> Vec<(&'static str, String)> {
    let at = DateTime::UNIX_EPOCH;
    let form = |errors| RequestForm {
        frame: Frame::sample("Request"),
        clients: vec![(ClientId::new(), evil())],
        plans: vec![(TestPlanId::new(), evil())],
        reads_plans: true,
        typed: [("title", evil()), ("scope", evil())].into_iter().collect(),
        limit: "50 MB".into(),
        errors,
        problem: Some(evil()),
    };
    let request = Request {
        id: EngagementId::new(),
        title: evil(),
        client: evil(),
        by: Some(evil()),
        at: Some(at),
        start_date: Some(today()),
        end_date: None,
        starts_at: Some(at),
        plan: evil(),
    };
    let queue =
        |requests| Queue { frame: Frame::sample("Requests"), requests, now: at, zone: chrono_tz::UTC };
    crate::kernel::web::rendered([
        ("request", form(FieldErrors::one("file", "Too large.")).render()),
        ("queue", queue(vec![request]).render()),
        ("queue empty", queue(Vec::new()).render()),
        ("approval details", approval(1, "title").render()),
        ("approval report", approval(2, "report_title").render()),
        ("approval dates", approval(3, "past").render()),
        ("approval operators", approval(4, "operators").render()),
    ])
}

fn approval(step: usize, fault: &str) -> ApprovalPage {
    let person = PersonId::new();
    let candidate = Candidate {
        id: person,
        name: evil(),
        role: evil(),
        has_access: true,
        from: Some(today()),
        to: None,
        bookings: vec![evil()],
    };
    let candidates = [candidate];
    let details =
        [("title", evil()), ("start_date", "2026-11-18".to_owned()), ("time_zone", "UTC".to_owned())];
    let draft = Draft::of(
        3,
        details.map(|(field, value)| (field.to_owned(), value)).into(),
        vec![(person, Team::Red)],
    );
    let errors = FieldErrors::one(fault, "Look at this.");
    ApprovalPage {
        frame: Frame::sample("Approve"),
        people: Choosable::with_dates(
            Choosable::list(&candidates, &[], Some(&draft.operators)),
            &candidates,
            &Vec::new(),
            &errors,
        ),
        head: head(),
        step,
        draft,
        requested_by: Some(evil()),
        planned: 3,
        files: vec![File {
            id: AttachmentId::new(),
            team: None,
            title: evil(),
            description: evil(),
            file_name: evil(),
            media_type: "text/plain".into(),
            size: 2_000,
            by: evil(),
            at: DateTime::UNIX_EPOCH,
            procedure: None,
            position: None,
        }],
        today: today(),
        errors,
        problem: Some(evil()),
    }
}
