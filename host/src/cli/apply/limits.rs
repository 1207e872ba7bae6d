//! What a pipeline file may say and a catalog has no place for.

use crate::config::{Bucket, BucketField, Collection, Pipeline};
use crate::control::{OBJECT_ID, is_blob};
use crate::error::{Code, Error};
use crate::model::Name;
use std::collections::BTreeMap;

/// Characters that the API wants of a name.
const NAME_MIN: usize = 3;

fn refused(message: impl Into<String>, field: String, hint: &str) -> Error {
    Error::new(Code::Unsupported, message).field(field).hint(hint)
}

/// Each with the pointer into the file.
pub(super) fn refusals(pipeline: &Pipeline) -> Vec<Error> {
    let mut all = Vec::new();
    check_name("namespace", &pipeline.namespace, "/namespace".to_string(), &mut all);
    for (name, wanted) in &pipeline.buckets {
        bucket(name, wanted, &mut all);
    }
    for (name, wanted) in &pipeline.collections {
        collection(name, wanted, &mut all);
    }
    all
}

fn check_name(what: &str, name: &Name, field: String, all: &mut Vec<Error>) {
    if name.as_str().len() < NAME_MIN {
        let message = format!("`{name}` is too short for the name of a {what}");
        all.push(refused(message, field, &format!("take {NAME_MIN} characters or more")));
    }
}

/// Objects of a catalog are not columns of a file: a field is what its name says.
fn bucket(name: &Name, wanted: &Bucket, all: &mut Vec<Error>) {
    let at = format!("/buckets/{name}");
    if wanted.id != OBJECT_ID {
        let message = format!("a bucket of a catalog has its ids in `{OBJECT_ID}`");
        let hint = format!("leave `id` out, and call the column of manifests `{OBJECT_ID}`");
        all.push(refused(message, format!("{at}/id"), &hint));
    }
    for (field, declared) in &wanted.schema {
        let at = format!("{at}/schema/{field}");
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if !field.bytes().all(plain) || field.starts_with('_') || field == OBJECT_ID {
            let hint = "letters, digits, `_` and `-`, no `_` first, not `object_id`";
            let message = format!("`{field}` is not a name of a field in a catalog");
            all.push(refused(message, at.clone(), hint));
        }
        let BucketField::Column { kind, column, uri } = declared else { continue };
        if column.as_ref().is_some_and(|column| column != field) {
            let message = format!("field `{field}` of a catalog can not have another column");
            let hint = format!("call the column `{field}`, or the field as the column");
            all.push(refused(message, format!("{at}/column"), &hint));
        }
        let same = uri.as_ref().is_none_or(|uri| uri == field);
        if !same || (uri.is_some() && !is_blob(*kind)) {
            let message = format!("field `{field}` of a catalog can not be in column `uri` names");
            let hint = match same {
                true => "leave `uri` out: texts of a catalog's objects are values".to_string(),
                false => format!("call the column `{field}` and leave `uri` out"),
            };
            all.push(refused(message, format!("{at}/uri"), &hint));
        }
    }
}

/// The pipeline as the catalog makes it of its buckets and collections, to be checked as such.
pub(super) fn carried(pipeline: &Pipeline) -> Pipeline {
    let mut carried = pipeline.clone();
    for bucket in carried.buckets.values_mut() {
        bucket.id = OBJECT_ID.to_string();
        for (field, declared) in &mut bucket.schema {
            let kind = declared.kind();
            *declared = match is_blob(kind) {
                true => BucketField::Column { kind, column: None, uri: Some(field.clone()) },
                false => BucketField::Type(kind),
            };
        }
    }
    for collection in carried.collections.values_mut() {
        collection.outputs.clear();
        collection.index.clear();
        collection.searchable = true;
    }
    carried
}

fn collection(name: &Name, wanted: &Collection, all: &mut Vec<Error>) {
    let at = format!("/collections/{name}");
    check_name("collection", name, at.clone(), all);
    let sources = wanted.source.list();
    if sources.iter().any(|source| source.starts_with("bucket:"))
        && sources.iter().any(|source| source.starts_with("collection:"))
    {
        let message = "a collection of a catalog reads buckets or collections, not both";
        let hint = "make two collections of it";
        all.push(refused(message, format!("{at}/source"), hint));
    }
    let renamed = wanted.outputs.iter().filter(|(output, field)| output != field);
    let renamed: BTreeMap<&String, &String> = renamed.collect();
    if let Some(output) = renamed.keys().next() {
        let message = "a catalog calls fields of documents as the extractor does";
        let hint = "leave `outputs` out, and use the extractor's own names";
        all.push(refused(message, format!("{at}/outputs/{output}"), hint));
    }
    if !wanted.index.is_empty() {
        let message = "a catalog's collection has no payload indexes of its own";
        let hint = "leave `index` out: filters work without";
        all.push(refused(message, format!("{at}/index"), hint));
    }
    if !wanted.searchable {
        let message = "all documents of a catalog are searchable";
        let hint = "leave `searchable` out";
        all.push(refused(message, format!("{at}/searchable"), hint));
    }
}
