//! Reads a MITRE ATT&CK bundle (STIX 2.1): tactics, techniques, and what replaced the revoked ones.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use super::archive::FILE_MAX;
use super::domain::{
    BYTE_ORDER_MARK, ID_MAX, ImportError, NAME_MAX, Tracked, Trail, is_longer, plain_words, record,
};
use crate::library::domain::{
    AttackRelease, GroupFact, TacticFact, TechniqueFact, TechniqueStatus, sorted_platforms,
};

/// Nesting of lists and maps; real bundles have 5.
const DEPTH_MAX: usize = 32;

record! {
    Bundle {
        "type" => kind: String,
        "objects" => objects: Vec<StixObject>,
        ;
    }
}

record! {
    StixObject labelled "id" {
        "type" => kind: String,
        "id" => id: String,
        ;
        "name" => name: String,
        "description" => description: String,
        "modified" => modified: String,
        "external_references" => references: Vec<Reference>,
        "kill_chain_phases" => phases: Vec<Phase>,
        "revoked" => revoked: bool,
        "relationship_type" => relationship: String,
        "source_ref" => source: String,
        "target_ref" => target: String,
        "tactic_refs" => tactic_refs: Vec<String>,
        "x_mitre_deprecated" => deprecated: bool,
        "x_mitre_domains" => domains: Vec<String>,
        "x_mitre_is_subtechnique" => is_subtechnique: bool,
        "x_mitre_platforms" => platforms: Vec<String>,
        "x_mitre_shortname" => short_name: String,
        "x_mitre_version" => version: String,
    }
}

record! {
    Reference {
        "source_name" => source: String,
        ;
        "external_id" => external_id: String,
        "url" => url: String,
    }
}

record! {
    Phase {
        "kill_chain_name" => chain: String,
        "phase_name" => name: String,
        ;
    }
}

// Only to name an object whose id comes after the field that is wrong.
record! {
    Ids {
        "objects" => objects: Vec<Id>,
        ;
    }
}

record! {
    Id {
        ;
        "id" => id: String,
    }
}

/// A bundle that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attack {
    pub release: AttackRelease,
    /// Who uses the techniques, in the order of their external ids.
    pub groups: Vec<GroupFact>,
    /// Objects that were left out: a team's own, other domains', and those with a fault.
    pub refused: Vec<ImportError>,
    /// What names something that the file does not hold.
    pub warnings: Vec<ImportError>,
}

/// How many warnings one file gives; more of them say nothing new.
const WARNINGS_MAX: usize = 500;

/// The domain that is read where a bundle holds several.
const ENTERPRISE: &str = "enterprise-attack";

/// Reads a bundle, which may have at most [`FILE_MAX`] bytes.
///
/// The release's version comes from the bundle's `x-mitre-collection`, or else from the file name
/// (`enterprise-attack-18.1.json`). References to objects outside the bundle are borne. Of several objects
/// with one external id, a live one stands before a deprecated and a revoked one, and of several versions of
/// one object the last modified counts. Tactics, techniques and groups without a reference of MITRE or with a
/// fault are left out, and so are other domains' where the bundle is one of Enterprise.
///
/// # Errors
/// Names object, field and line of what cannot be read.
pub fn parse(file_name: &str, bytes: &[u8]) -> Result<Attack, ImportError> {
    if bytes.len() as u64 > FILE_MAX {
        return Err(ImportError::file(
            file_name,
            format!("it is larger than {} MiB", FILE_MAX / (1024 * 1024)),
        ));
    }
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err(ImportError { line: Some(1), ..ImportError::file(file_name, BYTE_ORDER_MARK) });
    }
    if let Some(line) = too_deep(bytes) {
        return Err(ImportError {
            line: Some(line),
            ..ImportError::file(file_name, format!("it is nested deeper than {DEPTH_MAX} levels"))
        });
    }
    let bundle: Bundle = read(bytes).map_err(|(error, trail)| locate(file_name, bytes, &error, &trail))?;
    if bundle.kind != "bundle" {
        return Err(ImportError::file(
            file_name,
            format!("its type is {}, where a STIX bundle is expected", bundle.kind),
        ));
    }
    Release::gather(file_name, bytes, bundle.objects)?.build()
}

fn read<'de, T: Tracked<'de>>(bytes: &'de [u8]) -> Result<T, (serde_json::Error, Trail)> {
    let trail = Trail::default();
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = T::read(&mut json, &trail).and_then(|value| json.end().map(|()| value));
    value.map_err(|error| (error, trail))
}

fn locate(file: &str, bytes: &[u8], error: &serde_json::Error, trail: &Trail) -> ImportError {
    let (object, field) = trail.place();
    let object = object.map(|(index, label)| {
        let id = label.or_else(|| {
            let ids: Ids = read(bytes).ok()?;
            ids.objects.into_iter().nth(index)?.id
        });
        object_name(index, id.as_deref())
    });
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    ImportError {
        object,
        field,
        line: (error.line() > 0).then_some(error.line()),
        ..ImportError::file(file, plain_words(text.strip_suffix(&place).unwrap_or(&text)))
    }
}

