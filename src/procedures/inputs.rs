//! Values of placeholders: one set on the procedure wins over the engagement's, and that over the procedure's
//! own default.

use std::collections::{BTreeMap, BTreeSet};

use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::pairs::Pairs;
use crate::kernel::base::text::check_text;
use crate::library::placeholders::{NAME_BYTES, Piece, exact_text, fill, is_name, names};

/// Values by placeholder name.
pub type Values = BTreeMap<String, String>;

/// Longest value, in bytes.
pub const VALUE_BYTES: usize = 2_000;

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Set on the procedure.
    Procedure,
    /// Set on the engagement.
    Engagement,
    /// The procedure's own default.
    Default,
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    pub value: String,
    /// Where it was found.
    pub source: Source,
}

/// The three layers of values that a procedure's commands are filled from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Set on the procedure.
    pub procedure: &'a Values,
    /// Set on the engagement.
    pub engagement: &'a Values,
    /// The procedure's own defaults. An empty default is a value; an argument without one is left out.
    pub defaults: &'a Values,
}

impl Inputs<'_> {
    /// The value of a placeholder. One that somebody emptied counts as not set. A default may name other
    /// placeholders (Atomic Red Team's do); those are filled once, so that a circle ends.
    pub fn resolve(&self, name: &str) -> Option<Resolved> {
        self.set(name).or_else(|| {
            self.defaults.get(name).map(|default| Resolved {
                value: exact_text(&fill(default, &|inner| {
                    self.set(inner).map(|set| set.value).or_else(|| self.defaults.get(inner).cloned())
                })),
                source: Source::Default,
            })
        })
    }

    fn set(&self, name: &str) -> Option<Resolved> {
        let layer = |values: &Values, source| {
            let value = values.get(name).filter(|value| !value.is_empty())?.clone();
            Some(Resolved { value, source })
        };
        layer(self.procedure, Source::Procedure).or_else(|| layer(self.engagement, Source::Engagement))
    }

    /// Fills a command from the three layers.
    pub fn fill(&self, command: &str) -> Vec<Piece> {
        fill(command, &|name| self.resolve(name).map(|resolved| resolved.value))
    }
}

/// What one procedure brings to the engagement's inputs.
#[derive(Debug, Clone)]
pub struct ProcedureInputs<'a> {
    /// Its position in the runbook.
    pub position: i32,
    /// The placeholders that its commands use.
    pub names: Vec<&'a str>,
    /// Values set on the procedure.
    pub values: &'a Values,
    pub defaults: &'a Values,
}

/// One placeholder name across an engagement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputRow {
    pub name: String,
    pub engagement_value: Option<String>,
    /// Each different default with the number of procedures that bring it, most used first.
    pub defaults: Vec<(String, usize)>,
    /// Positions of the procedures whose commands use it.
    pub used_by: Vec<i32>,
    /// Whether at least one of them has no value for it.
    pub unfilled: bool,
}

impl InputRow {
    /// Each default, with its number where more than one procedure brings it: "443 (3 procedures)".
    pub fn shown_defaults(&self) -> Vec<String> {
        let shown = |(value, n): &(String, usize)| match n {
            0 | 1 => value.clone(),
            n => format!("{value} ({n} procedures)"),
        };
        self.defaults.iter().map(shown).collect()
    }
}

