//! SQL of assets. An asset is found only at its own client, and only where that client is visible.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel::dsl::max;

use super::lines::{self, Line};
use crate::clients::domain::{
    AssetField, AssetKind, AssetText, AssetUses, Criticality, check_asset, read_asset,
};
use crate::clients::store::{find_kept_until, lock};
use crate::kernel::authz::Visible;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{AssetId, ClientId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::{assets, engagements, finding_assets, procedure_assets, procedures};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::merge::history::{Subject, SubjectKind};
use crate::kernel::merge::record::{self, Record, Saved, Typed};
use crate::kernel::merge::{Change, MergeField, Version};

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = assets, check_for_backend(diesel::pg::Pg))]
pub struct Asset {
    pub id: AssetId,
    pub client_id: ClientId,
    pub name: String,
    pub kind: AssetKind,
    pub criticality: Criticality,
    /// One line.
    pub address: String,
    /// Markdown.
    pub description: String,
    /// Lower-cased.
    pub tags: Vec<String>,
    /// Rises with every change.
    pub version: i32,
}

/// A client's assets by name. The caller has found the client.
pub fn list(conn: &mut PgConnection, client: ClientId) -> Result<Vec<Asset>> {
    Ok(assets::table
        .filter(assets::client_id.eq(client))
        .order((assets::name, assets::id))
        .select(Asset::as_select())
        .load(conn)?)
}

/// An asset of a client among `visible`.
///
/// # Errors
/// [`Error::NotFound`] for any other.
pub fn get(conn: &mut PgConnection, client: ClientId, id: AssetId, visible: &Visible) -> Result<Asset> {
    if !visible.contains(&client) {
        return Err(Error::NotFound);
    }
    Ok(assets::table.find(id).filter(assets::client_id.eq(client)).select(Asset::as_select()).first(conn)?)
}

/// How many procedures and findings name the asset.
pub fn find_uses(conn: &mut PgConnection, id: AssetId) -> Result<AssetUses> {
    let used = procedure_assets::table
        .inner_join(procedures::table.on(procedures::id.eq(procedure_assets::procedure_id)))
        .inner_join(engagements::table.on(engagements::id.eq(procedures::engagement_id)))
        .filter(procedure_assets::asset_id.eq(id));
    let gone = used.filter(engagements::deleted_at.is_not_null());
    let (open, (deleted, last), findings) = diesel::select((
        used.filter(engagements::deleted_at.is_null()).count().single_value(),
        (gone.count().single_value(), gone.select(max(engagements::deleted_at)).single_value()),
        finding_assets::table.filter(finding_assets::asset_id.eq(id)).count().single_value(),
    ))
    .get_result::<(Option<i64>, (Option<i64>, Option<DateTime<Utc>>), Option<i64>)>(conn)?;
    Ok(AssetUses {
        procedures: open.unwrap_or_default(),
        deleted: deleted.unwrap_or_default(),
        kept_until: find_kept_until(conn, last)?,
        findings: findings.unwrap_or_default(),
    })
}

/// Creates an asset and returns the event to be audited; for whoever writes more in the same transaction.
///
/// # Errors
/// [`Error::Invalid`] when the client has one of that name.
pub fn insert(tx: &mut WriteTx<'_>, client: ClientId, text: &AssetText) -> Result<(AssetId, Event)> {
    let id = AssetId::new();
    diesel::insert_into(assets::table)
        .values((
            assets::id.eq(id),
            assets::client_id.eq(client),
            assets::name.eq(&text.name),
            assets::kind.eq(text.kind),
            assets::criticality.eq(text.criticality),
            assets::address.eq(&text.address),
            assets::description.eq(&text.description),
            assets::tags.eq(&text.tags),
            assets::created_at.eq(tx.now()),
            assets::updated_at.eq(tx.now()),
        ))
        .execute(tx.conn)
        .map_err(name_taken)?;
    let event = Event::new(Kind::AssetCreated, format!("Created the asset “{}”", text.name))
        .subject("asset", id.0, &text.name)
        .client(client)
        .changes(changes(&Fields::default(), &fields(text)));
    Ok((id, event))
}

/// Creates an asset at a client among `visible`.
///
/// # Errors
/// As [`insert`]; [`Error::NotFound`] for any other client.
pub fn create(
    tx: &mut WriteTx<'_>,
    client: ClientId,
    visible: &Visible,
    text: &AssetText,
) -> Result<Audited<()>> {
    // Locked, so that the client is not deleted in between.
    lock(tx, client, visible)?;
    let (_, event) = insert(tx, client, text)?;
    tx.audited((), event)
}

/// The lower-cased names that a client's assets have.
pub fn list_names(conn: &mut PgConnection, client: ClientId) -> Result<BTreeSet<String>> {
    let names: Vec<String> =
        assets::table.filter(assets::client_id.eq(client)).select(assets::name).load(conn)?;
    Ok(names.into_iter().map(|name| name.to_lowercase()).collect())
}

