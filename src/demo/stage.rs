//! Where the story is played: the agenda of acts in the order of their times, and who acts. People sign in in
//! the morning and out in the evening, and hold the permits that their requests would have.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::content::{Content, Person};
use crate::accounts::store;
use crate::accounts::store::sessions::{ADDRESS, AGENT, PERSON};
use crate::accounts::store::sign_in::{self, Entry};
use crate::kernel::app::App;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::hex::random_hex;
use crate::kernel::base::ids::{
    AssetId, AttachmentId, ClientId, EngagementId, PersonId, ProcedureId, ReportId,
};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Actor, ActorKind};
use crate::kernel::web::Ctx;
use crate::kernel::web::permit::{Action, Permit, Viewer};

/// How long after signing in somebody signs out.
const WORKING_DAY: TimeDelta = TimeDelta::minutes(8 * 60 + 40);

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

/// Something that somebody does.
type Act<'a> = Box<dyn FnOnce(&mut Stage<'a>, &mut WriteTx<'_>) -> Result<()> + 'a>;

/// A file to be stored with the attachment of its name.
pub struct Blob {
    pub key: AttachmentId,
    pub bytes: Vec<u8>,
}

pub struct Stage<'a> {
    pub app: &'a App,
    pub told: &'a Content,
    /// Hash of everybody's password.
    pub hash: &'a str,
    /// The present, where the story ends.
    pub end: DateTime<Utc>,
    pub clients: HashMap<&'a str, ClientId>,
    pub assets: HashMap<&'a str, AssetId>,
    pub people: HashMap<&'a str, PersonId>,
    pub procedures: HashMap<(EngagementId, String), ProcedureId>,
    pub reports: HashMap<EngagementId, ReportId>,
    pub blobs: Vec<Blob>,
    agenda: BTreeMap<(DateTime<Utc>, usize), Act<'a>>,
    acts: usize,
    at: DateTime<Utc>,
    signed_in: HashMap<&'a str, Ctx>,
}

/// The content names what it does not have.
pub fn unknown(key: &str) -> Error {
    Error::Internal(anyhow::anyhow!("the demo's content names the unknown “{key}”"))
}

impl<'a> Stage<'a> {
    pub fn new(app: &'a App, told: &'a Content, hash: &'a str, end: DateTime<Utc>) -> Self {
        Self {
            app,
            told,
            hash,
            end,
            clients: HashMap::new(),
            assets: HashMap::new(),
            people: HashMap::new(),
            procedures: HashMap::new(),
            reports: HashMap::new(),
            blobs: Vec::new(),
            agenda: BTreeMap::new(),
            acts: 0,
            at: end,
            signed_in: HashMap::new(),
        }
    }

