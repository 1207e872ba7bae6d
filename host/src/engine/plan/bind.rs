//! Binds an extractor's inputs, passed-through fields, filters and indexes to fields of the source.

use super::field::{FieldRef, RowField, RowKind, check_name};
use super::{Plan, PlannedPassthrough, Source};
use crate::config::{Collection, Index, IndexType, Passthrough};
use crate::error::{Error, Result};
use crate::model::{Condition, Description, Filter, Operator};
use crate::sink::{self, IndexKind, IndexSpec, Layout};
use regex::{Regex, RegexBuilder};
use serde_json::Value;

/// Size of a compiled regular expression.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// The fields that all sources have with the same kind.
pub(super) fn source_fields(plan: &Plan, sources: &[Source], at: &str) -> Result<Vec<RowField>> {
    let mut common: Option<Vec<RowField>> = None;
    for source in sources {
        let fields: Vec<RowField> = match source {
            Source::Bucket(index) => {
                plan.buckets[*index].columns.iter().map(|c| c.field.clone()).collect()
            }
            Source::Collection(index) => plan.collections[*index].fields(),
        };
        common = Some(match common {
            None => fields,
            Some(known) => known.into_iter().filter(|field| fields.contains(field)).collect(),
        });
    }
    let fields = common.unwrap_or_default();
    if fields.is_empty() {
        let message = "the sources have no field in common";
        return Err(Error::invalid(message).field(format!("{at}/source")));
    }
    Ok(fields)
}

pub(super) fn inputs(
    description: &Description,
    collection: &Collection,
    fields: &[RowField],
    at: &str,
) -> Result<Vec<Option<FieldRef>>> {
    for name in collection.inputs.keys() {
        if !description.inputs.iter().any(|input| input.name == *name) {
            let known: Vec<&str> = description.inputs.iter().map(|i| i.name.as_str()).collect();
            let message = format!("extractor {} has no input `{name}`", description.name);
            return Err(Error::invalid(message)
                .field(format!("{at}/inputs/{name}"))
                .hint(format!("it takes {}", known.join(", "))));
        }
    }
    let mut bound = Vec::new();
    for input in &description.inputs {
        let mapped = collection.inputs.get(&input.name);
        let at = format!("{at}/inputs/{}", input.name);
        let implied = || fields.iter().any(|field| field.name == input.name);
        let path = match mapped {
            Some(path) => path.clone(),
            None if implied() => input.name.clone(),
            None if !input.required => {
                bound.push(None);
                continue;
            }
            None => {
                let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
                let message = format!("the required input `{}` is not mapped", input.name);
                return Err(Error::invalid(message).field(at).hint(format!(
                    "add `inputs = {{ {} = \"…\" }}`; the source has {}",
                    input.name,
                    known.join(", ")
                )));
            }
        };
        let reference = FieldRef::resolve(&path, fields).map_err(|error| error.field(&at))?;
        if !reference.kind().feeds(input.kind) {
            let message = format!(
                "`{path}` is {}, but input `{}` of {} takes {}",
                reference.kind().as_str(),
                input.name,
                description.name,
                input.kind.as_str()
            );
            return Err(Error::invalid(message).field(at).hint("map another field"));
        }
        bound.push(Some(reference));
    }
    Ok(bound)
}

/// The extractor's outputs under the names that the document knows them by.
pub(super) fn outputs(
    description: &Description,
    collection: &Collection,
    at: &str,
) -> Result<Vec<RowField>> {
    for name in collection.outputs.keys() {
        if !description.outputs.iter().any(|output| output.name == *name) {
            let known: Vec<&str> = description.outputs.iter().map(|o| o.name.as_str()).collect();
            let message = format!("extractor {} has no output `{name}`", description.name);
            return Err(Error::invalid(message)
                .field(format!("{at}/outputs/{name}"))
                .hint(format!("it has {}", known.join(", "))));
        }
    }
    let mut fields: Vec<RowField> = Vec::new();
    for output in &description.outputs {
        let mut field = RowField::of_output(output);
        let mut place = format!("{at}/extractor");
        if let Some(name) = collection.outputs.get(&output.name) {
            field.name.clone_from(name);
            place = format!("{at}/outputs/{}", output.name);
        }
        check_name(&field.name).map_err(|error| error.field(&place))?;
        if fields.iter().any(|other| other.name == field.name) {
            let message = format!("the document would have two fields `{}`", field.name);
            return Err(Error::invalid(message).field(place).hint("give this one another name"));
        }
        fields.push(field);
    }
    Ok(fields)
}

pub(super) fn passthrough(
    outputs: &[RowField],
    collection: &Collection,
    fields: &[RowField],
    at: &str,
) -> Result<Vec<PlannedPassthrough>> {
    let mut planned: Vec<PlannedPassthrough> = Vec::new();
    for (index, entry) in collection.passthrough.iter().enumerate() {
        let at = format!("{at}/passthrough/{index}");
        let (path, target, default, required) = match entry {
            Passthrough::Path(path) => (path, None, None, false),
            Passthrough::Full(full) => {
                (&full.source, full.target.clone(), full.default.clone(), full.required)
            }
        };
        let source = FieldRef::resolve(path, fields).map_err(|error| error.field(&at))?;
        let last = source.path.last().unwrap_or(&source.root).clone();
        let name = target.unwrap_or(last);
        check_name(&name).map_err(|error| error.field(&at))?;
        let taken = outputs.iter().any(|output| output.name == name)
            || planned.iter().any(|other| other.target.name == name);
        if taken {
            let message = format!("the document would have two fields `{name}`");
            let hint = "give this one another name: { source = \"…\", target = \"…\" }";
            return Err(Error::invalid(message).field(at).hint(hint));
        }
        let kind = source.kind();
        if kind.is_vector() {
            let message = format!("`{path}` is {}", kind.as_str());
            return Err(Error::invalid(message)
                .field(at)
                .hint("vectors can not be passed through"));
        }
        check_default(kind, default.as_ref()).map_err(|error| error.field(&at))?;
        planned.push(PlannedPassthrough {
            source,
            target: RowField { name, kind },
            default,
            required,
        });
    }
    Ok(planned)
}

