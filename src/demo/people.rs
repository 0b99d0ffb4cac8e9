//! How the installation came to its people: the first administrator by the link of the first start, the
//! others by invitation; roles and access; clients with their assets; passwords forgotten and changed.

use super::content::{Asset, Client, Person};
use super::past::{DAYS, day};
use super::stage::{Stage, unknown};
use crate::accounts::access::store as access;
use crate::accounts::domain::LinkPurpose;
use crate::accounts::pages::sign_in::make_link_in;
use crate::accounts::store::{self as accounts, NewPerson};
use crate::accounts::users::store as users;
use crate::clients::assets::store as assets;
use crate::clients::domain::{TypedAsset, TypedClient};
use crate::clients::store as clients;
use crate::kernel::authz::policy::ROLES;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::RoleId;
use crate::kernel::db::WriteTx;
use crate::kernel::event::domain::{Actor, Event, Kind};
use crate::kernel::web::permit::{CreateClient, EditAsset, ManageAccess, ManageSettings, ManageUser, Permit};
use crate::settings::store as settings;

/// Hours for which a link works.
const LINK_HOURS: i64 = 72;

/// When each client was taken on, in days from today.
const TAKEN_ON: [i64; 2] = [-DAYS, -64];

/// Puts all of it on the agenda; the first person of the content is the administrator, the second leads.
pub fn plan<'a>(stage: &mut Stage<'a>) -> Result<()> {
    let end = stage.end;
    let told = stage.told;
    let [first, lead, ..] = told.people.as_slice() else { return Err(unknown("people")) };
    let (administrator, lead) = (first.key.as_str(), lead.key.as_str());
    stage.at(day(end, -DAYS, 7, 41), move |stage, tx| set_up(stage, tx, first));
    for (place, person) in (0u32..).zip(&told.people[1..]) {
        let leads = person.key == lead;
        stage.at(day(end, -DAYS, 7, 50 + place), move |stage, tx| {
            invite(stage, tx, administrator, person, if leads { "standard_user" } else { &person.roles[0] })
        });
        stage.at(day(end, -DAYS, 8, 20 + place * 7), move |stage, tx| accept(stage, tx, person));
    }
    stage.at(day(end, -DAYS, 8, 58), move |stage, tx| {
        stage.act(tx, administrator, |_: &Permit<ManageSettings>, tx| {
            settings::note_first_hour(tx, settings::FirstHour::KeysKept)
        })
    });
    stage.at(day(end, -DAYS, 9, 3), move |stage, tx| change_roles(stage, tx, administrator, lead));
    for (client, since) in told.clients.iter().zip(TAKEN_ON) {
        stage.at(day(end, since, 9, 12), move |stage, tx| take_on(stage, tx, lead, client));
        for (place, asset) in (0u32..).zip(&client.assets) {
            let at = day(end, since, 9, 20 + place * 3);
            stage.at(at, move |stage, tx| add_asset(stage, tx, lead, client, asset));
        }
        let others = told.people.iter().filter(|person| person.key != lead);
        for (place, person) in (0u32..).zip(others) {
            let Some(role) = person.access.get(&client.key) else { continue };
            stage.at(day(end, since, 9, 48 + place), move |stage, tx| {
                give_access(stage, tx, administrator, client, person, role)
            });
        }
    }
    let [.., careless, _, forgetful] = told.people.as_slice() else { return Ok(()) };
    stage.at(day(end, -71, 8, 2), move |stage, tx| stage.mistype(tx, &careless.key));
    stage.at(day(end, -71, 8, 3), move |stage, tx| change_password(stage, tx, &careless.key));
    stage.at(day(end, -43, 12, 47), move |stage, tx| stage.mistype(tx, &forgetful.key));
    stage.at(day(end, -43, 12, 48), move |stage, tx| stage.mistype(tx, &forgetful.key));
    stage.at(day(end, -43, 13, 15), move |stage, tx| reset_password(stage, tx, administrator, forgetful));
    stage.at(day(end, -15, 7, 58), move |stage, tx| change_password(stage, tx, lead));
    stage.at(day(end, -6, 8, 11), move |stage, tx| change_password(stage, tx, &careless.key));
    Ok(())
}

fn role(conn: &mut diesel::PgConnection, key: &str) -> Result<RoleId> {
    let name = ROLES.iter().find(|role| role.key == key).map(|role| role.name).unwrap_or_default();
    let found = users::list_roles(conn)?.into_iter().find(|(_, known)| known == name);
    Ok(found.ok_or_else(|| unknown(key))?.0)
}

/// The first administrator, by the link that the first start prints.
fn set_up<'a>(stage: &mut Stage<'a>, tx: &mut WriteTx<'_>, person: &'a Person) -> Result<()> {
    let link = make_link_in(tx.conn, (stage.app, ""), LinkPurpose::FirstAdministrator, None, LINK_HOURS)?;
    let (digest, hash) = (digest(stage, &link), stage.hash);
    let id = tx.part(&Actor::anonymous(), stage.now(), |tx| {
        accounts::use_link(tx.conn, &digest, tx.now())?;
        accounts::insert_first_administrator(tx, &person.name, &person.email, hash)
    })?;
    stage.people.insert(&person.key, id);
    stage.sign_in(tx, &person.key, "one-time link")
}

fn digest(stage: &Stage<'_>, link: &str) -> [u8; 32] {
    stage.app.keys.hash(link.rsplit('/').next().unwrap_or_default())
}

