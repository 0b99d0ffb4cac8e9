//! What both sides of an exchange know of a test plan or of a term, and what becomes of it by that: what only
//! one side changed is that side's, what both changed differently is asked, and what is older than what was
//! exchanged since takes nothing away.
//!
//! Both sides know what the last import said, and what an export was written from: its digest stands in the
//! file.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::outcome::{Conflict, Takes, Touched};
use super::preview::Verdict;
use super::repository::file::PlanFields;
use crate::kernel::base::error::Result;
use crate::library::changes::Changes;
use crate::library::compare::{Field, caught_up, compare};
use crate::library::domain::ContentDigest;

/// What something said when the other side may have read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said<T> {
    pub at: DateTime<Utc>,
    pub digest: ContentDigest,
    pub content: T,
}

impl<T> Said<T> {
    /// What stands here: nothing that was said is newer.
    pub fn here(digest: ContentDigest, content: T) -> Self {
        Self { at: DateTime::<Utc>::MAX_UTC, digest, content }
    }
}

/// The digest that a file names as what both sides know: what the last import said, and where that is what
/// stands here the one that it was written from itself.
pub fn written_from(current: ContentDigest, imported: Option<&[u8]>, from: Option<&[u8]>) -> ContentDigest {
    let digest = |bytes: Option<&[u8]>| bytes.and_then(|bytes| ContentDigest::try_from(bytes).ok());
    match digest(imported) {
        Some(imported) if imported == current => digest(from).unwrap_or(imported),
        Some(imported) => imported,
        None => current,
    }
}

/// What both sides know, as far as it is stored here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known<T> {
    /// What the source that comes now was written from.
    origin: Option<T>,
    /// The newer of that and of what the last import said.
    base: Option<T>,
}

impl<T: Clone> Known<T> {
    /// Finds by their digests what the last import said and what the source was written from.
    pub fn among(
        said: &[Said<T>],
        imported: Option<ContentDigest>,
        written_from: Option<ContentDigest>,
    ) -> Self {
        let newest = |digest: Option<ContentDigest>| {
            said.iter().filter(|one| Some(one.digest) == digest).max_by_key(|one| one.at)
        };
        let origin = newest(written_from);
        // Of one moment, the import came last.
        let base = origin.into_iter().chain(newest(imported)).max_by_key(|one| one.at);
        let content = |one: Option<&Said<T>>| one.map(|one| one.content.clone());
        Self { origin: content(origin), base: content(base) }
    }

    pub fn base(&self) -> Option<&T> {
        self.base.as_ref()
    }

    /// The same of a part; where the whole had none, nothing is known.
    pub fn part<P>(&self, part: impl Fn(&T) -> Option<P>) -> Known<P> {
        let of = |whole: &Option<T>| whole.as_ref().and_then(&part);
        Known { origin: of(&self.origin), base: of(&self.base) }
    }
}

/// What comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged<T> {
    /// Fields that they changed, those among them that both did.
    pub told: Vec<Field>,
    /// Those that both changed differently.
    pub conflicts: Vec<Field>,
    /// What stands here from now on.
    pub merged: T,
}

/// Compares what comes with what is here; none where nothing comes in. `takes` says of a conflict's field
/// whether theirs is taken.
///
/// # Errors
/// When a text is no JSON object, which it always is.
pub fn judge<T>(
    ours: &T,
    theirs: &T,
    known: &Known<T>,
    takes: impl Fn(&str) -> bool,
) -> Result<Option<Judged<T>>>
where
    T: Serialize + DeserializeOwned + Default + Clone + PartialEq,
{
    let theirs_now = match (&known.origin, &known.base) {
        (Some(origin), Some(base)) => caught_up(origin, base, theirs)?,
        _ => theirs.clone(),
    };
    if theirs == ours || theirs_now == *ours || known.base.as_ref() == Some(&theirs_now) {
        return Ok(None);
    }
    let compared = compare(known.base.as_ref().unwrap_or(&T::default()), ours, &theirs_now)?;
    let merged = compared.merged(takes)?;
    Ok(Some(Judged {
        told: compared.told().cloned().collect(),
        conflicts: compared.conflicts().cloned().collect(),
        merged,
    }))
}

/// Key of the field of a test plan whose values are identities of procedures.
pub const PLAN_PROCEDURES: &str = "procedures";

/// A test plan as it is here.
#[derive(Debug, Clone)]
pub struct PlanHere {
    pub id: Uuid,
    pub content: PlanFields,
    /// Digest of what the last import said.
    pub imported: Option<ContentDigest>,
    /// Its versions, and what was exchanged.
    pub said: Vec<Said<PlanFields>>,
}

/// What is written of a test plan that comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanWrite {
    /// It is not here.
    Add,
    /// What it says from now on.
    Write(PlanFields),
    /// Theirs is noted as known, and ours stays.
    Note,
}

/// What becomes of a test plan that is here, with what is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanJudged {
    pub write: Option<PlanWrite>,
    pub touched: Option<Touched>,
    pub conflict: Option<Conflict>,
}

