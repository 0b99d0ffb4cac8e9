//! Reads one YAML document into nodes that know their line. Aliases stay aliases, so there is nothing to
//! multiply; depth and number of nodes are limited while the text is parsed.

use std::collections::HashSet;

use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle, Span, Tag};

use crate::imports::domain::{BYTE_ORDER_MARK, ImportError, TEXT_MAX};
use crate::imports::findings::Findings;

/// Lists in maps in lists; real files need five.
const DEPTH_MAX: usize = 24;
const NODES_MAX: usize = 400_000;
/// Anchors and aliases of one document. A test plan of version 1 names each parent by an alias.
const ANCHORS_MAX: usize = 20_000;

/// A value and the line it begins in, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub line: usize,
    /// Number and name of the anchor on it.
    pub anchor: Option<(usize, String)>,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    Text(String),
    /// A scalar without quotes, which may be a number or a flag: as it is written.
    Plain(String),
    List(Vec<Node>),
    /// In the order of the file; each key once.
    Map(Vec<(String, Node)>),
    /// Number of the anchor.
    Alias(usize),
}

/// Which tags a format knows beside YAML's own for text and numbers.
pub type KnownTag = fn(&str) -> bool;

/// A tag of a format that knows none.
pub fn no_tag(_: &str) -> bool {
    false
}

/// The text of a YAML file.
///
/// # Errors
/// When it is no UTF-8, has a byte-order mark, or lines that git left where two sides changed them.
pub fn text<'b>(file: &str, bytes: &'b [u8]) -> Result<&'b str, ImportError> {
    let at =
        |line: usize, sentence: &str| ImportError { line: Some(line), ..ImportError::file(file, sentence) };
    let text = std::str::from_utf8(bytes)
        .map_err(|error| at(line_at(bytes, error.valid_up_to()), "it is not UTF-8 text"))?;
    if text.starts_with('\u{feff}') {
        return Err(at(1, BYTE_ORDER_MARK));
    }
    if let Some(line) = text.lines().position(|line| line.starts_with("<<<<<<< ")) {
        return Err(at(line + 1, "a conflict of git begins here; solve it, then import again"));
    }
    Ok(text)
}

/// Reads a file that holds one document.
///
/// # Errors
/// When it is no UTF-8, has a byte-order mark, U+0000 or a tab as indentation, is no YAML, or is larger than
/// any file of people.
pub fn parse(file: &str, bytes: &[u8], tags: KnownTag) -> Result<Node, ImportError> {
    let at =
        |line: usize, sentence: &str| ImportError { line: Some(line), ..ImportError::file(file, sentence) };
    let text = text(file, bytes)?;
    if let Some(place) = text.find('\0') {
        return Err(at(line_at(bytes, place), "the text holds the character U+0000"));
    }
    let mut reading = Reading { file, tags, lines: text.lines().collect(), nodes: 0, anchors: 0 };
    let options = granit_parser::options! {
        emit_anchor_events: true,
        emit_comments: false,
        flow_nesting_limit: DEPTH_MAX,
        block_nesting_limit: 2 * DEPTH_MAX,
    };
    reading.document(Parser::new_from_str_with_options(text, options)).map_err(|error| {
        // The parser complains of a tab at the value before it, or of what stands behind it.
        let line = error.line.unwrap_or_default();
        let last = if error.sentence.contains(" tab") { line + 1 } else { line };
        let tab = (line.saturating_sub(1)..=last).find(|line| reading.is_tabbed(*line));
        match tab {
            _ if !error.sentence.starts_with(NO_YAML) => error,
            Some(tab) => at(tab, TAB),
            None => ImportError { sentence: format!("{NO_YAML}: look at {LOOK_AT}"), ..error },
        }
    })
}

const NO_YAML: &str = "it is not YAML that can be read";
/// What nearly all such faults are, in place of what the parser says of its own work.
const LOOK_AT: &str = "indentation, quotes and colons, of the line before too";
const TAB: &str = "a tab is used for indentation; use spaces";

fn line_at(bytes: &[u8], place: usize) -> usize {
    1 + bytes[..place].iter().filter(|byte| **byte == b'\n').count()
}

