//! Between a test plan of the library and a file of PlexTrac.

use std::collections::{BTreeMap, HashMap, HashSet};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::file::{Entry, PlanEntry, ProcedureEntry, RepositoryEntry, StepEntry, TestPlanFile};
use super::html;
use super::text::{description_of, read_description, read_step, step_text};
use crate::imports::domain::{ID_MAX, ImportError};
use crate::imports::repository::file::PlanFields;
use crate::kernel::base::show::counted;
use crate::library::domain::{ContentDigest, ProcedureBody, StepKind};

/// What says in a file that Tyrian wrote an object.
const OURS: &str = "tyrian";
/// What says that a technique is one of MITRE ATT&CK; the value beside it is its id.
const ATTACK: &str = "mitre-attack";
/// The value of the technique that stands for none.
const NONE: &str = "none";

/// A test plan of the library.
#[derive(Debug, Clone, Default)]
pub struct LibraryPlan {
    pub id: Uuid,
    pub title: String,
    pub description: String,
    pub tags: Vec<String>,
    pub procedures: Vec<LibraryProcedure>,
}

#[derive(Debug, Clone)]
pub struct LibraryProcedure {
    pub identity: Uuid,
    pub code: String,
    pub repository: LibraryRepository,
    pub body: ProcedureBody,
}

#[derive(Debug, Clone)]
pub struct LibraryRepository {
    pub id: Uuid,
    pub name: String,
    pub prefix: String,
    pub description: String,
    /// `open`, `managed`, `private`, `curated`
    pub kind: String,
}

/// A technique that a procedure names, as the newest release that has it knows it, or of one's own.
#[derive(Debug, Clone, Default)]
pub struct KnownTechnique {
    /// What procedures name it by.
    pub external_id: String,
    pub name: String,
    pub description: String,
    pub origin: Origin,
    pub tactics: Vec<KnownTactic>,
}

/// Where a technique is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// This release of ATT&CK.
    Release(String),
    /// It is one's own, under this id.
    Own(Uuid),
}

impl Default for Origin {
    fn default() -> Self {
        Self::Release(String::new())
    }
}

#[derive(Debug, Clone, Default)]
pub struct KnownTactic {
    /// Of an own one, its short name.
    pub external_id: String,
    pub name: String,
    pub description: String,
    /// Of an own one.
    pub own: Option<OwnTactic>,
}

#[derive(Debug, Clone, Default)]
pub struct OwnTactic {
    pub id: Uuid,
    /// All that it belongs to.
    pub methodologies: Vec<OwnMethodology>,
}

/// A methodology of one's own.
#[derive(Debug, Clone, Default)]
pub struct OwnMethodology {
    pub id: Uuid,
    pub name: String,
    pub short_name: String,
    pub description: String,
}

/// What a tactic of a file belongs to.
#[derive(Clone, Copy)]
enum Methodology<'k> {
    Attack(&'k str),
    Own(&'k OwnMethodology),
    /// Of what nobody knows.
    Other,
}

/// An id as PlexTrac makes them, the same for the same thing each time.
pub fn cuid(noun: &str, key: &str) -> String {
    let hash = Sha256::digest(format!("{noun}\n{key}"));
    let mut number = hash.iter().take(16).fold(0u128, |number, byte| number << 8 | u128::from(*byte));
    let mut id = vec![b'0'; 24];
    for place in id.iter_mut().rev() {
        *place = b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize];
        number /= 36;
    }
    format!("c{}", id.into_iter().map(char::from).collect::<String>())
}

/// The id of a procedure in a file.
pub fn procedure_cuid(identity: Uuid) -> String {
    cuid("procedure", &identity.to_string())
}

/// The id of a test plan in a file.
pub fn plan_cuid(id: Uuid) -> String {
    cuid("test plan", &id.to_string())
}

/// A text that is never empty.
fn or(text: &str, other: &str) -> String {
    if text.trim().is_empty() { other.to_owned() } else { text.to_owned() }
}

