//! People, clients and engagements of the tests, all plainly invented.

use std::collections::HashMap;
use std::sync::LazyLock;

use actix_web::cookie::{Cookie, CookieJar};
use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::sql_types::{Date, Int4, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde_json::Value;
use tyrian::accounts::store::NewPerson;
use tyrian::kernel::app::App;
use tyrian::kernel::base::error::Result;
use tyrian::kernel::base::ids::{AssetId, ClientId, EngagementId, PersonId, ProcedureId, ReportId, RoleId};
use tyrian::kernel::db::WriteTx;
use tyrian::kernel::event::domain::{Actor, Event, Kind};
use tyrian::lifecycle::domain::EngagementStatus;

use super::TestApp;

/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery";

/// Somebody with an account.
#[derive(Debug, Clone)]
pub struct Person {
    /// Their id.
    pub id: PersonId,
    /// Their name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
}

impl Default for Person {
    fn default() -> Self {
        Self { id: PersonId(uuid::Uuid::nil()), name: String::new(), email: String::new() }
    }
}

/// One person of every kind. Where nothing else is said, their access is to [`Clients::own`].
#[derive(Debug, Clone, Default)]
pub struct People {
    /// Administrator without access to any client.
    pub administrator: Person,
    /// Team Lead.
    pub lead: Person,
    /// Standard User: the red operator.
    pub standard: Person,
    /// A second Standard User: the blue operator.
    pub second: Person,
    /// Analyst of the client who only reads.
    pub analyst: Person,
    /// Analyst of the client who is assigned to the blue side of every engagement made by
    /// [`TestApp::engagement`].
    pub blue_analyst: Person,
    /// Auditor.
    pub auditor: Person,
    /// Team Lead, at [`Clients::foreign`] only.
    pub outsider: Person,
    /// A Standard User without access to any client.
    pub bare: Person,
    /// Holder of a custom role that reads the client and its engagements and plans them, nothing else.
    pub custom: Person,
}

impl People {
    /// Everybody, with the name under which the matrix lists them.
    pub fn all(&self) -> Vec<(&'static str, &Person)> {
        vec![
            ("administrator", &self.administrator),
            ("lead", &self.lead),
            ("standard", &self.standard),
            ("analyst", &self.analyst),
            ("blue_analyst", &self.blue_analyst),
            ("auditor", &self.auditor),
            ("outsider", &self.outsider),
            ("custom", &self.custom),
            ("bare", &self.bare),
        ]
    }
}

/// The two clients.
#[derive(Debug, Clone)]
pub struct Clients {
    /// The one that people have access to.
    pub own: ClientId,
    /// The outsider's.
    pub foreign: ClientId,
}

impl Default for Clients {
    fn default() -> Self {
        Self { own: ClientId(uuid::Uuid::nil()), foreign: ClientId(uuid::Uuid::nil()) }
    }
}

/// Name of [`Clients::own`].
pub const OWN: &str = "Alder Savings";
/// Name of [`Clients::foreign`].
pub const FOREIGN: &str = "Birch Hospitals";

fn laid() -> Event {
    Event::new(Kind::DemoSeeded, "Laid test data")
}

/// Makes clients and people.
pub fn settle(app: &App) -> (Clients, People) {
    static HASH: LazyLock<String> =
        LazyLock::new(|| tyrian::accounts::domain::hash_password(PASSWORD).unwrap());
    app.db
        .write_blocking(&Actor::command(), |tx| {
            let clients = Clients { own: client(tx, OWN)?, foreign: client(tx, FOREIGN)? };
            custom_role(tx)?;
            let mut person =
                |name: &str, roles: &[&str], access: Option<(ClientId, &str)>| -> Result<Person> {
                    let email = format!("{}@tyrian.example", name.to_lowercase().replace(' ', "."));
                    let new = NewPerson { name, email: &email, password_hash: Some(&HASH), roles };
                    let (id, event) = tyrian::accounts::store::insert_person(tx, &new, None)?;
                    let mut events = vec![event];
                    if let Some((client, role)) = access {
                        let client_name = if client == clients.own { OWN } else { FOREIGN };
                        events.push(tyrian::accounts::store::give_access(
                            tx,
                            client,
                            client_name,
                            id,
                            name,
                            role,
                            None,
                        )?);
                    }
                    tx.audited_all((), &events)?;
                    Ok(Person { id, name: name.to_owned(), email })
                };
            let own = clients.own;
            let people = People {
                administrator: person("Ada Marlow", &["administrator"], None)?,
                lead: person("Lea Winter", &["team_lead"], Some((own, "team_lead")))?,
                standard: person("Sam Rook", &["standard_user"], Some((own, "standard_user")))?,
                second: person("Bea Lund", &["standard_user"], Some((own, "standard_user")))?,
                analyst: person("Ann Field", &["analyst"], Some((own, "analyst")))?,
                blue_analyst: person("Bo Castle", &["analyst"], Some((own, "analyst")))?,
                auditor: person("Abe Stone", &["auditor"], None)?,
                outsider: person("Otis Farr", &["team_lead"], Some((clients.foreign, "team_lead")))?,
                bare: person("Ben Plain", &["standard_user"], None)?,
                custom: person("Cus Tomas", &["planner"], Some((own, "planner")))?,
            };
            tx.audited((clients, people), laid())
        })
        .unwrap()
}

fn client(tx: &mut WriteTx<'_>, name: &str) -> Result<ClientId> {
    let id = ClientId::new();
    diesel::sql_query("INSERT INTO clients (id, name, created_at, updated_at) VALUES ($1, $2, $3, $3)")
        .bind::<SqlUuid, _>(id.0)
        .bind::<Text, _>(name)
        .bind::<Timestamptz, _>(tx.now())
        .execute(tx.conn)?;
    Ok(id)
}

fn custom_role(tx: &mut WriteTx<'_>) -> Result<()> {
    let id = RoleId::new();
    diesel::sql_query(
        "INSERT INTO roles (id, key, name, description) \
        VALUES ($1, 'planner', 'Planner', 'Reads and plans.')",
    )
    .bind::<SqlUuid, _>(id.0)
    .execute(tx.conn)?;
    diesel::sql_query(
        "INSERT INTO role_permissions (role_id, permission) \
        SELECT $1, unnest(ARRAY['library.read', 'client.read', 'engagement.read', 'engagement.plan'])",
    )
    .bind::<SqlUuid, _>(id.0)
    .execute(tx.conn)?;
    Ok(())
}

/// The value of a session cookie that the app takes for its own.
pub fn planted_session(app: &App, person: PersonId) -> String {
    let key = tyrian::kernel::base::hex::random_hex(32);
    let now = app.clock.now();
    let state = HashMap::from([
        (tyrian::accounts::store::sessions::PERSON.to_owned(), serde_json::to_string(&person).unwrap()),
        (tyrian::accounts::store::sessions::PROVED.to_owned(), serde_json::to_string(&now).unwrap()),
    ]);
    let hash = app.keys.hash(&key);
    app.db
        .write_unaudited_blocking("planted session", |conn| {
            tyrian::accounts::store::insert_session(conn, &hash, &state, now)
        })
        .unwrap();
    let mut jar = CookieJar::new();
    jar.private_mut(&app.keys.cookie).add(Cookie::new("tyrian", key));
    jar.get("tyrian").unwrap().value().to_owned()
}

/// An engagement made for a test.
#[derive(Debug, Clone)]
pub struct Engagement {
    /// Its id.
    pub id: EngagementId,
    /// Its title.
    pub title: String,
    /// Its client.
    pub client: ClientId,
    /// Its procedures, in order.
    pub procedures: Vec<ProcedureId>,
    /// Its Draft report.
    pub report: ReportId,
}

impl Engagement {
    /// `/engagements/{id}`
    pub fn path(&self) -> String {
        format!("/engagements/{}", self.id)
    }
    /// `/engagements/{id}/procedures/{pid}` of the nth procedure, counted from 0.
    pub fn procedure_path(&self, n: usize) -> String {
        format!("/engagements/{}/procedures/{}", self.id, self.procedures[n])
    }
}

/// How an engagement is made.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// Title.
    pub title: &'a str,
    /// How many procedures, taken from the starter library over and over.
    pub procedures: usize,
    /// Status.
    pub status: EngagementStatus,
    /// First day, in UTC.
    pub start: Option<NaiveDate>,
}