struct Reading<'f> {
    file: &'f str,
    tags: KnownTag,
    lines: Vec<&'f str>,
    nodes: usize,
    anchors: usize,
}

/// A list or map that is not closed yet.
struct Open {
    node: Node,
    /// The key whose value comes next.
    key: Option<String>,
    keys: HashSet<String>,
}

impl Reading<'_> {
    fn error(&self, line: usize, sentence: impl Into<String>) -> ImportError {
        ImportError { line: Some(line), ..ImportError::file(self.file, sentence) }
    }

    fn document<'t>(&mut self, parser: Parser<'t, granit_parser::StrInput<'t>>) -> Result<Node, ImportError> {
        let mut open: Vec<Open> = Vec::new();
        let mut root = None;
        let mut documents = 0;
        for event in parser {
            let (event, span) = event.map_err(|error| {
                self.error(error.marker().line(), format!("{NO_YAML} ({})", error.info()))
            })?;
            let line = span.start.line();
            let is_block = matches!(
                event,
                Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) | Event::Anchor(..)
            );
            // The content of a block may begin with a tab; what else begins a line may not stand behind one.
            if !is_block && self.is_behind_tab(line, span.start.col()) {
                return Err(self.error(line, TAB));
            }
            let (value, anchor, tag) = match event {
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(self.error(line, "it holds more than one document"));
                    }
                    continue;
                }
                Event::Anchor(id, name) => {
                    // It follows the event of its node.
                    let node = match open.last_mut() {
                        Some(top) if top.node.anchor.as_ref().is_some_and(|(own, _)| *own == id) => {
                            Some(&mut top.node)
                        }
                        Some(top) => last_child(&mut top.node),
                        None => root.as_mut(),
                    };
                    if let Some(node) = node
                        && let Some((own, known)) = &mut node.anchor
                        && *own == id
                    {
                        *known = name.into_owned();
                    }
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    if let Some(Open { node, .. }) = open.pop() {
                        self.place(node, &mut open, &mut root)?;
                    }
                    continue;
                }
                Event::Scalar(text, style, anchor, tag) => {
                    (self.scalar(&text, style, span, tag.as_deref())?, anchor, None)
                }
                Event::SequenceStart(_, anchor, tag) => (Value::List(Vec::new()), anchor, tag),
                Event::MappingStart(_, anchor, tag) => (Value::Map(Vec::new()), anchor, tag),
                Event::Alias(id) => {
                    self.count_anchor(line)?;
                    (Value::Alias(id), 0, None)
                }
                _ => continue,
            };
            if let Some(tag) = tag {
                self.check_tag(&tag, line)?;
            }
            self.nodes += 1;
            if self.nodes > NODES_MAX {
                return Err(self.error(line, format!("it holds more than {NODES_MAX} values")));
            }
            let anchor = if anchor == 0 {
                None
            } else {
                self.count_anchor(line)?;
                Some((anchor, String::new()))
            };
            let is_open = matches!(value, Value::List(_) | Value::Map(_));
            let node = Node { line, anchor, value };
            if !is_open {
                self.place(node, &mut open, &mut root)?;
                continue;
            }
            if open.last().is_some_and(|top| matches!(top.node.value, Value::Map(_)) && top.key.is_none()) {
                return Err(self.error(line, "a key is text, and this one is a list or map"));
            }
            if open.len() == DEPTH_MAX {
                return Err(self.error(line, format!("it is nested deeper than {DEPTH_MAX} levels")));
            }
            open.push(Open { node, key: None, keys: HashSet::new() });
        }
        root.ok_or_else(|| self.error(1, "it is empty"))
    }

    fn count_anchor(&mut self, line: usize) -> Result<(), ImportError> {
        self.anchors += 1;
        if self.anchors > ANCHORS_MAX {
            return Err(self.error(line, format!("it holds more than {ANCHORS_MAX} anchors and aliases")));
        }
        Ok(())
    }

    /// Puts a node that is complete where it belongs.
    fn place(&self, node: Node, open: &mut [Open], root: &mut Option<Node>) -> Result<(), ImportError> {
        let Some(top) = open.last_mut() else {
            *root = Some(node);
            return Ok(());
        };
        match &mut top.node.value {
            Value::List(list) => list.push(node),
            Value::Map(map) => match top.key.take() {
                Some(key) => map.push((key, node)),
                None => {
                    let (Value::Text(key) | Value::Plain(key)) = node.value else {
                        return Err(self.error(node.line, "a key is text, and this one is none"));
                    };
                    if !top.keys.insert(key.clone()) {
                        return Err(self.error(node.line, format!("the key {key} comes twice")));
                    }
                    top.key = Some(key);
                }
            },
            _ => {}
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        span: Span,
        tag: Option<&Tag>,
    ) -> Result<Value, ImportError> {
        let first = span.start.line();
        if text.len() > TEXT_MAX {
            let sentence =
                format!("the text has {} bytes, more than the {TEXT_MAX} that a field may have", text.len());
            return Err(self.error(first, sentence));
        }
        if text.contains('\0') {
            return Err(self.error(first, "the text holds the character U+0000"));
        }
        if let Some(tag) = tag {
            self.check_tag(tag, first)?;
            // A value that a program did not have.
            if tag.original().ends_with("undefined") || tag.suffix().ends_with("undefined") {
                return Ok(Value::Null);
            }
            return Ok(Value::Text(text.to_owned()));
        }
        Ok(match (style, text) {
            (ScalarStyle::Plain, "" | "~" | "null" | "Null" | "NULL") => Value::Null,
            (ScalarStyle::Plain, text) => Value::Plain(text.to_owned()),
            (_, text) => Value::Text(text.to_owned()),
        })
    }

    fn check_tag(&self, tag: &Tag, line: usize) -> Result<(), ImportError> {
        let is_own = ["str", "int", "float", "bool", "null", "seq", "map", "timestamp"]
            .iter()
            .any(|own| tag.is_yaml_core_schema_tag(own));
        let full = format!("{}{}", tag.handle(), tag.suffix());
        if is_own || (self.tags)(&full) {
            return Ok(());
        }
        Err(self.error(line, format!("the tag {} is not known here", tag.original())))
    }

    /// Whether a line is indented by a tab.
    fn is_tabbed(&self, line: usize) -> bool {
        let text = line.checked_sub(1).and_then(|at| self.lines.get(at)).copied().unwrap_or_default();
        indentation(text).contains('\t')
    }

    /// Whether what begins at this column is the first of its line, and a tab stands before it.
    fn is_behind_tab(&self, line: usize, column: usize) -> bool {
        self.is_tabbed(line) && {
            let text = self.lines.get(line - 1).copied().unwrap_or_default();
            let before: String = text.chars().take(column).collect();
            before.chars().all(|c| matches!(c, ' ' | '\t' | '-' | '?'))
        }
    }
}

