//! What an archive would do to a repository: added, changed, unchanged, withdrawn, kept, and the conflicts,
//! by what both sides knew when they last exchanged. Pure: what is here comes in as values.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::file::{Archive, Procedure, TestPlan, code};
use crate::imports::known::{PlanHere, PlanWrite};
use crate::imports::outcome::{Conflict, Takes, Touched};
use crate::imports::preview::Verdict;
use crate::kernel::base::error::Result;
use crate::library::changes::{Changes, Missing};
use crate::library::compare::{Compared, Field, age, caught_up, compare};
use crate::library::domain::ProcedureBody;

/// A procedure of the repository as it is here.
#[derive(Debug, Clone)]
pub struct Here {
    pub identity: Uuid,
    pub number: i32,
    pub is_retired: bool,
    /// Taken away by an import, or by one that was undone: a source that holds it brings it back.
    pub is_withdrawn: bool,
    pub body: ProcedureBody,
    pub current_version: i32,
    /// The version that the last import wrote.
    pub imported_version: Option<i32>,
    /// Versions that may be what both sides know, by number: what the last import wrote, and what the archive
    /// was written from.
    pub bases: Vec<(i32, ProcedureBody)>,
}

/// Everything of the repository that an archive can touch.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub procedures: Vec<Here>,
    /// Test plans that the archive names, and those that need only procedures of this repository.
    pub plans: Vec<PlanHere>,
    /// Titles of other test plans, in small letters.
    pub titles: HashSet<String>,
    pub next_number: i32,
}

/// What is written of one procedure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// New here, under this number.
    Add {
        procedure: Procedure,
        number: i32,
    },
    /// Only they changed it.
    Take {
        procedure: Procedure,
    },
    /// Both changed it: theirs is noted as a version, and this comes on top.
    Merge {
        procedure: Procedure,
        merged: Box<ProcedureBody>,
    },
    Retire {
        identity: Uuid,
    },
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// By label, procedures and test plans together.
    pub changes: Changes,
    pub touched: Vec<Touched>,
    pub conflicts: Vec<Conflict>,
    /// Sentences about numbers and titles that could not stay as they were.
    pub notes: Vec<String>,
    pub writes: Vec<Write>,
    pub plan_writes: Vec<(TestPlan, PlanWrite)>,
    /// Test plans that could not be taken, by id and title, with why: without a capital and without a full
    /// stop.
    pub refused: Vec<(Uuid, String, String)>,
    /// One more than the highest number that is in use afterwards.
    pub next_number: i32,
}

/// Compares an archive with what is here.
///
/// # Errors
/// When a body is no JSON, which it always is.
pub fn plan(
    archive: &Archive,
    held: &[Uuid],
    state: &State,
    missing: Missing,
    takes: &Takes,
) -> Result<Plan> {
    let mut plan = Plan { next_number: state.next_number.max(1), ..Plan::default() };
    let here: HashMap<Uuid, &Here> = state.procedures.iter().map(|here| (here.identity, here)).collect();
    let prefix = &archive.head.prefix;
    plan.next_number = plan.next_number.max(archive.head.next_number);
    let mut numbers: HashSet<i32> = state.procedures.iter().map(|here| here.number).collect();
    for procedure in &archive.procedures {
        let label = |number: i32| format!("{} {}", code(prefix, number), procedure.body.name);
        match here.get(&procedure.identity) {
            Some(here) => plan.compare(procedure, here, label(here.number), takes)?,
            None => {
                let mut number = procedure.number;
                if !numbers.insert(number) {
                    number = plan.next_number;
                    plan.next_number += 1;
                    numbers.insert(number);
                    plan.notes.push(format!(
                        "{} is taken here, so “{}” becomes {}.",
                        code(prefix, procedure.number),
                        procedure.body.name,
                        code(prefix, number)
                    ));
                }
                plan.next_number = plan.next_number.max(number + 1);
                plan.touched.push(Touched::new(Verdict::Added, procedure.identity, &label(number)));
                plan.changes.added.push(label(number));
                plan.writes.push(Write::Add { procedure: procedure.clone(), number });
            }
        }
    }
    let theirs: HashSet<Uuid> =
        archive.procedures.iter().map(|procedure| procedure.identity).chain(held.iter().copied()).collect();
    let mut gone: Vec<&Here> =
        state.procedures.iter().filter(|here| !here.is_retired && !theirs.contains(&here.identity)).collect();
    gone.sort_by_key(|here| here.number);
    for here in gone {
        let label = format!("{} {}", code(prefix, here.number), here.body.name);
        if missing == Missing::Withdraw {
            plan.touched.push(Touched::new(Verdict::Withdrawn, here.identity, &label));
            plan.changes.withdrawn.push(label);
            plan.writes.push(Write::Retire { identity: here.identity });
        } else {
            plan.touched.push(Touched::new(Verdict::Kept, here.identity, &label));
            plan.changes.kept.push(label);
        }
    }
    plan.compare_plans(archive, state, takes)?;
    Ok(plan)
}