/// Every placeholder name of the engagement's commands in one row, by name.
pub fn rows(engagement: &Values, procedures: &[ProcedureInputs<'_>]) -> Vec<InputRow> {
    let mut by_name: BTreeMap<&str, (InputRow, BTreeMap<&str, usize>)> = BTreeMap::new();
    for procedure in procedures {
        let inputs = Inputs { procedure: procedure.values, engagement, defaults: procedure.defaults };
        let used: BTreeSet<&str> = procedure.names.iter().copied().collect();
        let nested: Vec<&str> = used
            .iter()
            .filter_map(|name| procedure.defaults.get(*name))
            .flat_map(|default| names(default))
            .collect();
        for name in used.into_iter().chain(nested).collect::<BTreeSet<_>>() {
            let (row, defaults) = by_name.entry(name).or_insert_with(|| {
                let row = InputRow {
                    name: name.to_owned(),
                    engagement_value: engagement.get(name).filter(|v| !v.is_empty()).cloned(),
                    defaults: Vec::new(),
                    used_by: Vec::new(),
                    unfilled: false,
                };
                (row, BTreeMap::new())
            });
            row.used_by.push(procedure.position);
            row.unfilled |= inputs.resolve(name).is_none();
            if let Some(default) = procedure.defaults.get(name) {
                *defaults.entry(default).or_default() += 1;
            }
        }
    }
    by_name
        .into_values()
        .map(|(mut row, defaults)| {
            row.defaults = defaults.into_iter().map(|(default, uses)| (default.to_owned(), uses)).collect();
            row.defaults.sort_by_key(|(_, uses)| std::cmp::Reverse(*uses));
            row.used_by.sort_unstable();
            row
        })
        .collect()
}

/// A placeholder name as a form posts it.
///
/// # Errors
/// A sentence when it could not stand in a command.
pub fn check_name(raw: &str) -> Result<String, String> {
    let name = raw.trim();
    if is_name(name) {
        return Ok(name.to_owned());
    }
    Err(format!("The name of an input has 1 to {NAME_BYTES} letters, digits, dots, hyphens and underscores."))
}

/// A value as a form posts it: one line; empty means not set.
///
/// # Errors
/// A sentence when it is too long or holds a control character.
pub fn check_value(name: &str, raw: &str) -> Result<String, String> {
    check_text(&format!("The value of {name}"), false, raw, VALUE_BYTES, false)
}

/// An input as typed, beside the value that the form showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedInput {
    pub name: String,
    /// What the form showed.
    pub had: String,
    /// The checked value; empty takes the input away.
    pub value: String,
}

/// The inputs that were changed in a form of `value.{name}`, as typed, and `had.{name}`, as shown where that
/// was anything; or what is wrong, by name.
pub fn changed(posted: &Pairs) -> (Vec<TypedInput>, FieldErrors) {
    let mut errors = FieldErrors::default();
    let mut changed = Vec::new();
    for (name, raw) in posted.under("value.") {
        let had = posted.get(&format!("had.{name}")).unwrap_or_default().to_owned();
        if had == raw {
            continue;
        }
        match check_name(name).and_then(|known| Ok((known, check_value(name, raw)?))) {
            Ok((name, value)) => changed.push(TypedInput { name, had, value }),
            Err(sentence) => errors.add(name, sentence),
        }
    }
    (changed, errors)
}

