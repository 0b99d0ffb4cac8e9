//! Two people write one procedure and nobody loses a word. Versions of a procedure are kept whole, so they
//! are the history that [`crate::kernel::merge`] compares with: a body is taken apart into named texts, which
//! merge one by one, and sets, steps and inputs come and go by what somebody changed of what they saw.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};

use super::form::Posted;
use crate::kernel::base::text::check_text;
use crate::kernel::merge::set::SetChange;
use crate::kernel::merge::{
    Conflict, Current, History, Posted as PostedPart, Revision, Version, merge as merge_parts,
};
use crate::library::domain::{Input, ProcedureBody, Reference, Step, StepKind};

/// A body that came of a merge.
#[derive(Debug, Clone)]
pub struct Merged {
    pub body: ProcedureBody,
    /// Parts, by the names that the form posts, that both sides changed: they stay as they are stored.
    pub conflicts: Vec<Conflict<String>>,
    /// What the person should know of what stayed.
    pub notes: Vec<String>,
}

/// What a save did.
#[derive(Debug, Clone)]
pub struct Saved {
    /// The version that stands now.
    pub version: Version,
    pub conflicts: Vec<Conflict<String>>,
    pub notes: Vec<String>,
    pub changed: bool,
}

const TEXTS: [&str; 9] = [
    "name",
    "description",
    "recommendation",
    "prevented",
    "alerted",
    "logged",
    "minutes",
    "sentence",
    "references",
];
const STEP_TEXTS: [&str; 8] = [
    "kind",
    "description",
    "success_criteria",
    "command",
    "check_command",
    "executor",
    "platform",
    "elevated",
];
const INPUT_TEXTS: [&str; 3] = ["kind", "default", "description"];

fn ticked(is: bool) -> String {
    if is { "yes".to_owned() } else { String::new() }
}

fn text(of: &Option<String>) -> String {
    of.clone().unwrap_or_default()
}

