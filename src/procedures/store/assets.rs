//! SQL of the assets that a procedure was run against, with their own outcomes.

use super::logs::named;
use super::work::Work;
use crate::clients::assets::store as client_assets;
use crate::clients::domain::{AssetKind, AssetText, Criticality};
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{AssetId, ClientId, ProcedureId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::team::Team;
use crate::kernel::base::text::like;
use crate::kernel::db::WriteTx;
use crate::kernel::db::schema::{assets, procedure_assets};
use crate::kernel::event::domain::{Event, Kind};
use crate::settings::domain::Outcome;
use crate::settings::store::{list_choices, list_outcomes};

/// How many assets the picker shows at once; the search finds the others.
pub const PICKED_FROM: i64 = 50;

/// An asset of a procedure.
#[derive(Debug, Clone)]
pub struct ProcedureAsset {
    pub id: AssetId,
    pub name: String,
    pub kind: AssetKind,
    pub criticality: Criticality,
    pub address: String,
    /// Its own red outcome.
    pub red: Option<Outcome>,
    /// Its own blue outcome.
    pub blue: Option<Outcome>,
    /// Whether the finding names it.
    pub in_finding: bool,
}

type Row = (AssetId, String, AssetKind, Criticality, String, Option<String>, Option<String>, bool);

/// A procedure's assets by name, with the meaning of their own answers. The caller has found the procedure.
pub fn list_for_procedure(conn: &mut PgConnection, procedure: ProcedureId) -> Result<Vec<ProcedureAsset>> {
    let rows = list_rows(conn, procedure)?;
    // Most have one asset, which answers with the procedure itself.
    let any = rows.iter().any(|(.., red, blue, _)| red.is_some() || blue.is_some());
    let outcomes = if any { list_outcomes(conn)? } else { Vec::new() };
    Ok(answered(rows, &outcomes))
}

/// The same where the page has read the outcomes already.
pub fn list_with(
    conn: &mut PgConnection,
    procedure: ProcedureId,
    outcomes: &[Outcome],
) -> Result<Vec<ProcedureAsset>> {
    Ok(answered(list_rows(conn, procedure)?, outcomes))
}

fn list_rows(conn: &mut PgConnection, procedure: ProcedureId) -> Result<Vec<Row>> {
    Ok(procedure_assets::table
        .inner_join(assets::table.on(assets::id.eq(procedure_assets::asset_id)))
        .filter(procedure_assets::procedure_id.eq(procedure))
        .order((assets::name, assets::id))
        .select((
            assets::id,
            assets::name,
            assets::kind,
            assets::criticality,
            assets::address,
            procedure_assets::red_outcome,
            procedure_assets::blue_outcome,
            procedure_assets::in_finding,
        ))
        .load(conn)?)
}

fn answered(rows: Vec<Row>, outcomes: &[Outcome]) -> Vec<ProcedureAsset> {
    let outcome =
        |key: Option<String>| key.and_then(|key| outcomes.iter().find(|outcome| outcome.key == key)).cloned();
    let asset = |(id, name, kind, criticality, address, red, blue, in_finding): Row| ProcedureAsset {
        id,
        name,
        kind,
        criticality,
        address,
        red: outcome(red),
        blue: outcome(blue),
        in_finding,
    };
    rows.into_iter().map(asset).collect()
}

/// An asset that could be added.
#[derive(Debug, Clone, Queryable)]
pub struct Candidate {
    pub id: AssetId,
    pub name: String,
    pub kind: AssetKind,
    pub address: String,
}

/// The client's assets that the procedure does not have yet and whose name or address has every word of
/// `search`.
pub fn list_candidates(
    conn: &mut PgConnection,
    client: ClientId,
    procedure: ProcedureId,
    search: &str,
    ticked: &[AssetId],
) -> Result<Vec<Candidate>> {
    let mut query = assets::table
        .filter(assets::client_id.eq(client))
        .filter(diesel::dsl::not(diesel::dsl::exists(procedure_assets::table.filter(
            procedure_assets::asset_id.eq(assets::id).and(procedure_assets::procedure_id.eq(procedure)),
        ))))
        .order((assets::id.eq_any(ticked).desc(), assets::name, assets::id))
        .limit(PICKED_FROM)
        .select((assets::id, assets::name, assets::kind, assets::address))
        .into_boxed();
    for word in search.split_whitespace().take(8) {
        let pattern = like(word);
        query = query.filter(
            assets::name
                .ilike(pattern.clone())
                .or(assets::address.ilike(pattern))
                .or(assets::id.eq_any(ticked)),
        );
    }
    Ok(query.load(conn)?)
}

/// Adds assets of the engagement's client; those that are there already stay as they are.
///
/// # Errors
/// [`Error::Invalid`] when one is not an asset of this client.
pub fn add(tx: &mut WriteTx<'_>, work: &mut Work, wanted: &[AssetId]) -> Result<()> {
    shares(work)?;
    let found: Vec<(AssetId, String)> = assets::table
        .filter(assets::client_id.eq(work.client).and(assets::id.eq_any(wanted)))
        .order(assets::name)
        .select((assets::id, assets::name))
        .load(tx.conn)?;
    if wanted.is_empty() || wanted.iter().any(|id| !found.iter().any(|f| f.0 == *id)) {
        return Err(Error::field("asset", "Choose from this client's assets."));
    }
    let rows: Vec<_> = found
        .iter()
        .map(|(id, _)| {
            (
                procedure_assets::procedure_id.eq(work.procedure),
                procedure_assets::asset_id.eq(id),
                procedure_assets::client_id.eq(work.client),
            )
        })
        .collect();
    let added: Vec<AssetId> = diesel::insert_into(procedure_assets::table)
        .values(&rows)
        .on_conflict_do_nothing()
        .returning(procedure_assets::asset_id)
        .load_anew(tx.conn)
        .map_err(foreign_asset)?;
    if added.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = found.iter().filter(|f| added.contains(&f.0)).map(|f| f.1.as_str()).collect();
    let event = changed(work, format!("Added {} to {}", names.join(", "), named(work)))
        .detail(serde_json::json!({ "added": added }));
    work.record(event);
    Ok(())
}

/// Creates an asset of the client and adds it.
///
/// # Errors
/// [`Error::Invalid`] when the client has one of that name.
pub fn create(tx: &mut WriteTx<'_>, work: &mut Work, text: &AssetText) -> Result<()> {
    let (id, event) = client_assets::insert(tx, work.client, text)?;
    work.record(event);
    add(tx, work, &[id])
}

/// What an asset's form held when it was shown, or holds now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    /// Key of its red outcome, or nothing.
    pub red: String,
    /// Key of its blue outcome, or nothing.
    pub blue: String,
    /// Whether the finding names it.
    pub in_finding: bool,
}