impl PlanHere {
    /// Compares what a source says of this test plan with what it says here.
    ///
    /// # Errors
    /// As [`judge`].
    pub fn judge(
        &self,
        theirs: &PlanFields,
        written_from: Option<ContentDigest>,
        label: &str,
        takes: &Takes,
    ) -> Result<PlanJudged> {
        let same = PlanJudged { write: None, touched: None, conflict: None };
        // Of what earlier versions imported, only the digest is known.
        let is_said = self.said.iter().any(|said| self.imported == Some(said.digest));
        if self.imported == Some(theirs.digest()) && !is_said {
            return Ok(same);
        }
        let known = Known::among(&self.said, self.imported, written_from);
        let id = self.id.to_string();
        let Some(judged) = judge(&self.content, theirs, &known, |key| takes.takes(&id, key))? else {
            return Ok(same);
        };
        let is_asked = !judged.conflicts.is_empty();
        let stays = judged.merged == self.content;
        let verdict = if is_asked { Verdict::Conflict } else { Verdict::Changed };
        let is_told = is_asked || !stays;
        Ok(PlanJudged {
            touched: is_told.then(|| Touched::new(verdict, self.id, label).with(judged.told)),
            conflict: is_asked.then(|| Conflict {
                id: self.id,
                label: label.to_owned(),
                fields: judged.conflicts,
            }),
            write: Some(if stays { PlanWrite::Note } else { PlanWrite::Write(judged.merged) }),
        })
    }
}

impl PlanJudged {
    /// Counts it under its label.
    pub fn count(&self, label: String, changes: &mut Changes) {
        let list = match (&self.write, &self.conflict) {
            (Some(PlanWrite::Add), _) => &mut changes.added,
            (Some(PlanWrite::Write(_)), _) => &mut changes.changed,
            (Some(PlanWrite::Note), Some(_)) => &mut changes.kept,
            (Some(PlanWrite::Note) | None, _) => &mut changes.unchanged,
        };
        list.push(label);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(title: &str, description: &str, procedures: &[u128]) -> PlanFields {
        PlanFields {
            title: title.into(),
            description: description.into(),
            procedures: procedures.iter().map(|n| Uuid::from_u128(*n)).collect(),
            ..PlanFields::default()
        }
    }

    fn said(at: i64, content: &PlanFields) -> Said<PlanFields> {
        let at = DateTime::from_timestamp(at, 0).unwrap();
        Said { at, digest: content.digest(), content: content.clone() }
    }

    fn none(_: &str) -> bool {
        false
    }

    #[test]
    fn what_one_side_changed_is_that_sides_and_what_both_changed_is_asked_by_field() {
        let base = plan("Week", "one", &[1, 2]);
        let ours = plan("Our week", "ours", &[1, 2]);
        let theirs = plan("Week", "theirs", &[1, 2, 3]);
        let known = Known::among(&[said(1, &base)], None, Some(base.digest()));
        let judged = judge(&ours, &theirs, &known, none).unwrap().unwrap();
        assert_eq!(judged.merged, plan("Our week", "ours", &[1, 2, 3]));
        let keys = |fields: &[Field]| fields.iter().map(|field| field.key.clone()).collect::<Vec<_>>();
        assert_eq!(keys(&judged.conflicts), ["description"]);
        assert_eq!(keys(&judged.told), ["description", "procedures"]);
        let judged = judge(&ours, &theirs, &known, |key| key == "description").unwrap().unwrap();
        assert_eq!(judged.merged, plan("Our week", "theirs", &[1, 2, 3]));
    }

    #[test]
    fn what_nobody_knows_is_asked_field_by_field() {
        let (ours, theirs) = (plan("Week", "ours", &[1]), plan("Week", "theirs", &[1]));
        let known = Known::among(&[], None, None);
        let judged = judge(&ours, &theirs, &known, none).unwrap().unwrap();
        assert_eq!((judged.merged, judged.conflicts.len()), (ours, 1));
    }

    #[test]
    fn what_was_settled_or_left_behind_is_not_asked_again() {
        let (old, new) = (plan("Week", "one", &[1]), plan("Week", "two", &[1, 2]));
        let both = [said(1, &old), said(2, &new)];
        let ours = plan("Week", "ours", &[1, 2]);
        // The same once more, and as it left at first.
        for (theirs, from) in [(&new, &old), (&old, &old)] {
            let known = Known::among(&both, Some(new.digest()), Some(from.digest()));
            assert_eq!(judge(&ours, theirs, &known, none).unwrap(), None);
        }
        // An older one with one change brings that one alone.
        let theirs = plan("Weeks", "one", &[1]);
        let known = Known::among(&both, Some(new.digest()), Some(old.digest()));
        let judged = judge(&ours, &theirs, &known, none).unwrap().unwrap();
        assert_eq!((judged.merged, judged.conflicts.len()), (plan("Weeks", "ours", &[1, 2]), 0));
        // What they took back on purpose comes.
        let known = Known::among(&both, Some(old.digest()), Some(new.digest()));
        assert_eq!(judge(&new, &old, &known, none).unwrap().unwrap().merged, old);
    }
}
