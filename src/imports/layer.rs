//! Layers of the ATT&CK Navigator, format 4.5: written from what is known of techniques, and read for the
//! techniques that somebody marked.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use serde_json::Number;

use super::domain::{
    BYTE_ORDER_MARK, ID_MAX, ImportError, NAME_MAX, Tracked, Trail, is_longer, plain_words, record,
};

/// The format that is written, and the first Navigator that reads it.
const LAYER: &str = "4.5";
const NAVIGATOR: &str = "5.1.0";
/// The one domain that Tyrian keeps.
pub const DOMAIN: &str = "enterprise-attack";
/// The largest layer, in bytes; one of all techniques with comments has 400 KB.
const FILE_MAX: usize = 16 * 1024 * 1024;

/// From a score of 0 to one of 100.
const GRADIENT: [&str; 3] = ["#d73a49", "#f2c14e", "#2e8b57"];
/// The colour of what has no score.
pub const UNSCORED: &str = "#9a9aa2";

/// A layer as it is written.
#[derive(Debug, Clone, Serialize)]
pub struct Layer {
    name: String,
    versions: Versions,
    domain: &'static str,
    description: String,
    sorting: u8,
    layout: Layout,
    #[serde(rename = "hideDisabled")]
    hide_disabled: bool,
    techniques: Vec<Technique>,
    gradient: Gradient,
    #[serde(rename = "legendItems")]
    legend: Vec<LegendItem>,
    #[serde(rename = "showTacticRowBackground")]
    show_tactic_row_background: bool,
    #[serde(rename = "tacticRowBackground")]
    tactic_row_background: &'static str,
    #[serde(rename = "selectTechniquesAcrossTactics")]
    select_across_tactics: bool,
    #[serde(rename = "selectSubtechniquesWithParent")]
    select_with_parent: bool,
    metadata: Vec<Metadata>,
    links: Vec<Link>,
}

#[derive(Debug, Clone, Serialize)]
struct Versions {
    attack: String,
    navigator: &'static str,
    layer: &'static str,
}

#[derive(Debug, Clone, Serialize)]
struct Layout {
    layout: &'static str,
    #[serde(rename = "showID")]
    show_id: bool,
    #[serde(rename = "showName")]
    show_name: bool,
    #[serde(rename = "expandedSubtechniques")]
    expanded_subtechniques: &'static str,
}

#[derive(Debug, Clone, Serialize)]
struct Technique {
    #[serde(rename = "techniqueID")]
    id: String,
    tactic: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<u8>,
    color: String,
    comment: String,
    enabled: bool,
    metadata: Vec<Metadata>,
    links: Vec<Link>,
    #[serde(rename = "showSubtechniques")]
    show_subtechniques: bool,
}

#[derive(Debug, Clone, Serialize)]
struct Gradient {
    colors: [&'static str; 3],
    #[serde(rename = "minValue")]
    min: u8,
    #[serde(rename = "maxValue")]
    max: u8,
}

/// A line of the legend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LegendItem {
    pub label: String,
    pub color: String,
}

/// A name and a value beside a technique or the layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Metadata {
    pub name: String,
    pub value: String,
}

/// A link beside a technique; its address has a scheme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    pub label: String,
    pub url: String,
}

/// What is known of one technique: it becomes an entry for each of its tactics.
#[derive(Debug, Clone, Default)]
pub struct Mark {
    /// From 0 to 100; none is drawn grey.
    pub score: Option<u8>,
    pub comment: String,
    pub metadata: Vec<Metadata>,
}

/// A technique of the release that a layer is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub external_id: String,
    /// Their short names, such as `initial-access`.
    pub tactics: Vec<String>,
}

/// What a layer is made of.
#[derive(Debug, Clone, Default)]
pub struct LayerContent {
    pub name: String,
    pub description: String,
    pub attack: String,
    /// By the technique's external id.
    pub marks: BTreeMap<String, Mark>,
    pub legend: Vec<LegendItem>,
}