/// The parts of a file while they gather, each once.
#[derive(Default)]
struct Gathered {
    file: TestPlanFile,
    seen: HashSet<String>,
    /// Short names that are taken, with the list in which they are.
    short_names: HashSet<(&'static str, String)>,
}

impl Gathered {
    /// A short name that no other object of the list has.
    fn short_name(&mut self, list: &'static str, wanted: &str, beside: &str) -> String {
        let mut name = or(wanted, "UNNAMED");
        if self.short_names.contains(&(list, name.clone())) && !beside.is_empty() {
            name = format!("{name} ({beside})");
        }
        let (base, mut n) = (name.clone(), 2);
        while !self.short_names.insert((list, name.clone())) {
            name = format!("{base} ({n})");
            n += 1;
        }
        name
    }

    fn methodology(&mut self, which: Methodology<'_>) -> String {
        let (key, name, short, description) = match which {
            Methodology::Attack(release) => (
                release.to_owned(),
                format!("MITRE ATT&CK {release}"),
                format!("ATT&CK {release}"),
                "What intruders want (tactics) and how they go about it (techniques), from observed \
                    intrusions."
                    .to_owned(),
            ),
            Methodology::Own(own) => (
                own.id.to_string(),
                own.name.clone(),
                own.short_name.clone(),
                or(&own.description, &own.name),
            ),
            Methodology::Other => (
                String::new(),
                "Other techniques".to_owned(),
                "OTHER".to_owned(),
                "Techniques that no release of MITRE ATT&CK knows.".to_owned(),
            ),
        };
        let id = cuid("methodology", &key);
        if self.seen.insert(id.clone()) {
            let short_name = self.short_name("methodologies", &short, "");
            let (source_id, source_key, source_value) = match which {
                Methodology::Attack(_) => (Some(key), ATTACK, "enterprise-attack".to_owned()),
                Methodology::Own(_) => (Some(key), OURS, short),
                Methodology::Other => (None, OURS, "other".to_owned()),
            };
            self.file.methodologies.push(Entry {
                id: id.clone(),
                name,
                short_name,
                description,
                origin: OURS.to_owned(),
                is_editable: !matches!(which, Methodology::Attack(_)),
                source_id,
                source_key: Some(source_key.to_owned()),
                source_value: Some(source_value),
                parents: Vec::new(),
            });
        }
        id
    }

    /// A tactic of a technique, or the one of those that have none.
    fn tactic(&mut self, known: Option<(&KnownTactic, &Origin)>) -> String {
        let other = KnownTactic {
            external_id: "OTHER".to_owned(),
            name: "Other".to_owned(),
            description: "Techniques without a tactic.".to_owned(),
            own: None,
        };
        let tactic = known.map_or(&other, |(tactic, _)| tactic);
        let release = match known {
            Some((_, Origin::Release(release))) => Some(release.as_str()),
            _ => None,
        };
        let (key, parents): (String, Vec<Methodology<'_>>) = match (release, &tactic.own) {
            (Some(release), _) => {
                (format!("{release} {}", tactic.external_id), vec![Methodology::Attack(release)])
            }
            (None, Some(own)) => {
                (own.id.to_string(), own.methodologies.iter().map(Methodology::Own).collect())
            }
            (None, None) => (String::new(), Vec::new()),
        };
        let id = cuid("tactic", &key);
        if self.seen.insert(id.clone()) {
            let beside = match parents.first() {
                Some(Methodology::Attack(release)) => *release,
                Some(Methodology::Own(own)) => own.short_name.as_str(),
                Some(Methodology::Other) | None => "",
            };
            let short_name = self.short_name("tactics", &tactic.external_id, beside);
            let parents = if parents.is_empty() { vec![Methodology::Other] } else { parents };
            let parents = parents.into_iter().map(|parent| self.methodology(parent)).collect();
            self.file.tactics.push(Entry {
                id: id.clone(),
                name: tactic.name.clone(),
                short_name,
                description: or(&tactic.description, &tactic.name),
                origin: OURS.to_owned(),
                is_editable: release.is_none(),
                source_id: match (release, &tactic.own) {
                    (Some(release), _) => Some(release.to_owned()),
                    (None, own) => own.as_ref().map(|own| own.id.to_string()),
                },
                source_key: Some(if release.is_some() { ATTACK } else { OURS }.to_owned()),
                source_value: Some(tactic.external_id.clone()),
                parents,
            });
        }
        id
    }

