//! PlexTrac knows a procedure as a name, a description and steps that are texts. What Tyrian knows beyond
//! that stands in those texts, as people read it and as PlexTrac's own curated procedures have it ("Supported
//! Platforms", a table of inputs), and is found there again.

use crate::library::domain::{Expected, Input, ProcedureBody, Reference, Step, StepKind};

const PLATFORMS: &str = "**Supported Platforms:**";
const INPUTS: &str = "**Inputs:**";
const EXPECTED: &str = "**Expected from blue:**";
const RECOMMENDATION: &str = "**Recommendation:**";
const REFERENCES: &str = "**References:**";
const EMULATES: &str = "**Emulates:**";
const TAGS: &str = "**Tags:**";

const PREREQUISITE: &str = "**Prerequisite**";
const CLEANUP: &str = "**Cleanup**";
const EXECUTOR: &str = "**Executor:**";
const ELEVATED: &str = "**Elevated:** yes";
const PLATFORM: &str = "**Platform:**";
const CHECK: &str = "**Check:**";
const COMMAND: &str = "**Command:**";

/// A block of code whose content ends with the line before its last.
pub fn fenced(language: &str, code: &str) -> String {
    let longest = code.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let is_word = language.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    format!("{fence}{}\n{code}\n{fence}", if is_word { language } else { "" })
}

/// Everything of a procedure that is not its steps, as one text.
pub fn description_of(body: &ProcedureBody) -> String {
    let mut parts = Vec::new();
    if !body.description.is_empty() {
        parts.push(body.description.clone());
    }
    if !body.platforms.is_empty() {
        parts.push(format!("{PLATFORMS} {}", body.platforms.join(", ")));
    }
    if !body.inputs.is_empty() {
        let mut table = format!(
            "{INPUTS}\n\n| Name | Description | Type | Default Value |\n| ---- | ----------- | ---- | \
                ------------- |"
        );
        for input in &body.inputs {
            let default = match input.default.as_deref() {
                None => String::new(),
                Some("") => "\\e".to_owned(),
                Some(default) => cell(default),
            };
            table.push_str(&format!(
                "\n| {} | {} | {} | {default} |",
                cell(&input.name),
                cell(&input.description),
                cell(&input.kind)
            ));
        }
        parts.push(table);
    }
    if !body.expected.is_empty() {
        parts.push(format!("{EXPECTED} {}", expected(&body.expected)));
    }
    if !body.recommendation.is_empty() {
        parts.push(format!("{RECOMMENDATION}\n\n{}", body.recommendation));
    }
    if !body.references.is_empty() {
        let lines = body
            .references
            .iter()
            .map(|reference| format!("\n- [{}]({})", line(&reference.title), line(&reference.address)));
        parts.push(format!("{REFERENCES}\n{}", lines.collect::<String>()));
    }
    if !body.emulates.is_empty() {
        parts.push(format!("{EMULATES} {}", body.emulates.join(", ")));
    }
    if !body.tags.is_empty() {
        parts.push(format!("{TAGS} {}", body.tags.join(", ")));
    }
    parts.join("\n\n")
}

/// Fills a procedure from such a text; `is_ours`: it was written by [`description_of`], and not by PlexTrac.
pub fn read_description(text: &str, is_ours: bool, body: &mut ProcedureBody) {
    let mut rest = text;
    if let Some(tags) = cut(&mut rest, TAGS, true) {
        body.tags = listed(tags);
    }
    if let Some(groups) = cut(&mut rest, EMULATES, true) {
        body.emulates = listed(groups);
    }
    if let Some(lines) = cut(&mut rest, REFERENCES, false) {
        body.references = lines.lines().filter_map(reference).collect();
    }
    if let Some(recommendation) = cut(&mut rest, RECOMMENDATION, false) {
        body.recommendation = recommendation.strip_prefix("\n\n").unwrap_or(recommendation).to_owned();
    }
    if let Some(expected) = cut(&mut rest, EXPECTED, true) {
        body.expected = read_expected(expected);
    }
    if let Some(table) = cut(&mut rest, INPUTS, false) {
        body.inputs = table.lines().filter_map(|line| input(line, is_ours)).collect();
    }
    if let Some(platforms) = cut(&mut rest, PLATFORMS, true) {
        body.platforms = listed(platforms);
    }
    body.description = if is_ours { rest.to_owned() } else { rest.trim().to_owned() };
}

