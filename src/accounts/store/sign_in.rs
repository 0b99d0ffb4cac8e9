//! SQL of signing in: claiming an attempt, what became of it, known devices.

use chrono::{DateTime, Utc};

use super::attempts::{self, FAILURES, NETWORK_ATTEMPTS};
use crate::accounts::domain::AccountStatus;
use crate::accounts::store::{Account, find_account};
use crate::kernel::app::Keys;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::hex::hex;
use crate::kernel::base::ids::PersonId;
use crate::kernel::base::network::network;
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::{known_devices, people};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::refusals as flood;

/// Whether a password is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Try,
    /// The account, or this device, is locked: a dummy takes the time.
    Locked,
    /// Too much came from this network: nothing is done at all.
    NetworkFull,
}

#[derive(Debug, Clone)]
pub struct Attempt {
    /// The account of the typed address, where there is one.
    pub account: Option<Account>,
    /// What may be done.
    pub verdict: Verdict,
    /// What it counts for: the account, or the device that is known to it.
    pub subject: String,
    /// The network it counts for.
    pub network: String,
    /// Whether it was counted there: only then is it given back.
    pub network_claimed: bool,
}

/// What failures of an account are counted by. Keyed, so that the table tells no address, and the same for
/// addresses that have no account.
pub fn account_subject(keys: &Keys, email: &str) -> String {
    format!("account:{}", hex(&keys.hash(&format!("e-mail {}", email.trim().to_lowercase()))))
}