    /// The technique of this id, or the one that stands for none.
    fn technique(&mut self, external_id: Option<&str>, known: Option<&KnownTechnique>) -> String {
        let id = cuid("technique", external_id.unwrap_or_default());
        if self.seen.contains(&id) {
            return id;
        }
        let mut parents: Vec<String> = known
            .into_iter()
            .flat_map(|known| known.tactics.iter().map(|tactic| (tactic, &known.origin)))
            .map(|tactic| self.tactic(Some(tactic)))
            .collect();
        if parents.is_empty() {
            parents.push(self.tactic(None));
        }
        let value = external_id.unwrap_or(NONE);
        let name = known.map_or_else(
            || external_id.unwrap_or("Without a technique").to_owned(),
            |known| or(&known.name, value),
        );
        let description = known.map_or_else(|| name.clone(), |known| or(&known.description, &name));
        let short_name = self.short_name("techniques", external_id.unwrap_or("NONE"), "");
        let (source_id, source_key) = match known.map(|known| &known.origin) {
            Some(Origin::Release(release)) => (Some(release.clone()), ATTACK),
            Some(Origin::Own(own)) => (Some(own.to_string()), OURS),
            None => (None, OURS),
        };
        self.seen.insert(id.clone());
        self.file.techniques.push(Entry {
            id: id.clone(),
            name,
            short_name,
            description,
            origin: OURS.to_owned(),
            is_editable: source_key == OURS,
            source_id,
            source_key: Some(source_key.to_owned()),
            source_value: Some(value.to_owned()),
            parents,
        });
        id
    }

    fn repository(&mut self, repository: &LibraryRepository) -> String {
        let id = cuid("repository", &repository.id.to_string());
        if self.seen.insert(id.clone()) {
            let short_name = self.short_name("repositories", &repository.prefix, "");
            self.file.repositories.push(RepositoryEntry {
                id: id.clone(),
                name: repository.name.clone(),
                short_name,
                description: or(&repository.description, &repository.name),
                kind: repository.kind.clone(),
                origin: OURS.to_owned(),
                is_editable: repository.kind != "curated",
            });
        }
        id
    }

