//! SQL of the second factor.

use chrono::{DateTime, Utc};

use crate::accounts::store::{Account, get_account, with_others_ended};
use crate::accounts::two_factor::{TotpSecret, new_recovery_codes, recovery_code};
use crate::kernel::app::Keys;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::hex::hex;
use crate::kernel::base::ids::PersonId;
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::{people, recovery_codes};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};

/// What failed codes of a person are counted by.
pub fn code_subject(person: PersonId) -> String {
    format!("code:{person}")
}

fn digest(keys: &Keys, person: PersonId, code: &str) -> [u8; 32] {
    keys.hash(&format!("recovery {person} {code}"))
}

/// What a code was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// One from the authenticator.
    Totp,
    /// A recovery code; this many are left.
    Recovery(i64),
}

/// Takes a code; of two requests with the same one at most one gets through, and none does later.
///
/// # Errors
/// When the database refuses.
pub fn take(
    conn: &mut PgConnection,
    keys: &Keys,
    account: &Account,
    typed: &str,
    now: DateTime<Utc>,
) -> Result<Option<Proof>> {
    let secret =
        account.totp_secret.as_deref().and_then(|sealed| TotpSecret::open(sealed, &keys.sealing, account.id));
    if let Some(step) = secret.and_then(|secret| secret.step_of(typed, now.timestamp())) {
        let fresh = people::table.find(account.id).filter(people::totp_step.lt(step));
        let taken = diesel::update(fresh).set(people::totp_step.eq(step)).execute(conn)?;
        return Ok((taken == 1).then_some(Proof::Totp));
    }
    let Some(code) = recovery_code(typed) else { return Ok(None) };
    let digest = digest(keys, account.id, &code);
    let unused =
        recovery_codes::table.find((account.id, &digest[..])).filter(recovery_codes::used_at.is_null());
    if diesel::update(unused).set(recovery_codes::used_at.eq(now)).execute(conn)? == 0 {
        return Ok(None);
    }
    Ok(Some(Proof::Recovery(count_codes(conn, account.id)?)))
}

/// How many recovery codes are left.
pub fn count_codes(conn: &mut PgConnection, person: PersonId) -> Result<i64> {
    let left = recovery_codes::table
        .filter(recovery_codes::person_id.eq(person).and(recovery_codes::used_at.is_null()));
    Ok(left.count().get_result(conn)?)
}

fn replace_codes(tx: &mut WriteTx<'_>, keys: &Keys, person: PersonId) -> Result<Vec<String>> {
    let codes = new_recovery_codes();
    diesel::delete(recovery_codes::table.filter(recovery_codes::person_id.eq(person))).execute(tx.conn)?;
    let digests: Vec<[u8; 32]> =
        codes.iter().filter_map(|code| Some(digest(keys, person, &recovery_code(code)?))).collect();
    let rows: Vec<_> = digests
        .iter()
        .map(|digest| (recovery_codes::person_id.eq(person), recovery_codes::digest.eq(&digest[..])))
        .collect();
    diesel::insert_into(recovery_codes::table).values(rows).execute_anew(tx.conn)?;
    Ok(codes)
}

fn event(kind: Kind, sentence: &str, account: &Account) -> Event {
    Event::new(kind, sentence).subject("person", account.id.0, &account.name).about(account.id)
}

/// Sets a second factor up, once its first code was right, and gives its recovery codes.
///
/// # Errors
/// [`Error::Invalid`] for a wrong code, [`Error::Refused`] where there is one already.
pub fn enrol(
    tx: &mut WriteTx<'_>,
    keys: &Keys,
    person: PersonId,
    secret: &TotpSecret,
    code: &str,
) -> Result<Audited<Vec<String>>> {
    let account = get_account(tx.conn, person)?;
    let Some(step) = secret.step_of(code, tx.now().timestamp()) else {
        return Err(Error::field(
            "code",
            "This is not the code of now. Look at the authenticator and type its six digits.",
        ));
    };
    let sealed = secret.seal(&keys.sealing, person)?;
    let none_yet = people::table.find(person).filter(people::totp_since.is_null());
    let set = diesel::update(none_yet)
        .set((people::totp_secret.eq(sealed), people::totp_since.eq(tx.now()), people::totp_step.eq(step)))
        .execute(tx.conn)?;
    if set == 0 {
        return Err(Error::Refused(
            "There is a second factor already. Remove it before you set up another.".into(),
        ));
    }
    let codes = replace_codes(tx, keys, person)?;
    // A session that never showed a code must not outlive the factor's beginning.
    let events =
        with_others_ended(tx, &account, event(Kind::TwoFactorEnrolled, "Set up a second factor", &account))?;
    tx.audited_all(codes, &events)
}

/// Makes new recovery codes; the old ones end.
///
/// # Errors
/// [`Error::Refused`] without a second factor.
pub fn renew_codes(tx: &mut WriteTx<'_>, keys: &Keys, person: PersonId) -> Result<Audited<Vec<String>>> {
    let account = get_account(tx.conn, person)?;
    if account.totp_secret.is_none() {
        return Err(Error::Refused("Recovery codes belong to a second factor. Set one up first.".into()));
    }
    let codes = replace_codes(tx, keys, person)?;
    let events =
        with_others_ended(tx, &account, event(Kind::RecoveryCodesMade, "Made new recovery codes", &account))?;
    tx.audited_all(codes, &events)
}

/// Takes a second factor away: by its person, or as a reset by somebody else. Every session of the person's
/// ends, but for the one they act in.
///
/// # Errors
/// [`Error::Refused`] where there is none.
pub fn remove(tx: &mut WriteTx<'_>, person: PersonId, by_self: bool) -> Result<Audited<()>> {
    let account = get_account(tx.conn, person)?;
    if account.totp_secret.is_none() {
        return Err(Error::Refused("There is no second factor to take away.".into()));
    }
    diesel::update(people::table.find(person))
        .set((
            people::totp_secret.eq(None::<Vec<u8>>),
            people::totp_since.eq(None::<DateTime<Utc>>),
            people::totp_step.eq(0),
        ))
        .execute(tx.conn)?;
    diesel::delete(recovery_codes::table.filter(recovery_codes::person_id.eq(person))).execute(tx.conn)?;
    let event = if by_self {
        event(Kind::TwoFactorRemoved, "Removed the own second factor", &account)
    } else {
        event(Kind::TwoFactorReset, &format!("Reset the second factor of {}", account.name), &account)
    };
    let events = with_others_ended(tx, &account, event)?;
    tx.audited_all((), &events)
}

/// A secret sealed for a form, as text.
///
/// # Errors
/// See [`TotpSecret::seal`].
pub fn sealed_text(secret: &TotpSecret, keys: &Keys, person: PersonId) -> Result<String> {
    Ok(hex(&secret.seal(&keys.sealing, person)?))
}

/// The secret of such a text; none when it was tampered with or made for somebody else.
pub fn from_sealed_text(text: &str, keys: &Keys, person: PersonId) -> Option<TotpSecret> {
    let bytes: Option<Vec<u8>> =
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect();
    TotpSecret::open(&bytes?, &keys.sealing, person)
}