/// The values as typed, by name, for a form that is shown again.
pub fn as_typed(posted: &Pairs) -> Values {
    posted.under("value.").map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Whether a name is one that a form of inputs posts.
pub fn is_input(name: &str) -> bool {
    name.starts_with("value.") || name.starts_with("had.")
}

/// Nobody's value is replaced unseen: what is stored must be what the form showed, or what is typed anyway.
///
/// # Errors
/// A sentence with the other value, by input.
pub fn check_seen(typed: &[TypedInput], stored: &Values) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::default();
    for one in typed {
        let now = stored.get(&one.name).map(String::as_str).unwrap_or_default();
        if one.had != now && one.value != now {
            let set = if now.is_empty() {
                "took this value away".to_owned()
            } else {
                format!("set this to “{now}”")
            };
            errors.add(&one.name, format!("Somebody {set} meanwhile. Save again to put yours in its place."));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn only_changed_inputs_are_saved_and_none_unseen() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let posted: Pairs = [
            ("value.host", "a"),
            ("had.host", "a"),
            ("value.user", "b"),
            ("value.gone", ""),
            ("had.gone", "x"),
        ]
        .into_iter()
        .collect();
        let (typed, errors) = changed(&posted);
        assert!(errors.is_empty());
        let names: Vec<(&str, &str, &str)> =
            typed.iter().map(|t| (t.name.as_str(), t.had.as_str(), t.value.as_str())).collect();
        assert_eq!(names, [("user", "", "b"), ("gone", "x", "")]);
        assert!(changed(&[("value.host", "x".repeat(3_000))].into_iter().collect()).1.get("host").is_some());

        let stored = |list: &[(&str, &str)]| list.iter().map(|(a, b)| pair(a, b)).collect::<Values>();
        assert!(check_seen(&typed, &stored(&[("gone", "x")])).is_ok());
        assert!(
            check_seen(&typed, &stored(&[("gone", "x"), ("user", "b")])).is_ok(),
            "the same value twice is no conflict"
        );
        let refused = check_seen(&typed, &stored(&[("gone", "y"), ("user", "c")])).unwrap_err();
        assert!(refused.get("user").unwrap().contains("“c”") && refused.get("gone").unwrap().contains("“y”"));
    }

    #[test]
    fn fills_and_marks() {
        let pieces =
            fill("copy #{from} #{to}; echo #{}", &|name| (name == "from").then(|| "a#{to}".to_owned()));
        assert_eq!(
            pieces,
            [
                Piece::Text("copy ".into()),
                Piece::Filled { name: "from".into(), value: "a#{to}".into() },
                Piece::Text(" ".into()),
                Piece::Missing { name: "to".into() },
                Piece::Text("; echo #{}".into()),
            ]
        );
        assert_eq!(exact_text(&pieces), "copy a#{to} #{to}; echo #{}");
    }

    #[test]
    fn names_are_told_from_other_braces() {
        assert_eq!(names("#{a} @{b} ${c} #{d e} #{#{f-1}} #{a} #{ä} #{open"), ["a", "f-1"]);
        let long = format!("#{{{}}}", "x".repeat(101));
        assert!(names(&long).is_empty());
    }

    #[test]
    fn procedure_wins_over_engagement_over_default() {
        let (own, engagement) = (values(&[("a", "p"), ("b", "")]), values(&[("a", "e"), ("b", "e")]));
        let defaults = values(&[("a", "d"), ("b", "d"), ("c", "d"), ("empty", "")]);
        let inputs = Inputs { procedure: &own, engagement: &engagement, defaults: &defaults };
        let source = |name| inputs.resolve(name).map(|r| r.source);
        assert_eq!(source("a"), Some(Source::Procedure));
        assert_eq!(source("b"), Some(Source::Engagement));
        assert_eq!(source("c"), Some(Source::Default));
        assert_eq!(source("empty"), Some(Source::Default));
        assert_eq!(source("d"), None);
        assert_eq!(exact_text(&inputs.fill("#{a}#{b}#{c}#{empty}#{d}")), "ped#{d}");
    }

    #[test]
    fn a_default_may_name_another_input_once() {
        let (none, engagement) = (Values::new(), values(&[("arch", "x64")]));
        let defaults = values(&[("file", "tool_#{arch}.exe"), ("loop", "#{loop}"), ("arch", "x86")]);
        let inputs = Inputs { procedure: &none, engagement: &engagement, defaults: &defaults };
        assert_eq!(exact_text(&inputs.fill("#{file}")), "tool_x64.exe");
        assert_eq!(exact_text(&inputs.fill("#{loop}")), "#{loop}");
    }

    #[test]
    fn one_row_for_each_name() {
        let (set, none) = (values(&[("host", "HL-1")]), Values::new());
        let (d1, d2) = (
            values(&[("host", "localhost"), ("out", "C:\\a.txt"), ("unused", "x")]),
            values(&[("host", "127.0.0.1")]),
        );
        let engagement = values(&[("user", "svc"), ("out", "")]);
        let procedure = |position, commands: &[&'static str], values, defaults| ProcedureInputs {
            position,
            names: commands.iter().flat_map(|command| names(command)).collect(),
            values,
            defaults,
        };
        let rows = rows(
            &engagement,
            &[
                procedure(3, &["ping #{host}", "rm #{out}"], &none, &d1),
                procedure(1, &["ssh #{user}@#{host} #{host}"], &set, &d2),
                procedure(2, &["nc #{host} #{port}"], &none, &d2),
            ],
        );
        let row =
            |name: &str, value: Option<&str>, defaults: &[(&str, usize)], used: &[i32], unfilled| InputRow {
                name: name.into(),
                engagement_value: value.map(Into::into),
                defaults: defaults.iter().map(|(d, n)| ((*d).to_owned(), *n)).collect(),
                used_by: used.to_vec(),
                unfilled,
            };
        assert_eq!(
            rows,
            [
                row("host", None, &[("127.0.0.1", 2), ("localhost", 1)], &[1, 2, 3], false),
                row("out", None, &[("C:\\a.txt", 1)], &[3], false),
                row("port", None, &[], &[2], true),
                row("user", Some("svc"), &[], &[1], false),
            ]
        );
    }

    #[test]
    fn names_and_values_are_checked() {
        assert_eq!(check_name(" output_file ").as_deref(), Ok("output_file"));
        assert!(check_name("a b").is_err());
        assert!(check_name("").is_err());
        assert_eq!(check_value("a", " x ").as_deref(), Ok("x"));
        assert!(check_value("a", "x\ny").is_err());
        assert!(check_value("a", &"x".repeat(2_001)).is_err());
    }

    proptest! {
        #![proptest_config(crate::kernel::base::proptests::config())]
        // Without values the text comes back as it was: filling never eats or adds a character.
        #[test]
        fn an_unfilled_command_is_the_command(command in "[#{}a-c ä\n]{0,40}") {
            prop_assert_eq!(exact_text(&fill(&command, &|_| None)), command);
        }
    }
}