/// Between two colours of the gradient, as the Navigator draws it.
pub fn color_of(score: u8) -> String {
    let score = f32::from(score.min(100));
    let (from, to, part) = if score < 50.0 {
        (GRADIENT[0], GRADIENT[1], score / 50.0)
    } else {
        (GRADIENT[1], GRADIENT[2], score / 50.0 - 1.0)
    };
    let channel = |color: &str, at: usize| {
        f32::from(u8::from_str_radix(color.get(at..at + 2).unwrap_or_default(), 16).unwrap_or_default())
    };
    let mixed = [1, 3, 5].map(|at| channel(from, at) + (channel(to, at) - channel(from, at)) * part);
    mixed.iter().fold("#".to_owned(), |color, channel| format!("{color}{:02x}", channel.round() as u8))
}

/// A layer of what is known, for a release whose techniques are `places`. Techniques that the release does
/// not know cannot be drawn; they are named in the layer's own metadata.
pub fn layer(content: LayerContent, places: &[Place]) -> Layer {
    let tactics: std::collections::HashMap<&str, &[String]> =
        places.iter().map(|place| (place.external_id.as_str(), place.tactics.as_slice())).collect();
    // A sub-technique is seen where its technique is open.
    let open: HashSet<&str> =
        content.marks.keys().filter_map(|id| id.split_once('.')).map(|(parent, _)| parent).collect();
    let (mut techniques, mut unknown) = (Vec::new(), Vec::new());
    let mut drawn = HashSet::new();
    for (id, mark) in &content.marks {
        let Some(tactics) = tactics.get(id.as_str()).filter(|tactics| !tactics.is_empty()) else {
            unknown.push(id.as_str());
            continue;
        };
        drawn.insert(id.as_str());
        for tactic in *tactics {
            techniques.push(Technique {
                id: id.clone(),
                tactic: tactic.clone(),
                score: mark.score,
                color: mark.score.map_or_else(|| UNSCORED.to_owned(), color_of),
                comment: mark.comment.clone(),
                enabled: true,
                metadata: mark.metadata.clone(),
                links: vec![Link {
                    label: "MITRE ATT&CK".to_owned(),
                    url: format!("https://attack.mitre.org/techniques/{}", id.replace('.', "/")),
                }],
                show_subtechniques: open.contains(id.as_str()),
            });
        }
    }
    let parents = open.iter().filter(|id| !drawn.contains(**id));
    let mut closed: Vec<_> = parents.filter_map(|id| Some((*id, *tactics.get(*id)?))).collect();
    closed.sort_unstable();
    for (id, tactics) in closed {
        techniques.extend(tactics.iter().map(|tactic| Technique {
            id: id.to_owned(),
            tactic: tactic.clone(),
            score: None,
            color: String::new(),
            comment: String::new(),
            enabled: true,
            metadata: Vec::new(),
            links: Vec::new(),
            show_subtechniques: true,
        }));
    }
    let mut metadata = Vec::new();
    if !unknown.is_empty() {
        metadata.push(Metadata {
            name: format!("Not in MITRE ATT&CK {}", content.attack),
            value: unknown.join(", "),
        });
    }
    Layer {
        name: content.name,
        versions: Versions { attack: content.attack, navigator: NAVIGATOR, layer: LAYER },
        domain: DOMAIN,
        description: content.description,
        sorting: 0,
        layout: Layout {
            layout: "side",
            show_id: true,
            show_name: true,
            expanded_subtechniques: "annotated",
        },
        hide_disabled: false,
        techniques,
        gradient: Gradient { colors: GRADIENT, min: 0, max: 100 },
        legend: content.legend,
        show_tactic_row_background: false,
        tactic_row_background: "#dddddd",
        select_across_tactics: true,
        select_with_parent: false,
        metadata,
        links: Vec::new(),
    }
}

impl Layer {
    pub fn to_json(&self) -> serde_json::Result<String> {
        let mut json = serde_json::to_string_pretty(self)?;
        json.push('\n');
        Ok(json)
    }
}

