//! `quarry search`.

use super::documents::{self, Opened};
use super::options::GlobalOptions;
use super::{DONE, Done, filter, printer};
use crate::app::App;
use crate::error::{Code, Error, Result};
use crate::model::{Condition, Document, Filter, LINEAGE_FIELD, Operator, Vector};
use crate::sink::{Hit, Scroll, Search};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

/// Embeds the query with the collection's own extractor and finds the nearest documents. Dense and
/// sparse vectors are both asked and fused by reciprocal rank, unless --mode says otherwise.
#[derive(Args)]
#[command(before_help = "Example: quarry search passages \"freedom from fear\" --limit 3")]
pub(super) struct Arguments {
    collection: String,
    /// Text to look for
    #[arg(required_unless_present = "like", conflicts_with = "like")]
    query: Option<String>,
    /// Find documents like this one instead: a document id, or an object id of the collection
    #[arg(long, value_name = "DOCUMENT")]
    like: Option<String>,
    /// Where several namespaces have such a collection
    #[arg(long)]
    namespace: Option<String>,
    /// field=value (also != > >= < <= ~) or a JSON filter; may be repeated
    #[arg(long)]
    filter: Vec<String>,
    /// Documents at most
    #[arg(long, default_value_t = 10)]
    limit: usize,
    #[arg(long, value_enum, default_value_t = Mode::Hybrid)]
    mode: Mode,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// All vectors the extractor makes of a query
    Hybrid,
    Dense,
    Sparse,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let app = options.open()?;
    let opened = documents::open(&app, &arguments.collection, arguments.namespace.as_deref())?;
    let mut filter = filter::parse(&arguments.collection, &arguments.filter)?;
    let vectors = match (&arguments.query, &arguments.like) {
        (Some(query), _) => embed(&app, &opened, query)?,
        (None, Some(document)) => like(&app, &opened, document, &mut filter)?,
        (None, None) => return Err(Error::invalid("there is nothing to look for")),
    };
    let wanted = vectors.into_iter().filter(|(_, vector)| match vector {
        Vector::Dense(values) => {
            arguments.mode != Mode::Sparse && values.iter().any(|value| *value != 0.0)
        }
        Vector::Sparse(sparse) => arguments.mode != Mode::Dense && !sparse.indices.is_empty(),
        Vector::Multi(_) => arguments.mode != Mode::Sparse,
    });
    let vectors: Vec<(String, Vector)> = wanted.collect();
    let hits = match vectors.is_empty() {
        // A query without a single token finds nothing, which is an answer.
        true => Vec::new(),
        false => {
            let search = Search { vectors, filter: Some(filter), limit: arguments.limit };
            opened.sink.search(&opened.namespace, &search)?
        }
    };
    let rows: Vec<Value> = hits.iter().enumerate().map(|(at, hit)| row(at + 1, hit)).collect();
    printer::list(options, &rows, &COLUMNS);
    Ok(DONE)
}

/// The query's vectors under the names that the sink knows.
fn embed(app: &App, opened: &Opened, query: &str) -> Result<Vec<(String, Vector)>> {
    let extractor = app.engine.registry.by_digest(&opened.state.digest)?;
    let parameters = serde_json::from_str(&opened.state.parameters).map_err(|error| {
        Error::new(Code::Corrupt, "recorded parameters are no JSON").source(error)
    })?;
    let mut instance = extractor.instantiate(&parameters)?;
    if !instance.description().queries {
        let message = format!("extractor {} does not embed queries", opened.state.extractor);
        return Err(Error::invalid(message).hint("search with --like DOCUMENT instead"));
    }
    let embedded = instance.embed_query(query)?;
    let named = embedded.into_iter().filter_map(|(field, vector)| {
        opened.state.vectors.get(&field).map(|name| (name.clone(), vector))
    });
    Ok(named.collect())
}

/// The vectors of a document, which itself is left out of the answer.
fn like(
    app: &App,
    opened: &Opened,
    document: &str,
    filter: &mut Filter,
) -> Result<Vec<(String, Vector)>> {
    let namespace = opened.namespace.as_str();
    let found = match crate::model::DocumentId::parse(document) {
        Ok(_) => documents::find(app, document, Some(namespace), true)?.0,
        Err(_) => first_of(opened, document, filter)?,
    };
    if let Some(lineage) = crate::engine::lineage(&found) {
        filter.not.push(Condition::Field {
            field: format!("{LINEAGE_FIELD}.object"),
            operator: Operator::Eq,
            value: lineage.object.into(),
        });
    }
    let known: Vec<&String> = opened.state.vectors.values().collect();
    Ok(found.vectors.into_iter().filter(|(name, _)| known.contains(&name)).collect())
}

/// The first document of an object in the collection.
fn first_of(opened: &Opened, object: &str, filter: &Filter) -> Result<Document> {
    let mut filter = filter.clone();
    filter.and.push(Condition::Field {
        field: format!("{LINEAGE_FIELD}.object"),
        operator: Operator::Eq,
        value: object.into(),
    });
    let scroll = Scroll { filter: Some(filter), from: None, limit: 1, with_vectors: true };
    let mut page = opened.sink.scroll(&opened.namespace, &scroll)?;
    page.documents.pop().ok_or_else(|| {
        let message = format!("the collection has no document or object `{object}`");
        Error::new(Code::NotFound, message)
    })
}

fn row(rank: usize, hit: &Hit) -> Value {
    let mut value = documents::shown(&hit.document);
    value["rank"] = rank.into();
    value["score"] = json!(hit.score);
    let payload = &hit.document.payload;
    let telling = ["text", "caption", "title"].iter().find_map(|name| payload.get(*name));
    value["shown"] = telling.cloned().unwrap_or_else(|| value["payload"].clone());
    value
}

const COLUMNS: [printer::Column; 5] = [
    ("rank", "/rank"),
    ("score", "/score"),
    ("object", "/lineage/object"),
    ("document", "/document_id"),
    ("text", "/shown"),
];
