//! What forms of a report offer: assets, evidence, outcomes.

use uuid::Uuid;

use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{ClientId, EngagementId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::{assets, attachments, procedures};

/// The assets of a client, by name: id, name, address.
pub fn list_assets(conn: &mut PgConnection, client: ClientId) -> Result<Vec<(Uuid, String, String)>> {
    Ok(assets::table
        .filter(assets::client_id.eq(client))
        .order((assets::name, assets::id))
        .select((assets::id, assets::name, assets::address))
        .load(conn)?)
}

/// An attachment to choose: id, title, file name, its procedure's place.
pub type Choice = (Uuid, String, String, Option<i32>);

/// The attachments of an engagement in the order of its procedures.
pub fn list_evidence(conn: &mut PgConnection, engagement: EngagementId) -> Result<Vec<Choice>> {
    Ok(attachments::table
        .left_join(procedures::table.on(procedures::id.nullable().eq(attachments::procedure_id)))
        .filter(attachments::engagement_id.eq(engagement).and(attachments::removed_at.is_null()))
        .order((procedures::position, attachments::uploaded_at, attachments::id))
        .select((
            attachments::id,
            attachments::title,
            attachments::file_name,
            procedures::position.nullable(),
        ))
        .load(conn)?)
}