    /// Puts an act on the agenda. Nothing is told of the future.
    pub fn at(
        &mut self,
        at: DateTime<Utc>,
        act: impl FnOnce(&mut Self, &mut WriteTx<'_>) -> Result<()> + 'a,
    ) {
        self.acts += 1;
        self.agenda.insert((at.min(self.end), self.acts), Box::new(act));
    }

    /// Plays the agenda, what its acts add to it too.
    ///
    /// # Errors
    /// What an act returns.
    pub fn play(&mut self, tx: &mut WriteTx<'_>) -> Result<()> {
        while let Some(((at, _), act)) = self.agenda.pop_first() {
            self.at = at;
            // Moves the clock of the past; the machine's stays in the present.
            self.app.clock.set(at);
            act(self, tx)?;
        }
        Ok(())
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    pub fn person(&self, key: &str) -> Result<&'a Person> {
        self.told.people.iter().find(|person| person.key == key).ok_or_else(|| unknown(key))
    }

    pub fn person_id(&self, key: &str) -> Result<PersonId> {
        self.people.get(key).copied().ok_or_else(|| unknown(key))
    }

    pub fn client(&self, key: &str) -> Result<ClientId> {
        self.clients.get(key).copied().ok_or_else(|| unknown(key))
    }

    pub fn procedure(&self, engagement: EngagementId, key: &str) -> Result<ProcedureId> {
        self.procedures.get(&(engagement, key.to_owned())).copied().ok_or_else(|| unknown(key))
    }

    /// What somebody does who may do `A`.
    ///
    /// # Errors
    /// When they may not, and what `f` returns.
    pub fn act<A: Action, T>(
        &mut self,
        tx: &mut WriteTx<'_>,
        who: &'a str,
        f: impl FnOnce(&Permit<A>, &mut WriteTx<'_>) -> Result<Audited<T>>,
    ) -> Result<T> {
        if !self.signed_in.contains_key(who) {
            self.sign_in(tx, who, "password")?;
        }
        let ctx = &self.signed_in[who];
        let permit = Permit::of(ctx)?;
        tx.part(&ctx.actor(), self.now(), |tx| f(&permit, tx))
    }

    /// Signs somebody in, and out again in the evening.
    ///
    /// # Errors
    /// When the account does not let them in.
    pub fn sign_in(&mut self, tx: &mut WriteTx<'_>, who: &'a str, how: &'static str) -> Result<()> {
        let (person, now) = (self.person(who)?, self.now());
        let device = self.app.keys.hash(who);
        let actor = self.actor(who)?;
        let attempt = sign_in::claim(
            tx.conn,
            &self.app.keys,
            &person.email,
            Some(&device),
            actor.address.as_deref(),
            now,
        )?;
        let account = attempt.account.clone().ok_or_else(|| unknown(who))?;
        let entry = Entry { how, attempt: Some(attempt), rehash: None };
        tx.part(&actor, now, |tx| sign_in::record_sign_in(tx, &account, &entry, &device))?;
        self.look_again(tx, who)?;
        let evening = self.at + WORKING_DAY;
        if evening < self.end {
            self.at(evening, move |stage, tx| stage.sign_out(tx, who));
        }
        Ok(())
    }

    fn sign_out(&mut self, tx: &mut WriteTx<'_>, who: &'a str) -> Result<()> {
        let Some(ctx) = self.signed_in.remove(who) else { return Ok(()) };
        let id = self.person_id(who)?;
        let name = &self.person(who)?.name;
        tx.part(&ctx.actor(), self.now(), |tx| sign_in::record_sign_out(tx, id, name))
    }

    /// A wrong password.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn mistype(&mut self, tx: &mut WriteTx<'_>, who: &'a str) -> Result<()> {
        let (person, now) = (self.person(who)?, self.now());
        let actor = Actor { address: self.actor(who)?.address, ..Actor::anonymous() };
        let attempt =
            sign_in::claim(tx.conn, &self.app.keys, &person.email, None, actor.address.as_deref(), now)?;
        tx.part(&actor, now, |tx| sign_in::record_refused(tx, &attempt))
    }

    /// What a request of somebody signed in loads: the person and their rights as they are now. The session
    /// is gone again at once, since no browser has its secret.
    ///
    /// # Errors
    /// When the person has no account in use.
    pub fn look_again(&mut self, tx: &mut WriteTx<'_>, who: &'a str) -> Result<()> {
        let (actor, now) = (self.actor(who)?, self.now());
        let key = self.app.keys.hash(&random_hex(32));
        let json = |value: &str| serde_json::to_string(value);
        let address = actor.address.unwrap_or_default();
        let state = HashMap::from([
            (PERSON.to_owned(), serde_json::to_string(&self.person_id(who)?)?),
            (ADDRESS.to_owned(), json(&address)?),
            (AGENT.to_owned(), json(BROWSER)?),
        ]);
        store::insert_session(tx.conn, &key, &state, now)?;
        let loaded = store::find_session(tx.conn, &key, now)?;
        store::delete_session(tx.conn, &key)?;
        let viewer: Viewer = loaded.and_then(|session| session.viewer).ok_or(Error::Unauthenticated)?;
        self.signed_in.insert(who, Ctx::told(self.app.clone(), viewer, &address, BROWSER));
        Ok(())
    }

    /// Whether somebody is signed in.
    pub fn is_here(&self, who: &str) -> bool {
        self.signed_in.contains_key(who)
    }

    /// Somebody before they are signed in, at an address of their own.
    ///
    /// # Errors
    /// When the content does not know them.
    pub fn actor(&self, who: &str) -> Result<Actor> {
        let person = self.person(who)?;
        let place = self.told.people.iter().position(|other| other.key == who).unwrap_or_default();
        Ok(Actor {
            kind: ActorKind::Person,
            id: Some(self.person_id(who)?),
            name: person.name.clone(),
            email: Some(person.email.clone()),
            address: Some(format!("192.0.2.{}", 11 + place)),
            user_agent: Some(BROWSER.to_owned()),
            ..Actor::anonymous()
        })
    }
}