record! {
    ReadLayer labelled "name" {
        "name" => name: String,
        "domain" => domain: String,
        ;
        "versions" => versions: ReadVersions,
        "description" => description: String,
        "techniques" => techniques: Vec<ReadTechnique>,
    }
}

record! {
    ReadVersions {
        ;
        "attack" => attack: String,
        "layer" => layer: String,
    }
}

record! {
    ReadTechnique labelled "techniqueID" {
        "techniqueID" => id: String,
        ;
        "score" => score: Score,
        "color" => color: String,
        "comment" => comment: String,
        "enabled" => enabled: bool,
    }
}

struct Score(Number);

impl<'de> Tracked<'de> for Score {
    fn read<D: serde::Deserializer<'de>>(source: D, _: &Trail) -> Result<Self, D::Error> {
        serde::Deserialize::deserialize(source).map(Self)
    }
}

/// A layer as a plan of what to try.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportedLayer {
    pub name: String,
    pub description: String,
    /// The release that it was drawn for; empty where it does not say.
    pub attack: String,
    /// Ids of the techniques that are marked, in the order of the file, each once.
    pub techniques: Vec<String>,
    pub warnings: Vec<ImportError>,
}

/// Reads a layer: the techniques that are enabled and have a score, a colour or a comment; where none has
/// any, all that are enabled.
///
/// # Errors
/// When it is no layer, or one of another domain.
pub fn read(file: &str, bytes: &[u8]) -> Result<ImportedLayer, ImportError> {
    if bytes.len() > FILE_MAX {
        let sentence = format!("it is larger than the {} MiB of a layer", FILE_MAX >> 20);
        return Err(ImportError::file(file, sentence));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(ImportError { line: Some(1), ..ImportError::file(file, BYTE_ORDER_MARK) });
    }
    let is_list = bytes.trim_ascii_start().starts_with(b"[");
    let trail = Trail::default();
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = if is_list {
        Vec::<ReadLayer>::read(&mut json, &trail)
    } else {
        ReadLayer::read(&mut json, &trail).map(|layer| vec![layer])
    };
    let layers =
        read.and_then(|layers| json.end().map(|()| layers)).map_err(|error| locate(file, &error, &trail))?;
    let mut layers = layers.into_iter();
    let (Some(layer), None) = (layers.next(), layers.next()) else {
        let sentence = "it holds several layers or none; save the one that is meant by itself";
        return Err(ImportError::file(file, sentence));
    };
    check(file, layer)
}

fn locate(file: &str, error: &serde_json::Error, trail: &Trail) -> ImportError {
    let (object, field) = trail.place();
    let object = object.map(|(index, label)| match label {
        Some(label) => format!("techniques[{index}] ({label})"),
        None => format!("techniques[{index}]"),
    });
    let full = error.to_string();
    let sentence = plain_words(full.split(" at line ").next().unwrap_or(&full));
    ImportError {
        object,
        field,
        line: Some(error.line()).filter(|line| *line > 0),
        ..ImportError::file(file, sentence)
    }
}

