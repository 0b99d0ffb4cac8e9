//! SQL of the installation's secret key: which one the database goes with. Only a fingerprint is stored.

use chrono::{DateTime, Utc};

use crate::accounts::two_factor::TotpSecret;
use crate::kernel::app::Keys;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::PersonId;
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::{people, secret_key};
use crate::kernel::db::{Audited, Db, WriteTx};
use crate::kernel::event::domain::{Event, Kind};

/// How a key stands to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStanding {
    /// The database goes with it.
    Known,
    /// The database goes with no key yet, and nothing in it speaks against this one.
    New,
    /// The database was made with another one.
    Another,
}

/// Whether the database goes with another key than this; one that goes with none yet does not.
///
/// # Errors
/// When the database refuses.
pub fn goes_with_another(conn: &mut PgConnection, keys: &Keys) -> Result<bool> {
    Ok(find_fingerprint(conn)?.is_some_and(|known| known != keys.fingerprint))
}

/// How this key stands to the database. One from before fingerprints were kept is judged by its second
/// factors.
///
/// # Errors
/// When the database refuses.
pub fn standing(conn: &mut PgConnection, keys: &Keys) -> Result<KeyStanding> {
    Ok(match find_fingerprint(conn)? {
        Some(known) if known == keys.fingerprint => KeyStanding::Known,
        Some(_) => KeyStanding::Another,
        None => {
            let factors = list_factors(conn)?;
            let opens = |factor: &Factor| factor.opens(keys);
            if factors.is_empty() || factors.iter().any(opens) {
                KeyStanding::New
            } else {
                KeyStanding::Another
            }
        }
    })
}

fn find_fingerprint(conn: &mut PgConnection) -> Result<Option<Vec<u8>>> {
    Ok(secret_key::table.select(secret_key::fingerprint).first(conn).optional()?)
}

#[derive(Queryable)]
struct Factor {
    person: PersonId,
    email: String,
    sealed: Option<Vec<u8>>,
}

impl Factor {
    fn opens(&self, keys: &Keys) -> bool {
        let sealed = self.sealed.as_deref().unwrap_or_default();
        TotpSecret::open(sealed, &keys.sealing, self.person).is_some()
    }
}

fn list_factors(conn: &mut PgConnection) -> Result<Vec<Factor>> {
    Ok(people::table
        .filter(people::totp_secret.is_not_null().and(people::deleted_at.is_null()))
        .order(people::email)
        .select((people::id, people::email, people::totp_secret))
        .load(conn)?)
}

/// Writes down which key a database goes with that goes with none yet.
///
/// # Errors
/// When the database refuses.
pub fn record(db: &Db, keys: &Keys, now: DateTime<Utc>) -> Result<()> {
    db.write_unaudited_blocking("fingerprint of the secret key", |conn| {
        diesel::insert_into(secret_key::table)
            .values((secret_key::fingerprint.eq(&keys.fingerprint[..]), secret_key::set_at.eq(now)))
            .on_conflict_do_nothing()
            .execute(conn)?;
        Ok(())
    })
}

/// Lets the database go with this key, and tells the e-mail addresses of those whose second factors were made
/// with another one; none where it goes with this key already.
///
/// # Errors
/// When the database refuses.
pub fn adopt(tx: &mut WriteTx<'_>, keys: &Keys) -> Result<Audited<Option<Vec<String>>>> {
    if standing(tx.conn, keys)? != KeyStanding::Another {
        return Ok(tx.unchanged(None));
    }
    let lost: Vec<String> = list_factors(tx.conn)?
        .into_iter()
        .filter(|factor| !factor.opens(keys))
        .map(|factor| factor.email)
        .collect();
    diesel::insert_into(secret_key::table)
        .values((secret_key::fingerprint.eq(&keys.fingerprint[..]), secret_key::set_at.eq(tx.now())))
        .on_conflict(secret_key::single)
        .do_update()
        .set((secret_key::fingerprint.eq(&keys.fingerprint[..]), secret_key::set_at.eq(tx.now())))
        .execute(tx.conn)?;
    let sentence = match lost.len() {
        0 => "Went on with another secret key".to_owned(),
        1 => "Went on with another secret key; 1 second factor was made with the one before".to_owned(),
        n => format!("Went on with another secret key; {n} second factors were made with the one before"),
    };
    tx.audited(Some(lost), Event::new(Kind::SecretKeyAdopted, sentence))
}
