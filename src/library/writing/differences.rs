//! What differs between two versions of a procedure, part by part and line by line, as people read it.

use super::merge::label;
use crate::library::domain::{Input, ProcedureBody, Step};

/// A line of a text in two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Same(String),
    Gone(String),
    New(String),
    /// So many lines that are the same and left out.
    Skipped(usize),
}

impl Line {
    /// How it is marked, its text, and what a reader who sees no colours is told.
    pub fn shown(&self) -> (&'static str, &str, &'static str) {
        match self {
            Self::Same(text) => ("same", text, ""),
            Self::Gone(text) => ("gone", text, "removed: "),
            Self::New(text) => ("new", text, "added: "),
            Self::Skipped(_) => ("skipped", "…", ""),
        }
    }
}

/// A part that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub label: String,
    pub lines: Vec<Line>,
}

/// Lines of the same text that stay around a change.
const AROUND: usize = 3;
/// Beyond so many pairs of lines the two texts stand whole, one after the other.
const PAIRS: usize = 4_000_000;

/// What differs from `before` to `after`, in the order of the editor.
pub fn differences(before: &ProcedureBody, after: &ProcedureBody) -> Vec<Difference> {
    let mut all = Vec::new();
    let mut add = |label: &str, before: &str, after: &str| {
        if before != after {
            all.push(Difference { label: label.to_owned(), lines: lines(before, after) });
        }
    };
    add("Name", &before.name, &after.name);
    add("Description", &before.description, &after.description);
    add("Techniques", &before.technique_ids.join("\n"), &after.technique_ids.join("\n"));
    add("Tags", &before.tags.join("\n"), &after.tags.join("\n"));
    add("Platforms", &before.platforms.join("\n"), &after.platforms.join("\n"));
    for step in &before.steps {
        let now = after.steps.iter().find(|one| one.id == step.id);
        add(&format!("Step “{}”", label(step)), &whole(step), &now.map(whole).unwrap_or_default());
    }
    for step in &after.steps {
        if !before.steps.iter().any(|one| one.id == step.id) {
            add(&format!("New step “{}”", label(step)), "", &whole(step));
        }
    }
    let order = |body: &ProcedureBody, other: &ProcedureBody| {
        let both = body.steps.iter().filter(|step| other.steps.iter().any(|one| one.id == step.id));
        let named = both.map(|step| (step.id.clone(), label(step)));
        named.collect::<Vec<_>>()
    };
    let (was, is) = (order(before, after), order(after, before));
    if was.iter().map(|(id, _)| id).ne(is.iter().map(|(id, _)| id)) {
        let told = |steps: &[(String, String)]| {
            steps.iter().map(|(_, label)| label.as_str()).collect::<Vec<_>>().join("\n")
        };
        add("Order of the steps", &told(&was), &told(&is));
    }
    let inputs = |body: &ProcedureBody| body.inputs.iter().map(told_input).collect::<Vec<_>>().join("\n");
    add("Inputs", &inputs(before), &inputs(after));
    add("Recommendation", &before.recommendation, &after.recommendation);
    add("Expected from blue", &told_expected(before), &told_expected(after));
    let references = |body: &ProcedureBody| {
        let told = body.references.iter().map(|one| format!("{} {}", one.title, one.address));
        told.collect::<Vec<_>>().join("\n")
    };
    add("References", &references(before), &references(after));
    add("Emulates", &before.emulates.join("\n"), &after.emulates.join("\n"));
    all
}

fn whole(step: &Step) -> String {
    let mut text = step.kind.label().to_owned();
    let mut add = |label: &str, value: Option<&str>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let gap = if value.contains('\n') { "\n" } else { " " };
            text.push_str(&format!("\n{label}:{gap}{value}"));
        }
    };
    add("Text", Some(&step.description));
    add("Check", step.check_command.as_deref());
    add("Command", step.command.as_deref());
    add("Executor", step.executor.as_deref());
    add("Platform", step.platform.as_deref());
    add("Needs administrator rights", step.elevated.then_some("yes"));
    add("Succeeds when", step.success_criteria.as_deref());
    text
}

fn told_input(input: &Input) -> String {
    let default = input.default.as_deref().unwrap_or_default();
    let about =
        if input.description.is_empty() { String::new() } else { format!(" ({})", input.description) };
    format!("{}: {} = {default}{about}", input.name, input.kind)
}