impl Plan {
    /// Whether nothing is to be written.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.plan_writes.is_empty()
    }

    fn compare(&mut self, theirs: &Procedure, here: &Here, label: String, takes: &Takes) -> Result<()> {
        let (retires, returns) =
            (theirs.is_retired && !here.is_retired, !theirs.is_retired && here.is_withdrawn);
        // What comes as a version is in use, so what is withdrawn here and retired there is retired.
        let stays_away = theirs.is_retired && here.is_withdrawn;
        let digest = theirs.body.digest();
        let ours = here.body.digest();
        let imported = here.imported_version.and_then(|n| here.bases.iter().find(|(own, _)| *own == n));
        let is_known = imported.is_some_and(|(_, body)| body.digest() == digest);
        // The newest version that both sides know.
        let base = here
            .bases
            .iter()
            .filter(|(n, body)| Some(*n) == here.imported_version || body.digest() == theirs.written_from)
            .max_by_key(|(n, _)| age(*n));
        let base_digest = base.map(|(_, body)| body.digest());
        let origin = here.bases.iter().find(|(_, body)| body.digest() == theirs.written_from);
        let theirs_now = match (origin, base) {
            (Some((_, origin)), Some((_, base))) => caught_up(origin, base, &theirs.body)?,
            _ => theirs.body.clone(),
        };
        let digest_now = theirs_now.digest();
        if !returns && (digest == ours || is_known || digest_now == ours || base_digest == Some(digest_now)) {
            // What nobody touched here is retired as it is there.
            if retires && (digest == ours || base_digest == Some(ours)) {
                self.touched.push(Touched::new(Verdict::Withdrawn, here.identity, &label));
                self.changes.withdrawn.push(label);
                self.writes.push(Write::Retire { identity: here.identity });
            } else {
                self.changes.unchanged.push(label);
            }
            return Ok(());
        }
        let nothing = ProcedureBody::default();
        let compared = compare(base.map_or(&nothing, |(_, body)| body), &here.body, &theirs_now)?;
        let untouched = base_digest == Some(ours) || digest == ours;
        let merged = if untouched { theirs_now.clone() } else { merged(&compared, theirs.identity, takes)? };
        let conflicts: Vec<Field> = compared.conflicts().filter(|_| !untouched).cloned().collect();
        let verdict = match (conflicts.is_empty(), returns) {
            (false, _) => Verdict::Conflict,
            (true, true) => Verdict::Added,
            (true, false) => Verdict::Changed,
        };
        if !conflicts.is_empty() || returns || merged != here.body {
            let told = Touched::new(verdict, theirs.identity, &label);
            self.touched.push(told.with(compared.told().cloned().collect()).returning(returns));
        }
        let is_asked = !conflicts.is_empty();
        if is_asked {
            self.conflicts.push(Conflict { id: theirs.identity, label: label.clone(), fields: conflicts });
        }
        let list = match (returns, merged == here.body) {
            (true, _) => &mut self.changes.added,
            (false, true) if is_asked => &mut self.changes.kept,
            (false, true) => &mut self.changes.unchanged,
            (false, false) => &mut self.changes.changed,
        };
        list.push(label);
        self.writes.push(if untouched && merged == theirs.body {
            Write::Take { procedure: theirs.clone() }
        } else {
            Write::Merge { procedure: theirs.clone(), merged: Box::new(merged) }
        });
        if stays_away || (untouched && retires) {
            self.writes.push(Write::Retire { identity: here.identity });
        }
        Ok(())
    }

    fn compare_plans(&mut self, archive: &Archive, state: &State, takes: &Takes) -> Result<()> {
        let here: HashMap<Uuid, &PlanHere> = state.plans.iter().map(|plan| (plan.id, plan)).collect();
        let mut titles = state.titles.clone();
        titles.extend(state.plans.iter().map(|plan| plan.content.title.to_lowercase()));
        for plan in &archive.plans {
            let title = &plan.content.title;
            let label = format!("test plan “{title}”");
            let clash = |own: Option<&str>| {
                titles.contains(&title.to_lowercase())
                    && own.is_none_or(|own| own.to_lowercase() != title.to_lowercase())
            };
            let refusal = || {
                let sentence = "another test plan here has this title; rename one of them";
                (plan.id, title.clone(), sentence.to_owned())
            };
            let Some(here) = here.get(&plan.id) else {
                if clash(None) {
                    self.refused.push(refusal());
                } else {
                    titles.insert(title.to_lowercase());
                    self.touched.push(Touched::new(Verdict::Added, plan.id, &label));
                    self.changes.added.push(label);
                    self.plan_writes.push((plan.clone(), PlanWrite::Add));
                }
                continue;
            };
            let judged = here.judge(&plan.content, Some(plan.written_from), &label, takes)?;
            // Whoever would be asked could not take theirs.
            let told = judged.touched.iter().flat_map(|told| &told.fields);
            if told.into_iter().any(|field| field.key == "title") && clash(Some(&here.content.title)) {
                self.refused.push(refusal());
                continue;
            }
            judged.count(label, &mut self.changes);
            self.touched.extend(judged.touched);
            self.conflicts.extend(judged.conflict);
            self.plan_writes.extend(judged.write.map(|write| (plan.clone(), write)));
        }
        Ok(())
    }
}