impl Own {
    /// What is stored for an asset.
    pub fn of(asset: &ProcedureAsset) -> Self {
        let key = |outcome: &Option<Outcome>| outcome.as_ref().map(|o| o.key.clone()).unwrap_or_default();
        Self { red: key(&asset.red), blue: key(&asset.blue), in_finding: asset.in_finding }
    }
}

/// Saves what the form changed of an asset's own outcomes and its place in the finding. What it left as it
/// was shown stays as it is stored, so that red and blue can save at the same moment.
///
/// # Errors
/// [`Error::Forbidden`] for a side that the person does not write, [`Error::Invalid`] for an unknown outcome,
/// [`Error::Conflict`] when somebody else changed the same.
pub fn save(tx: &mut WriteTx<'_>, work: &mut Work, id: AssetId, shown: &Own, typed: &Own) -> Result<()> {
    let asset = find(tx, work, id)?;
    let stored = Own::of(&asset);
    let mut next = stored.clone();
    for team in [Team::Red, Team::Blue] {
        let of = |own: &Own| if team == Team::Red { own.red.clone() } else { own.blue.clone() };
        let (was, now, held) = (of(shown), of(typed), of(&stored));
        if now == was || now == held {
            continue;
        }
        if !work.sides.may_write_team(team) {
            return Err(Error::Forbidden(format!(
                "You do not write the {} side of this procedure.",
                team.as_str()
            )));
        }
        if held != was {
            return Err(Error::Conflict(
                "Somebody else chose an outcome for this asset meanwhile. Look at it, then choose again."
                    .into(),
            ));
        }
        let known = now.is_empty() || list_choices(tx.conn, team, Some(&held))?.iter().any(|o| o.key == now);
        if !known {
            let field = if team == Team::Red { "red_outcome" } else { "blue_outcome" };
            return Err(Error::field(field, "Choose an outcome from the list."));
        }
        *(if team == Team::Red { &mut next.red } else { &mut next.blue }) = now;
    }
    if typed.in_finding != shown.in_finding {
        shares(work)?;
        next.in_finding = typed.in_finding;
    }
    if next == stored {
        return Ok(());
    }
    let key = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    diesel::update(procedure_assets::table.find((work.procedure, id)))
        .set((
            procedure_assets::red_outcome.eq(key(&next.red)),
            procedure_assets::blue_outcome.eq(key(&next.blue)),
            procedure_assets::in_finding.eq(next.in_finding),
        ))
        .execute(tx.conn)?;
    let yes = |ticked: bool| if ticked { "yes" } else { "no" };
    let changes = [
        ("red_outcome", stored.red.as_str(), next.red.as_str(), false),
        ("blue_outcome", stored.blue.as_str(), next.blue.as_str(), false),
        ("in_finding", yes(stored.in_finding), yes(next.in_finding), false),
    ];
    let event = changed(work, format!("Changed {} on {}", asset.name, named(work)))
        .detail(serde_json::json!({ "asset": id }))
        .telling(changes.into_iter().filter(|c| c.1 != c.2));
    work.record(event);
    Ok(())
}