/// Claims an attempt to sign in.
///
/// # Errors
/// When the database refuses.
pub fn claim(
    conn: &mut PgConnection,
    keys: &Keys,
    email: &str,
    device: Option<&[u8; 32]>,
    address: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Attempt> {
    let network = format!("address:{}", network(address.unwrap_or("unknown")));
    let account = find_account(conn, email)?;
    // Asked for unknown accounts too, so that they take as long.
    let person = account.as_ref().map_or(PersonId(uuid::Uuid::nil()), |account| account.id);
    let known = device.map(|device| Ok::<_, Error>((device, knows(conn, device, person)?))).transpose()?;
    let mut attempt = Attempt {
        account,
        verdict: Verdict::NetworkFull,
        subject: account_subject(keys, email),
        network,
        network_claimed: false,
    };
    match known {
        // Its owner's own five count there, and nothing that strangers do elsewhere in the same network.
        Some((device, true)) => attempt.subject = format!("device:{}", hex(device)),
        _ if !attempts::claim(conn, &attempt.network, NETWORK_ATTEMPTS, now)? => return Ok(attempt),
        _ => attempt.network_claimed = true,
    }
    attempt.verdict =
        if attempts::claim(conn, &attempt.subject, FAILURES, now)? { Verdict::Try } else { Verdict::Locked };
    Ok(attempt)
}

fn knows(conn: &mut PgConnection, device: &[u8; 32], person: PersonId) -> Result<bool> {
    let known = known_devices::table.find(&device[..]).filter(known_devices::person_id.eq(person));
    Ok(diesel::select(diesel::dsl::exists(known)).get_result(conn)?)
}

/// Forgets the failures before a right password; the network gets its attempt back, where it gave one.
///
/// # Errors
/// When the database refuses.
pub fn settle(conn: &mut PgConnection, attempt: &Attempt) -> Result<()> {
    attempts::forget(conn, std::slice::from_ref(&attempt.subject))?;
    if attempt.network_claimed { attempts::give_back(conn, &attempt.network) } else { Ok(()) }
}

/// `Ok` while the account is what it was when its password was looked at; its row is locked from here on.
///
/// # Errors
/// [`Error::Refused`] when password, second factor or status are others now.
pub fn check_unchanged(conn: &mut PgConnection, account: &Account) -> Result<()> {
    let in_use = people::table
        .find(account.id)
        .filter(people::deleted_at.is_null().and(people::status.eq(AccountStatus::Active)));
    let now: Option<Account> = in_use.select(Account::as_select()).for_update().first(conn).optional()?;
    match now {
        Some(now) if now.password_hash == account.password_hash && now.totp_secret == account.totp_secret => {
            Ok(())
        }
        _ => Err(Error::Refused("This account changed while you were signing in. Sign in again.".into())),
    }
}

/// Notes a failed attempt, with the lock that may follow, in one transaction. The typed address enters the
/// log only where it is an account's.
///
/// # Errors
/// When the database refuses.
pub fn record_refused(tx: &mut WriteTx<'_>, attempt: &Attempt) -> Result<Audited<()>> {
    let status = attempt.account.as_ref().map(|account| account.status);
    let (reason, why) = match attempt.verdict {
        Verdict::Try if status == Some(AccountStatus::Disabled) => ("disabled", "the account is disabled"),
        Verdict::Try if status == Some(AccountStatus::Invited) => {
            ("invited", "the invitation is not used yet")
        }
        Verdict::Try => ("wrong_credentials", "wrong credentials"),
        Verdict::Locked => ("locked", "the account is locked"),
        Verdict::NetworkFull => ("rate_limit", "too many attempts from this network"),
    };
    let sentence = failed(attempt.account.as_ref(), why);
    let kind =
        if attempt.verdict == Verdict::NetworkFull { Kind::AttemptsRefused } else { Kind::SessionRefused };
    let mut events = vec![about(Event::failed(kind, reason, sentence), attempt.account.as_ref())];
    let locked = if attempt.verdict == Verdict::Try {
        attempts::fail(tx.conn, &attempt.subject, tx.now())?
    } else {
        None
    };
    match (locked, &attempt.account) {
        (Some(until), Some(account)) => {
            // A lock is always told, whatever flood it stands in.
            events.push(locked_out(account, attempt.subject.starts_with("device:"), until, tx.now()));
            tx.audited_all((), &events)
        }
        _ => flood::record(tx, (), &events),
    }
}

/// Says whose sign-in failed, where the typed address is an account's.
fn failed(account: Option<&Account>, why: &str) -> String {
    match account {
        Some(account) => format!("Sign-in for {} failed: {why}", account.name),
        None => format!("Sign-in failed: {why}"),
    }
}

fn about(mut event: Event, account: Option<&Account>) -> Event {
    if let Some(account) = account {
        event = event.subject("person", account.id.0, &account.name).about(account.id);
        event.search_values = format!("{} {}", account.name, account.email);
    }
    event
}

fn locked_out(account: &Account, device: bool, until: DateTime<Utc>, now: DateTime<Utc>) -> Event {
    let where_ = if device { " on a known device" } else { "" };
    let minutes = (until - now).num_minutes();
    let sentence = format!(
        "Locked the account of {}{where_} for {minutes} minutes after {FAILURES} failed attempts",
        account.name
    );
    about(Event::failed(Kind::SessionLockedOut, "failures", sentence), Some(account))
        .detail(serde_json::json!({ "minutes": minutes }))
}

/// How somebody came in.
#[derive(Debug, Default)]
pub struct Entry {
    /// With what, for the audit log.
    pub how: &'static str,
    /// The attempt that it settles.
    pub attempt: Option<Attempt>,
    /// The password's hash under today's parameters, where the stored one is older.
    pub rehash: Option<String>,
}

/// Notes a sign-in that is through, unless the account changed since its password was looked at: a password,
/// second factor or status that is no more lets nobody in. A hash under older parameters is replaced; the
/// device is known from now on.
///
/// # Errors
/// [`Error::Refused`] when the account is not as it was.
pub fn record_sign_in(
    tx: &mut WriteTx<'_>,
    account: &Account,
    entry: &Entry,
    device: &[u8; 32],
) -> Result<Audited<()>> {
    check_unchanged(tx.conn, account)?;
    if let Some(attempt) = &entry.attempt {
        settle(tx.conn, attempt)?;
    }
    diesel::update(people::table.find(account.id))
        .set(people::last_sign_in_at.eq(tx.now()))
        .execute(tx.conn)?;
    if let Some(hash) = &entry.rehash {
        diesel::update(people::table.find(account.id))
            .set(people::password_hash.eq(hash))
            .execute(tx.conn)?;
    }
    let known = (known_devices::person_id.eq(account.id), known_devices::last_at.eq(tx.now()));
    diesel::insert_into(known_devices::table)
        .values((known_devices::digest.eq(&device[..]), known))
        .on_conflict(known_devices::digest)
        .do_update()
        .set(known)
        .execute(tx.conn)?;
    let event = Event::new(Kind::SessionStarted, "Signed in")
        .subject("person", account.id.0, &account.name)
        .about(account.id)
        .detail(serde_json::json!({ "with": entry.how }));
    tx.audited((), event)
}

/// Notes that somebody signed out.
///
/// # Errors
/// When the database refuses.
pub fn record_sign_out(tx: &mut WriteTx<'_>, id: PersonId, name: &str) -> Result<Audited<()>> {
    tx.audited((), Event::new(Kind::SessionEnded, "Signed out").subject("person", id.0, name).about(id))
}

/// Notes a wrong code of the second factor, or a wrong password of a proof, with the lock that may follow.
///
/// # Errors
/// When the database refuses.
pub fn record_wrong(
    tx: &mut WriteTx<'_>,
    account: &Account,
    subject: &str,
    claimed: bool,
    what: &'static str,
) -> Result<Audited<()>> {
    let reason = if claimed { what } else { "locked" };
    let signed_in = tx.actor().id.is_some();
    let sentence = match (signed_in, claimed, what) {
        (false, false, _) => failed(Some(account), "too many attempts"),
        (false, true, "wrong_code") => failed(Some(account), "wrong code"),
        (false, true, _) => failed(Some(account), "wrong credentials"),
        (true, false, _) => "Was asked again who they are: too many attempts".to_owned(),
        (true, true, "wrong_code") => "Was asked again who they are: wrong code".to_owned(),
        (true, true, _) => "Was asked again who they are: wrong password".to_owned(),
    };
    let mut events = vec![about(Event::failed(Kind::SessionRefused, reason, sentence), Some(account))];
    match if claimed { attempts::fail(tx.conn, subject, tx.now())? } else { None } {
        Some(until) => {
            events.push(locked_out(account, false, until, tx.now()));
            tx.audited_all((), &events)
        }
        None => flood::record(tx, (), &events),
    }
}
