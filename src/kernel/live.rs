//! Live updates: one poller per node reads the newest audit events and tells the open pages of an engagement
//! that something changed; the page then asks for what it may see. Nothing waits for the transaction-id
//! horizon here: the poller rereads from the last horizon and drops what it already sent, so no event is
//! missed and none comes late.

use std::collections::HashSet;
use std::time::Duration;

use diesel::sql_types::{BigInt, Bool, Nullable, Text, Uuid as SqlUuid};
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{EngagementId, PersonId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::Db;

/// Something changed in an engagement.
#[derive(Debug, Clone)]
pub struct Change {
    pub engagement: EngagementId,
    /// The procedure, where it is about one.
    pub procedure: Option<Uuid>,
    pub by: Option<PersonId>,
}

/// The node's feed; cheap to clone.
#[derive(Clone)]
pub struct Live(broadcast::Sender<Change>);

impl Default for Live {
    fn default() -> Self {
        Self(broadcast::channel(1024).0)
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = SqlUuid)]
    engagement_id: Uuid,
    #[diesel(sql_type = Nullable<Text>)]
    subject_type: Option<String>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    subject_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    actor_id: Option<Uuid>,
    #[diesel(sql_type = BigInt)]
    horizon: i64,
    #[diesel(sql_type = Bool)]
    recent: bool,
}

#[derive(QueryableByName)]
struct Horizon {
    #[diesel(sql_type = BigInt)]
    horizon: i64,
}

impl Live {
    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Change> {
        self.0.subscribe()
    }

    /// Polls until the process ends, asking nothing while nobody listens. The first poll for somebody tells
    /// the last seconds again: what was saved between their page and their connection is among them.
    pub async fn poll(self, db: Db, every: Duration) {
        let mut horizon: Option<i64> = None;
        let mut sent: HashSet<i64> = HashSet::new();
        let mut tick = tokio::time::interval(every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if self.0.receiver_count() == 0 {
                horizon = None;
                continue;
            }
            match db.read(move |conn| changes_since(conn, horizon)).await {
                Ok((rows, next)) => {
                    let first = horizon.is_none();
                    let ids: HashSet<i64> = rows.iter().map(|row| row.id).collect();
                    for row in rows.iter().filter(|row| (!first || row.recent) && !sent.contains(&row.id)) {
                        // Nobody listening is no fault.
                        let _ = self.0.send(row.change());
                    }
                    (horizon, sent) = (Some(next), ids);
                }
                Err(away) => tracing::debug!(cause = %away, "the live feed waits for the database"),
            }
        }
    }
}

impl Row {
    fn change(&self) -> Change {
        Change {
            engagement: EngagementId(self.engagement_id),
            procedure: self.subject_id.filter(|_| self.subject_type.as_deref() == Some("procedure")),
            by: self.actor_id.map(PersonId),
        }
    }
}

fn changes_since(conn: &mut PgConnection, horizon: Option<i64>) -> Result<(Vec<Row>, i64)> {
    // sql_query: transaction ids have no type in diesel. Two minutes bound the scan; a longer transaction is
    // not a save.
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT id, engagement_id, subject_type, subject_id, actor_id,
                pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon, at > audit.now() - \
                interval '5 seconds' AS recent
         FROM audit.events
         WHERE at > audit.now() - interval '2 minutes' AND engagement_id IS NOT NULL \
         AND transaction_id::text::bigint >= $1
         ORDER BY at, id",
    )
    .bind::<BigInt, _>(horizon.unwrap_or(0))
    .load(conn)?;
    let next = match rows.first() {
        Some(row) => row.horizon,
        None => {
            diesel::sql_query("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon")
                .get_result::<Horizon>(conn)?
                .horizon
        }
    };
    Ok((rows, next))
}