/// Takes the last part that begins with a heading off a text. `in_line`: the part is that line alone, so that
/// nothing but blanks may follow.
fn cut<'t>(rest: &mut &'t str, heading: &str, in_line: bool) -> Option<&'t str> {
    let text = *rest;
    let at = text.rmatch_indices(heading).map(|(at, _)| at).find(|at| {
        let begins = *at == 0 || text[..*at].ends_with("\n\n");
        let mut after = text[at + heading.len()..].lines();
        after.next();
        begins && (!in_line || after.all(|line| line.trim().is_empty()))
    })?;
    *rest = text[..at].strip_suffix("\n\n").unwrap_or(&text[..at]);
    let part = &text[at + heading.len()..];
    Some(if in_line { part.trim() } else { part })
}

fn listed(text: &str) -> Vec<String> {
    text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

fn line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// A cell of a table: Markdown's own escapes, and some for what a line cannot hold.
fn cell(text: &str) -> String {
    let mut out = String::new();
    let inner = text.trim_matches(' ');
    let lead = text.len() - text.trim_start_matches(' ').len();
    out.push_str(&"\\s".repeat(lead));
    for c in inner.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '|' => out.push_str("\\|"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    if !inner.is_empty() {
        out.push_str(&"\\s".repeat(text.len() - text.trim_end_matches(' ').len()));
    }
    out
}

fn read_cell(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, c == '\\') {
            (_, true) => match rest.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('s') => out.push(' '),
                Some('e') | None => {}
                Some(other) => out.push(other),
            },
            (c, false) => out.push(c),
        }
    }
    out
}

/// The cells of a line of a table, as they are written.
fn cells(line: &str, is_ours: bool) -> Option<Vec<String>> {
    let inside = line.trim().strip_prefix('|')?;
    let inside = inside.strip_suffix('|').unwrap_or(inside);
    if !is_ours {
        let mut parts = inside.splitn(4, '|').map(|part| part.trim().to_owned());
        return Some(parts.by_ref().collect());
    }
    let mut cells = vec![String::new()];
    let mut escaped = false;
    for c in inside.chars() {
        if c == '|' && !escaped {
            cells.push(String::new());
        } else if let Some(last) = cells.last_mut() {
            last.push(c);
        }
        escaped = c == '\\' && !escaped;
    }
    Some(cells.iter().map(|cell| cell.trim().to_owned()).collect())
}

fn input(line: &str, is_ours: bool) -> Option<Input> {
    let cells = cells(line, is_ours)?;
    let [name, description, kind, default] = &cells[..] else { return None };
    let is_head = name == "Name" && kind == "Type";
    if name.is_empty() || is_head || name.chars().all(|c| matches!(c, '-' | ':')) {
        return None;
    }
    let read = |cell: &String| if is_ours { read_cell(cell) } else { cell.clone() };
    let kind = read(kind).to_lowercase();
    Some(Input {
        name: read(name),
        description: read(description),
        kind: if kind.is_empty() { "string".to_owned() } else { kind },
        default: (!default.is_empty()).then(|| read(default)),
    })
}

fn reference(line: &str) -> Option<Reference> {
    let inside = line.trim().strip_prefix("- [")?.strip_suffix(')')?;
    let (title, address) = inside.rsplit_once("](")?;
    Some(Reference { title: title.to_owned(), address: address.to_owned() })
}

