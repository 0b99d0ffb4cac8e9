//! People, clients and engagements of the tests, all plainly invented, made through the product's own
//! functions. Their names are as hostile as the product lets people type them.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use actix_web::cookie::{Cookie, CookieJar};
use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::sql_types::Uuid as SqlUuid;
use serde_json::Value;
use tyrian::accounts::roles::store::RoleText;
use tyrian::accounts::store::NewPerson;
use tyrian::accounts::{roles, store};
use tyrian::clients::domain::{AssetKind, AssetText, ClientText, Criticality};
use tyrian::engagements::domain::Details;
use tyrian::engagements::store::create::{Chosen, NewEngagement};
use tyrian::kernel::app::App;
use tyrian::kernel::authz::policy::{Permission as P, PermissionSet};
use tyrian::kernel::authz::{Shelf, Visible};
use tyrian::kernel::base::error::Result;
use tyrian::kernel::base::ids::{
    AssetId, ClientId, EngagementId, LibraryProcedureId, PersonId, ProcedureId, ReportId,
};
use tyrian::kernel::base::team::Team;
use tyrian::kernel::db::WriteTx;
use tyrian::kernel::event::domain::{Actor, Event};
use tyrian::lifecycle::domain::EngagementStatus;
use tyrian::procedures::domain::ObservationWindow;

use super::TestApp;

pub const PASSWORD: &str = "correct horse battery";

/// Somebody with an account.
#[derive(Debug, Clone)]
pub struct Person {
    pub id: PersonId,
    pub name: String,
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

#[derive(Debug, Clone)]
pub struct Clients {
    /// The one that people have access to.
    pub own: ClientId,
    pub foreign: ClientId,
}

impl Default for Clients {
    fn default() -> Self {
        Self { own: ClientId(uuid::Uuid::nil()), foreign: ClientId(uuid::Uuid::nil()) }
    }
}

/// A text that would be an element or an attribute (see [`MARK`](super::pages::MARK)) wherever a page forgot
/// to escape it, would read otherwise where it is escaped twice, and turns what follows it around where bidi
/// is not contained.
macro_rules! hostile {
    ($text:literal) => {
        concat!($text, " <x-typed>\"x-typed 'x-typed &amp;\u{202E}")
    };
}

pub(crate) use hostile;

pub const OWN: &str = hostile!("Alder Savings");
pub const FOREIGN: &str = hostile!("Birch Hospitals");

pub const ADA: &str = hostile!("Ada Marlow");
pub const LEA: &str = hostile!("Lea Winter");
pub const SAM: &str = hostile!("Sam Rook");
pub const BEA: &str = hostile!("Bea Lund");
pub const ANN: &str = hostile!("Ann Field");
pub const BO: &str = hostile!("Bo Castle");
pub const ABE: &str = hostile!("Abe Stone");
pub const OTIS: &str = hostile!("Otis Farr");
pub const BEN: &str = hostile!("Ben Plain");
pub const CUS: &str = hostile!("Cus Tomas שלום");

/// Title of an engagement for which a test names none.
pub const TITLE: &str = hostile!("Autumn purple team");
/// Title of a submitted engagement.
pub const DRILL: &str = hostile!("Submitted drill");
/// A text of many lines, such as a description, long and with a word that no line holds.
pub static LONG: LazyLock<String> = LazyLock::new(|| {
    let line = hostile!("A **bold** [link](javascript:x) and `code`,");
    format!("{line}\n\n- {line}\n- {}\n\n| a | b |\n|---|---|\n| {line} | 1 |\n", "word".repeat(200))
});

/// Makes clients and people.
pub fn settle(app: &App) -> (Clients, People) {
    static HASH: LazyLock<String> =
        LazyLock::new(|| tyrian::accounts::domain::hash_password(PASSWORD).unwrap());
    custom_role(app);
    app.db
        .write_blocking(&Actor::command(), |tx| {
            let ((own, made), (foreign, also_made)) = (client(tx, OWN)?, client(tx, FOREIGN)?);
            let mut events = vec![made, also_made];
            let mut person =
                |name: &str, roles: &[&str], access: Option<(ClientId, &str, &str)>| -> Result<Person> {
                    let words: Vec<&str> = name.split(' ').take(2).collect();
                    let email = format!("{}@tyrian.example", words.join(".").to_lowercase());
                    let new = NewPerson { name, email: &email, password_hash: Some(&HASH), roles };
                    let (id, event) = store::insert_person(tx, &new, None)?;
                    events.push(event);
                    if let Some((client, client_name, role)) = access {
                        events.push(store::give_access(tx, client, client_name, id, name, role, None)?);
                    }
                    Ok(Person { id, name: name.to_owned(), email })
                };
            let at_own = |role| Some((own, OWN, role));
            let people = People {
                administrator: person(ADA, &["administrator"], None)?,
                lead: person(LEA, &["team_lead"], at_own("team_lead"))?,
                standard: person(SAM, &["standard_user"], at_own("standard_user"))?,
                second: person(BEA, &["standard_user"], at_own("standard_user"))?,
                analyst: person(ANN, &["analyst"], at_own("analyst"))?,
                blue_analyst: person(BO, &["analyst"], at_own("analyst"))?,
                auditor: person(ABE, &["auditor"], None)?,
                outsider: person(OTIS, &["team_lead"], Some((foreign, FOREIGN, "team_lead")))?,
                bare: person(BEN, &["standard_user"], None)?,
                custom: person(CUS, &["planner"], at_own("planner"))?,
            };
            tx.audited_all((Clients { own, foreign }, people), &events)
        })
        .unwrap()
}

fn client(tx: &mut WriteTx<'_>, name: &str) -> Result<(ClientId, Event)> {
    let text = ClientText {
        name: name.to_owned(),
        description: LONG.clone(),
        contacts: LONG.clone(),
        tags: vec![hostile!("bank").to_owned()],
    };
    tyrian::clients::store::create(tx, &text, None)
}

/// A client to which everybody has the same access as to another one.
pub fn client_like(app: &App, name: &str, like: ClientId) -> ClientId {
    app.db
        .write_blocking(&Actor::command(), |tx| {
            let (id, event) = client(tx, name)?;
            let copied = "INSERT INTO client_access (client_id, person_id, role_id, given_at) \
                SELECT $1, person_id, role_id, given_at FROM client_access WHERE client_id = $2";
            diesel::sql_query(copied).bind::<SqlUuid, _>(id.0).bind::<SqlUuid, _>(like.0).execute(tx.conn)?;
            tx.audited(id, event)
        })
        .unwrap()
}

/// Makes the role of [`People::custom`]. Fixtures give roles by a key, and only the product's own have one.
fn custom_role(app: &App) {
    let permissions: PermissionSet =
        [P::LibraryRead, P::ClientRead, P::EngagementRead, P::EngagementPlan].into_iter().collect();
    let text = RoleText {
        name: hostile!("Planner").into(),
        description: hostile!("Reads and plans.").into(),
        permissions,
        requires_two_factor: false,
    };
    app.db
        .write_blocking(&Actor::command(), |tx| {
            let made = roles::store::create(tx, permissions, &text)?;
            diesel::sql_query("UPDATE roles SET key = 'planner' WHERE key IS NULL").execute(tx.conn)?;
            Ok(made)
        })
        .unwrap();
}

/// A session cookie, `name=value`, that the app takes for its own.
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
    let name = app.keys.cookies.session.clone();
    jar.private_mut(&app.keys.cookie).add(Cookie::new(name.clone(), key));
    format!("{name}={}", jar.get(&name).unwrap().value())
}