fn check_default(kind: RowKind, default: Option<&Value>) -> Result<()> {
    let Some(default) = default else { return Ok(()) };
    sink::check_field(default)
        .map_err(|reason| Error::invalid(format!("the default can not be stored: {reason}")))?;
    let fits = match kind {
        RowKind::Utf8 | RowKind::Reference => default.is_string(),
        RowKind::I64 => default.is_i64(),
        RowKind::F64 => default.is_number(),
        RowKind::Bool => default.is_boolean(),
        RowKind::Json => true,
        RowKind::Blob | RowKind::Dense { .. } | RowKind::Sparse | RowKind::Multi { .. } => false,
    };
    if fits {
        return Ok(());
    }
    Err(Error::invalid(format!("the default {default} does not fit a field of {}", kind.as_str())))
}

pub(super) fn check_filter(filter: &Filter, fields: &[RowField], at: &str) -> Result<()> {
    let lists = [("AND", &filter.and), ("OR", &filter.or), ("NOT", &filter.not)];
    for (name, conditions) in lists {
        for (index, condition) in conditions.iter().enumerate() {
            let at = format!("{at}/{name}/{index}");
            match condition {
                Condition::Nested(inner) => check_filter(inner, fields, &at)?,
                Condition::Field { field, operator, value } => {
                    check_operand(*operator, value, filter.case_sensitive)
                        .map_err(|error| error.field(&at))?;
                    let found =
                        FieldRef::resolve(field, fields).map_err(|error| error.field(&at))?;
                    if found.kind().is_vector() {
                        let message = format!("`{field}` is a vector and can not be filtered by");
                        return Err(Error::invalid(message).field(at));
                    }
                }
            }
        }
    }
    Ok(())
}

fn check_operand(operator: Operator, value: &Value, case_sensitive: bool) -> Result<()> {
    let fits = match operator {
        Operator::In | Operator::Nin => value.is_array(),
        Operator::Regex => {
            let pattern = value.as_str().ok_or_else(|| Error::invalid("regex takes a text"))?;
            return regex(pattern, case_sensitive).map(drop);
        }
        Operator::StartsWith | Operator::EndsWith | Operator::Text => value.is_string(),
        Operator::Exists | Operator::IsNull => value.is_boolean() || value.is_null(),
        Operator::Gt | Operator::Lt | Operator::Gte | Operator::Lte => {
            value.is_number() || value.is_string()
        }
        Operator::Eq | Operator::Ne | Operator::Contains => !value.is_null(),
    };
    if fits {
        return Ok(());
    }
    let message = format!("the value {value} does not fit the operator");
    Err(Error::invalid(message).hint("in and nin take lists, text operators texts"))
}

/// A filter's pattern, compiled: the same way when it is planned and when rows are tested.
pub fn regex(pattern: &str, case_sensitive: bool) -> Result<Regex> {
    let mut builder = RegexBuilder::new(pattern);
    let built = builder.case_insensitive(!case_sensitive).size_limit(REGEX_BYTES_MAX).build();
    built.map_err(|error| {
        Error::invalid(format!("`{pattern}` is not a regular expression that can be used"))
            .source(error)
    })
}

pub(super) fn filter_roots(filter: &Filter, roots: &mut Vec<String>) {
    for condition in filter.and.iter().chain(&filter.or).chain(&filter.not) {
        match condition {
            Condition::Nested(inner) => filter_roots(inner, roots),
            Condition::Field { field, .. } => {
                roots.push(field.split('.').next().unwrap_or(field).to_string());
            }
        }
    }
}

pub(super) fn indexes(
    collection: &Collection,
    fields: &[RowField],
    at: &str,
) -> Result<Vec<IndexSpec>> {
    let mut specs = Vec::new();
    for (index, entry) in collection.index.iter().enumerate() {
        let (path, kind) = match entry {
            Index::Keyword(path) => (path, IndexType::Keyword),
            Index::Typed { field, kind } => (field, *kind),
        };
        let at = format!("{at}/index/{index}");
        FieldRef::resolve(path, fields).map_err(|error| error.field(&at))?;
        let kind = match kind {
            IndexType::Keyword => IndexKind::Keyword,
            IndexType::Integer => IndexKind::Integer,
            IndexType::Float => IndexKind::Float,
            IndexType::Bool => IndexKind::Bool,
            IndexType::Text => IndexKind::Text,
            IndexType::Datetime => IndexKind::Datetime,
        };
        let spec = IndexSpec { path: path.clone(), kind };
        // What the sink would refuse after the batch was queued.
        Layout::new(Vec::new(), vec![spec.clone()]).map_err(|error| error.field(&at))?;
        specs.push(spec);
    }
    Ok(specs)
}
