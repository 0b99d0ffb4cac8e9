//! Three versions of one thing, field by field: the one that both sides know, ours, and the one that comes
//! now. What only one side changed is that side's; what both changed differently is a conflict, in which ours
//! stands until somebody chooses theirs. It is the same for procedures, test plans and terms.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::kernel::base::error::Result;
use crate::library::domain::ProcedureBody;

/// How many notes one version can have before their numbers tell of the next. What an import said and nobody
/// took whole is noted beside the versions of a procedure, under a number below zero.
pub const NOTES: i32 = 1_000;

/// Sorts versions and notes by their age: a note is newer than the version that stood when it was made.
pub fn age(n: i32) -> (i32, i32) {
    if n < 0 { (-n / NOTES, -n % NOTES) } else { (n, 0) }
}

/// A field in three versions. What a version does not have is `Null`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// `name`, `steps`; one step as `step:s1`.
    pub key: String,
    pub base: Value,
    pub ours: Value,
    pub theirs: Value,
    /// Of a step, which one it is, from 1.
    pub step: Option<usize>,
}

impl Field {
    /// What people call it.
    pub fn label(&self) -> String {
        match self.key.as_str() {
            "technique_ids" => "Techniques".to_owned(),
            "expected" => "Expected from blue".to_owned(),
            key => match self.step {
                Some(nth) => format!("Step {nth}"),
                None => {
                    let mut letters = key.chars();
                    letters
                        .next()
                        .map(|first| first.to_uppercase().chain(letters).collect())
                        .unwrap_or_default()
                }
            },
        }
    }

    /// Whether only the import changed it.
    pub fn is_theirs(&self) -> bool {
        self.ours == self.base && self.theirs != self.base
    }

    /// Whether both changed it, and not to the same.
    pub fn is_conflict(&self) -> bool {
        self.ours != self.base && self.theirs != self.base && self.ours != self.theirs
    }
}

const STEP: &str = "step:";

/// Three versions of one procedure, or of another thing whose fields serialize as an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared<T = ProcedureBody> {
    /// Those that differ anywhere, in the order in which it is read.
    pub fields: Vec<Field>,
    ours: Map<String, Value>,
    thing: PhantomData<T>,
}

/// Compares `ours` and `theirs` with the version that both came from.
///
/// # Errors
/// When one of them is no JSON object, which it always is.
pub fn compare<T: Serialize>(base: &T, ours: &T, theirs: &T) -> Result<Compared<T>> {
    let [base, ours, theirs] = [base, ours, theirs].map(object);
    let (base, ours, theirs) = (base?, ours?, theirs?);
    let mut keys: Vec<&String> = ours.keys().collect();
    keys.extend(theirs.keys().chain(base.keys()).filter(|key| !ours.contains_key(*key)));
    let mut seen = std::collections::HashSet::new();
    keys.retain(|key| seen.insert(key.as_str()));
    let mut fields = Vec::new();
    for key in keys {
        let value = |body: &Map<String, Value>| body.get(key).cloned().unwrap_or(Value::Null);
        let field = Field {
            key: key.clone(),
            base: value(&base),
            ours: value(&ours),
            theirs: value(&theirs),
            step: None,
        };
        match step_by_step(&field) {
            Some(steps) => fields.extend(steps),
            None => fields.push(field),
        }
    }
    fields.retain(|field| field.ours != field.base || field.theirs != field.base);
    Ok(Compared { fields, ours, thing: PhantomData })
}

/// What `theirs` says, had it also got what was exchanged since it left: it was written from `origin`, and
/// `base` is the newest version that both sides of the last exchange know. What they did not change since
/// then is no change that takes newer work away.
///
/// # Errors
/// As [`compare`].
pub fn caught_up<T: Serialize + DeserializeOwned>(origin: &T, base: &T, theirs: &T) -> Result<T> {
    compare(origin, base, theirs)?.merged(|_| true)
}

fn object<T: Serialize>(thing: &T) -> Result<Map<String, Value>> {
    match serde_json::to_value(thing)? {
        Value::Object(map) => Ok(map),
        _ => Ok(Map::new()),
    }
}

/// The steps as fields of their own, where all three versions have the same ones in the same order.
fn step_by_step(field: &Field) -> Option<Vec<Field>> {
    if field.key != "steps" {
        return None;
    }
    let [base, ours, theirs] = [&field.base, &field.ours, &field.theirs].map(|steps| steps.as_array());
    let (base, ours, theirs) = (base?, ours?, theirs?);
    let ids = |steps: &[Value]| steps.iter().map(|step| step["id"].clone()).collect::<Vec<_>>();
    if ids(base) != ids(ours) || ids(base) != ids(theirs) {
        return None;
    }
    let steps = (1..).zip(base).zip(ours).zip(theirs).map(|(((nth, base), ours), theirs)| Field {
        key: format!("{STEP}{}", base["id"].as_str().unwrap_or_default()),
        base: base.clone(),
        ours: ours.clone(),
        theirs: theirs.clone(),
        step: Some(nth),
    });
    Some(steps.collect())
}

