//! `quarry documents`, and how documents are shown.

use super::options::GlobalOptions;
use super::{DONE, Done, filter, printer};
use crate::app::App;
use crate::artifact::Artifacts;
use crate::error::{Code, Context, Error, Result};
use crate::model::{Document, DocumentId, LINEAGE_FIELD, Name, Vector};
use crate::sink::{Scroll, VectorSink};
use crate::store::CollectionState;
use clap::Subcommand;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Subcommand)]
pub(super) enum Command {
    #[command(before_help = "Example: quarry documents list passages --filter year=1863 --limit 5")]
    /// Documents of a collection, by id.
    List {
        collection: String,
        /// Where several namespaces have such a collection
        #[arg(long)]
        namespace: Option<String>,
        /// field=value (also != > >= < <= ~) or a JSON filter; may be repeated
        #[arg(long)]
        filter: Vec<String>,
        /// Documents at most
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// Vectors as well (with --output json or ndjson)
        #[arg(long)]
        vectors: bool,
    },
    #[command(before_help = "Example: quarry documents get doc_0a1b2c3d4e5f40718293a4b5c6d7e8f9")]
    /// One document; --blob writes one of its blobs to a file.
    Get {
        id: String,
        #[arg(long)]
        namespace: Option<String>,
        /// Vectors as well (with --output json or ndjson)
        #[arg(long)]
        vectors: bool,
        /// Field that holds a blob
        #[arg(long, value_name = "FIELD", requires = "to")]
        blob: Option<String>,
        /// File to write the blob to
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
}

/// A collection that a namespace of this data directory holds, and its sink.
pub(super) struct Opened {
    pub(super) namespace: Name,
    pub(super) state: CollectionState,
    pub(super) sink: Arc<dyn VectorSink>,
}

pub(super) fn run(options: &GlobalOptions, command: &Command) -> Done {
    match command {
        Command::List { collection, namespace, filter, limit, vectors } => {
            let app = options.open()?;
            let opened = open(&app, collection, namespace.as_deref())?;
            let scroll = Scroll {
                filter: Some(filter::parse(collection, filter)?),
                from: None,
                limit: *limit,
                with_vectors: *vectors,
            };
            let page = opened.sink.scroll(&opened.namespace, &scroll)?;
            let rows: Vec<Value> = page.documents.iter().map(shown).collect();
            printer::list(options, &rows, &columns());
        }
        Command::Get { id, namespace, vectors, blob, to } => {
            let app = options.open()?;
            let (document, namespace) = find(&app, id, namespace.as_deref(), *vectors)?;
            if let (Some(field), Some(file)) = (blob, to) {
                return save_blob(options, &app, &namespace, &document, field, file);
            }
            let columns = columns();
            printer::one(options, &shown(&document), &columns);
        }
    }
    Ok(DONE)
}

/// Finds the namespace that has the collection.
pub(super) fn open(app: &App, collection: &str, namespace: Option<&str>) -> Result<Opened> {
    let all = app.engine.store.namespaces()?;
    let mut found = Vec::new();
    let mut known = Vec::new();
    for (name, record) in all {
        for (key, state) in record.collections {
            known.push(format!("{key} (namespace {name})"));
            if key == collection && namespace.is_none_or(|wanted| wanted == name.as_str()) {
                found.push((name.clone(), state));
            }
        }
    }
    let hint = match known.is_empty() {
        true => "no batch has finished here yet".to_string(),
        false => format!("there is {}", known.join(", ")),
    };
    match found.len() {
        0 => {
            let message = format!("there is no collection `{collection}` with documents");
            Err(Error::new(Code::NotFound, message).hint(hint))
        }
        1 => {
            let (namespace, state) = found.remove(0);
            let sink = app.sink(&state.sink)?.ok_or_else(|| {
                let message = format!("collection `{collection}` was run with --sink none");
                Error::new(Code::Conflict, message).hint("run it again with a sink to search it")
            })?;
            Ok(Opened { namespace, state, sink })
        }
        _ => Err(Error::invalid(format!("several namespaces have a collection `{collection}`"))
            .hint("name one with --namespace")),
    }
}

/// A document by id, looked for in every sink that namespaces of this data directory use.
pub(super) fn find(
    app: &App,
    id: &str,
    namespace: Option<&str>,
    with_vectors: bool,
) -> Result<(Document, Name)> {
    let id = DocumentId::parse(id)?;
    for (name, record) in app.engine.store.namespaces()? {
        if namespace.is_some_and(|wanted| wanted != name.as_str()) {
            continue;
        }
        let mut sinks: Vec<&str> = record.collections.values().map(|c| c.sink.as_str()).collect();
        sinks.sort_unstable();
        sinks.dedup();
        for sink in sinks {
            let Some(sink) = app.sink(sink)? else { continue };
            if let Some(document) = sink.get(&name, &[id], with_vectors)?.pop() {
                return Ok((document, name));
            }
        }
    }
    Err(Error::new(Code::NotFound, format!("there is no document {id}")))
}

/// The payload with id, lineage and vectors beside it.
pub(super) fn shown(document: &Document) -> Value {
    let mut payload = document.payload.clone();
    let lineage = payload.remove(LINEAGE_FIELD).unwrap_or(Value::Null);
    let mut value = json!({
        "document_id": document.id.to_string(),
        "payload": payload,
        "lineage": lineage,
    });
    if !document.vectors.is_empty() {
        let vectors = document.vectors.iter().map(|(name, vector)| {
            let value = match vector {
                Vector::Dense(values) => json!(values),
                Vector::Sparse(sparse) => {
                    json!({ "indices": sparse.indices, "values": sparse.values })
                }
                Vector::Multi(rows) => json!(rows),
            };
            (name.clone(), value)
        });
        value["vectors"] = Value::Object(vectors.collect());
    }
    value
}

pub(super) fn columns() -> Vec<printer::Column> {
    vec![
        ("document", "/document_id"),
        ("object", "/lineage/object"),
        ("position", "/lineage/position"),
        ("collection", "/lineage/collection"),
        ("payload", "/payload"),
    ]
}

fn save_blob(
    options: &GlobalOptions,
    app: &App,
    namespace: &Name,
    document: &Document,
    field: &str,
    file: &PathBuf,
) -> Done {
    let reference = document.payload.get(field).and_then(Value::as_str).unwrap_or("");
    let Some(digest) = reference.strip_prefix("blob:").filter(|digest| digest.len() == 64) else {
        let message = format!("field `{field}` of {} holds no blob", document.id);
        return Err(Error::invalid(message).field("--blob"));
    };
    let artifacts = blobs_of(app, namespace, document)?;
    let bytes = artifacts.get(&format!("{}/{digest}", &digest[..2]))?;
    std::fs::write(file, &bytes)
        .context(Code::Unavailable, || format!("can not write {}", file.display()))?;
    let report = json!({ "file": file, "bytes": bytes.len() });
    printer::one(options, &report, &[("file", "/file"), ("bytes", "/bytes")]);
    Ok(DONE)
}

/// The folder of blobs of the batch that wrote the document.
fn blobs_of(app: &App, namespace: &Name, document: &Document) -> Result<Artifacts> {
    let lineage = crate::engine::lineage(document)
        .ok_or_else(|| Error::new(Code::Corrupt, format!("{} has no lineage", document.id)))?;
    let batch = app.engine.store.batch(&crate::model::BatchId::parse(&lineage.batch)?)?;
    let root = Artifacts::open(
        &batch.artifacts,
        &app.engine.storage_options,
        app.runtime().handle().clone(),
    )?;
    Ok(root.folder(&format!("{namespace}/blobs")))
}
