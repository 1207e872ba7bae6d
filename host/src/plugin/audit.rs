//! Everything a host asks of a component before it runs a row, one check after the other.

use super::component::{Component, Fitted};
use super::inspect::{self, Inspection, NAME_SECTION};
use super::{Extractor, Host, describe};
use crate::error::{Error, Result};
use crate::model::{Ask, Capability, Description};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The published schema of descriptions.
const DESCRIPTION_SCHEMA: &str = include_str!("../../../wit/description.schema.json");
/// The dialect that parameter schemas are written in.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    Failed,
    /// Not looked at, because a check before it failed.
    Skipped,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub check: &'static str,
    pub verdict: Verdict,
    /// What was found, or what is wrong.
    pub detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Names of the checks, in their order.
pub const CHECKS: [&str; 11] = [
    "size",
    "format",
    "api",
    "world",
    "imports",
    "contract",
    "description",
    "capabilities",
    "parameters",
    "defaults",
    "configure",
];

/// Checks a component as `parameters` would configure it.
pub fn audit(host: &Host, wasm: &[u8], parameters: &Value) -> Vec<Check> {
    let mut audit = Audit { checks: Vec::new(), broken: false };
    audit.run(host, wasm, parameters);
    let done = audit.checks.len();
    audit.checks.extend(CHECKS[done..].iter().map(|check| Check {
        check,
        verdict: Verdict::Skipped,
        detail: "a check before it failed".to_string(),
        hint: None,
    }));
    audit.checks
}

struct Audit {
    checks: Vec<Check>,
    broken: bool,
}

impl Audit {
    /// Notes how the next check went.
    fn note(&mut self, checked: Result<String>) {
        let check = CHECKS[self.checks.len()];
        self.checks.push(match checked {
            Ok(detail) => Check { check, verdict: Verdict::Ok, detail, hint: None },
            Err(error) => {
                self.broken = true;
                let hint = error.hint_text().map(str::to_string);
                Check { check, verdict: Verdict::Failed, detail: error.chain(), hint }
            }
        });
    }

    /// As [`Audit::note`], with what later checks need; `None` ends the audit.
    fn take<T>(&mut self, checked: Result<(T, String)>) -> Option<T> {
        match checked {
            Ok((found, detail)) => {
                self.note(Ok(detail));
                Some(found)
            }
            Err(error) => {
                self.note(Err(error));
                None
            }
        }
    }

    fn run(&mut self, host: &Host, wasm: &[u8], parameters: &Value) -> Option<()> {
        let limits = host.limits();
        let (bytes, max) = (wasm.len(), limits.component_bytes_max);
        self.note(inspect::check_size(wasm, limits).map(|()| format!("{bytes} bytes of {max}")));
        let inspected = inspect::inspect(wasm);
        let inspection = self.take(inspected.map(|found| {
            let digest = found.digest.clone();
            (found, format!("a component, sha256 {digest}"))
        }))?;
        self.note(inspect::check_api(&inspection).map(|()| {
            let api = inspection.api.as_deref().unwrap_or_default();
            format!("built for {api}")
        }));
        self.note(inspect::check_world(&inspection).map(|()| {
            let export = inspection.export().unwrap_or_default();
            format!("exports {export}")
        }));
        self.note(inspect::check_imports(&inspection).map(|()| imports(&inspection)));
        if self.broken {
            return None;
        }
        let linked = Fitted::new(host.shared(), wasm, &|_| Ok(()));
        let linked = self.take(linked.map(|linked| {
            let detail = "all functions are there with the types of the contract";
            (linked, detail.to_string())
        }))?;
        let described = self.take(described(&linked, host, &inspection))?;
        self.note(capabilities(&inspection, &described));
        self.note(schema(&described.parameters));
        if self.broken {
            return None;
        }
        self.note(defaults(&described.parameters));
        // Nothing is granted to be looked at, so what needs a grant can not be configured here.
        match inspection.capabilities().is_empty() {
            true => self.note(configured(linked, &described, parameters)),
            false => self.checks.push(Check {
                check: CHECKS[self.checks.len()],
                verdict: Verdict::Skipped,
                detail: "it can not be configured without what it asks for".to_string(),
                hint: Some("`quarry extractor test --grant` runs it with that".to_string()),
            }),
        }
        Some(())
    }
}

fn imports(inspection: &Inspection) -> String {
    match inspection.imports.is_empty() {
        true => "imports nothing".to_string(),
        false => format!("imports {}", inspection.imports.join(", ")),
    }
}

/// What it imports beside the contract, its description asks for.
fn capabilities(inspection: &Inspection, described: &Description) -> Result<String> {
    let asks: Vec<Ask> = described.capabilities.iter().filter_map(|ask| ask.parse().ok()).collect();
    let asked = |one: &Capability| asks.iter().any(|ask| ask.capability() == *one);
    let imported = inspection.capabilities();
    if let Some(one) = imported.iter().find(|one| !asked(one)) {
        let name = one.as_str();
        let message = format!("imports {name}, but its description does not ask for it");
        let hint = format!("add \"{name}\" to the `capabilities` of its description");
        return Err(inspect::refused(message).hint(hint));
    }
    match described.capabilities.is_empty() {
        true => Ok("asks for nothing".to_string()),
        false => Ok(format!("asks for {}", described.capabilities.join(", "))),
    }
}