fn expected(expected: &Expected) -> String {
    let mut words: Vec<String> =
        [(expected.prevented, "prevented"), (expected.alerted, "alerted"), (expected.logged, "logged")]
            .into_iter()
            .filter(|(is, _)| *is)
            .map(|(_, word)| word.to_owned())
            .collect();
    if let Some(minutes) = expected.minutes {
        words.push(format!("within {minutes} minutes"));
    }
    let words = words.join(", ");
    match (words.is_empty(), expected.sentence.is_empty()) {
        (_, true) => words,
        (true, false) => format!(": {}", line(&expected.sentence)),
        (false, false) => format!("{words}: {}", line(&expected.sentence)),
    }
}

fn read_expected(text: &str) -> Expected {
    let (words, sentence) = text.split_once(": ").unwrap_or((text, ""));
    let words = listed(words);
    let has = |word: &str| words.iter().any(|own| own == word);
    let minutes =
        words.iter().find_map(|word| word.strip_prefix("within ")?.strip_suffix(" minutes")?.parse().ok());
    Expected {
        prevented: has("prevented"),
        alerted: has("alerted"),
        logged: has("logged"),
        minutes,
        sentence: sentence.to_owned(),
    }
}

/// A step as a text.
pub fn step_text(step: &Step) -> String {
    let mut parts = Vec::new();
    match step.kind {
        StepKind::Prerequisite => parts.push(PREREQUISITE.to_owned()),
        StepKind::Cleanup => parts.push(CLEANUP.to_owned()),
        StepKind::Step => {}
    }
    if !step.description.is_empty() {
        parts.push(step.description.clone());
    }
    if let Some(executor) = &step.executor {
        parts.push(format!("{EXECUTOR} {}", line(executor)));
    }
    if step.elevated {
        parts.push(ELEVATED.to_owned());
    }
    if let Some(platform) = &step.platform {
        parts.push(format!("{PLATFORM} {}", line(platform)));
    }
    let language = step.executor.as_deref().unwrap_or_default();
    if let Some(check) = &step.check_command {
        parts.push(format!("{CHECK}\n\n{}", fenced(language, check)));
    }
    if let Some(command) = &step.command {
        parts.push(format!("{COMMAND}\n\n{}", fenced(language, command)));
    }
    parts.join("\n\n")
}

/// The step of a text; its id is given by its place.
pub fn read_step(text: &str, success_criteria: Option<String>) -> Step {
    let mut rest = text;
    let mut step = Step { success_criteria, ..Step::default() };
    step.command = cut_block(&mut rest, COMMAND);
    step.check_command = cut_block(&mut rest, CHECK);
    step.platform = cut(&mut rest, PLATFORM, true).map(str::to_owned);
    step.elevated = cut(&mut rest, ELEVATED, true).is_some();
    step.executor = cut(&mut rest, EXECUTOR, true).map(str::to_owned);
    for (heading, kind) in [(PREREQUISITE, StepKind::Prerequisite), (CLEANUP, StepKind::Cleanup)] {
        if let Some(after) = rest.strip_prefix(heading)
            && (after.is_empty() || after.starts_with("\n\n"))
        {
            step.kind = kind;
            rest = after.strip_prefix("\n\n").unwrap_or(after);
        }
    }
    step.description = rest.to_owned();
    step
}