fn merged(compared: &Compared, identity: Uuid, takes: &Takes) -> Result<ProcedureBody> {
    let identity = identity.to_string();
    compared.merged(|key| takes.takes(&identity, key))
}

#[cfg(test)]
mod tests {
    use super::super::file::Head;
    use super::*;
    use crate::library::domain::{RepositoryType, Step};

    fn body(name: &str, description: &str) -> ProcedureBody {
        ProcedureBody {
            name: name.into(),
            description: description.into(),
            steps: vec![Step { id: "s1".into(), command: Some("id".into()), ..Step::default() }],
            ..ProcedureBody::default()
        }
    }

    fn theirs(n: u128, number: i32, body: ProcedureBody, written_from: &ProcedureBody) -> Procedure {
        Procedure {
            identity: Uuid::from_u128(n),
            number,
            written_from: written_from.digest(),
            is_retired: false,
            origin: String::new(),
            body,
        }
    }

    fn here(n: u128, number: i32, versions: &[ProcedureBody], imported: Option<i32>) -> Here {
        Here {
            identity: Uuid::from_u128(n),
            number,
            is_retired: false,
            is_withdrawn: false,
            body: versions.last().unwrap().clone(),
            current_version: i32::try_from(versions.len()).unwrap(),
            imported_version: imported,
            bases: (1..).zip(versions.iter().cloned()).collect(),
        }
    }

    fn run(procedures: Vec<Procedure>, here: Vec<Here>, takes: &Takes) -> Plan {
        let head = Head {
            name: "R".into(),
            prefix: "HLF".into(),
            kind: RepositoryType::Open,
            description: String::new(),
            next_number: 1,
        };
        let next_number = here.iter().map(|here| here.number + 1).max().unwrap_or(1);
        let state = State { procedures: here, next_number, ..State::default() };
        let archive = Archive { head, procedures, plans: Vec::new(), methodologies: Vec::new() };
        plan(&archive, &[], &state, Missing::Keep, takes).unwrap()
    }

    fn counts(plan: &Plan) -> (usize, usize, usize, usize) {
        let counts = plan.changes.counts(0);
        (counts.added, counts.changed, counts.unchanged, plan.conflicts.len())
    }

    #[test]
    fn a_newcomer_whose_number_is_taken_gets_the_next_and_it_is_said() {
        let a = body("A", "");
        let plan = run(
            vec![theirs(2, 7, body("B", ""), &a), theirs(3, 8, body("C", ""), &a)],
            vec![here(1, 7, &[a], None)],
            &Takes::new(),
        );
        assert_eq!(plan.changes.added, ["HLF-8 B", "HLF-9 C"]);
        assert_eq!(plan.notes.len(), 2);
        assert_eq!(plan.notes[0], "HLF-7 is taken here, so “B” becomes HLF-8.");
        assert_eq!(plan.changes.kept, ["HLF-7 A"]);
        assert_eq!(plan.next_number, 10);
    }