    fn procedure(&mut self, procedure: &LibraryProcedure, known: &HashMap<&str, &KnownTechnique>) -> String {
        let id = procedure_cuid(procedure.identity);
        if !self.seen.insert(id.clone()) {
            return id;
        }
        let repository = self.repository(&procedure.repository);
        let body = &procedure.body;
        let mut parents: Vec<String> = body
            .technique_ids
            .iter()
            .map(|technique| self.technique(Some(technique), known.get(technique.as_str()).copied()))
            .collect();
        if parents.is_empty() {
            parents.push(self.technique(None, None));
        }
        let steps = body.steps.iter().map(|step| StepEntry {
            description: or(&step_text(step), "**Step**"),
            success_criteria: step.success_criteria.clone(),
        });
        let short_name = self.short_name("procedures", &procedure.code, "");
        self.file.procedures.push(ProcedureEntry {
            entry: Entry {
                id: id.clone(),
                name: body.name.clone(),
                short_name,
                description: or(&description_of(body), &body.name),
                origin: OURS.to_owned(),
                is_editable: procedure.repository.kind != "curated",
                source_id: Some(procedure.identity.to_string()),
                source_key: Some(OURS.to_owned()),
                source_value: Some(procedure.code.clone()),
                parents,
            },
            repository,
            steps: steps.collect(),
        });
        id
    }
}

/// The file of a test plan.
pub fn file_of(plan: &LibraryPlan, techniques: &[KnownTechnique]) -> TestPlanFile {
    let known: HashMap<&str, &KnownTechnique> =
        techniques.iter().map(|technique| (technique.external_id.as_str(), technique)).collect();
    let mut gathered = Gathered::default();
    let procedures: Vec<String> =
        plan.procedures.iter().map(|procedure| gathered.procedure(procedure, &known)).collect();
    let described = ProcedureBody {
        description: plan.description.clone(),
        tags: plan.tags.clone(),
        ..ProcedureBody::default()
    };
    gathered.file.plan = PlanEntry {
        id: plan_cuid(plan.id),
        title: plan.title.clone(),
        description: or(&description_of(&described), &plan.title),
        kind: "open".to_owned(),
        origin: OURS.to_owned(),
        is_editable: true,
        procedures,
    };
    let content = PlanFields {
        title: plan.title.clone(),
        description: plan.description.clone(),
        tags: plan.tags.clone(),
        procedures: plan.procedures.iter().map(|procedure| procedure.identity).collect(),
    };
    gathered.file.known =
        plan.procedures.iter().map(|one| (procedure_cuid(one.identity), one.body.digest())).collect();
    gathered.file.known.insert(plan_cuid(plan.id), content.digest());
    gathered.file
}

/// What a file brings into the library.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportedPlan {
    /// The id of the plan in its file.
    pub key: String,
    pub title: String,
    pub description: String,
    pub tags: Vec<String>,
    pub repositories: Vec<RepositoryEntry>,
    /// Names of its methodologies beside ATT&CK: they are none of the procedures' and do not come along.
    pub methodologies: Vec<String>,
    pub procedures: Vec<ImportedProcedure>,
    /// Places in `procedures`, in the plan's order, each once.
    pub order: Vec<usize>,
    /// As [`TestPlanFile::known`].
    pub known: BTreeMap<String, ContentDigest>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedProcedure {
    /// Its id in the file.
    pub key: String,
    /// `procedures[3] "Name"`, for messages.
    pub object: String,
    /// Its place in [`ImportedPlan::repositories`].
    pub repository: usize,
    pub body: ProcedureBody,
}

/// What a file means in the library, and what of it was left out.
pub fn imported(name: &str, file: &TestPlanFile) -> (ImportedPlan, Vec<ImportError>) {
    let mut warnings = Vec::new();
    let techniques: HashMap<&str, Option<String>> =
        file.techniques.iter().map(|technique| (technique.id.as_str(), technique_id(technique))).collect();
    let repositories: HashMap<&str, usize> =
        file.repositories.iter().enumerate().map(|(at, repository)| (repository.id.as_str(), at)).collect();
    let procedures: Vec<ImportedProcedure> = file
        .procedures
        .iter()
        .enumerate()
        .map(|(at, procedure)| {
            let object = format!("procedures[{at}] \"{}\"", procedure.entry.name);
            let mut images = 0;
            let body = body_of(procedure, &techniques, &mut images);
            if images > 0 {
                let held = counted(images, "image that is left out", "images that are left out");
                let sentence = format!("it holds {held}");
                warnings
                    .push(ImportError { object: Some(object.clone()), ..ImportError::file(name, sentence) });
            }
            ImportedProcedure {
                key: procedure.entry.id.clone(),
                object,
                repository: repositories.get(procedure.repository.as_str()).copied().unwrap_or_default(),
                body,
            }
        })
        .collect();
    let places: HashMap<&str, usize> =
        procedures.iter().enumerate().map(|(at, procedure)| (procedure.key.as_str(), at)).collect();
    let mut listed = HashSet::new();
    let order = file.plan.procedures.iter().filter_map(|id| places.get(id.as_str()).copied());
    let order = order.filter(|at| listed.insert(*at)).collect();
    let is_ours = file.plan.origin == OURS;
    let mut described = ProcedureBody::default();
    let text = &file.plan.description;
    let text = if is_ours { text.clone() } else { html::to_markdown(text).text };
    read_description(&text, is_ours, &mut described);
    let plan = ImportedPlan {
        key: file.plan.id.clone(),
        title: file.plan.title.trim().to_owned(),
        description: not_only(&described.description, &file.plan.title, is_ours),
        tags: described.tags,
        repositories: file.repositories.clone(),
        methodologies: file
            .methodologies
            .iter()
            .filter(|one| is_own(one))
            .map(|one| one.name.clone())
            .collect(),
        order,
        procedures,
        known: file.known.clone(),
    };
    (plan, warnings)
}

/// Whether a methodology is neither ATT&CK nor what stands for techniques that no methodology has.
fn is_own(methodology: &Entry) -> bool {
    let is_attack = methodology.source_key.as_deref() == Some(ATTACK)
        || methodology.name.to_uppercase().contains("ATT&CK");
    let is_other = methodology.origin == OURS && methodology.source_value.as_deref() == Some("other");
    !is_attack && !is_other
}

/// A description that was put in because there was none is none.
fn not_only(description: &str, name: &str, is_ours: bool) -> String {
    if is_ours && description == name { String::new() } else { description.to_owned() }
}

/// The id under which the library knows a technique: ATT&CK's where it is one of it, else its short name.
/// None for the one that stands for none.
fn technique_id(technique: &Entry) -> Option<String> {
    let own = technique.source_key.as_deref() == Some(OURS);
    if own && technique.source_value.as_deref() == Some(NONE) {
        return None;
    }
    let by_source = match (technique.source_key.as_deref(), &technique.source_value) {
        (Some(ATTACK | OURS), Some(value)) => Some(value.clone()),
        (_, Some(value)) if is_attack_id(value) => Some(value.clone()),
        _ => None,
    };
    let id = by_source.unwrap_or_else(|| {
        let short = technique.short_name.trim();
        if short.is_empty() { technique.name.trim().to_owned() } else { short.to_owned() }
    });
    let id: String = id.chars().take(ID_MAX).collect();
    (!id.is_empty()).then_some(id)
}

fn is_attack_id(text: &str) -> bool {
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    text.strip_prefix('T').is_some_and(|rest| match rest.split_once('.') {
        Some((parent, sub)) => digits(parent, 4) && digits(sub, 3),
        None => digits(rest, 4),
    })
}

fn body_of(
    procedure: &ProcedureEntry,
    techniques: &HashMap<&str, Option<String>>,
    images: &mut usize,
) -> ProcedureBody {
    let entry = &procedure.entry;
    let is_ours = entry.source_key.as_deref() == Some(OURS);
    let mut markdown = |text: &str| {
        if is_ours {
            return text.to_owned();
        }
        let converted = html::to_markdown(text);
        *images += converted.images;
        converted.text
    };
    let mut seen = HashSet::new();
    let technique_ids = entry
        .parents
        .iter()
        .filter_map(|id| techniques.get(id.as_str()).cloned().flatten())
        .filter(|id| seen.insert(id.clone()))
        .collect();
    let mut body =
        ProcedureBody { name: entry.name.trim().to_owned(), technique_ids, ..ProcedureBody::default() };
    read_description(&markdown(&entry.description), is_ours, &mut body);
    body.description = not_only(&body.description, &entry.name, is_ours);
    for step in &procedure.steps {
        let criteria = step.success_criteria.as_deref().map(&mut markdown);
        let criteria = criteria.filter(|criteria| !criteria.trim().is_empty());
        let text = markdown(&step.description);
        let text = if is_ours && text == "**Step**" { String::new() } else { text };
        body.steps.push(read_step(&text, criteria));
    }
    number(&mut body);
    body
}

/// Each kind counts for itself, as in other imports.
fn number(body: &mut ProcedureBody) {
    let mut counts = [0; 3];
    for step in &mut body.steps {
        let (letter, count) = match step.kind {
            StepKind::Prerequisite => ('p', &mut counts[0]),
            StepKind::Step => ('s', &mut counts[1]),
            StepKind::Cleanup => ('c', &mut counts[2]),
        };
        *count += 1;
        step.id = format!("{letter}{count}");
    }
}

/// Gives steps the ids that the stored procedure's steps of the same kind and place have: a file of PlexTrac
/// knows none, and ticks hang on them.
pub fn adopt_step_ids(body: &mut ProcedureBody, stored: &ProcedureBody) {
    for kind in [StepKind::Prerequisite, StepKind::Step, StepKind::Cleanup] {
        let ids: Vec<String> =
            stored.steps.iter().filter(|step| step.kind == kind).map(|step| step.id.clone()).collect();
        let mut ids = ids.into_iter();
        let taken: HashSet<String> = stored.steps.iter().map(|step| step.id.clone()).collect();
        for step in body.steps.iter_mut().filter(|step| step.kind == kind) {
            match ids.next() {
                Some(id) => step.id = id,
                None => {
                    let base = step.id.clone();
                    let mut n = 2;
                    while taken.contains(&step.id) {
                        step.id = format!("{base}-{n}");
                        n += 1;
                    }
                }
            }
        }
    }
}