/// The code under a heading, where that is the end of the text.
fn cut_block(rest: &mut &str, heading: &str) -> Option<String> {
    let text = *rest;
    for (at, _) in text.match_indices(heading) {
        if at != 0 && !text[..at].ends_with("\n\n") {
            continue;
        }
        let Some(block) = text[at + heading.len()..].strip_prefix("\n\n") else { continue };
        let fence: String = block.chars().take_while(|c| *c == '`').collect();
        if fence.len() < 3 {
            continue;
        }
        let Some((_, code)) = block.split_once('\n') else { continue };
        let Some(code) = code.strip_suffix(&format!("\n{fence}")) else { continue };
        *rest = text[..at].strip_suffix("\n\n").unwrap_or(&text[..at]);
        return Some(code.to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> ProcedureBody {
        ProcedureBody {
            name: "Read it".into(),
            description: "How.\n\nAnd why: #{target}".into(),
            technique_ids: vec!["T1003".into()],
            platforms: vec!["linux".into(), "iaas:aws".into()],
            inputs: vec![
                Input {
                    name: "target".into(),
                    description: "Where | what".into(),
                    kind: "path".into(),
                    default: Some(r" C:\x | `y`".into()),
                },
                Input { name: "none".into(), kind: "string".into(), ..Input::default() },
                Input {
                    name: "empty".into(),
                    kind: "string".into(),
                    default: Some(String::new()),
                    ..Input::default()
                },
                Input {
                    name: "lines".into(),
                    kind: "string".into(),
                    default: Some("a\nb\\n".into()),
                    ..Input::default()
                },
            ],
            steps: Vec::new(),
            recommendation: "Do this.\n\n- and that".into(),
            tags: vec!["crown jewels".into(), "q3".into()],
            expected: Expected {
                prevented: false,
                alerted: true,
                logged: true,
                minutes: Some(15),
                sentence: "The SOC calls: at once.".into(),
            },
            references: vec![Reference { title: "A (b)".into(), address: "https://a.example/x".into() }],
            emulates: vec!["G0016".into()],
        }
    }

    #[test]
    fn all_that_a_procedure_says_is_found_again_in_its_text() {
        let body = full();
        let text = description_of(&body);
        assert!(
            text.contains(
                "**Supported Platforms:** linux, iaas:aws\n\n**Inputs:**\n\n| Name | Description |"
            )
        );
        let mut again = ProcedureBody {
            name: body.name.clone(),
            technique_ids: body.technique_ids.clone(),
            ..ProcedureBody::default()
        };
        read_description(&text, true, &mut again);
        assert_eq!(again, body);
        let mut bare = ProcedureBody::default();
        read_description("Only text with **Tags:** inside", true, &mut bare);
        assert_eq!(bare.description, "Only text with **Tags:** inside");
        assert!(bare.tags.is_empty());
    }

    #[test]
    fn plextracs_own_curated_texts_are_understood() {
        let text = "Escapes.\n\n\n**Supported Platforms:** containers\n\n**Inputs:**\n\n | Name | \
            Description | Type | \
            Default Value | \n | ---- | ----------- | ---- | ------------- | \n | device | The disk | Path | \
            C:\\x | \n | listen | Where | String | `ip a | grep inet` | ";
        let mut body = ProcedureBody::default();
        read_description(text, false, &mut body);
        assert_eq!(body.description, "Escapes.");
        assert_eq!(body.platforms, ["containers"]);
        let inputs: Vec<_> =
            body.inputs.iter().map(|i| (i.name.as_str(), i.kind.as_str(), i.default.as_deref())).collect();
        assert_eq!(
            inputs,
            [("device", "path", Some(r"C:\x")), ("listen", "string", Some("`ip a | grep inet`"))]
        );
    }

    #[test]
    fn a_step_is_its_text_to_the_letter() {
        for step in [
            Step { description: "Look around.".into(), ..Step::default() },
            Step { command: Some("id".into()), executor: Some("sh".into()), ..Step::default() },
            Step {
                kind: StepKind::Prerequisite,
                description: "It is\n\nthere.".into(),
                check_command: Some("```\n**Command:**\n\n```sh\nx\n```".into()),
                command: Some("a\r\n\tb \n\n".into()),
                executor: Some("command prompt".into()),
                elevated: true,
                platform: Some("windows".into()),
                ..Step::default()
            },
            Step { kind: StepKind::Cleanup, command: Some(String::new()), ..Step::default() },
            Step { kind: StepKind::Cleanup, ..Step::default() },
            Step {
                executor: Some("manual".into()),
                description: "**Prerequisites** first".into(),
                ..Step::default()
            },
        ] {
            assert_eq!(read_step(&step_text(&step), None), step);
        }
    }
}