fn object_name(index: usize, id: Option<&str>) -> String {
    match id {
        Some(id) => format!("objects[{index}] ({id})"),
        None => format!("objects[{index}]"),
    }
}

/// The line where the nesting passes [`DEPTH_MAX`]. Skipped values nest without a limit in the
/// JSON reader itself.
fn too_deep(bytes: &[u8]) -> Option<usize> {
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Some(line_of(bytes, at));
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

fn line_of(bytes: &[u8], at: usize) -> usize {
    1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count()
}

/// A technique or tactic with what identifies it.
struct Candidate {
    index: usize,
    object: StixObject,
    external_id: String,
    url: String,
}

impl Candidate {
    fn status(&self) -> TechniqueStatus {
        match (self.object.revoked, self.object.deprecated) {
            (Some(true), _) => TechniqueStatus::Revoked,
            (_, Some(true)) => TechniqueStatus::Deprecated,
            _ => TechniqueStatus::Live,
        }
    }

    /// Which of two objects with one external id stands: the greater.
    fn standing(&self) -> (u8, &str) {
        let status = match self.status() {
            TechniqueStatus::Live => 2,
            TechniqueStatus::Deprecated => 1,
            TechniqueStatus::Revoked => 0,
        };
        (status, self.object.modified.as_deref().unwrap_or_default())
    }
}

struct Release<'a> {
    file: &'a str,
    bytes: &'a [u8],
    version: Option<String>,
    domain: Option<String>,
    techniques: Vec<Candidate>,
    tactics: Vec<Candidate>,
    /// Ids of tactics, as the matrix orders them.
    order: Vec<String>,
    /// Id of what was revoked → its successors.
    successors: HashMap<String, Vec<Succession>>,
    groups: Vec<Candidate>,
    refused: Vec<ImportError>,
    warnings: Vec<ImportError>,
    /// Line of each object's own id, looked for when the first is asked for.
    lines: OnceCell<HashMap<Vec<u8>, usize>>,
}

/// What a `revoked-by` says.
struct Succession {
    /// Id of the successor.
    heir: String,
    /// The relationship, to name it.
    relation: (usize, String),
}

