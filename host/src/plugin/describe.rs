//! Reading and checking what an extractor says of itself.

use super::Limits;
use super::inspect::refused;
use crate::error::{Error, Result};
use crate::model::{Ask, Description, ExtractorRef, Field, FieldKind, LINEAGE_FIELD};

/// Bytes of a description.
pub(super) const BYTES_MAX: usize = 1 << 20;
const FIELDS_MAX: usize = 256;
const NAME_BYTES_MAX: usize = 64;
const DIMENSION_MAX: u32 = 65_536;
const CAPABILITIES_MAX: usize = 64;

/// Parses a description and checks what the engine relies on.
pub(super) fn parse(json: &str, limits: &Limits) -> Result<Description> {
    let description: Description = serde_json::from_str(json)
        .map_err(|error| refused("describes itself in JSON that does not fit").source(error))?;
    check(&description, limits)?;
    Ok(description)
}

fn check(description: &Description, limits: &Limits) -> Result<()> {
    let Description { name, version, inputs, outputs, .. } = description;
    if version.is_empty() || version.len() > NAME_BYTES_MAX || version.contains(['/', '@']) {
        return Err(wrong("/version", format!("`{version}` is not a version")));
    }
    ExtractorRef::parse(&format!("{name}@{version}"))
        .map_err(|error| wrong("/name", error.to_string()))?;
    let (bytes, max) = (description.memory_bytes, limits.memory_bytes_max);
    if bytes > max as u64 {
        let message = format!("asks for {bytes} bytes of memory, at most {max} are allowed");
        return Err(wrong("/memory_bytes", message));
    }
    if inputs.len().max(outputs.len()) > FIELDS_MAX {
        return Err(wrong("", format!("has more than {FIELDS_MAX} inputs or outputs")));
    }
    if description.capabilities.len() > CAPABILITIES_MAX {
        return Err(wrong("", format!("asks for more than {CAPABILITIES_MAX} capabilities")));
    }
    for (at, ask) in description.capabilities.iter().enumerate() {
        ask.parse::<Ask>()
            .map_err(|error| wrong(&format!("/capabilities/{at}"), error.to_string()))?;
    }
    for (at, input) in inputs.iter().enumerate() {
        let pointer = format!("/inputs/{at}");
        check_name(&pointer, &input.name)?;
        if inputs[..at].iter().any(|other| other.name == input.name) {
            return Err(wrong(&pointer, format!("the name `{}` is used twice", input.name)));
        }
        if matches!(input.kind, FieldKind::Sparse | FieldKind::Multi) {
            let kind = input.kind.as_str();
            return Err(wrong(&pointer, format!("an input can not be of type {kind}")));
        }
    }
    for (at, output) in outputs.iter().enumerate() {
        let pointer = format!("/outputs/{at}");
        check_name(&pointer, &output.name)?;
        if outputs[..at].iter().any(|other| other.name == output.name) {
            return Err(wrong(&pointer, format!("the name `{}` is used twice", output.name)));
        }
        check_vector(&pointer, output)?;
    }
    check_position(description)
}

fn check_position(description: &Description) -> Result<()> {
    let Some(name) = &description.position else {
        return Ok(());
    };
    match description.outputs.iter().find(|output| output.name == *name) {
        Some(output) if output.kind == FieldKind::I64 => Ok(()),
        Some(output) => {
            let kind = output.kind.as_str();
            Err(wrong("/position", format!("output `{name}` is of type {kind}, i64 is needed")))
        }
        None => Err(wrong("/position", format!("there is no output `{name}`"))),
    }
}

fn check_vector(pointer: &str, field: &Field) -> Result<()> {
    let needs_dimension = matches!(field.kind, FieldKind::Dense | FieldKind::Multi);
    let name = &field.name;
    match field.dimension {
        Some(1..=DIMENSION_MAX) if needs_dimension => {}
        Some(dimension) if needs_dimension => {
            let message =
                format!("`{name}` has dimension {dimension}, 1 to {DIMENSION_MAX} are allowed");
            return Err(wrong(&format!("{pointer}/dimension"), message));
        }
        None if needs_dimension => {
            return Err(wrong(pointer, format!("`{name}` has no dimension")));
        }
        Some(_) => {
            let kind = field.kind.as_str();
            let message = format!("`{name}` is of type {kind}, which has no dimension");
            return Err(wrong(&format!("{pointer}/dimension"), message));
        }
        None => {}
    }
    match (needs_dimension, field.distance) {
        (true, None) => Err(wrong(pointer, format!("`{name}` has no distance"))),
        (false, Some(_)) => {
            let kind = field.kind.as_str();
            let message = format!("`{name}` is of type {kind}, which has no distance");
            Err(wrong(&format!("{pointer}/distance"), message))
        }
        (true, Some(_)) | (false, None) => Ok(()),
    }
}

/// A letter or `_`, then letters, digits, `_`, `-` and `.`: what is a payload key, a vector name
/// and the last part of a feature URI at once.
fn check_name(pointer: &str, name: &str) -> Result<()> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    let rest = bytes.all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    if !first || !rest || name.len() > NAME_BYTES_MAX {
        let shown = super::log::clean(name, NAME_BYTES_MAX);
        let hint = "1 to 64 of A-Z, a-z, 0-9, `_`, `-` and `.`, starting with a letter or `_`";
        return Err(wrong(pointer, format!("`{shown}` is not a name")).hint(hint));
    }
    if name == LINEAGE_FIELD {
        return Err(wrong(pointer, format!("the name `{name}` is reserved")));
    }
    Ok(())
}

fn wrong(pointer: &str, message: String) -> Error {
    let error = refused(format_args!("has a description that is not valid: {message}"));
    if pointer.is_empty() { error } else { error.field(pointer) }
}
