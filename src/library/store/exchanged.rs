//! What test plans and methodologies said when they came from another installation or left for one. Rows stay
//! when their subject goes: it may come back.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::kernel::base::error::Result;
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::WriteTx;
use crate::kernel::db::schema::exchanged_texts;
use crate::library::domain::ContentDigest;

/// What came or left, and when it last did.
#[derive(Debug, Clone, Queryable)]
pub struct ExchangedText {
    pub subject_id: Uuid,
    digest: Vec<u8>,
    pub body: serde_json::Value,
    pub at: DateTime<Utc>,
}

impl ExchangedText {
    pub fn digest(&self) -> ContentDigest {
        self.digest.as_slice().try_into().unwrap_or_default()
    }
}

/// Notes what a test plan or a methodology says where the other side reads it too. The caller audits.
pub(crate) fn note_exchanged(
    tx: &mut WriteTx<'_>,
    subject: Uuid,
    digest: ContentDigest,
    body: &impl Serialize,
) -> Result<()> {
    let now = tx.now();
    diesel::insert_into(exchanged_texts::table)
        .values((
            exchanged_texts::subject_id.eq(subject),
            exchanged_texts::digest.eq(digest.to_vec()),
            exchanged_texts::body.eq(serde_json::to_value(body)?),
            exchanged_texts::at.eq(now),
        ))
        .on_conflict((exchanged_texts::subject_id, exchanged_texts::digest))
        .do_update()
        .set(exchanged_texts::at.eq(now))
        .execute(tx.conn)?;
    Ok(())
}

/// Everything that was exchanged of these.
pub fn list_exchanged(conn: &mut PgConnection, subjects: &[Uuid]) -> Result<Vec<ExchangedText>> {
    Ok(exchanged_texts::table
        .filter(exchanged_texts::subject_id.eq_any(subjects))
        .order((exchanged_texts::subject_id, exchanged_texts::at))
        .select((
            exchanged_texts::subject_id,
            exchanged_texts::digest,
            exchanged_texts::body,
            exchanged_texts::at,
        ))
        .load(conn)?)
}