/// `describe` answers twice the same, as the published schema says, under the stamped name.
fn described(
    linked: &Fitted,
    host: &Host,
    inspection: &Inspection,
) -> Result<(Description, String)> {
    let text = linked.describe()?;
    if linked.describe()? != text {
        return Err(inspect::refused("describes itself differently each time"));
    }
    let description = describe::parse(&text, host.limits())?;
    let (name, version) = (&description.name, &description.version);
    let stamped = (inspection.name.as_ref(), inspection.version.as_ref());
    if let (Some(stamped_name), Some(stamped_version)) = stamped
        && (stamped_name, stamped_version) != (name, version)
    {
        let message = format!(
            "is stamped {stamped_name}@{stamped_version} but describes itself as {name}@{version}"
        );
        return Err(inspect::refused(message).hint(format!("the stamp is section {NAME_SECTION}")));
    }
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    if let Some(error) = published().iter_errors(&value).next() {
        let pointer = error.instance_path().as_str().to_string();
        let shown = super::log::clean(&error.to_string(), 400);
        let message = format!("has a description that its schema does not allow: {shown}");
        return Err(inspect::refused(message)
            .field(pointer)
            .hint("the schema is wit/description.schema.json"));
    }
    let detail = format!(
        "{name}@{version}, {} inputs, {} outputs",
        description.inputs.len(),
        description.outputs.len()
    );
    Ok((description, detail))
}

fn published() -> &'static jsonschema::Validator {
    static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
        let schema: Value = serde_json::from_str(DESCRIPTION_SCHEMA).unwrap_or_default();
        jsonschema::validator_for(&schema).expect("the published schema is a valid one")
    });
    &SCHEMA
}

/// A JSON Schema 2020-12 of an object, or none at all.
fn schema(parameters: &Value) -> Result<String> {
    if parameters.is_null() || *parameters == json!({}) {
        return Ok("takes none".to_string());
    }
    let wrong = |message: String| {
        inspect::refused(format_args!("has a parameter schema {message}")).field("/parameters")
    };
    if let Some(dialect) = parameters.get("$schema").and_then(Value::as_str)
        && dialect.trim_end_matches('#') != DIALECT
    {
        return Err(wrong(format!("in the dialect {dialect}")).hint(format!("use {DIALECT}")));
    }
    if let Err(error) = jsonschema::draft202012::meta::validate(parameters) {
        let (at, shown) = (error.instance_path().as_str().to_string(), error.to_string());
        let shown = super::log::clean(&shown, 400);
        return Err(wrong(format!("that is not valid: {shown}")).field(format!("/parameters{at}")));
    }
    jsonschema::validator_for(parameters)
        .map_err(|error| wrong(format!("that can not be used: {error}")))?;
    let count = properties(parameters).map_or(0, Map::len);
    Ok(format!("a valid JSON Schema 2020-12 of {count} parameters"))
}

fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

/// Every default is valid under its own schema.
fn defaults(parameters: &Value) -> Result<String> {
    let properties = properties(parameters);
    let given: Map<String, Value> = properties
        .into_iter()
        .flatten()
        .filter_map(|(name, schema)| Some((name.clone(), schema.get("default")?.clone())))
        .collect();
    let mut schema = parameters.clone();
    if let Some(schema) = schema.as_object_mut() {
        // Whether all are there is the next check.
        schema.remove("required");
    }
    let validator = jsonschema::validator_for(&schema)
        .map_err(|error| inspect::refused(format_args!("has no usable schema: {error}")))?;
    let count = given.len();
    let given = Value::Object(given);
    match validator.iter_errors(&given).next() {
        None => Ok(format!("{count} valid")),
        Some(error) => {
            let at = error.instance_path().as_str();
            let pointer = format!("/parameters/properties{at}/default");
            let shown = super::log::clean(&error.to_string(), 400);
            Err(inspect::refused(format_args!("has a default that is not valid: {shown}"))
                .field(pointer))
        }
    }
}

/// `configure` keeps name and version, and what it answers survives being written and read.
fn configured(linked: Fitted, described: &Description, parameters: &Value) -> Result<String> {
    let limits = linked.limits();
    let component = Component::of(linked, described.clone())?;
    let instance = component.instantiate(parameters).map_err(|error| {
        let hint =
            "a description promises that the empty object is valid; --parameters gives others";
        let hint = error.hint_text().unwrap_or(hint).to_string();
        error.hint(hint)
    })?;
    let configured = instance.description();
    let again = serde_json::to_string(configured)
        .map_err(|error| Error::internal("a description can not be written").source(error))?;
    if describe::parse(&again, &limits)? != *configured {
        return Err(inspect::refused("has a description that does not survive being written"));
    }
    let (name, version) = (&configured.name, &configured.version);
    let given = match parameters.as_object().is_none_or(Map::is_empty) {
        true => "defaults".to_string(),
        false => parameters.to_string(),
    };
    Ok(format!("{name}@{version} with {given}"))
}