/// Takes an asset off the procedure; the asset itself stays the client's.
///
/// # Errors
/// [`Error::NotFound`] when the procedure does not have it; [`Error::Forbidden`] when it carries an outcome
/// of a side that the person does not write.
pub fn remove(tx: &mut WriteTx<'_>, work: &mut Work, id: AssetId) -> Result<()> {
    shares(work)?;
    let asset = find(tx, work, id)?;
    for (team, outcome) in [(Team::Red, &asset.red), (Team::Blue, &asset.blue)] {
        if outcome.is_some() && !work.sides.may_write_team(team) {
            return Err(Error::Forbidden(format!(
                "This asset carries an outcome of the {} team, whose side you do not write.",
                team.as_str()
            )));
        }
    }
    diesel::delete(procedure_assets::table.find((work.procedure, id))).execute(tx.conn)?;
    let event = changed(work, format!("Removed {} from {}", asset.name, named(work)))
        .detail(serde_json::json!({ "removed": id }));
    work.record(event);
    Ok(())
}

/// `Ok` for who may choose the assets: a client's Analyst writes outcomes on those that are there.
fn shares(work: &Work) -> Result<()> {
    if work.sides.shared { Ok(()) } else { Err(Error::Forbidden(NOT_SHARED.into())) }
}

/// Said to who writes blue alone and would choose assets.
pub const NOT_SHARED: &str =
    "Whoever runs the engagement chooses its assets. You write blue's outcomes on those that are there.";

fn find(tx: &mut WriteTx<'_>, work: &Work, id: AssetId) -> Result<ProcedureAsset> {
    list_for_procedure(tx.conn, work.procedure)?.into_iter().find(|a| a.id == id).ok_or(Error::NotFound)
}

fn changed(work: &Work, sentence: String) -> Event {
    work.event(Kind::AssetsChanged, sentence)
}

/// The composite foreign keys say the same as the query before: an asset of another client does not get in.
fn foreign_asset(error: diesel::result::Error) -> Error {
    match Error::constraint(&error) {
        Some("procedure_assets_asset" | "procedure_assets_procedure") => {
            Error::field("asset", "Choose from this client's assets.")
        }
        _ => error.into(),
    }
}