impl<T: DeserializeOwned> Compared<T> {
    /// Fields that both changed.
    pub fn conflicts(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.is_conflict())
    }

    /// Fields that they changed, those among them that both did.
    pub fn told(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.is_theirs() || field.is_conflict())
    }

    /// Whether nothing of theirs comes in: ours stays as it is. `takes` as for [`Self::merged`].
    pub fn keeps_ours(&self, takes: impl Fn(&str) -> bool) -> bool {
        !self.fields.iter().any(|field| field.is_theirs() || (field.is_conflict() && takes(&field.key)))
    }

    /// What comes of it: theirs where only they changed it, ours elsewhere, and in conflicts theirs where
    /// `takes` says so of the field's key.
    ///
    /// # Errors
    /// When the fields together are no such thing, which they always are.
    pub fn merged(&self, takes: impl Fn(&str) -> bool) -> Result<T> {
        let mut body = self.ours.clone();
        for field in &self.fields {
            let is_taken = field.is_theirs() || (field.is_conflict() && takes(&field.key));
            if !is_taken {
                continue;
            }
            match field.key.strip_prefix(STEP) {
                Some(id) => {
                    let steps = body.get_mut("steps").and_then(Value::as_array_mut);
                    if let Some(step) = steps.into_iter().flatten().find(|step| step["id"] == id) {
                        *step = field.theirs.clone();
                    }
                }
                None if field.theirs.is_null() => {
                    body.remove(&field.key);
                }
                None => {
                    body.insert(field.key.clone(), field.theirs.clone());
                }
            }
        }
        Ok(serde_json::from_value(Value::Object(body))?)
    }
}

/// A value as people read it.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(is) => if *is { "yes" } else { "no" }.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.iter().all(Value::is_string) => {
            list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        Value::Array(list) => list.iter().map(text_of).collect::<Vec<_>>().join("\n\n"),
        Value::Object(map) => {
            let told = map.iter().filter(|(key, value)| {
                *key != "id" && !value.is_null() && **value != Value::Bool(false) && **value != ""
            });
            let lines = told.map(|(key, value)| {
                let (key, text) = (key.replace('_', " "), text_of(value));
                if text.contains('\n') { format!("{key}:\n{text}") } else { format!("{key}: {text}") }
            });
            lines.collect::<Vec<_>>().join("\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(change: impl FnOnce(&mut Value)) -> ProcedureBody {
        let step = |id: &str, command: &str| {
            let texts = json!({ "description": "", "command": command, "executor": "sh" });
            let mut step = json!({ "id": id, "kind": "step" });
            step.as_object_mut().unwrap().extend(texts.as_object().unwrap().clone());
            step
        };
        let mut value = json!({
            "name": "Read it", "description": "How.", "technique_ids": ["T1003"],
            "steps": [step("s1", "id"), step("s2", "w")],
        });
        change(&mut value);
        serde_json::from_value(value).unwrap()
    }

    fn compared(ours: impl FnOnce(&mut Value), theirs: impl FnOnce(&mut Value)) -> Compared {
        compare(&body(|_| {}), &body(ours), &body(theirs)).unwrap()
    }

    #[test]
    fn what_one_side_changed_is_that_sides() {
        let compared = compared(|v| v["name"] = "Ours".into(), |v| v["steps"][1]["command"] = "who".into());
        assert_eq!(compared.conflicts().count(), 0);
        let merged = compared.merged(|_| true).unwrap();
        assert_eq!((merged.name.as_str(), merged.steps[1].command.as_deref()), ("Ours", Some("who")));
    }

    #[test]
    fn what_both_changed_differently_is_ours_until_somebody_takes_theirs() {
        let compared = compared(
            |v| {
                v["steps"][0]["command"] = "id -u".into();
                v["technique_ids"] = json!(["T1685"]);
            },
            |v| {
                v["steps"][0]["command"] = "id -a".into();
                v["technique_ids"] = json!(["T1685"]);
                v["description"] = "Theirs.".into();
            },
        );
        let keys: Vec<_> = compared.conflicts().map(|field| (field.key.as_str(), field.label())).collect();
        assert_eq!(keys, [("step:s1", "Step 1".to_owned())], "the same change on both sides is none");
        let ours = compared.merged(|_| false).unwrap();
        assert_eq!(ours.steps[0].command.as_deref(), Some("id -u"));
        assert_eq!(ours.description, "Theirs.", "what is no conflict comes along");
        let theirs = compared.merged(|key| key == "step:s1").unwrap();
        assert_eq!(theirs.steps[0].command.as_deref(), Some("id -a"));
    }

    #[test]
    fn steps_that_came_or_went_are_one_field() {
        let compared = compared(
            |v| v["steps"][0]["command"] = "id -u".into(),
            |v| {
                v["steps"].as_array_mut().unwrap().truncate(1);
            },
        );
        let keys: Vec<_> = compared.conflicts().map(|field| field.key.as_str()).collect();
        assert_eq!(keys, ["steps"]);
        assert_eq!(compared.merged(|_| false).unwrap().steps.len(), 2);
        assert_eq!(compared.merged(|_| true).unwrap().steps.len(), 1);
    }

    #[test]
    fn a_step_reads_as_lines_and_a_list_of_words_as_one() {
        let step =
            json!({ "id": "s1", "kind": "step", "description": "", "command": "id\nw", "elevated": false });
        assert_eq!(text_of(&step), "kind: step\ncommand:\nid\nw");
        assert_eq!(text_of(&json!(["T1", "T2"])), "T1, T2");
    }
}