fn some(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

fn get(body: &ProcedureBody, part: &str) -> String {
    match part {
        "name" => body.name.clone(),
        "description" => body.description.clone(),
        "recommendation" => body.recommendation.clone(),
        "prevented" => ticked(body.expected.prevented),
        "alerted" => ticked(body.expected.alerted),
        "logged" => ticked(body.expected.logged),
        "minutes" => body.expected.minutes.map(|minutes| minutes.to_string()).unwrap_or_default(),
        "sentence" => body.expected.sentence.clone(),
        "references" => {
            let line = |one: &Reference| format!("{}\t{}", one.title, one.address);
            body.references.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

fn set(body: &mut ProcedureBody, part: &str, value: &str) {
    match part {
        "name" => body.name = value.to_owned(),
        "description" => body.description = value.to_owned(),
        "recommendation" => body.recommendation = value.to_owned(),
        "prevented" => body.expected.prevented = value == "yes",
        "alerted" => body.expected.alerted = value == "yes",
        "logged" => body.expected.logged = value == "yes",
        "minutes" => body.expected.minutes = value.parse().ok(),
        "sentence" => body.expected.sentence = value.to_owned(),
        "references" => {
            let line = |line: &str| {
                let (title, address) = line.split_once('\t')?;
                Some(Reference { title: title.to_owned(), address: address.to_owned() })
            };
            body.references = value.lines().filter_map(line).collect();
        }
        _ => {}
    }
}

fn get_of_step(step: &Step, part: &str) -> String {
    match part {
        "kind" => step.kind.key().to_owned(),
        "description" => step.description.clone(),
        "success_criteria" => text(&step.success_criteria),
        "command" => text(&step.command),
        "check_command" => text(&step.check_command),
        "executor" => text(&step.executor),
        "platform" => text(&step.platform),
        "elevated" => ticked(step.elevated),
        _ => String::new(),
    }
}

fn set_of_step(step: &mut Step, part: &str, value: &str) {
    match part {
        "kind" => step.kind = StepKind::ALL.into_iter().find(|kind| kind.key() == value).unwrap_or(step.kind),
        "description" => step.description = value.to_owned(),
        "success_criteria" => step.success_criteria = some(value),
        "command" => step.command = some(value),
        "check_command" => step.check_command = some(value),
        "executor" => step.executor = some(value),
        "platform" => step.platform = some(value),
        "elevated" => step.elevated = value == "yes",
        _ => {}
    }
}

fn get_of_input(input: &Input, part: &str) -> String {
    match part {
        "kind" => input.kind.clone(),
        "default" => text(&input.default),
        "description" => input.description.clone(),
        _ => String::new(),
    }
}

fn set_of_input(input: &mut Input, part: &str, value: &str) {
    match part {
        "kind" => input.kind = value.to_owned(),
        "default" => input.default = some(value),
        "description" => input.description = value.to_owned(),
        _ => {}
    }
}

/// A part of a body by the name that the form posts; nothing where the body has no such step or input.
pub fn value_of(body: &ProcedureBody, part: &str) -> String {
    if part == "order" {
        return body.steps.iter().map(|step| step.id.as_str()).collect::<Vec<_>>().join("\n");
    }
    if let Some((id, field)) = part.strip_prefix("step.").and_then(|rest| rest.rsplit_once('.')) {
        return body
            .steps
            .iter()
            .find(|step| step.id == id)
            .map(|step| get_of_step(step, field))
            .unwrap_or_default();
    }
    if let Some((name, field)) = part.strip_prefix("input.").and_then(|rest| rest.rsplit_once('.')) {
        let input = body.inputs.iter().find(|input| input.name == name);
        return input.map(|input| get_of_input(input, field)).unwrap_or_default();
    }
    get(body, part)
}

/// Every part of a body that merges as a text.
fn parts(body: &ProcedureBody) -> Vec<String> {
    let steps = body
        .steps
        .iter()
        .flat_map(|step| STEP_TEXTS.iter().map(move |field| format!("step.{}.{field}", step.id)));
    let inputs = body
        .inputs
        .iter()
        .flat_map(|input| INPUT_TEXTS.iter().map(move |field| format!("input.{}.{field}", input.name)));
    TEXTS.iter().map(|part| (*part).to_owned()).chain(steps).chain(inputs).collect()
}

/// Whether a body has the step or the input of a part; of all others it has the part.
fn holds(body: &ProcedureBody, part: &str) -> bool {
    if let Some((id, _)) = part.strip_prefix("step.").and_then(|rest| rest.rsplit_once('.')) {
        return body.steps.iter().any(|step| step.id == id);
    }
    if let Some((name, _)) = part.strip_prefix("input.").and_then(|rest| rest.rsplit_once('.')) {
        return body.inputs.iter().any(|input| input.name == name);
    }
    true
}

/// As a form gives a text back: what came with other line ends and was left alone is no change.
fn as_posted(value: &str) -> String {
    check_text("The text", false, value, usize::MAX, true).unwrap_or_else(|_| value.to_owned())
}

/// A list of which somebody added and removed some: theirs, without what I took out and with what I added.
fn set_of<'a>(base: &'a [String], mine: &'a [String], theirs: &'a [String]) -> Vec<String> {
    let words = |list: &'a [String]| list.iter().map(String::as_str);
    let change = SetChange::between(words(base), words(mine));
    if change.is_empty() {
        return theirs.to_vec();
    }
    // The same in another order than mine has it: what only I changed stands as I put it.
    if base == theirs {
        return mine.to_vec();
    }
    let kept = theirs.iter().filter(|one| !change.removed.contains(&one.as_str()));
    let added = mine.iter().filter(|one| change.added.contains(&one.as_str()) && !theirs.contains(one));
    kept.chain(added).cloned().collect()
}

/// Who wrote a version, and when.
pub type Stamp = (String, DateTime<Utc>);

/// Versions of a procedure, from the oldest that a part of what was posted came from to the newest.
#[derive(Debug, Clone, Default)]
pub struct Versions {
    pub bodies: BTreeMap<Version, ProcedureBody>,
    pub stamps: BTreeMap<Version, Stamp>,
}

impl Versions {
    fn newest(&self) -> Version {
        self.bodies.last_key_value().map_or(0, |(version, _)| *version)
    }

    /// What these versions have for something, each time it changed, with who changed it.
    fn changes<T: PartialEq>(&self, of: impl Fn(&ProcedureBody) -> T) -> Vec<(Version, T, Stamp)> {
        let mut changes: Vec<(Version, T, Stamp)> = Vec::new();
        for (version, body) in &self.bodies {
            let value = of(body);
            if changes.last().is_none_or(|(_, before, _)| *before != value) {
                let stamp = self.stamps.get(version).cloned();
                let stamp = stamp.unwrap_or_else(|| ("Somebody".to_owned(), DateTime::UNIX_EPOCH));
                changes.push((*version, value, stamp));
            }
        }
        changes
    }

    /// Who changed something last.
    fn author<T: PartialEq>(&self, of: impl Fn(&ProcedureBody) -> T) -> Stamp {
        let last = self.changes(of).pop();
        last.map_or_else(|| ("Somebody".to_owned(), DateTime::UNIX_EPOCH), |(_, _, stamp)| stamp)
    }
}

/// Merges what somebody posted into the newest of `versions`.
pub fn merge(posted: &Posted, all: &Versions) -> Merged {
    let (versions, newest) = (&all.bodies, all.newest());
    let nothing = ProcedureBody::default();
    let theirs = versions.get(&newest).unwrap_or(&nothing);
    let base = versions.get(&posted.bases.version).unwrap_or(&nothing);
    let mine = &posted.body;
    let mut body = theirs.clone();
    let mut notes = Vec::new();

    body.technique_ids = set_of(&base.technique_ids, &mine.technique_ids, &theirs.technique_ids);
    body.tags = set_of(&base.tags, &mine.tags, &theirs.tags);
    body.platforms = set_of(&base.platforms, &mine.platforms, &theirs.platforms);
    body.emulates = set_of(&base.emulates, &mine.emulates, &theirs.emulates);

    // A step or an input that only I have stays as I wrote it.
    let asked: Vec<String> = parts(mine).into_iter().filter(|part| holds(theirs, part)).collect();
    let (history, current, typed) = texts(&asked, posted, all);
    let outcome = merge_parts(&typed, &current, &history);

    body.steps = steps(base, mine, theirs, all, &mut notes);
    body.inputs = inputs(base, mine, theirs);
    for change in &outcome.accepted {
        set_part(&mut body, &change.field, &change.new);
    }
    let mut conflicts = outcome.conflicts;
    match order(posted, all, theirs, &body.steps) {
        Ok(ordered) => body.steps = ordered,
        Err(conflict) => conflicts.push(*conflict),
    }
    Merged { body, conflicts, notes }
}

fn set_part(body: &mut ProcedureBody, part: &str, value: &str) {
    if let Some((id, field)) = part.strip_prefix("step.").and_then(|rest| rest.rsplit_once('.')) {
        if let Some(step) = body.steps.iter_mut().find(|step| step.id == id) {
            set_of_step(step, field, value);
        }
    } else if let Some((name, field)) = part.strip_prefix("input.").and_then(|rest| rest.rsplit_once('.')) {
        if let Some(input) = body.inputs.iter_mut().find(|input| input.name == name) {
            set_of_input(input, field, value);
        }
    } else {
        set(body, part, value);
    }
}

type Texts = (History<String>, Vec<Current<String>>, Vec<PostedPart<String>>);

fn texts(asked: &[String], posted: &Posted, all: &Versions) -> Texts {
    let (versions, newest) = (&all.bodies, all.newest());
    let (mut history, mut current, mut typed) = (History::default(), Vec::new(), Vec::new());
    for part in asked.iter().filter(|part| !posted.bases.left.contains(*part)) {
        for (version, value, (by, at)) in all.changes(|body| value_of(body, part)) {
            history.push(part.clone(), Revision { version, value, by, at });
        }
        let base = posted.bases.of(part);
        let shown = versions.get(&base).map(|body| value_of(body, part)).unwrap_or_default();
        let value = value_of(&posted.body, part);
        let value = if value == as_posted(&shown) { shown } else { value };
        typed.push(PostedPart { field: part.clone(), value, base });
        let value = versions.get(&newest).map(|body| value_of(body, part)).unwrap_or_default();
        current.push(Current { field: part.clone(), value, version: newest });
    }
    (history, current, typed)
}

/// The steps that there are: theirs in their order, without what I took out and nobody changed since, with
/// mine behind what they stood behind. Their texts merge by themselves.
fn steps(
    base: &ProcedureBody,
    mine: &ProcedureBody,
    theirs: &ProcedureBody,
    all: &Versions,
    notes: &mut Vec<String>,
) -> Vec<Step> {
    let find = |body: &ProcedureBody, id: &str| body.steps.iter().find(|step| step.id == id).cloned();
    let author = |id: &str| all.author(|body| find(body, id)).0;
    let mut steps = Vec::new();
    for step in &theirs.steps {
        match (find(base, &step.id), find(mine, &step.id)) {
            (Some(before), None) if before == *step => {}
            (Some(_), None) => {
                notes.push(format!(
                    "{} changed the step “{}” while you removed it, so it stays. Remove it \
                        again if it is to go.",
                    author(&step.id),
                    label(step)
                ));
                steps.push(step.clone());
            }
            _ => steps.push(step.clone()),
        }
    }
    for (place, step) in mine.steps.iter().enumerate() {
        if steps.iter().any(|one| one.id == step.id) {
            continue;
        }
        let before = find(base, &step.id);
        let is_theirs = find(theirs, &step.id).is_some();
        match before {
            // They took it out and I left it alone.
            Some(before) if !is_theirs && is_untouched(&before, step) => continue,
            Some(_) if !is_theirs => notes.push(format!(
                "{} removed the step “{}” while you changed it, so it stays with what you wrote.",
                author(&step.id),
                label(step)
            )),
            _ => {}
        }
        let behind = mine.steps[..place]
            .iter()
            .rev()
            .find_map(|before| steps.iter().position(|one| one.id == before.id));
        steps.insert(behind.map_or(0, |at| at + 1), step.clone());
    }
    steps
}

fn is_untouched(before: &Step, step: &Step) -> bool {
    STEP_TEXTS.iter().all(|part| {
        let (before, now) = (get_of_step(before, part), get_of_step(step, part));
        now == before || now == as_posted(&before)
    })
}

/// What a step is called in a sentence.
pub fn label(step: &Step) -> String {
    let text = if step.description.is_empty() { text(&step.command) } else { step.description.clone() };
    let line = text.lines().next().unwrap_or_default();
    let short: String = line.chars().take(60).collect();
    if short.len() < line.len() { format!("{short}…") } else { short }
}

/// Inputs as steps: by their names.
fn inputs(base: &ProcedureBody, mine: &ProcedureBody, theirs: &ProcedureBody) -> Vec<Input> {
    let has = |body: &ProcedureBody, name: &str| body.inputs.iter().any(|input| input.name == name);
    let kept = theirs.inputs.iter().filter(|input| {
        let untouched = base.inputs.contains(input);
        !(has(base, &input.name) && !has(mine, &input.name) && untouched)
    });
    let new = mine.inputs.iter().filter(|input| {
        let left_alone = base.inputs.contains(input);
        let is_left = has(base, &input.name) && left_alone;
        !has(theirs, &input.name) && !is_left
    });
    kept.chain(new).cloned().collect()
}

/// Puts the steps into the order that somebody chose: that of whoever changed it.
fn order(
    posted: &Posted,
    all: &Versions,
    theirs: &ProcedureBody,
    steps: &[Step],
) -> Result<Vec<Step>, Box<Conflict<String>>> {
    let nothing = ProcedureBody::default();
    let from = posted.bases.of("order");
    let base = all.bodies.get(&from).unwrap_or(&nothing);
    let common: HashSet<&str> = base
        .steps
        .iter()
        .map(|step| step.id.as_str())
        .filter(|id| theirs.steps.iter().any(|step| step.id == *id))
        .filter(|id| posted.body.steps.iter().any(|step| step.id == *id))
        .collect();
    let of = |body: &ProcedureBody| -> Vec<String> {
        let ids = body.steps.iter().map(|step| step.id.clone());
        ids.filter(|id| common.contains(id.as_str())).collect()
    };
    let (before, mine, now) = (of(base), of(&posted.body), of(theirs));
    if mine == before || mine == now || posted.bases.left.contains("order") {
        return Ok(steps.to_vec());
    }
    if now != before {
        let (by, at) = all.author(of);
        return Err(Box::new(Conflict {
            field: "order".to_owned(),
            theirs: value_of(theirs, "order"),
            theirs_by: Some(by),
            theirs_at: Some(at),
            theirs_version: all.newest(),
            mine: value_of(&posted.body, "order"),
            base_version: from,
        }));
    }
    // Mine lead; what the others added stands behind what it stood behind.
    let mut ordered: Vec<Step> = Vec::new();
    for step in &posted.body.steps {
        ordered.extend(steps.iter().find(|one| one.id == step.id).cloned());
    }
    for (place, step) in steps.iter().enumerate() {
        if ordered.iter().any(|one| one.id == step.id) {
            continue;
        }
        let behind =
            steps[..place].iter().rev().find_map(|before| ordered.iter().position(|one| one.id == before.id));
        ordered.insert(behind.map_or(0, |at| at + 1), step.clone());
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::writing::form::Bases;

    fn step(id: &str, command: &str) -> Step {
        Step { id: id.to_owned(), description: id.to_owned(), command: some(command), ..Step::default() }
    }

    fn body(steps: &[Step]) -> ProcedureBody {
        ProcedureBody {
            name: "Dump".to_owned(),
            tags: vec!["a".to_owned(), "b".to_owned()],
            steps: steps.to_vec(),
            ..ProcedureBody::default()
        }
    }

    /// Merges `mine`, written from version 1, into version 2.
    fn merged(base: &ProcedureBody, theirs: &ProcedureBody, mine: &ProcedureBody) -> Merged {
        let bases = Bases { version: 1, ..Bases::default() };
        merge(&Posted { body: mine.clone(), bases }, &versions(&[("Mira", base), ("Tor", theirs)]))
    }

    /// Versions from 1 on, each with who wrote it.
    fn versions(written: &[(&str, &ProcedureBody)]) -> Versions {
        let mut versions = Versions::default();
        for (version, (by, body)) in (1..).zip(written) {
            versions.bodies.insert(version, (*body).clone());
            versions.stamps.insert(version, ((*by).to_owned(), DateTime::UNIX_EPOCH));
        }
        versions
    }

    #[test]
    fn a_conflict_names_who_changed_that_part_and_not_who_saved_last() {
        let base = body(&[step("s", "one"), step("t", "two")]);
        let mut tors = base.clone();
        tors.description = "By Tor".to_owned();
        tors.steps[1].command = some("two, by Tor");
        let mut noors = tors.clone();
        noors.recommendation = "By Noor".to_owned();
        let mut mine = body(&[step("s", "one")]);
        mine.description = "By me".to_owned();
        let bases = Bases { version: 1, ..Bases::default() };
        let all = versions(&[("Mira", &base), ("Tor", &tors), ("Noor", &noors)]);
        let merged = merge(&Posted { body: mine, bases }, &all);
        let [conflict] = &merged.conflicts[..] else { panic!("one conflict") };
        assert_eq!(conflict.theirs_by.as_deref(), Some("Tor"));
        assert_eq!(conflict.theirs_version, 3, "Keep mine goes over what stands now");
        assert!(merged.notes[0].starts_with("Tor changed the step"), "{:?}", merged.notes);
    }

    fn order_of(body: &ProcedureBody) -> Vec<&str> {
        body.steps.iter().map(|step| step.id.as_str()).collect()
    }

    #[test]
    fn what_each_side_alone_changed_stands_beside_the_others() {
        let base = body(&[step("s", "one"), step("t", "two")]);
        let mut theirs = base.clone();
        theirs.steps[0].command = some("one, by Tor");
        theirs.tags = vec!["a".to_owned(), "b".to_owned(), "tor".to_owned()];
        theirs.description = "By Tor".to_owned();
        let mut mine = base.clone();
        mine.steps[0].success_criteria = some("it prints");
        mine.steps[1].command = some("two, by me");
        mine.tags = vec!["b".to_owned(), "mine".to_owned()];
        mine.name = "Dump it".to_owned();
        let Merged { body, conflicts, notes } = merged(&base, &theirs, &mine);
        assert!(conflicts.is_empty() && notes.is_empty());
        assert_eq!((body.name.as_str(), body.description.as_str()), ("Dump it", "By Tor"));
        assert_eq!(body.tags, ["b", "tor", "mine"]);
        assert_eq!(body.steps[0].command.as_deref(), Some("one, by Tor"));
        assert_eq!(body.steps[0].success_criteria.as_deref(), Some("it prints"));
        assert_eq!(body.steps[1].command.as_deref(), Some("two, by me"));
    }

    #[test]
    fn a_text_that_both_changed_is_a_conflict_and_the_rest_is_saved() {
        let base = body(&[step("s", "one")]);
        let (mut theirs, mut mine) = (base.clone(), base.clone());
        theirs.steps[0].command = some("theirs");
        mine.steps[0].command = some("mine");
        mine.recommendation = "Do it".to_owned();
        let Merged { body, conflicts, .. } = merged(&base, &theirs, &mine);
        assert_eq!(body.recommendation, "Do it");
        assert_eq!(body.steps[0].command.as_deref(), Some("theirs"), "nothing of it is stored");
        let [conflict] = &conflicts[..] else { panic!("one conflict") };
        assert_eq!((conflict.field.as_str(), conflict.mine.as_str()), ("step.s.command", "mine"));
        assert_eq!((conflict.theirs_version, conflict.base_version), (2, 1));

        // "Keep mine" posts it from the version that was shown as theirs.
        let versions = versions(&[("Mira", &base), ("Tor", &theirs)]);
        let mut bases = Bases { version: 2, ..Bases::default() };
        bases.of.insert("step.s.command".to_owned(), 2);
        let kept = merge(&Posted { body: mine.clone(), bases }, &versions);
        assert_eq!(kept.body.steps[0].command.as_deref(), Some("mine"));
        // "Take theirs" leaves it out.
        let mut bases = Bases { version: 1, ..Bases::default() };
        bases.left.insert("step.s.command".to_owned());
        let taken = merge(&Posted { body: mine, bases }, &versions);
        assert!(taken.conflicts.is_empty());
        assert_eq!(taken.body.steps[0].command.as_deref(), Some("theirs"));
    }

    #[test]
    fn steps_come_and_go_and_nobody_loses_one_that_was_written_in() {
        let base = body(&[step("s", "one"), step("t", "two"), step("u", "three")]);
        let mut theirs = body(&[step("s", "one"), step("x", "by Tor"), step("t", "two"), step("u", "three")]);
        let mine = body(&[step("s", "one"), step("y", "by me"), step("u", "three")]);
        let both = merged(&base, &theirs, &mine);
        assert_eq!(order_of(&both.body), ["s", "y", "x", "u"], "t went, for nobody wrote in it");
        assert!(both.notes.is_empty());

        theirs.steps[2].command = some("two, by Tor");
        let stays = merged(&base, &theirs, &mine);
        assert!(order_of(&stays.body).contains(&"t"));
        assert!(stays.notes[0].contains("Tor changed the step “t”"), "{:?}", stays.notes);

        let mut mine = base.clone();
        mine.steps[0].command = some("one, by me");
        let theirs = body(&[step("u", "three")]);
        let back = merged(&base, &theirs, &mine);
        assert_eq!(order_of(&back.body), ["s", "u"], "mine stays where they took it out; t was left alone");
        assert_eq!(back.body.steps[0].command.as_deref(), Some("one, by me"));
        assert!(back.conflicts.is_empty());
    }

    #[test]
    fn an_order_is_whose_who_changed_it_and_a_conflict_where_both_did() {
        let of = |ids: [&str; 3]| body(&ids.map(|id| step(id, id)));
        let base = of(["s", "t", "u"]);
        assert_eq!(order_of(&merged(&base, &base, &of(["u", "s", "t"])).body), ["u", "s", "t"]);
        assert_eq!(order_of(&merged(&base, &of(["u", "s", "t"]), &base).body), ["u", "s", "t"]);
        let both = merged(&base, &of(["u", "s", "t"]), &of(["t", "s", "u"]));
        assert_eq!(both.conflicts[0].field, "order");
        assert_eq!(order_of(&both.body), ["u", "s", "t"]);
    }

    #[test]
    fn line_ends_that_a_form_gives_back_otherwise_are_no_change() {
        let base = body(&[step("s", "a\r\nb\r\n")]);
        let mut mine = base.clone();
        mine.steps[0].command = some("a\nb");
        let Merged { body, .. } = merged(&base, &base, &mine);
        assert_eq!(body, base);
    }

    #[test]
    fn inputs_merge_by_their_names() {
        let input = |name: &str, default: &str| Input {
            name: name.to_owned(),
            kind: "string".to_owned(),
            default: some(default),
            ..Input::default()
        };
        let with = |inputs: &[Input]| ProcedureBody { inputs: inputs.to_vec(), ..body(&[step("s", "one")]) };
        let base = with(&[input("host", "a"), input("old", "")]);
        let theirs = with(&[input("host", "theirs"), input("old", ""), input("port", "1")]);
        let mine = with(&[input("host", "a"), input("user", "me")]);
        let both = merged(&base, &theirs, &mine);
        let told: Vec<_> = both.body.inputs.iter().map(|i| (i.name.as_str(), text(&i.default))).collect();
        assert_eq!(
            told,
            [("host", "theirs".to_owned()), ("port", "1".to_owned()), ("user", "me".to_owned())]
        );
    }
}