/// Creates those of pasted lines that are assets; with `all` none of them where one is not. Tells what became
/// of each line.
///
/// # Errors
/// [`Error::NotFound`] for a client that is not among `visible`.
pub fn create_lines(
    tx: &mut WriteTx<'_>,
    client: ClientId,
    visible: &Visible,
    pasted: &str,
    all: bool,
) -> Result<Audited<Vec<Line>>> {
    lock(tx, client, visible)?;
    let lines = lines::read(pasted, &list_names(tx.conn, client)?);
    let fine: Vec<&AssetText> = lines.iter().filter_map(|line| line.read.as_ref().ok()).collect();
    if fine.is_empty() || all && fine.len() < lines.len() {
        return Ok(tx.unchanged(lines));
    }
    let mut events = Vec::with_capacity(fine.len());
    for text in fine {
        events.push(insert(tx, client, text)?.1);
    }
    tx.audited_all(lines, &events)
}

crate::merge_columns! {
    Asset: AssetField {
        Name => name;
        Kind => kind;
        Criticality => criticality;
        Address => address;
        Description => description;
        Tags => tags;
    }
}

impl Record for Asset {
    fn subject(&self) -> Subject {
        Subject(SubjectKind::Asset, self.id.0)
    }

    fn version(&self) -> Version {
        self.version
    }

    fn check(&self, field: AssetField, raw: &str) -> Result<String, String> {
        check_asset(field, raw)
    }

    fn store(
        &mut self,
        tx: &mut WriteTx<'_>,
        version: Version,
        _changes: &[Change<AssetField>],
    ) -> Result<()> {
        diesel::update(assets::table.find(self.id))
            .set((
                assets::name.eq(&self.name),
                assets::kind.eq(self.kind),
                assets::criticality.eq(self.criticality),
                assets::address.eq(&self.address),
                assets::description.eq(&self.description),
                assets::tags.eq(&self.tags),
                assets::updated_at.eq(tx.now()),
                assets::version.eq(version),
            ))
            .execute(tx.conn)
            .map_err(name_taken)?;
        self.version = version;
        Ok(())
    }
}

/// Saves typed fields of an asset. What conflicts is not stored and comes back with both values; everything
/// else is.
///
/// # Errors
/// [`Error::Invalid`] with a sentence for each field that does not hold, or when the name is taken (nothing
/// is stored).
pub fn save(
    tx: &mut WriteTx<'_>,
    client: ClientId,
    id: AssetId,
    visible: &Visible,
    typed: &[Typed<AssetField>],
) -> Result<Audited<Saved<AssetField>>> {
    let mut asset = lock_asset(tx, client, id, visible)?;
    let saved = record::save(tx, &mut asset, typed, |_| Ok(()))?;
    if !saved.changes() {
        return Ok(tx.unchanged(saved));
    }
    let told = saved.accepted.iter().map(|change| Change {
        field: change.field,
        old: read_asset(change.field, &change.old),
        new: read_asset(change.field, &change.new),
    });
    let told: Vec<Change<AssetField>> = told.collect();
    let event = Event::new(Kind::AssetUpdated, format!("Changed the asset “{}”", asset.name))
        .subject("asset", id.0, &asset.name)
        .client(client)
        .telling(told.iter().map(Change::detail));
    tx.audited(saved, event)
}

/// Deletes an asset that nothing uses.
///
/// # Errors
/// [`Error::Refused`] with what uses it.
pub fn delete(
    tx: &mut WriteTx<'_>,
    client: ClientId,
    id: AssetId,
    visible: &Visible,
) -> Result<Audited<String>> {
    let asset = lock_asset(tx, client, id, visible)?;
    if let Some(sentence) = find_uses(tx.conn, id)?.sentence() {
        return Err(Error::Refused(sentence));
    }
    diesel::delete(assets::table.find(id)).execute(tx.conn)?;
    let event = Event::new(Kind::AssetDeleted, format!("Deleted the asset “{}”", asset.name))
        .subject("asset", id.0, &asset.name)
        .client(client);
    tx.audited(asset.name, event)
}

fn lock_asset(tx: &mut WriteTx<'_>, client: ClientId, id: AssetId, visible: &Visible) -> Result<Asset> {
    if !visible.contains(&client) {
        return Err(Error::NotFound);
    }
    Ok(assets::table
        .find(id)
        .filter(assets::client_id.eq(client))
        .select(Asset::as_select())
        .for_update()
        .first(tx.conn)?)
}

type Fields = [String; 6];

fn fields(text: &AssetText) -> Fields {
    [
        text.name.clone(),
        text.kind.label().to_owned(),
        text.criticality.label().to_owned(),
        text.address.clone(),
        text.description.clone(),
        text.tags.join(", "),
    ]
}

fn changes<'a>(before: &'a Fields, after: &'a Fields) -> Vec<(&'a str, &'a str, &'a str, bool)> {
    AssetField::ALL
        .iter()
        .zip(before.iter().zip(after))
        .filter(|(_, (old, new))| old != new)
        .map(|(field, (old, new))| (field.as_str(), old.as_str(), new.as_str(), field.is_long()))
        .collect()
}

fn name_taken(error: diesel::result::Error) -> Error {
    match Error::constraint(&error) {
        Some("assets_name") => Error::field(
            "name",
            "This client has an asset of this name already. Choose it, or use another name.",
        ),
        _ => error.into(),
    }
}