/// The blanks and tabs that a line begins with.
fn indentation(line: &str) -> &str {
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

fn last_child(node: &mut Node) -> Option<&mut Node> {
    match &mut node.value {
        Value::List(list) => list.last_mut(),
        Value::Map(map) => map.last_mut().map(|(_, value)| value),
        _ => None,
    }
}

impl Node {
    pub fn as_map(&self) -> Option<&[(String, Node)]> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// A scalar as text; none for null.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) | Value::Plain(text) => Some(text),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// What it is, for messages.
    fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Text(_) | Value::Plain(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Alias(_) => "an alias",
        }
    }
}

/// One map of a file while its fields are read: faults gather in [`Findings`], and reading goes on.
pub struct Object<'n, 'f> {
    /// `procedures[3] "Name"`; none for the document itself.
    name: Option<String>,
    /// Before the names of its fields: `steps[2].`
    path: String,
    line: usize,
    map: &'n [(String, Node)],
    found: &'f Findings,
}

impl<'n, 'f> Object<'n, 'f> {
    /// None, and a fault, when the node is no map.
    pub fn of(node: &'n Node, name: Option<String>, path: &str, found: &'f Findings) -> Option<Self> {
        match node.as_map() {
            Some(map) => Some(Self { name, path: path.to_owned(), line: node.line, map, found }),
            None => {
                let field = path.trim_end_matches('.');
                let field = (!field.is_empty()).then_some(field);
                let sentence = format!("it is {} where a map is expected", node.kind());
                found.fault(name.as_deref(), field, Some(node.line), sentence);
                None
            }
        }
    }

