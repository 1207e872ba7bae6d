//! What becomes of one thing.

use crate::error::Error;
use serde::Serialize;
use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Noun {
    Namespace,
    Bucket,
    Collection,
}

#[derive(Debug)]
pub struct Step {
    pub noun: Noun,
    pub name: String,
    pub action: Action,
}

#[derive(Debug)]
pub enum Action {
    /// With this body.
    Create(Value),
    Change {
        differences: Vec<Difference>,
        body: Value,
        /// What does not follow by itself.
        note: Option<String>,
    },
    Unchanged,
    /// Errors whose fields are pointers into the file.
    Refused(Vec<Error>),
    /// It is not in the file, and stays as it is.
    Alone,
}

#[derive(Debug, PartialEq, Serialize)]
pub struct Difference {
    pub field: String,
    pub from: Value,
    pub to: Value,
}

impl Noun {
    pub fn word(self) -> &'static str {
        match self {
            Noun::Namespace => "namespace",
            Noun::Bucket => "bucket",
            Noun::Collection => "collection",
        }
    }
}

impl Step {
    /// Where it is in the file.
    pub fn pointer(&self) -> String {
        match self.noun {
            Noun::Namespace => "/namespace".to_string(),
            Noun::Bucket => format!("/buckets/{}", self.name),
            Noun::Collection => format!("/collections/{}", self.name),
        }
    }

    pub fn word(&self) -> &'static str {
        match self.action {
            Action::Create(_) => "create",
            Action::Change { .. } => "change",
            Action::Unchanged => "unchanged",
            Action::Refused(_) => "refused",
            Action::Alone => "left alone",
        }
    }

    pub fn refusals(&self) -> &[Error] {
        match &self.action {
            Action::Refused(errors) => errors,
            Action::Create(_) | Action::Change { .. } | Action::Unchanged | Action::Alone => &[],
        }
    }

    /// These reasons besides those that there are.
    pub(super) fn refuse(&mut self, mut more: Vec<Error>) {
        match &mut self.action {
            Action::Refused(errors) => errors.append(&mut more),
            _ if more.is_empty() => {}
            _ => self.action = Action::Refused(more),
        }
    }

    /// One line.
    pub fn line(&self) -> String {
        let (word, noun, name) = (self.word(), self.noun.word(), &self.name);
        let start = format!("{word:10}  {noun:10}  {name}");
        let more = match &self.action {
            Action::Create(_) | Action::Unchanged => return start,
            Action::Change { differences, note, .. } => {
                let told: Vec<String> = differences
                    .iter()
                    .map(|Difference { field, from, to }| {
                        format!("{field}: {} → {}", shown(from), shown(to))
                    })
                    .collect();
                let note = note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
                format!("{}{note}", told.join(", "))
            }
            Action::Refused(errors) => {
                let told = errors.iter().map(|error| match error.hint_text() {
                    Some(hint) => format!("{error}; {hint}"),
                    None => error.to_string(),
                });
                told.collect::<Vec<String>>().join("; ")
            }
            Action::Alone => "not in the file".to_string(),
        };
        format!("{start}  {more}")
    }

    /// For programs.
    pub fn json(&self, done: bool) -> Value {
        let mut value = json!({
            "noun": self.noun, "name": self.name, "action": self.word().replace(' ', "_"),
            "done": done,
        });
        match &self.action {
            Action::Change { differences, note, .. } => {
                value["differences"] = json!(differences);
                value["note"] = json!(note);
            }
            Action::Refused(errors) => {
                let told = errors.iter().map(|error| {
                    json!({
                        "code": error.code().as_str(),
                        "message": error.chain(),
                        "field": error.field_name(),
                        "hint": error.hint_text(),
                    })
                });
                value["reasons"] = told.collect();
            }
            Action::Create(_) | Action::Unchanged | Action::Alone => {}
        }
        value
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_string(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