/// An engagement made for a test.
#[derive(Debug, Clone)]
pub struct Engagement {
    pub id: EngagementId,
    pub title: String,
    pub client: ClientId,
    /// Its procedures, in order.
    pub procedures: Vec<ProcedureId>,
    pub report: ReportId,
}

impl Engagement {
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
    pub title: &'a str,
    /// How many procedures, taken from the starter library over and over.
    pub procedures: usize,
    pub status: EngagementStatus,
    /// First day, in UTC.
    pub start: Option<NaiveDate>,
}

impl Default for Plan<'_> {
    fn default() -> Self {
        Self { title: TITLE, procedures: 3, status: EngagementStatus::InProgress, start: None }
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
        let made = self.plan(client, &Plan { title: DRILL, procedures: 2, ..Plan::default() });
        let author = self.worker(client);
        let fields = [
            ("version", "1"),
            ("status", "completed"),
            ("red_outcome", "success"),
            ("blue_outcome", "logged"),
            ("severity", "high"),
            ("executed_at", "2026-11-20T07:00:00"),
            ("detected_at", "2026-11-20T07:10:00"),
        ];
        let saved = self.browser(author).post(&made.procedure_path(0), &fields);
        assert_eq!(saved.status, 303, "{}", saved.text());
        self.db
            .write_blocking(&Actor::command(), |tx| {
                let (locked, _) =
                    tyrian::lifecycle::store::lock_engagement(tx, made.id, &Visible::found(client))?;
                let (at, by) = (tx.now(), tx.actor().clone());
                let (_, _, events) = tyrian::reports::store::freeze(tx, &locked, at, &by)?;
                tx.audited_all((), &events)
            })
            .unwrap();
        made
    }

    /// Somebody who works on the procedures of a client: the red operator, where they have access.
    pub fn worker(&self, client: ClientId) -> &Person {
        let (standard, outsider) = (&self.people.standard, &self.people.outsider);
        let access = format!(
            "SELECT count(*) FROM client_access WHERE client_id = '{client}' AND person_id = '{}'",
            standard.id
        );
        if self.count(&access) == 1 { standard } else { outsider }
    }

    /// Gives somebody access to a client.
    pub fn give_access(&self, person: &Person, client: ClientId, role: &str) {
        let name = if client == self.clients.own { OWN } else { FOREIGN };
        self.db
            .write_blocking(&Actor::command(), |tx| {
                let event = store::give_access(tx, client, name, person.id, &person.name, role, None)?;
                tx.audited((), event)
            })
            .unwrap();
    }

    /// An asset of a client.
    pub fn asset(&self, client: ClientId, name: &str) -> AssetId {
        let text = AssetText {
            name: name.to_owned(),
            kind: AssetKind::Server,
            criticality: Criticality::High,
            address: hostile!("10.0.0.1").into(),
            description: LONG.clone(),
            tags: vec![hostile!("edge").to_lowercase()],
        };
        self.db
            .write_blocking(&Actor::command(), |tx| {
                let (id, event) = tyrian::clients::assets::store::insert(tx, client, &text)?;
                tx.audited(id, event)
            })
            .unwrap()
    }
}

