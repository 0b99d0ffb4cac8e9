//! Proofs: what leads from one event to a signed seal. An export carries them, and the binary alone can check
//! it.

use std::collections::BTreeMap;
use std::io::BufRead;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::audit::proof::merkle::{Digest, leaf, root_by};
use crate::audit::proof::seal::Seal;
use crate::audit::proof::verify::{Fault, Halt, Wrong};
use crate::kernel::base::hex::{hex, unhex};
use crate::kernel::event::record::Place;
use crate::kernel::event::record::Record;

/// The way of one event to its seal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Proof {
    /// Number of the seal.
    pub seal: i64,
    /// Number of the seal's first event.
    pub first: i64,
    /// Number of its last.
    pub last: i64,
    /// The siblings on the way to the root, from below.
    pub path: Vec<String>,
}

impl Proof {
    /// That of an event of a seal, by its path.
    pub fn new(seal: &Seal, way: &[Digest]) -> Self {
        Self {
            seal: seal.number,
            first: seal.first,
            last: seal.last,
            path: way.iter().map(|digest| hex(digest)).collect(),
        }
    }

    /// The root that an event with a number leads to by it.
    fn root(&self, event: &Record, number: i64) -> Option<Digest> {
        let way: Option<Vec<Digest>> = self.path.iter().map(|text| unhex(text)).collect();
        let (index, leaves) = (
            usize::try_from(number.checked_sub(self.first)?).ok()?,
            usize::try_from(self.last.checked_sub(self.first)?.checked_add(1)?).ok()?,
        );
        let mut bytes = Vec::new();
        event.canonical(&mut bytes);
        root_by(leaf(&bytes), index, leaves, &way?)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Other {
    seal: Option<Seal>,
    end: Option<End>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    events: u64,
    complete: bool,
    #[serde(rename = "of")]
    _of: String,
}

/// What an export proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    pub events: u64,
    /// The first seal, and the last.
    pub seals: (i64, i64),
    /// The last seal's digest: what to compare with a seal that was kept elsewhere.
    pub head: String,
    /// Whether the export said that it is whole.
    pub complete: bool,
}

/// Checks an export with proofs: each event leads to the root of its seal, and the seals hold together and
/// are signed.
///
/// # Errors
/// The first fault, or what could not be read.
pub fn check(export: impl BufRead, trusted: &[[u8; 32]], mut tell: impl FnMut(u64)) -> Result<Proved, Halt> {
    let mut events = 0u64;
    let (mut complete, mut over) = (false, false);
    // One claim for each seal: whatever claims otherwise is told at once.
    let mut claims: BTreeMap<i64, (Proof, Digest, Place)> = BTreeMap::new();
    let mut chain: Option<(i64, Seal)> = None;
    for (at, line) in export.lines().enumerate() {
        let line = line?;
        let numbered = || format!("line {} of the export", at + 1);
        if over {
            return Err(anyhow::anyhow!("{} comes after the end", numbered()).into());
        }
        if !line.starts_with("{\"at\"") {
            let other: Other = serde_json::from_str(&line).with_context(numbered)?;
            match (other.seal, other.end) {
                (Some(seal), None) => link(&mut chain, seal, trusted, &mut claims)?,
                (None, Some(end)) => {
                    if end.events != events {
                        let sentence =
                            format!("The export has {events} events, and its end tells of {}.", end.events);
                        return Err(Fault::new(Wrong::Removed, sentence).into());
                    }
                    (over, complete) = (true, end.complete);
                }
                _ => {
                    return Err(
                        anyhow::anyhow!("{} is neither an event nor a seal nor the end", numbered()).into()
                    );
                }
            }
            continue;
        }
        let (event, number, proof) = Record::from_line(&line).with_context(numbered)?;
        let broken = |why: &str| Fault::new(Wrong::Changed, format!("{} {why}.", event.place().name()));
        let (Some(number), Some(proof)) = (number, proof) else {
            return Err(broken("carries no proof").into());
        };
        let proof: Proof = serde_json::from_str(proof.get()).with_context(numbered)?;
        let root = proof.root(&event, number).ok_or_else(|| broken("carries a proof of the wrong length"))?;
        match claims.get(&proof.seal) {
            Some((other, claimed, _))
                if (other.first, other.last, *claimed) != (proof.first, proof.last, root) =>
            {
                return Err(broken(
                    "or one beside it was changed: they lead to different roots of the same seal",
                )
                .into());
            }
            Some(_) => {}
            None => drop(claims.insert(proof.seal, (proof, root, event.place()))),
        }
        events += 1;
        if events.is_multiple_of(50_000) {
            tell(events);
        }
    }
    if let Some((seal, (.., place))) = claims.first_key_value() {
        return Err(Fault::new(
            Wrong::SealBroken,
            format!("{}: seal {seal} is not in the export.", place.name()),
        )
        .into());
    }
    let (first, last) = chain.context("the export holds no seals: it was made without proofs")?;
    Ok(Proved { events, seals: (first, last.number), head: hex(&last.digest()), complete })
}

/// Takes the next seal: it must follow the one before, and every claim on it must hold.
fn link(
    chain: &mut Option<(i64, Seal)>,
    seal: Seal,
    trusted: &[[u8; 32]],
    claims: &mut BTreeMap<i64, (Proof, Digest, Place)>,
) -> Result<(), Fault> {
    let fault = match chain {
        Some((_, before)) => seal.fault_after(Some(before), trusted),
        None => seal.own_fault(trusted),
    };
    if let Some(sentence) = fault {
        return Err(Fault::new(Wrong::SealBroken, sentence));
    }
    if let Some((proof, root, place)) = claims.remove(&seal.number)
        && (root, proof.first, proof.last) != (seal.root, seal.first, seal.last)
    {
        let sentence =
            format!("{} was changed: it does not lead to the root of seal {}.", place.name(), seal.number);
        return Err(Fault::new(Wrong::Changed, sentence));
    }
    *chain = Some((chain.as_ref().map_or(seal.number, |(first, _)| *first), seal));
    Ok(())
}