impl<'a> Release<'a> {
    fn gather(file: &'a str, bytes: &'a [u8], objects: Vec<StixObject>) -> Result<Self, ImportError> {
        let mut release = Self {
            file,
            bytes,
            version: None,
            domain: None,
            techniques: Vec::new(),
            tactics: Vec::new(),
            order: Vec::new(),
            successors: HashMap::new(),
            groups: Vec::new(),
            refused: Vec::new(),
            warnings: Vec::new(),
            lines: OnceCell::new(),
        };
        for (index, object) in objects.into_iter().enumerate() {
            match object.kind.as_str() {
                "attack-pattern" => {
                    let candidate = release.candidate(index, object);
                    release.techniques.extend(candidate);
                }
                "x-mitre-tactic" => {
                    let candidate = release.candidate(index, object);
                    release.tactics.extend(candidate);
                }
                "intrusion-set" => {
                    let candidate = release.candidate(index, object);
                    release.groups.extend(candidate);
                }
                "x-mitre-matrix" => {
                    let id = reference(&object).map(|(id, _)| id);
                    release.domain = release.domain.or(id);
                    release.order.extend(object.tactic_refs.unwrap_or_default());
                }
                "x-mitre-collection" => release.version = object.version.and_then(release_number),
                "relationship" if object.relationship.as_deref() == Some("revoked-by") => {
                    if let (Some(source), Some(heir)) = (object.source, object.target) {
                        let heirs = release.successors.entry(source).or_default();
                        if heirs.iter().all(|known| known.heir != heir) {
                            heirs.push(Succession { heir, relation: (index, object.id) });
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(release)
    }

    /// None for an object that cannot be taken, which is then refused and no fault of the file.
    fn candidate(&mut self, index: usize, object: StixObject) -> Option<Candidate> {
        let Some((external_id, url)) = reference(&object) else {
            let reason = "no reference of MITRE ATT&CK with an external_id is among its external_references";
            self.refuse(index, &object, "external_references", reason.to_owned());
            return None;
        };
        if let Some((field, sentence)) = fault_of(&object, &external_id) {
            self.refuse(index, &object, field, sentence);
            return None;
        }
        Some(Candidate { index, object, external_id, url })
    }

    fn refuse(&mut self, index: usize, object: &StixObject, field: &str, sentence: String) {
        let mut refused = self.place(index, &object.id, field, &sentence);
        if let (Some(place), Some(name)) = (&mut refused.object, &object.name) {
            place.push_str(&format!(" \"{name}\""));
        }
        self.refused.push(refused);
    }

    /// A bundle that somebody merged of several domains is one of Enterprise; the others' objects are
    /// refused.
    fn keep_one_domain(&mut self) {
        let domains = |candidate: &Candidate| candidate.object.domains.clone().unwrap_or_default();
        let is_enterprise = |domains: &[String]| domains.iter().any(|domain| domain == ENTERPRISE);
        let all = self.techniques.iter().chain(&self.tactics).chain(&self.groups);
        if !all.clone().any(|candidate| is_enterprise(&domains(candidate))) {
            return;
        }
        self.domain = Some(ENTERPRISE.to_owned());
        let foreign: HashSet<usize> = all
            .filter(|candidate| {
                let domains = domains(candidate);
                !domains.is_empty() && !is_enterprise(&domains)
            })
            .map(|candidate| candidate.index)
            .collect();
        let is_foreign = |candidate: &mut Candidate| foreign.contains(&candidate.index);
        let mut left_out: Vec<Candidate> = self.techniques.extract_if(.., is_foreign).collect();
        left_out.extend(self.tactics.extract_if(.., is_foreign));
        left_out.extend(self.groups.extract_if(.., is_foreign));
        for candidate in left_out {
            let reason =
                format!("it is of {}, and Tyrian keeps {ENTERPRISE}", domains(&candidate).join(", "));
            self.refuse(candidate.index, &candidate.object, "x_mitre_domains", reason);
        }
    }

    fn place(&self, index: usize, id: &str, field: &str, sentence: &str) -> ImportError {
        ImportError {
            object: Some(object_name(index, Some(id))),
            field: Some(field.to_owned()),
            line: self.lines.get_or_init(|| lines_of_ids(self.bytes)).get(id.as_bytes()).copied(),
            ..ImportError::file(self.file, sentence)
        }
    }

    fn warn(&mut self, index: usize, id: &str, field: &str, sentence: &str) {
        if self.warnings.len() < WARNINGS_MAX {
            let warning = self.place(index, id, field, sentence);
            self.warnings.push(warning);
        }
    }

    fn build(mut self) -> Result<Attack, ImportError> {
        self.keep_one_domain();
        let Some(version) = self.version.take().or_else(|| version_in(self.file)) else {
            return Err(ImportError::file(
                self.file,
                "neither an x-mitre-collection nor the file name says which version this is; \
                 a name like enterprise-attack-18.1.json does",
            ));
        };
        let mut external_ids = HashMap::new();
        for technique in &self.techniques {
            external_ids.insert(technique.object.id.clone(), technique.external_id.clone());
        }
        let found = std::mem::take(&mut self.techniques);
        let techniques = self.unique(found)?;
        if !techniques.iter().any(|technique| technique.status() == TechniqueStatus::Live) {
            let nothing = "it holds no technique that is in use";
            // Why there is none is worth more than that there is none.
            return Err(match self.refused.into_iter().next() {
                Some(first) => ImportError { sentence: format!("{}; {nothing}", first.sentence), ..first },
                None => ImportError::file(self.file, nothing),
            });
        }
        let domain = self.domain.take().unwrap_or_else(|| {
            let named = techniques.iter().find_map(|technique| technique.object.domains.as_ref()?.first());
            named.map_or_else(|| ENTERPRISE.to_owned(), Clone::clone)
        });
        let tactics = self.ordered_tactics()?;
        let found = std::mem::take(&mut self.groups);
        let mut groups = self.unique(found)?;
        groups.retain(|group| group.status() == TechniqueStatus::Live);
        let mut groups: Vec<_> = groups.into_iter().map(group_fact).collect();
        groups.sort_by(|a, b| a.external_id.cmp(&b.external_id));
        self.warn_of_strangers(&external_ids, &tactics, &techniques);
        let mut release = AttackRelease {
            version,
            domain,
            tactics,
            techniques: techniques
                .into_iter()
                .map(|technique| {
                    let heirs = self.successors.get(&technique.object.id).into_iter().flatten();
                    let heirs = heirs.filter_map(|heir| external_ids.get(&heir.heir).cloned()).collect();
                    technique_fact(technique, heirs)
                })
                .collect(),
        };
        release.techniques.sort_by(|a, b| a.external_id.cmp(&b.external_id));
        release.order_tactics();
        Ok(Attack { release, groups, refused: self.refused, warnings: self.warnings })
    }

    /// Says what names something that the file does not hold. It is borne: the object is taken without it.
    fn warn_of_strangers(
        &mut self,
        external_ids: &HashMap<String, String>,
        tactics: &[TacticFact],
        techniques: &[Candidate],
    ) {
        let short_names: HashSet<&str> = tactics.iter().map(|tactic| tactic.short_name.as_str()).collect();
        for technique in techniques.iter().filter(|technique| technique.status() == TechniqueStatus::Live) {
            for phase in technique.object.phases.iter().flatten().filter(|phase| is_of_mitre(phase)) {
                if !short_names.contains(phase.name.as_str()) {
                    let sentence = format!("{} is no tactic of this file; it is kept", phase.name);
                    self.warn(technique.index, &technique.object.id, "kill_chain_phases", &sentence);
                }
            }
        }
        // Groups, software and mitigations take each other's place too, and none of them is read here.
        let strangers = self.successors.values().flatten().filter(|next| {
            next.heir.starts_with("attack-pattern--") && !external_ids.contains_key(&next.heir)
        });
        let mut strangers: Vec<_> =
            strangers.map(|next| (next.relation.0, next.relation.1.clone(), next.heir.clone())).collect();
        strangers.sort();
        for (index, id, heir) in strangers {
            let sentence = format!("{heir} is no technique of this file, so its successor stays unknown");
            self.warn(index, &id, "target_ref", &sentence);
        }
    }

    /// One object for each external id.
    fn unique(&self, candidates: Vec<Candidate>) -> Result<Vec<Candidate>, ImportError> {
        let mut kept: Vec<Candidate> = Vec::with_capacity(candidates.len());
        let mut places: HashMap<String, usize> = HashMap::with_capacity(candidates.len());
        for next in candidates {
            let Some(&at) = places.get(&next.external_id) else {
                places.insert(next.external_id.clone(), kept.len());
                kept.push(next);
                continue;
            };
            let live = TechniqueStatus::Live;
            let stands = &kept[at];
            if stands.object.id != next.object.id && stands.status() == live && next.status() == live {
                let sentence = format!(
                    "{} is already the id of {}",
                    next.external_id,
                    object_name(stands.index, Some(&stands.object.id))
                );
                return Err(self.place(next.index, &next.object.id, "external_references", &sentence));
            }
            // Of one object's versions the last counts, even when it is the one that revokes.
            let replaces = if stands.object.id == next.object.id {
                next.standing().1 >= stands.standing().1
            } else {
                next.standing() > stands.standing()
            };
            if replaces {
                kept[at] = next;
            }
        }
        Ok(kept)
    }

    fn ordered_tactics(&mut self) -> Result<Vec<TacticFact>, ImportError> {
        let found = std::mem::take(&mut self.tactics);
        let mut tactics = self.unique(found)?;
        tactics.retain(|tactic| tactic.status() == TechniqueStatus::Live);
        let mut named: HashMap<&str, &Candidate> = HashMap::new();
        for tactic in &tactics {
            let short_name = tactic.object.short_name.as_deref().unwrap_or_default();
            // Techniques name their tactics by it.
            if let Some(other) = named.insert(short_name, tactic) {
                let sentence = format!(
                    "{} ({}) and {} ({}) have the same one, {short_name}; take one of them out",
                    tactic.external_id,
                    tactic.object.name.as_deref().unwrap_or_default(),
                    other.external_id,
                    object_name(other.index, Some(&other.object.id)),
                );
                return Err(self.place(tactic.index, &tactic.object.id, "x_mitre_shortname", &sentence));
            }
        }
        tactics.sort_by_cached_key(|tactic| {
            let column = self.order.iter().position(|id| *id == tactic.object.id);
            (column.unwrap_or(usize::MAX), tactic.external_id.clone())
        });
        Ok((0i32..)
            .zip(tactics)
            .map(|(position, tactic)| TacticFact {
                external_id: tactic.external_id,
                short_name: tactic.object.short_name.unwrap_or_default(),
                name: tactic.object.name.unwrap_or_default(),
                description: without_citations(&tactic.object.description.unwrap_or_default()),
                url: tactic.url,
                position,
            })
            .collect())
    }
}

/// Why an object with an id of MITRE's cannot be taken, and which field says so.
fn fault_of(object: &StixObject, external_id: &str) -> Option<(&'static str, String)> {
    let long = |max: usize| format!("it has more than {max} characters");
    if is_longer(external_id, ID_MAX) {
        return Some(("external_references", format!("an external_id has more than {ID_MAX} characters")));
    }
    match object.name.as_deref() {
        None => return Some(("name", "its name is missing".to_owned())),
        Some(name) if name.trim().is_empty() => return Some(("name", "it is empty".to_owned())),
        Some(name) if is_longer(name, NAME_MAX) => return Some(("name", long(NAME_MAX))),
        Some(_) => {}
    }
    if object.phases.iter().flatten().any(|phase| is_longer(&phase.name, ID_MAX)) {
        return Some(("kill_chain_phases", format!("a phase_name has more than {ID_MAX} characters")));
    }
    if object.kind == "x-mitre-tactic" {
        match object.short_name.as_deref() {
            None | Some("") => {
                return Some(("x_mitre_shortname", "its x_mitre_shortname is missing".to_owned()));
            }
            Some(name) if is_longer(name, ID_MAX) => return Some(("x_mitre_shortname", long(ID_MAX))),
            Some(_) => {}
        }
    }
    None
}

fn is_of_mitre(phase: &Phase) -> bool {
    phase.chain.starts_with("mitre-")
}

fn group_fact(group: Candidate) -> GroupFact {
    GroupFact {
        external_id: group.external_id,
        name: group.object.name.unwrap_or_default(),
        description: without_citations(&group.object.description.unwrap_or_default()),
        url: group.url,
    }
}

/// One successor is the one that counts; of several nobody but a person can say which.
fn technique_fact(technique: Candidate, mut heirs: Vec<String>) -> TechniqueFact {
    heirs.sort();
    let revoked_by = if heirs.len() == 1 { heirs.pop() } else { None };
    let status = technique.status();
    let is_part = technique.external_id.contains('.');
    let object = technique.object;
    let phases = object.phases.unwrap_or_default().into_iter();
    TechniqueFact {
        external_id: technique.external_id,
        name: object.name.unwrap_or_default(),
        description: without_citations(&object.description.unwrap_or_default()),
        url: technique.url,
        platforms: sorted_platforms(object.platforms.unwrap_or_default()),
        tactics: phases.filter(is_of_mitre).map(|phase| phase.name).collect(),
        is_subtechnique: object.is_subtechnique.unwrap_or(is_part),
        status,
        revoked_by,
        successors: heirs,
    }
}

/// External id and address as MITRE gives them: `mitre-attack`, in other domains and older bundles
/// also `mitre-mobile-attack` and `mitre-ics-attack`.
fn reference(object: &StixObject) -> Option<(String, String)> {
    object.references.iter().flatten().find_map(|reference| {
        if !reference.source.starts_with("mitre-") {
            return None;
        }
        let id = reference.external_id.clone().filter(|id| !id.is_empty())?;
        // An address is shown as a link, so only the scheme that MITRE uses passes.
        let url = reference.url.clone().filter(|url| url.starts_with("https://"));
        Some((id, url.unwrap_or_default()))
    })
}

/// Where each `"id"` of the file stands, by its value; of several the first.
fn lines_of_ids(bytes: &[u8]) -> HashMap<Vec<u8>, usize> {
    const KEY: &[u8] = b"\"id\"";
    let mut found = HashMap::new();
    let (mut line, mut counted) = (1, 0);
    for (at, _) in bytes.windows(KEY.len()).enumerate().filter(|(_, window)| *window == KEY) {
        let after = bytes[at + KEY.len()..].trim_ascii_start();
        let Some(value) = after.strip_prefix(b":").map(<[u8]>::trim_ascii_start) else { continue };
        let Some(value) = value.strip_prefix(b"\"") else { continue };
        let Some(end) = value.iter().position(|byte| *byte == b'"') else { break };
        line += bytes[counted..at].iter().filter(|byte| **byte == b'\n').count();
        counted = at;
        found.entry(value[..end].to_vec()).or_insert(line);
    }
    found
}

/// `18.1`, also of `v18.1`.
fn release_number(text: String) -> Option<String> {
    let number = text.trim().trim_start_matches('v');
    let mut parts = number.split('.');
    let numeric = |part: Option<&str>| {
        part.is_some_and(|part| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()))
    };
    let (major, minor) = (parts.next(), parts.next());
    let fits = numeric(major) && (minor.is_none() || numeric(minor)) && parts.next().is_none();
    fits.then(|| number.to_owned())
}

/// `18.1` of `enterprise-attack-18.1.json`, also behind a folder.
fn version_in(file_name: &str) -> Option<String> {
    let name = file_name.rsplit(['/', '\\']).next()?;
    let rest = name.rsplit_once("attack-")?.1.trim_start_matches('v');
    let end = rest.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(rest.len());
    release_number(rest[..end].trim_end_matches('.').to_owned())
}

/// Takes `(Citation: …)` out of a description and closes the gap that it leaves.
fn without_citations(text: &str) -> String {
    const MARK: &str = "(Citation: ";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(MARK) {
        let Some(length) = closing(&rest[start..]) else {
            break;
        };
        out.push_str(&rest[..start]);
        rest = &rest[start + length..];
        if rest.is_empty() || rest.starts_with([' ', '\n', '\r', '.', ',', ';', ':', ')']) {
            out.truncate(out.trim_end_matches(' ').len());
        }
    }
    out.push_str(rest);
    out.trim().to_owned()
}

/// Length up to and with the parenthesis that closes the first one; citations may hold others.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            '\n' => return None,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "enterprise-attack-18.1.json";

    fn technique(number: u8, id: &str, more: &str) -> String {
        format!(
            r#"{{"type":"attack-pattern","id":"attack-pattern--{number}","name":"N{number}",
"external_references":[{{"source_name":"elsewhere"}},{{"source_name":"mitre-attack",
"external_id":"{id}","url":"https://attack.mitre.org/techniques/{id}"}}]{more}}}"#
        )
    }

    fn tactic(number: u8, short_name: &str) -> String {
        format!(
            r#"{{"type":"x-mitre-tactic","id":"x-mitre-tactic--{number}","name":"T{number}",
"x_mitre_shortname":"{short_name}",
"external_references":[{{"source_name":"mitre-attack","external_id":"TA000{number}"}}]}}"#
        )
    }

    fn bundle(objects: &[String]) -> String {
        format!("{{\"type\":\"bundle\",\"objects\":[\n{}\n]}}", objects.join(",\n"))
    }

    fn read_all(objects: &[String]) -> Result<Attack, String> {
        parse(NAME, bundle(objects).as_bytes()).map_err(|error| error.to_string())
    }

    fn parsed(objects: &[String]) -> Result<AttackRelease, String> {
        read_all(objects).map(|attack| attack.release)
    }

    #[test]
    fn reads_facts_in_the_order_of_the_matrix() {
        let release = parsed(&[
            technique(
                2,
                "T1003.001",
                r#","x_mitre_platforms":["Windows","Linux"],
                "kill_chain_phases":[{"kill_chain_name":"mitre-attack","phase_name":"unknown"},
                {"kill_chain_name":"other","phase_name":"x"},
                {"kill_chain_name":"mitre-attack","phase_name":"impact"},
                {"kill_chain_name":"mitre-attack","phase_name":"execution"}]"#,
            ),
            technique(1, "T1003", r#","x_mitre_deprecated":true,"revoked":false"#),
            technique(3, "T1002", r#","revoked":true"#),
            technique(4, "T1001", r#","revoked":true"#),
            r#"{"type":"relationship","id":"r1","relationship_type":"revoked-by",
                "source_ref":"attack-pattern--3","target_ref":"attack-pattern--2"}"#
                .to_owned(),
            r#"{"type":"relationship","id":"r2","relationship_type":"revoked-by",
                "source_ref":"attack-pattern--4","target_ref":"attack-pattern--404"}"#
                .to_owned(),
            tactic(1, "impact"),
            tactic(2, "execution"),
            r#"{"type":"x-mitre-matrix","id":"m","external_references":[{"source_name":"mitre-attack",
                "external_id":"enterprise-attack"}],
                "tactic_refs":["x-mitre-tactic--2","x-mitre-tactic--404","x-mitre-tactic--1"]}"#
                .to_owned(),
        ])
        .unwrap();
        assert_eq!((release.version.as_str(), release.domain.as_str()), ("18.1", "enterprise-attack"));
        let order: Vec<_> = release.tactics.iter().map(|t| (t.short_name.as_str(), t.position)).collect();
        assert_eq!(order, [("execution", 0), ("impact", 1)]);
        let [t1001, t1002, t1003, part] = &release.techniques[..] else {
            panic!("four techniques");
        };
        assert_eq!((t1001.status, &t1001.revoked_by), (TechniqueStatus::Revoked, &None));
        assert_eq!(t1002.revoked_by.as_deref(), Some("T1003.001"));
        assert_eq!(t1003.status, TechniqueStatus::Deprecated);
        assert_eq!(part.tactics, ["execution", "impact", "unknown"]);
        assert_eq!(part.platforms, ["Linux", "Windows"]);
        assert!(part.is_subtechnique && part.status == TechniqueStatus::Live);
    }

    #[test]
    fn repeated_ids_keep_the_live_object_and_the_latest_version() {
        let release = parsed(&[
            technique(1, "T1", r#","modified":"2024-01-01","x_mitre_is_subtechnique":true"#),
            technique(2, "T1", r#","revoked":true,"modified":"2025-01-01""#),
            technique(3, "T3", r#","modified":"2025-01-01""#),
            technique(3, "T3", r#","modified":"2024-01-01","revoked":true"#),
        ])
        .unwrap();
        assert_eq!(release.techniques.len(), 2);
        assert!(release.techniques[0].is_subtechnique);
        assert!(release.techniques.iter().all(|t| t.status == TechniqueStatus::Live));
        let error = parsed(&[technique(1, "T1", ""), technique(2, "T1", "")]).unwrap_err();
        assert!(
            error.contains("objects[1] (attack-pattern--2), field external_references, line 5"),
            "{error}"
        );
        assert!(error.contains("objects[0] (attack-pattern--1)"), "{error}");
    }

    #[test]
    fn the_collection_names_the_version_before_the_file_does() {
        let collection = r#"{"type":"x-mitre-collection","id":"c","x_mitre_version":"19.1"}"#;
        let json = bundle(&[technique(1, "T1", ""), collection.to_owned()]);
        assert_eq!(parse(NAME, json.as_bytes()).unwrap().release.version, "19.1");
        let json = bundle(&[technique(1, "T1", "")]);
        let named = |name| parse(name, json.as_bytes()).map(|attack| attack.release.version);
        assert_eq!(named("a/enterprise-attack-v17.0 (1).json").unwrap(), "17.0");
        assert_eq!(named("mobile-attack-18.json").unwrap(), "18");
        assert!(named("bundle.json").unwrap_err().to_string().contains("which version"));
    }

    #[test]
    fn a_wrong_type_names_object_field_and_line() {
        let broken = bundle(&[technique(1, "T1", ""), technique(2, "T2", "")]).replace("\"N2\"", "5");
        assert_eq!(
            parse(NAME, broken.as_bytes()).unwrap_err().to_string(),
            "enterprise-attack-18.1.json, objects[1] (attack-pattern--2), field name, line 5: \
             text is expected here, and it is integer `5`."
        );
        let late = r#"{"type":"bundle","objects":[{"type":"tool",
            "external_references":[{"source_name":"a"},{"source_name":[]}],"id":"tool--7"}]}"#;
        let error = parse(NAME, late.as_bytes()).unwrap_err().to_string();
        assert!(
            error.contains("objects[0] (tool--7), field external_references[1].source_name, line 2"),
            "{error}"
        );
    }

    #[test]
    fn missing_fields_are_named() {
        let error = |objects: &[String]| parsed(objects).unwrap_err();
        let nameless = technique(1, "T1", "").replace(r#""name":"N1","#, "");
        let message = error(&[tactic(1, "impact"), nameless]);
        assert!(
            message.contains("objects[1] (attack-pattern--1), field name, line 5: its name is missing"),
            "{message}"
        );
        let message = error(&[r#"{"id":"x"}"#.to_owned()]);
        assert!(message.contains("objects[0] (x), field type, line 2: its type is missing"), "{message}");
        assert!(error(&[]).contains("no technique"));
    }

    #[test]
    fn a_teams_own_objects_are_left_out_and_the_rest_is_read() {
        let own = technique(1, "X1", "").replace("mitre-attack", "our-org");
        let bare = r#"{"type":"x-mitre-tactic","id":"x-mitre-tactic--8","external_references":[]}"#;
        let attack = read_all(&[own.clone(), technique(2, "T2", ""), bare.to_owned()]).unwrap();
        assert_eq!(attack.release.techniques.len(), 1);
        let said: Vec<_> = attack.refused.iter().map(ToString::to_string).collect();
        let reason = "no reference of MITRE ATT&CK with an external_id is among its external_references.";
        let field = "field external_references";
        assert_eq!(
            said,
            [
                format!("{NAME}, objects[0] (attack-pattern--1) \"N1\", {field}, line 2: {reason}"),
                format!("{NAME}, objects[2] (x-mitre-tactic--8), {field}, line 8: {reason}"),
            ]
        );
        assert!(parsed(&[own]).unwrap_err().contains("no technique that is in use"));
    }

    #[test]
    fn an_object_with_a_fault_is_refused_by_itself_and_the_rest_is_read() {
        let nameless = technique(2, "T2", "").replace(r#""name":"N2","#, "");
        let attack = read_all(&[technique(1, "T1", ""), nameless, technique(3, "T3", "")]).unwrap();
        assert_eq!(attack.release.techniques.len(), 2);
        assert_eq!(
            attack.refused[0].to_string(),
            format!("{NAME}, objects[1] (attack-pattern--2), field name, line 5: its name is missing.")
        );
    }

    #[test]
    fn what_names_something_outside_the_bundle_is_taken_with_a_warning() {
        let relation = |from: u8, to: &str| {
            format!(
                r#"{{"type":"relationship","id":"r{from}-{to}","relationship_type":"revoked-by",
                "source_ref":"attack-pattern--{from}","target_ref":"attack-pattern--{to}"}}"#
            )
        };
        let phase = r#","kill_chain_phases":[{"kill_chain_name":"mitre-attack","phase_name":"stealth"}]"#;
        // Relationships may come before what they name.
        let attack = read_all(&[
            relation(3, "404"),
            relation(4, "2"),
            relation(4, "1"),
            // A group takes another one's place: that is no matter of techniques.
            relation(5, "9").replace("attack-pattern--", "intrusion-set--"),
            technique(1, "T1", phase),
            technique(2, "T2", ""),
            technique(3, "T3", r#","revoked":true"#),
            technique(4, "T4", r#","revoked":true"#),
        ])
        .unwrap();
        let said: Vec<_> = attack.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                format!(
                    "{NAME}, objects[4] (attack-pattern--1), field kill_chain_phases, line 10: stealth is no \
                     tactic of this file; it is kept."
                ),
                format!(
                    "{NAME}, objects[0] (r3-404), field target_ref, line 2: attack-pattern--404 is no \
                     technique of this file, so its successor stays unknown."
                ),
            ]
        );
        let [_, _, t3, t4] = &attack.release.techniques[..] else { panic!("four techniques") };
        assert_eq!((&t3.revoked_by, t3.successors.len()), (&None, 0));
        assert_eq!((&t4.revoked_by, &t4.successors[..]), (&None, &["T1".to_owned(), "T2".to_owned()][..]));
    }

    #[test]
    fn groups_are_read_beside_the_techniques() {
        let group = |number: u8, more: &str| {
            technique(number, &format!("G000{number}"), more)
                .replace("attack-pattern", "intrusion-set")
                .replace(r#""name":"N"#, r#""description":"Known.(Citation: X)","name":"N"#)
        };
        let attack =
            read_all(&[group(2, ""), technique(1, "T1", ""), group(1, ""), group(3, r#","revoked":true"#)])
                .unwrap();
        let ids: Vec<_> = attack.groups.iter().map(|group| group.external_id.as_str()).collect();
        assert_eq!(ids, ["G0001", "G0002"]);
        assert_eq!(attack.groups[0].description, "Known.");
    }

    #[test]
    fn of_a_merged_bundle_the_enterprise_part_is_read() {
        let of = |domain: &str, object: String| {
            object.replacen('{', &format!(r#"{{"x_mitre_domains":["{domain}"],"#), 1)
        };
        let attack = read_all(&[
            of("ics-attack", tactic(8, "initial-access")),
            of("enterprise-attack", tactic(1, "initial-access")),
            of("ics-attack", technique(8, "T0817", "")),
            of("enterprise-attack", technique(1, "T1189", "")),
        ])
        .unwrap();
        assert_eq!(attack.release.domain, "enterprise-attack");
        assert_eq!(attack.release.tactics[0].external_id, "TA0001");
        assert_eq!(attack.release.techniques.len(), 1);
        assert_eq!(attack.refused.len(), 2);
        assert!(attack.refused[0].sentence.starts_with("it is of ics-attack, and"), "{:?}", attack.refused);
    }

    #[test]
    fn two_tactics_of_one_short_name_are_named_both() {
        let error =
            parsed(&[tactic(1, "initial-access"), technique(1, "T1", ""), tactic(8, "initial-access")])
                .unwrap_err();
        assert!(
            error.contains("objects[2] (x-mitre-tactic--8), field x_mitre_shortname, line 8: TA0008 (T8)"),
            "{error}"
        );
        assert!(error.contains("TA0001 (objects[0] (x-mitre-tactic--1))"), "{error}");
    }

    #[test]
    fn what_no_index_of_the_database_could_hold_is_a_fault_with_its_place() {
        let long = "x".repeat(3000);
        for (objects, field) in [
            (vec![technique(1, &long, "")], "external_references"),
            (vec![technique(1, "T1", "").replace("N1", &long)], "name"),
            (vec![tactic(1, &long)], "x_mitre_shortname"),
            (
                vec![technique(
                    1,
                    "T1",
                    &format!(
                        r#","kill_chain_phases":[{{"kill_chain_name":"mitre-attack","phase_name":"{long}"}}]"#
                    ),
                )],
                "kill_chain_phases",
            ),
        ] {
            let error = parsed(&objects).unwrap_err();
            assert!(
                error.contains(&format!("field {field}, line")) && error.contains("more than"),
                "{error}"
            );
        }
    }

    #[test]
    fn malformed_and_hostile_json_is_refused_with_its_line() {
        let fails = |json: &str| parse(NAME, json.as_bytes()).unwrap_err().to_string();
        let whole = bundle(&[technique(1, "T1", ""), technique(2, "T2", "")]);
        let message = fails(&whole[..whole.len() - 40]);
        assert!(
            message.contains("objects[1] (attack-pattern--2)") && message.contains("line 7"),
            "{message}"
        );
        let message = fails(&whole.replace("\"name\":\"N2\",", "\"name\" \"N2\","));
        assert!(message.contains("field name, line 5"), "{message}");
        let message = fails(&format!("{{\"type\":\"bundle\",\n\"x\":{}", "[".repeat(100_000)));
        assert!(message.contains("line 2: it is nested deeper"), "{message}");
        assert!(fails(&whole.replace("N2", "N\\u0000")).contains("U+0000"));
        assert!(fails(&whole.replace("N2", &"N".repeat(70_000))).contains("more than the 65536"));
        assert!(fails(&format!("{whole} x")).contains("more stands behind its end"));
        assert!(fails("[]").contains("a map is expected here"));
        assert!(fails(r#"{"type":"report","objects":[]}"#).contains("its type is report"));
        assert!(fails("").contains("it ends before it is whole"));
    }

    #[test]
    fn citations_go_and_leave_no_gap() {
        for (text, clean) in [
            ("Done.(Citation: A) Next (Citation: B (C) D), then.", "Done. Next, then."),
            ("One. (Citation: A) (Citation: B)\n\nTwo (Citation: C)", "One.\n\nTwo"),
            ("Kept (Citation: open", "Kept (Citation: open"),
            ("No (note) here", "No (note) here"),
        ] {
            assert_eq!(without_citations(text), clean);
        }
    }
}