fn check(file: &str, layer: ReadLayer) -> Result<ImportedLayer, ImportError> {
    let fault = |field: &str, sentence: String| ImportError {
        field: Some(field.to_owned()),
        ..ImportError::file(file, sentence)
    };
    // Layers of version 2 said it like this.
    if layer.domain != DOMAIN && layer.domain != "mitre-enterprise" {
        return Err(fault("domain", format!("it is {}, and Tyrian keeps {DOMAIN}", layer.domain)));
    }
    if layer.name.trim().is_empty() || is_longer(&layer.name, NAME_MAX) {
        return Err(fault("name", format!("it is empty or has more than {NAME_MAX} characters")));
    }
    let versions = layer.versions.unwrap_or(ReadVersions { attack: None, layer: None });
    let mut warnings = Vec::new();
    if let Some(version) = versions.layer.filter(|version| !version.starts_with("4.")) {
        warnings.push(fault("versions.layer", format!("it is of format {version}; read as {LAYER}")));
    }
    let enabled: Vec<_> = layer
        .techniques
        .unwrap_or_default()
        .into_iter()
        .enumerate()
        .filter(|(_, technique)| technique.enabled != Some(false))
        .collect();
    let is_marked = |technique: &ReadTechnique| {
        technique.score.as_ref().is_some_and(|score| score.0.as_f64() != Some(0.0))
            || technique.color.as_ref().is_some_and(|color| !color.is_empty())
            || technique.comment.as_ref().is_some_and(|comment| !comment.is_empty())
    };
    let any = enabled.iter().any(|(_, technique)| is_marked(technique));
    let (mut techniques, mut seen) = (Vec::new(), HashSet::new());
    for (at, technique) in enabled {
        if any && !is_marked(&technique) {
            continue;
        }
        let id = technique.id.trim().to_owned();
        if id.is_empty() || is_longer(&id, ID_MAX) {
            let sentence = "its techniqueID is empty or too long; it is left out";
            let object = Some(format!("techniques[{at}]"));
            warnings.push(ImportError { object, ..ImportError::file(file, sentence) });
        } else if seen.insert(id.clone()) {
            techniques.push(id);
        }
    }
    Ok(ImportedLayer {
        name: layer.name.trim().to_owned(),
        description: layer.description.unwrap_or_default(),
        attack: versions.attack.unwrap_or_default(),
        techniques,
        warnings,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The rules of the published format 4.5, in our words: each property that is there has its type,
    /// required ones are there, and values are of those that the format names.
    fn check_format(layer: &Value) {
        type Rule<'r> = (&'r str, bool, &'r dyn Fn(&Value) -> bool);
        let text = |value: &Value| value.is_string();
        let flag = |value: &Value| value.is_boolean();
        let check = |object: &Value, rules: &[Rule<'_>]| {
            let map = object.as_object().expect("an object");
            for (key, required, holds) in rules {
                match map.get(*key) {
                    Some(value) => assert!(holds(value), "{key}: {value}"),
                    None => assert!(!required, "{key} is missing in {object}"),
                }
            }
            for key in map.keys() {
                assert!(rules.iter().any(|(known, ..)| known == key), "the format knows no {key}");
            }
        };
        let color = |value: &Value| {
            value.as_str().is_some_and(|text| {
                text.is_empty()
                    || (text.len() == 7
                        && text.starts_with('#')
                        && text[1..].bytes().all(|b| b.is_ascii_hexdigit()))
            })
        };
        let metadata = |value: &Value| {
            value.as_array().expect("a list").iter().for_each(|item| {
                check(item, &[("name", true, &text), ("value", true, &text)]);
            });
            true
        };
        let links = |value: &Value| {
            value.as_array().expect("a list").iter().for_each(|item| {
                check(
                    item,
                    &[
                        ("label", true, &text),
                        ("url", true, &|url| url.as_str().is_some_and(|url| url.contains("://"))),
                    ],
                );
            });
            true
        };
        let technique = |value: &Value| {
            let id = |id: &Value| {
                let id = id.as_str().expect("an id");
                let (main, sub) = id.split_once('.').unwrap_or((id, "000"));
                main.len() == 5 && main.starts_with('T') && sub.len() == 3
            };
            check(
                value,
                &[
                    ("techniqueID", true, &id),
                    ("tactic", false, &text),
                    ("comment", false, &text),
                    ("enabled", false, &flag),
                    ("score", false, &Value::is_number),
                    ("color", false, &color),
                    ("metadata", false, &metadata),
                    ("links", false, &links),
                    ("showSubtechniques", false, &flag),
                ],
            );
        };
        let one_of = |words: &'static [&'static str]| {
            move |value: &Value| value.as_str().is_some_and(|word| words.contains(&word))
        };
        check(
            layer,
            &[
                ("name", true, &text),
                ("versions", false, &|versions| {
                    check(
                        versions,
                        &[
                            ("attack", false, &text),
                            ("navigator", true, &|version| {
                                let parts = version.as_str().expect("text").split('.');
                                parts.map(|part| part.parse::<u32>().unwrap()).collect::<Vec<_>>()
                                    >= vec![4, 9, 0]
                            }),
                            ("layer", true, &one_of(&["4.5"])),
                        ],
                    );
                    true
                }),
                ("domain", true, &one_of(&["enterprise-attack", "mobile-attack", "ics-attack"])),
                ("description", false, &text),
                ("sorting", false, &|value| value.as_u64().is_some_and(|sorting| sorting <= 3)),
                ("layout", false, &|layout| {
                    check(
                        layout,
                        &[
                            ("layout", false, &one_of(&["side", "flat", "mini"])),
                            ("showID", false, &flag),
                            ("showName", false, &flag),
                            ("showAggregateScores", false, &flag),
                            ("countUnscored", false, &flag),
                            ("aggregateFunction", false, &one_of(&["average", "min", "max", "sum"])),
                            ("expandedSubtechniques", false, &one_of(&["none", "all", "annotated"])),
                        ],
                    );
                    true
                }),
                ("hideDisabled", false, &flag),
                ("techniques", false, &|list| {
                    list.as_array().expect("a list").iter().for_each(technique);
                    true
                }),
                ("gradient", false, &|gradient| {
                    let number = |key: &str| gradient[key].as_f64().expect("a number");
                    let colors = |list: &Value| {
                        list.as_array().is_some_and(|list| list.len() >= 2 && list.iter().all(color))
                    };
                    check(
                        gradient,
                        &[
                            ("colors", true, &colors),
                            ("minValue", true, &Value::is_number),
                            ("maxValue", true, &Value::is_number),
                        ],
                    );
                    number("maxValue") > number("minValue")
                }),
                ("legendItems", false, &|list| {
                    list.as_array().expect("a list").iter().for_each(|item| {
                        check(item, &[("label", true, &text), ("color", true, &color)]);
                    });
                    true
                }),
                ("showTacticRowBackground", false, &flag),
                ("tacticRowBackground", false, &color),
                ("selectTechniquesAcrossTactics", false, &flag),
                ("selectSubtechniquesWithParent", false, &flag),
                ("selectVisibleTechniques", false, &flag),
                ("metadata", false, &metadata),
                ("links", false, &links),
            ],
        );
    }

    fn place(id: &str, tactics: &[&str]) -> Place {
        Place {
            external_id: id.to_owned(),
            tactics: tactics.iter().map(|&tactic| tactic.to_owned()).collect(),
        }
    }

    fn made() -> String {
        let mark = |score| Mark {
            score,
            comment: "One\nTwo".into(),
            metadata: vec![Metadata { name: "Procedure 1".into(), value: "Logged".into() }],
        };
        let content = LayerContent {
            name: "Ransomware <script>".into(),
            description: "D".into(),
            attack: "19.1".into(),
            marks: [("T1053.005", Some(30)), ("T1105", None), ("WSTG-1", Some(0)), ("T1078", Some(100))]
                .map(|(id, score)| (id.to_owned(), mark(score)))
                .into(),
            legend: vec![LegendItem { label: "Logged".into(), color: color_of(30) }],
        };
        let places = [
            place("T1053", &["execution", "persistence"]),
            place("T1053.005", &["execution", "persistence"]),
            place("T1105", &["command-and-control"]),
            place("T1078", &["initial-access", "persistence", "privilege-escalation", "stealth"]),
        ];
        layer(content, &places).to_json().unwrap()
    }

    #[test]
    fn a_layer_is_one_of_the_published_format_with_an_entry_for_each_tactic() {
        let json: Value = serde_json::from_str(&made()).unwrap();
        check_format(&json);
        let entries: Vec<_> = json["techniques"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| (t["techniqueID"].as_str().unwrap(), t["tactic"].as_str().unwrap(), t["score"].as_i64()))
            .collect();
        assert_eq!(
            entries,
            [
                ("T1053.005", "execution", Some(30)),
                ("T1053.005", "persistence", Some(30)),
                ("T1078", "initial-access", Some(100)),
                ("T1078", "persistence", Some(100)),
                ("T1078", "privilege-escalation", Some(100)),
                ("T1078", "stealth", Some(100)),
                ("T1105", "command-and-control", None),
                ("T1053", "execution", None),
                ("T1053", "persistence", None),
            ]
        );
        assert_eq!(json["versions"]["attack"], "19.1");
        assert_eq!(json["metadata"][0]["value"], "WSTG-1", "what the release does not know is named");
        assert_eq!(json["techniques"][0]["color"], json["legendItems"][0]["color"]);
        assert_eq!(json["techniques"][6]["color"], UNSCORED);
        assert_eq!(
            (color_of(0), color_of(50), color_of(100)),
            ("#d73a49".into(), "#f2c14e".into(), "#2e8b57".into())
        );
    }

    #[test]
    fn a_layer_is_read_for_what_is_marked() {
        let layer = read("l.json", made().as_bytes()).unwrap();
        assert_eq!(layer.techniques, ["T1053.005", "T1078", "T1105"], "an open parent is no mark");
        assert_eq!((layer.name.as_str(), layer.attack.as_str()), ("Ransomware <script>", "19.1"));
        let bare = r#"[{"name":"n","domain":"enterprise-attack","techniques":[
            {"techniqueID":"T1001"},{"techniqueID":"T1002","enabled":false},
            {"techniqueID":"T1001","tactic":"x"},
            {"techniqueID":" "}]}]"#;
        let layer = read("l.json", bare.as_bytes()).unwrap();
        assert_eq!(layer.techniques, ["T1001"], "where nothing is marked, what is enabled counts");
        assert_eq!(layer.warnings.len(), 1);
        let scored = r#"{"name":"n","domain":"enterprise-attack","techniques":[
            {"techniqueID":"T1001","score":0},{"techniqueID":"T1002","score":1.5}]}"#;
        assert_eq!(read("l.json", scored.as_bytes()).unwrap().techniques, ["T1002"]);
    }

    #[test]
    fn what_is_no_layer_is_refused_with_its_place() {
        let deep = format!("{{\"name\":\"n\",\"domain\":\"enterprise-attack\",\"x\":{}", "[".repeat(10_000));
        let long = format!(
            "{{\"name\":\"n\",\"domain\":\"enterprise-attack\",\"description\":\"{}\"}}",
            "x".repeat(70_000)
        );
        for (json, expected) in [
            ("\u{feff}{}", "l.json, line 1: it begins with a byte-order mark"),
            ("{\"name\":\"n\"}", "l.json, field domain, line 1: its domain is missing"),
            (
                "{\"name\":\"n\",\"domain\":\"enterprise-attack\",\n\
                    \"techniques\":[{\"techniqueID\":\"T1\"},\n\
                    {\"techniqueID\":\"T2\",\"enabled\":1}]}",
                "l.json, techniques[1] (T2), field enabled, line 3: ",
            ),
            ("{\"name\":\"n\",\"domain\":\"ics-attack\"}", "l.json, field domain: it is ics-attack"),
            ("{\"name\":\" \",\"domain\":\"enterprise-attack\"}", "l.json, field name: it is empty"),
            ("[]", "l.json: it holds several layers or none"),
            (
                "{\"name\":\"n\",\"domain\":\"enterprise-attack\"} x",
                "l.json, line 1: more stands behind its end",
            ),
            (
                "{\"name\":\"a\\u0000\",\"domain\":\"enterprise-attack\"}",
                "the text holds the character U+0000",
            ),
            (&deep, "l.json, field x, line 1: it ends before it is whole"),
            (&long, "l.json, field description, line 1: the text has 70000 bytes"),
        ] {
            let error = read("l.json", json.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(read("l.json", b"{\"name\":\"\xff\"").is_err());
    }
}