    /// A map inside of this one, at a field of it.
    pub fn inside(&self, node: &'n Node, field: &str) -> Option<Self> {
        Self::of(node, self.name.clone(), &format!("{}{field}.", self.path), self.found)
    }

    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub fn line(&self) -> usize {
        self.line
    }

    pub fn find(&self, key: &str) -> Option<&'n Node> {
        self.map.iter().find(|(own, _)| own == key).map(|(_, node)| node)
    }

    pub fn fault(&self, field: &str, line: usize, sentence: impl Into<String>) {
        let field = format!("{}{field}", self.path);
        let field = (!field.is_empty()).then_some(field.trim_end_matches('.'));
        self.found.fault(self.name.as_deref(), field, Some(line), sentence);
    }

    pub fn warn(&self, field: &str, line: usize, sentence: impl Into<String>) {
        let field = format!("{}{field}", self.path);
        let field = (!field.is_empty()).then_some(field.trim_end_matches('.'));
        self.found.warn(self.name.as_deref(), field, Some(line), sentence);
    }

    /// A field that has to be there; a fault when it is not.
    pub fn require(&self, key: &str) -> Option<&'n Node> {
        let found = self.find(key);
        if found.is_none() {
            self.fault(key, self.line, "it is missing");
        }
        found
    }

    fn wrong(&self, key: &str, node: &Node, expected: &str) {
        self.fault(key, node.line, format!("it is {} where {expected} is expected", node.kind()));
    }

    /// Text, or none where the key is absent or null.
    pub fn text(&self, key: &str) -> Option<String> {
        let node = self.find(key)?;
        if node.is_null() {
            return None;
        }
        let text = node.as_text();
        if text.is_none() {
            self.wrong(key, node, "text");
        }
        text.map(str::to_owned)
    }

    /// Text of a key that has to be there; null is empty.
    pub fn required_text(&self, key: &str) -> String {
        self.require(key);
        self.text(key).unwrap_or_default()
    }

    pub fn flag(&self, key: &str) -> Option<bool> {
        let node = self.find(key)?;
        match &node.value {
            Value::Plain(text) if ["true", "True", "TRUE"].contains(&text.as_str()) => Some(true),
            Value::Plain(text) if ["false", "False", "FALSE"].contains(&text.as_str()) => Some(false),
            Value::Null => None,
            _ => {
                self.wrong(key, node, "true or false");
                None
            }
        }
    }

    pub fn number(&self, key: &str) -> Option<i32> {
        let node = self.find(key)?;
        match &node.value {
            Value::Null => None,
            Value::Plain(text) if text.parse::<i32>().is_ok() => text.parse().ok(),
            _ => {
                self.wrong(key, node, "a whole number");
                None
            }
        }
    }

    /// The elements of a list; none where the key is absent or null.
    pub fn list(&self, key: &str) -> &'n [Node] {
        match self.find(key) {
            None => &[],
            Some(node) if node.is_null() => &[],
            Some(node) => node.as_list().unwrap_or_else(|| {
                self.wrong(key, node, "a list");
                &[]
            }),
        }
    }

    /// A list of texts, with the line of each.
    pub fn texts(&self, key: &str) -> Vec<(String, usize)> {
        let mut texts = Vec::new();
        for (at, node) in self.list(key).iter().enumerate() {
            match node.as_text() {
                Some(text) => texts.push((text.to_owned(), node.line)),
                None => self.wrong(&format!("{key}[{at}]"), node, "text"),
            }
        }
        texts
    }

    /// Says which keys nobody reads.
    pub fn warn_of_others(&self, known: &[&str]) {
        for (key, node) in self.map.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
            self.warn(key, node.line, "nobody knows this key; it is left out");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Node, String> {
        parse("f.yaml", text.as_bytes(), no_tag).map_err(|error| error.to_string())
    }

    #[test]
    fn nodes_know_their_line_and_what_they_are() {
        let root =
            read("a: 1\nb:\n  - x\n  - \"1\"\nc: ~\nd: &ref_0\n  e: |\n    two\n    lines\nf: *ref_0\n")
                .unwrap();
        let map = root.as_map().unwrap();
        let lines: Vec<_> = map.iter().map(|(key, node)| (key.as_str(), node.line)).collect();
        assert_eq!(lines, [("a", 1), ("b", 3), ("c", 5), ("d", 7), ("f", 10)]);
        assert_eq!(map[0].1.value, Value::Plain("1".to_owned()));
        assert_eq!(map[1].1.as_list().unwrap()[1].value, Value::Text("1".to_owned()));
        assert!(map[2].1.is_null());
        let anchor = map[3].1.anchor.clone().unwrap();
        assert_eq!(anchor.1, "ref_0");
        assert_eq!(map[4].1.value, Value::Alias(anchor.0));
        let scalar = read("a: &x text\nb: [&y z]\n").unwrap();
        assert_eq!(scalar.as_map().unwrap()[0].1.anchor.clone().unwrap().1, "x");
    }

    #[test]
    fn what_is_no_document_is_refused_with_its_line() {
        for (text, expected) in [
            ("\u{feff}a: 1\n", "f.yaml, line 1: it begins with a byte-order mark"),
            ("a: 1\nb: \0\n", "f.yaml, line 2: the text holds the character U+0000"),
            ("a: 1\nb: \"\\0\"\n", "f.yaml, line 2: the text holds the character U+0000"),
            ("a:\n  b: 1\n\tc: 2\n", "f.yaml, line 3: a tab is used for indentation"),
            ("a:\n\t- b\n", "f.yaml, line 2: a tab is used for indentation"),
            ("a: [1\n", "it is not YAML that can be read"),
            ("a: 1\na: 2\n", "f.yaml, line 2: the key a comes twice"),
            ("? [a]\n: 1\n", "a key is text"),
            ("a: 1\n---\nb: 2\n", "f.yaml, line 2: it holds more than one document"),
            ("a: !secret x\n", "f.yaml, line 1: the tag !secret is not known here"),
            ("a: !!binary aGk=\n", "is not known here"),
            ("a: *nobody\n", "it is not YAML that can be read"),
            ("", "it is empty"),
            ("a: 1\n<<<<<<< HEAD\nb: 1\n", "f.yaml, line 2: a conflict of git begins here"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
        let error = parse("f.yaml", b"a: 1\nb: \xff\n", no_tag).unwrap_err().to_string();
        assert_eq!(error, "f.yaml, line 2: it is not UTF-8 text.");
    }

    #[test]
    fn tabs_inside_of_text_are_text() {
        let root = read("a: |\n  x\n  \ty\nb: \"x\n \ty\"\nc: 'x\ty'\n").unwrap();
        assert_eq!(root.as_map().unwrap()[0].1.as_text(), Some("x\n\ty\n"));
    }

    #[test]
    fn what_would_grow_or_sink_is_refused_at_once() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let alias = format!("*a{}, ", level - 1).repeat(10);
            bomb += &format!("a{level}: &a{level} [{alias}]\n");
        }
        assert!(read(&bomb).is_ok(), "an alias that nobody follows weighs nothing");
        for deep in [
            format!("a: {}", "[".repeat(10_000)),
            format!("a: {}", "{b: ".repeat(10_000)),
            (0..1_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
            format!("a:\n{}x", "- ".repeat(10_000)),
        ] {
            let error = read(&deep).unwrap_err();
            assert!(error.contains("line"), "{error}");
        }
        let many = format!("a: [{}]", "x,".repeat(NODES_MAX + 1));
        assert!(read(&many).unwrap_err().contains("400000 values"));
        let aliases = format!("a: &a x\nb: [{}]", "*a ,".repeat(ANCHORS_MAX + 1));
        assert!(read(&aliases).unwrap_err().contains("anchors and aliases"));
        let long = format!("a: {}", "x".repeat(TEXT_MAX + 1));
        assert!(read(&long).unwrap_err().contains("line 1: the text has 65537 bytes"));
    }
}
