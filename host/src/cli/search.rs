//! `quarry search`.

use super::documents;
use super::options::GlobalOptions;
use super::{DONE, Done, filter, printer};
use crate::control::search::{self, Looked, Question, Searchable};
use crate::error::Error;
use crate::model::Name;
use crate::sink::Hit;
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

impl From<Mode> for search::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Hybrid => search::Mode::Hybrid,
            Mode::Dense => search::Mode::Dense,
            Mode::Sparse => search::Mode::Sparse,
        }
    }
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let app = options.open()?;
    let opened = documents::open(&app, &arguments.collection, arguments.namespace.as_deref())?;
    let question = match (&arguments.query, &arguments.like) {
        (Some(query), _) => Question::Text(query.clone()),
        (None, Some(document)) => Question::Like(document.clone()),
        (None, None) => return Err(Error::invalid("there is nothing to look for")),
    };
    let space = Searchable {
        engine: &app.engine,
        sink: opened.sink.as_ref(),
        namespace: &opened.namespace,
        collection: &Name::parse(&arguments.collection)?,
        state: &opened.state,
    };
    let looked = Looked {
        question,
        mode: arguments.mode.into(),
        filter: Some(filter::parse(&arguments.collection, &arguments.filter)?),
        limit: arguments.limit,
    };
    let (hits, _) = search::search(&space, looked)?;
    let rows: Vec<Value> = hits.iter().enumerate().map(|(at, hit)| row(at + 1, hit)).collect();
    printer::list(options, &rows, &COLUMNS);
    Ok(DONE)
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