/// As [`TestApp::plan`], of an application alone.
pub fn plan_engagement(app: &App, client: ClientId, plan: &Plan<'_>, people: &People) -> Engagement {
    // What is due has been booked before its day.
    let now = app.clock.now();
    if let (EngagementStatus::Scheduled, Some(start)) = (plan.status, plan.start) {
        let day_before = start.and_time(chrono::NaiveTime::MIN).and_utc() - chrono::TimeDelta::days(2);
        app.clock.set(now.min(day_before));
    }
    let made = app.db.write_blocking(&Actor::command(), |tx| {
        let new = NewEngagement {
            id: EngagementId::new(),
            client,
            details: details(plan),
            plan: None,
            earlier: None,
            operators: operators(tx, client, people)?,
            inputs: BTreeMap::new(),
            procedures: chosen(tx, plan.procedures)?,
        };
        let (created, audited) =
            tyrian::engagements::store::create::create(tx, &Visible::found(client), Shelf::whole(), &new)?;
        Ok(audited.with(created))
    });
    app.clock.set(now);
    let made = made.unwrap();
    assert_eq!(made.status, plan.status, "what starts on {:?} is made otherwise", plan.start);
    Engagement {
        id: made.id,
        title: plan.title.to_owned(),
        client,
        procedures: made.procedures,
        report: made.report,
    }
}

fn details(plan: &Plan<'_>) -> Details {
    Details {
        title: plan.title.to_owned(),
        description: LONG.clone(),
        tags: vec![hostile!("autumn").to_owned()],
        start_date: plan.start,
        end_date: None,
        time_zone: chrono_tz::UTC,
        observation_window: ObservationWindow::Closed,
        objective: String::new(),
        scope: LONG.clone(),
        access_info: String::new(),
        special_instructions: String::new(),
    }
}

/// Those of the usual operators who have access to the client.
fn operators(tx: &mut WriteTx<'_>, client: ClientId, people: &People) -> Result<Vec<(PersonId, Team)>> {
    use tyrian::kernel::db::schema::client_access;
    let members: Vec<uuid::Uuid> = client_access::table
        .filter(client_access::client_id.eq(client.0))
        .select(client_access::person_id)
        .load(tx.conn)?;
    let usual = [
        (people.standard.id, Team::Red),
        (people.second.id, Team::Blue),
        (people.blue_analyst.id, Team::Blue),
        (people.lead.id, Team::Red),
        (people.lead.id, Team::Blue),
    ];
    Ok(usual.into_iter().filter(|(person, _)| members.contains(&person.0)).collect())
}

/// Procedures of the starter library in its order, over and over.
fn chosen(tx: &mut WriteTx<'_>, n: usize) -> Result<Vec<Chosen>> {
    use tyrian::kernel::db::schema::library_procedures as library;
    let ids: HashMap<String, LibraryProcedureId> = library::table
        .select((library::source_key, library::id))
        .load::<(String, LibraryProcedureId)>(tx.conn)?
        .into_iter()
        .collect();
    let keys = starter_bodies();
    Ok((0..n).map(|n| Chosen::Library(ids[&keys[n % keys.len()].0])).collect())
}
