//! What a test plan said at each of its saves, and what differs between two of them. Pure.
//!
//! A [`PlanBody`] is written once as `test_plan_versions.body`, so its field names are a stored format.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::kernel::base::ids::LibraryProcedureId;

/// A plan as it was saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanBody {
    pub title: String,
    pub description: String,
    pub tags: Vec<String>,
    pub procedures: Vec<Planned>,
}

/// A procedure of a plan as it stood when the plan was saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    pub id: LibraryProcedureId,
    /// The version that was current then.
    pub version: i32,
    pub name: String,
}

/// A procedure that has another version than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    pub id: LibraryProcedureId,
    pub name: String,
    pub from: i32,
    pub to: i32,
}

/// What differs between two states of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Label, before and after of the texts that differ.
    pub texts: Vec<(&'static str, String, String)>,
    pub added: Vec<Planned>,
    pub removed: Vec<Planned>,
    pub newer: Vec<Moved>,
    /// Whether those that are in both stand in another order.
    pub reordered: bool,
}

impl Difference {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn between(before: &PlanBody, after: &PlanBody) -> Self {
        let (tags_before, tags_after) = (before.tags.join(", "), after.tags.join(", "));
        let texts = [
            ("Title", &before.title, &after.title),
            ("Description", &before.description, &after.description),
            ("Tags", &tags_before, &tags_after),
        ];
        Self {
            texts: texts
                .into_iter()
                .filter(|(_, old, new)| old != new)
                .map(|(label, old, new)| (label, old.clone(), new.clone()))
                .collect(),
            ..Self::of_procedures(&before.procedures, &after.procedures)
        }
    }

    pub fn of_procedures(before: &[Planned], after: &[Planned]) -> Self {
        let by_id = |these: &[Planned]| -> HashMap<LibraryProcedureId, i32> {
            these.iter().map(|one| (one.id, one.version)).collect()
        };
        let (old, new) = (by_id(before), by_id(after));
        let without = |these: &[Planned], those: &HashMap<LibraryProcedureId, i32>| -> Vec<Planned> {
            these.iter().filter(|one| !those.contains_key(&one.id)).cloned().collect()
        };
        let in_both =
            |these: &[Planned], those: &HashMap<LibraryProcedureId, i32>| -> Vec<LibraryProcedureId> {
                these.iter().map(|one| one.id).filter(|id| those.contains_key(id)).collect()
            };
        let moved = |one: &Planned| {
            let from = *old.get(&one.id)?;
            (from != one.version).then(|| Moved { id: one.id, name: one.name.clone(), from, to: one.version })
        };
        Self {
            texts: Vec::new(),
            added: without(after, &old),
            removed: without(before, &new),
            newer: after.iter().filter_map(moved).collect(),
            reordered: in_both(before, &new) != in_both(after, &old),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(title: &str, procedures: &[(LibraryProcedureId, i32)]) -> PlanBody {
        let planned = |(id, version): &(LibraryProcedureId, i32)| Planned {
            id: *id,
            version: *version,
            name: format!("Version {version}"),
        };
        PlanBody {
            title: title.into(),
            description: String::new(),
            tags: Vec::new(),
            procedures: procedures.iter().map(planned).collect(),
        }
    }

    #[test]
    fn what_came_went_moved_and_grew_is_told_apart() {
        let [a, b, c, d] = [(); 4].map(|()| LibraryProcedureId::new());
        let before = body("Old", &[(a, 1), (b, 1), (c, 1)]);
        let after = body("New", &[(c, 1), (a, 3), (d, 1)]);
        let told = Difference::between(&before, &after);
        assert_eq!(told.texts, [("Title", "Old".to_owned(), "New".to_owned())]);
        assert_eq!(told.added.iter().map(|one| one.id).collect::<Vec<_>>(), [d]);
        assert_eq!(told.removed.iter().map(|one| one.id).collect::<Vec<_>>(), [b]);
        assert_eq!(told.newer, [Moved { id: a, name: "Version 3".into(), from: 1, to: 3 }]);
        assert!(told.reordered && !told.is_empty());
        assert!(Difference::between(&before, &before).is_empty());
    }
}