    #[test]
    fn what_only_one_side_changed_needs_nobody() {
        let (one, two) = (body("A", "one"), body("A", "two"));
        let none = Takes::new();
        // They edited what was written from our version.
        let plan = run(
            vec![theirs(1, 1, two.clone(), &one)],
            vec![here(1, 1, std::slice::from_ref(&one), None)],
            &none,
        );
        assert!(matches!(plan.writes[..], [Write::Take { .. }]));
        // We edited, they did not.
        let ours = here(1, 1, &[one.clone(), two.clone()], Some(1));
        let plan = run(vec![theirs(1, 1, one.clone(), &one)], vec![ours], &none);
        assert_eq!((counts(&plan), plan.is_empty()), ((0, 0, 1, 0), true));
        // Theirs is newer by several, ours is as it came.
        let ours = here(1, 1, std::slice::from_ref(&one), Some(1));
        let plan = run(vec![theirs(1, 1, body("A", "five"), &body("A", "four"))], vec![ours], &none);
        assert_eq!(counts(&plan), (0, 1, 0, 0));
        // What was written from a version that we left behind, and we have theirs already.
        let plan = run(vec![theirs(1, 1, two.clone(), &one)], vec![here(1, 1, &[one, two], None)], &none);
        assert!(plan.is_empty());
    }

    /// Who still has an older state, and did not change a thing or another one, takes nobody's work away.
    #[test]
    fn an_older_archive_reverts_nothing_that_was_exchanged_since() {
        let (old, new) = (body("Alpha", "one"), body("Alpha two", "two"));
        let brought = || here(1, 1, &[old.clone(), new.clone()], Some(2));
        let none = Takes::new();
        let plan = run(vec![theirs(1, 1, old.clone(), &old)], vec![brought()], &none);
        assert_eq!((counts(&plan), plan.is_empty()), ((0, 0, 1, 0), true));
        let mut tagged = old.clone();
        tagged.tags = vec!["x".into()];
        let plan = run(vec![theirs(1, 1, tagged.clone(), &old)], vec![brought()], &none);
        let [Write::Merge { merged, .. }] = &plan.writes[..] else { panic!("a merge") };
        let wanted = ProcedureBody { tags: vec!["x".into()], ..new.clone() };
        assert_eq!((&**merged, counts(&plan)), (&wanted, (0, 1, 0, 0)));
        // Edited here as well, in what they did not touch: no question either.
        let ours = ProcedureBody { description: "ours".into(), ..new.clone() };
        let edited = here(1, 1, &[old.clone(), new, ours.clone()], Some(2));
        let plan = run(vec![theirs(1, 1, tagged, &old)], vec![edited], &none);
        let [Write::Merge { merged, .. }] = &plan.writes[..] else { panic!("a merge") };
        let wanted = ProcedureBody { tags: vec!["x".into()], ..ours };
        assert_eq!((&**merged, counts(&plan)), (&wanted, (0, 1, 0, 0)));
    }

    #[test]
    fn what_both_changed_is_a_conflict_by_field_and_ours_stands() {
        let base = body("A", "one");
        let ours = body("A", "ours");
        let mut new = body("Renamed", "theirs");
        new.tags = vec!["x".into()];
        let id = Uuid::from_u128(1);
        let stored = || vec![here(1, 1, &[base.clone(), ours.clone()], Some(1))];
        let plan = run(vec![theirs(1, 1, new.clone(), &base)], stored(), &Takes::new());
        assert_eq!(counts(&plan), (0, 1, 0, 1));
        let keys: Vec<_> = plan.conflicts[0].fields.iter().map(|field| field.key.as_str()).collect();
        assert_eq!(keys, ["description"]);
        let [Write::Merge { merged, .. }] = &plan.writes[..] else { panic!("a merge") };
        assert_eq!((merged.name.as_str(), merged.description.as_str()), ("Renamed", "ours"));
        assert_eq!(merged.tags, ["x"]);
        let takes = Takes::from_iter([(id.to_string(), Some("description".to_owned()))]);
        let plan = run(vec![theirs(1, 1, new.clone(), &base)], stored(), &takes);
        let [Write::Merge { merged, .. }] = &plan.writes[..] else { panic!("a merge") };
        assert_eq!(**merged, new);
        // The next time it is known: what was noted as theirs, with ours on top.
        let after = here(1, 1, &[base.clone(), ours.clone(), new.clone(), ours], Some(3));
        let plan = run(vec![theirs(1, 1, new, &base)], vec![after], &Takes::new());
        assert!(plan.is_empty() && plan.conflicts.is_empty());
    }

    #[test]
    fn without_a_version_that_both_know_every_difference_of_two_texts_is_a_conflict() {
        let plan = run(
            vec![theirs(1, 1, body("A", "theirs"), &body("A", "other"))],
            vec![here(1, 1, &[body("A", "ours")], None)],
            &Takes::new(),
        );
        assert_eq!(plan.conflicts[0].fields.len(), 1);
        assert_eq!((counts(&plan), plan.changes.kept.len()), ((0, 0, 0, 1), 1));
    }
}