/// What blue is expected to do, in one line.
pub fn told_expected(body: &ProcedureBody) -> String {
    let expected = &body.expected;
    let ticks =
        [("prevented", expected.prevented), ("alerted", expected.alerted), ("logged", expected.logged)];
    let mut parts: Vec<String> =
        ticks.into_iter().filter(|(_, is)| *is).map(|(word, _)| word.to_owned()).collect();
    parts.extend(expected.minutes.map(|minutes| match minutes {
        1 => "within 1 minute".to_owned(),
        minutes => format!("within {minutes} minutes"),
    }));
    let told = parts.join(", ");
    if expected.sentence.is_empty() {
        told
    } else if told.is_empty() {
        expected.sentence.clone()
    } else {
        format!("{told}\n{}", expected.sentence)
    }
}

/// The lines of two texts, those that are the same told once: by the longest common subsequence.
fn lines(before: &str, after: &str) -> Vec<Line> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let mut told: Vec<Line> = old[..head].iter().map(|line| Line::Same((*line).to_owned())).collect();
    told.extend(middle(a, b));
    told.extend(old[old.len() - tail..].iter().map(|line| Line::Same((*line).to_owned())));
    if told.iter().all(|line| matches!(line, Line::Same(_))) {
        // They differ in what ends a line, which nobody sees.
        told.push(Line::New("(line ends)".to_owned()));
    }
    shortened(told)
}

fn middle(a: &[&str], b: &[&str]) -> Vec<Line> {
    let gone = |line: &&str| Line::Gone((*line).to_owned());
    let new = |line: &&str| Line::New((*line).to_owned());
    if a.len().saturating_mul(b.len()) > PAIRS {
        return a.iter().map(gone).chain(b.iter().map(new)).collect();
    }
    // longest[i][j]: how many lines a[i..] and b[j..] have in common, in their order.
    let width = b.len() + 1;
    let mut longest = vec![0u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i * width + j] = if a[i] == b[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut told, mut i, mut j) = (Vec::new(), 0, 0);
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            told.push(Line::Same(a[i].to_owned()));
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
            told.push(gone(&a[i]));
            i += 1;
        } else {
            told.push(new(&b[j]));
            j += 1;
        }
    }
    told.extend(a[i..].iter().map(gone));
    told.extend(b[j..].iter().map(new));
    told
}

/// Leaves out what is the same and far from any change.
fn shortened(lines: Vec<Line>) -> Vec<Line> {
    let changed: Vec<usize> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| !matches!(line, Line::Same(_)))
        .map(|(at, _)| at)
        .collect();
    let is_near = |at: usize| changed.iter().any(|change| change.abs_diff(at) <= AROUND);
    let mut told: Vec<Line> = Vec::new();
    for (at, line) in lines.into_iter().enumerate() {
        match told.last_mut() {
            _ if is_near(at) => told.push(line),
            Some(Line::Skipped(skipped)) => *skipped += 1,
            _ => told.push(Line::Skipped(1)),
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &[Line]) -> String {
        let mark = |line: &Line| match line {
            Line::Same(text) => format!(" {text}"),
            Line::Gone(text) => format!("-{text}"),
            Line::New(text) => format!("+{text}"),
            Line::Skipped(n) => format!("…{n}"),
        };
        lines.iter().map(mark).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn lines_that_are_the_same_are_told_once() {
        assert_eq!(text(&lines("a\nb\nc", "a\nx\nc\nd")), " a|-b|+x| c|+d");
        assert_eq!(text(&lines("", "a")), "+a");
        let long: String = (0..20).map(|n| format!("{n}\n")).collect();
        assert_eq!(text(&lines(&long, &long.replace("19", "x"))), "…16| 16| 17| 18|-19|+x");
        assert_eq!(text(&lines("a\r\n", "a\n")), " a|+(line ends)");
    }

    #[test]
    fn a_difference_names_its_part() {
        let step = |id: &str, command: &str| Step {
            id: id.to_owned(),
            description: format!("Step {id}"),
            command: Some(command.to_owned()),
            ..Step::default()
        };
        let before = ProcedureBody { steps: vec![step("a", "1"), step("b", "2")], ..Default::default() };
        let mut after = before.clone();
        after.steps = vec![step("b", "3"), step("a", "1"), step("c", "4")];
        after.expected.alerted = true;
        after.expected.minutes = Some(15);
        let told: Vec<String> = differences(&before, &after).into_iter().map(|one| one.label).collect();
        assert_eq!(told, ["Step “Step b”", "New step “Step c”", "Order of the steps", "Expected from blue"]);
        assert_eq!(told_expected(&after), "alerted, within 15 minutes");
        assert!(differences(&before, &before).is_empty());
    }
}