impl Default for Plan<'_> {
    fn default() -> Self {
        Self { title: "Autumn purple team", procedures: 3, status: EngagementStatus::InProgress, start: None }
    }
}

/// The starter library's procedures, as their bodies.
pub fn starter_bodies() -> Vec<(String, Value)> {
    let all: Vec<Value> =
        serde_json::from_str(include_str!("../../../src/library/starter/procedures.json")).unwrap();
    all.into_iter()
        .map(|mut entry| {
            let key = entry.as_object_mut().unwrap().remove("key").unwrap();
            (key.as_str().unwrap().to_owned(), entry)
        })
        .collect()
}

impl TestApp {
    /// An engagement in progress of [`Clients::own`] with `n` procedures.
    pub fn engagement(&self, n: usize) -> Engagement {
        self.plan(self.clients.own, &Plan { procedures: n, ..Plan::default() })
    }

    /// An engagement of a client, with the standard user on red, the second and the analyst on blue, the lead
    /// on both.
    pub fn plan(&self, client: ClientId, plan: &Plan<'_>) -> Engagement {
        plan_engagement(&self.app, client, plan, &self.people)
    }

    /// An engagement of a client that was submitted: two procedures, the first one answered and with a High
    /// finding, its report a Draft.
    pub fn submitted(&self, client: ClientId) -> Engagement {
        let made = self.plan(client, &Plan { title: "Submitted drill", procedures: 2, ..Plan::default() });
        self.db
            .write_blocking(&Actor::command(), |tx| {
                diesel::sql_query(
                    "UPDATE procedures SET status = 'completed', red_outcome = 'success', blue_outcome = \
                        'logged', severity = 'high',
                        executed_at = $2 - interval '2 hours', detected_at = $2 - interval '110 minutes' \
                        WHERE id = $1",
                )
                .bind::<SqlUuid, _>(made.procedures[0].0)
                .bind::<Timestamptz, _>(tx.now())
                .execute(tx.conn)?;
                let (locked, _) = tyrian::lifecycle::store::lock_engagement(tx, made.id, &[client])?;
                let (at, by) = (tx.now(), tx.actor().clone());
                let (_, _, events) = tyrian::reports::store::freeze(tx, &locked, at, &by)?;
                tx.audited_all((), &events)
            })
            .unwrap();
        made
    }