fn invite<'a>(
    stage: &mut Stage<'a>,
    tx: &mut WriteTx<'_>,
    by: &'a str,
    person: &'a Person,
    role_key: &str,
) -> Result<()> {
    let wanted = role(tx.conn, role_key)?;
    let new = NewPerson { name: &person.name, email: &person.email, password_hash: None, roles: &[] };
    let id = stage.act(tx, by, |permit: &Permit<ManageUser>, tx| {
        let (id, event) = accounts::insert_person(tx, &new, Some(permit.viewer().id))?;
        users::save_roles(tx, permit.viewer().rights.own, id, &[wanted], &[])?;
        let invited = Event::new(Kind::UserInvited, format!("Made an invitation link for {}", person.name))
            .subject("person", id.0, &person.name)
            .about(id);
        tx.audited_all(id, &[event, invited])
    })?;
    stage.people.insert(&person.key, id);
    Ok(())
}

/// Somebody chooses their password by the link that they were given.
fn accept<'a>(stage: &mut Stage<'a>, tx: &mut WriteTx<'_>, person: &'a Person) -> Result<()> {
    choose_password(stage, tx, person, LinkPurpose::Invitation)
}

fn choose_password<'a>(
    stage: &mut Stage<'a>,
    tx: &mut WriteTx<'_>,
    person: &'a Person,
    purpose: LinkPurpose,
) -> Result<()> {
    let id = stage.person_id(&person.key)?;
    let link = make_link_in(tx.conn, (stage.app, ""), purpose, Some(id), LINK_HOURS)?;
    let (digest, hash) = (digest(stage, &link), stage.hash);
    tx.part(&stage.actor(&person.key)?, stage.now(), |tx| {
        accounts::use_link(tx.conn, &digest, tx.now())?;
        accounts::set_password(tx, id, hash, purpose == LinkPurpose::Reset)
    })?;
    stage.sign_in(tx, &person.key, "one-time link")
}

/// Invited as an operator, and then asked to lead.
fn change_roles<'a>(stage: &mut Stage<'a>, tx: &mut WriteTx<'_>, by: &'a str, who: &'a str) -> Result<()> {
    let (id, was, is) = (
        stage.person_id(who)?,
        role(tx.conn, "standard_user")?,
        role(tx.conn, &stage.person(who)?.roles[0])?,
    );
    stage.act(tx, by, |permit: &Permit<ManageUser>, tx| {
        users::save_roles(tx, permit.viewer().rights.own, id, &[is], &[was])
    })?;
    stage.look_again(tx, who)
}

fn take_on<'a>(stage: &mut Stage<'a>, tx: &mut WriteTx<'_>, by: &'a str, client: &'a Client) -> Result<()> {
    let typed = TypedClient {
        name: client.name.clone(),
        description: client.description.clone(),
        contacts: client.contacts.clone(),
        tags: client.tags.join(", "),
    };
    let text = typed.check()?;
    let id = stage.act(tx, by, |permit: &Permit<CreateClient>, tx| clients::insert(tx, permit, &text))?;
    stage.clients.insert(&client.key, id);
    // Whoever makes a client has access to it from now on.
    stage.look_again(tx, by)
}

fn add_asset<'a>(
    stage: &mut Stage<'a>,
    tx: &mut WriteTx<'_>,
    by: &'a str,
    client: &'a Client,
    asset: &'a Asset,
) -> Result<()> {
    let typed = TypedAsset {
        name: asset.name.clone(),
        kind: asset.kind.clone(),
        criticality: asset.criticality.clone(),
        address: asset.address.clone(),
        description: asset.description.clone(),
        tags: asset.tags.join(", "),
    };
    let (text, client) = (typed.check()?, stage.client(&client.key)?);
    let id = stage.act(tx, by, |_: &Permit<EditAsset>, tx| {
        let (id, event) = assets::insert(tx, client, &text)?;
        tx.audited(id, event)
    })?;
    stage.assets.insert(&asset.key, id);
    Ok(())
}

fn give_access<'a>(
    stage: &mut Stage<'a>,
    tx: &mut WriteTx<'_>,
    by: &'a str,
    client: &'a Client,
    person: &'a Person,
    role_key: &str,
) -> Result<()> {
    let (client, id, role) =
        (stage.client(&client.key)?, stage.person_id(&person.key)?, role(tx.conn, role_key)?);
    stage.act(tx, by, |_: &Permit<ManageAccess>, tx| access::give(tx, id, client, role))?;
    if stage.is_here(&person.key) { stage.look_again(tx, &person.key) } else { Ok(()) }
}

fn change_password<'a>(stage: &mut Stage<'a>, tx: &mut WriteTx<'_>, who: &'a str) -> Result<()> {
    let (id, hash) = (stage.person_id(who)?, stage.hash);
    if !stage.is_here(who) {
        stage.sign_in(tx, who, "password")?;
    }
    tx.part(&stage.actor(who)?, stage.now(), |tx| accounts::set_password(tx, id, hash, false))
}

fn reset_password<'a>(
    stage: &mut Stage<'a>,
    tx: &mut WriteTx<'_>,
    by: &'a str,
    person: &'a Person,
) -> Result<()> {
    let id = stage.person_id(&person.key)?;
    stage.act(tx, by, |permit: &Permit<ManageUser>, tx| {
        users::record_link(tx, permit.viewer().rights.own, id)
    })?;
    choose_password(stage, tx, person, LinkPurpose::Reset)
}