    /// An asset of a client.
    pub fn asset(&self, client: ClientId, name: &str) -> AssetId {
        let id = AssetId::new();
        self.db
            .write_blocking(&Actor::command(), |tx| {
                diesel::sql_query(
                    "INSERT INTO assets (id, client_id, name, kind, criticality, created_at, updated_at) \
                        VALUES ($1, $2, $3, 'server', 'high', $4, $4)",
                )
                .bind::<SqlUuid, _>(id.0)
                .bind::<SqlUuid, _>(client.0)
                .bind::<Text, _>(name)
                .bind::<Timestamptz, _>(tx.now())
                .execute(tx.conn)?;
                tx.audited((), laid())
            })
            .unwrap();
        id
    }
}

/// As [`TestApp::plan`], for benchmarks, which bring an application of their own.
pub fn plan_engagement(app: &App, client: ClientId, plan: &Plan<'_>, people: &People) -> Engagement {
    let made = Engagement {
        id: EngagementId::new(),
        title: plan.title.to_owned(),
        client,
        procedures: (0..plan.procedures).map(|_| ProcedureId::new()).collect(),
        report: ReportId::new(),
    };
    app.db.write_blocking(&Actor::command(), |tx| insert_engagement(tx, &made, plan, people)).unwrap();
    made
}

fn insert_engagement(
    tx: &mut WriteTx<'_>,
    made: &Engagement,
    plan: &Plan<'_>,
    people: &People,
) -> Result<tyrian::kernel::db::Audited<()>> {
    let now = tx.now();
    diesel::sql_query(
        "INSERT INTO attack_versions (version, rank, domain, imported_at) \
        VALUES ('19.1', 19001, 'enterprise-attack', $1) ON CONFLICT DO NOTHING",
    )
    .bind::<Timestamptz, _>(now)
    .execute(tx.conn)?;
    diesel::sql_query(
        "INSERT INTO engagements (id, client_id, title, status, start_date, time_zone, starts_at, \
            attack_version, created_at, cancel_reason)
         VALUES ($1, $2, $3, $4, $5, 'UTC', $5::timestamp AT TIME ZONE 'UTC', '19.1', $6, CASE \
         WHEN $4 = 'canceled' THEN 'Called off' END)",
    )
    .bind::<SqlUuid, _>(made.id.0)
    .bind::<SqlUuid, _>(made.client.0)
    .bind::<Text, _>(plan.title)
    .bind::<Text, _>(plan.status.as_str())
    .bind::<Nullable<Date>, _>(plan.start)
    .bind::<Timestamptz, _>(now)
    .execute(tx.conn)?;
    diesel::sql_query(
        "INSERT INTO engagement_activity (engagement_id, at, by_name) VALUES ($1, $2, 'System')",
    )
    .bind::<SqlUuid, _>(made.id.0)
    .bind::<Timestamptz, _>(now)
    .execute(tx.conn)?;
    let sides = [
        (&people.standard, "red"),
        (&people.second, "blue"),
        (&people.blue_analyst, "blue"),
        (&people.lead, "red"),
        (&people.lead, "blue"),
    ];
    for (person, team) in sides {
        diesel::sql_query(
            "INSERT INTO engagement_operators (engagement_id, person_id, team) VALUES ($1, $2, $3)",
        )
        .bind::<SqlUuid, _>(made.id.0)
        .bind::<SqlUuid, _>(person.id.0)
        .bind::<Text, _>(team)
        .execute(tx.conn)?;
    }
    let bodies = starter_bodies();
    for (n, id) in made.procedures.iter().enumerate() {
        let (key, body) = &bodies[n % bodies.len()];
        diesel::sql_query(
            "INSERT INTO procedures (id, engagement_id, client_id, position, origin_id, origin_version, \
                body, name, technique_ids, tactics, recommendation, updated_at)
             SELECT $1, $2, $3, $4, p.id, p.current_version, $5, $5->>'name', ARRAY(SELECT \
             jsonb_array_elements_text($5->'technique_ids')),
                ARRAY(SELECT t.short_name FROM tactics t WHERE t.version = '19.1' AND t.short_name = ANY
                    (SELECT unnest(tactics) FROM techniques WHERE version = '19.1' \
                    AND external_id = $5->'technique_ids'->>0) ORDER BY t.position),
                coalesce($5->>'recommendation', ''), $6
             FROM (SELECT 1) one LEFT JOIN library_procedures p ON p.source_key = $7",
        )
        .bind::<SqlUuid, _>(id.0)
        .bind::<SqlUuid, _>(made.id.0)
        .bind::<SqlUuid, _>(made.client.0)
        .bind::<Int4, _>(i32::try_from(n + 1).unwrap())
        .bind::<Jsonb, _>(body)
        .bind::<Timestamptz, _>(now)
        .bind::<Text, _>(key)
        .execute(tx.conn)?;
    }
    diesel::sql_query(
        "INSERT INTO field_history (subject_type, subject_id, field, version, value, person_name, at)
         SELECT 'procedure', id, 'recommendation', 1, recommendation, 'System', $2 FROM procedures \
         WHERE engagement_id = $1 AND recommendation <> ''",
    )
    .bind::<SqlUuid, _>(made.id.0)
    .bind::<Timestamptz, _>(now)
    .execute(tx.conn)?;
    diesel::sql_query(
        "INSERT INTO reports (id, engagement_id, client_id, title, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $5, $5)",
    )
    .bind::<SqlUuid, _>(made.report.0)
    .bind::<SqlUuid, _>(made.id.0)
    .bind::<SqlUuid, _>(made.client.0)
    .bind::<Text, _>(plan.title)
    .bind::<Timestamptz, _>(now)
    .execute(tx.conn)?;
    tx.audited((), laid())
}
