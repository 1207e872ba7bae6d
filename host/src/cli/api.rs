//! `quarry api`: every operation of the REST API from the command line.

use super::options::{GlobalOptions, Output};
use super::reach::{Ask, Server, encoded, succeeded};
use super::{DONE, Done, printer, wrong_option};
use crate::api::{self, Shape};
use crate::client::Received;
use crate::error::{Code, Context, Error, Result};
use clap::Args;
use serde_json::{Value, json};
use std::io::{Read, Write as _};
use std::path::PathBuf;

/// Calls an operation of the REST API: `list` shows them all, `schema` prints their description
#[derive(Args)]
#[command(before_help = EXAMPLE)]
pub(super) struct Arguments {
    /// Its id, or list, or schema
    operation: String,
    /// A part of its path; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    path: Vec<String>,
    /// A parameter of its query; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    query: Vec<String>,
    /// JSON, @FILE, or - for what comes in
    #[arg(long, value_name = "JSON|@FILE|-")]
    body: Option<String>,
    /// Id or name
    #[arg(long)]
    namespace: Option<String>,
    /// Requests with the same one are done once
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Only if it is unchanged since a read answered with this ETag
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
    /// File for the answer
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

const EXAMPLE: &str = "\
Example: quarry api create_bucket --body '{\"bucket_name\": \"talks\", \"bucket_schema\": {}}'
         quarry api get_bucket --path bucket_identifier=talks";

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let operations = api::operations();
    match arguments.operation.as_str() {
        "list" => list(options, &operations),
        "schema" => {
            let text = serde_json::to_string_pretty(&api::description())
                .context(Code::Internal, || "can not print the description".to_string())?;
            printer::text(&text);
        }
        id => call(options, arguments, find(&operations, id)?)?,
    }
    Ok(DONE)
}

fn list(options: &GlobalOptions, operations: &[Shape]) {
    let rows: Vec<Value> = operations
        .iter()
        .map(|shape| {
            json!({
                "operation": shape.id,
                "method": shape.method,
                "path": shape.path,
                "query": shape.query,
                "takes": shape.takes,
                "tag": shape.tag,
                "summary": shape.summary,
            })
        })
        .collect();
    let columns = [
        ("operation", "/operation"),
        ("method", "/method"),
        ("path", "/path"),
        ("summary", "/summary"),
    ];
    printer::list(options, &rows, &columns);
}

fn find<'a>(operations: &'a [Shape], id: &str) -> Result<&'a Shape> {
    operations.iter().find(|shape| shape.id == id).ok_or_else(|| {
        let like = operations.iter().filter(|shape| shape.id.contains(id)).take(5);
        let like: Vec<&str> = like.map(|shape| shape.id).collect();
        let hint = match like.is_empty() {
            true => "`quarry api list` shows all of them".to_string(),
            false => format!("there is {}", like.join(", ")),
        };
        Error::new(Code::NotFound, format!("there is no operation `{id}`")).hint(hint)
    })
}

fn call(options: &GlobalOptions, arguments: &Arguments, shape: &Shape) -> Result<()> {
    let ask = Ask {
        method: shape.method.clone(),
        path: path(shape, &arguments.path)?,
        query: query(&arguments.query)?,
        namespace: arguments.namespace.clone(),
        idempotency_key: arguments.idempotency_key.clone(),
        if_match: arguments.if_match.clone(),
        last_event_id: None,
        content_type: shape.takes.unwrap_or("application/json"),
        body: body(arguments.body.as_deref())?,
    };
    let makes = shape.method != "GET";
    let received = succeeded(arguments.server.reach(options, makes)?.send(ask)?)?;
    print(options, arguments, &received)
}

fn pair<'a>(option: &str, given: &'a str) -> Result<(&'a str, &'a str)> {
    given.split_once('=').ok_or_else(|| wrong_option(option, given, "write NAME=VALUE"))
}

/// The template with what was given for its parts.
fn path(shape: &Shape, given: &[String]) -> Result<String> {
    let mut path = shape.path.to_string();
    for given in given {
        let (name, value) = pair("--path", given)?;
        let part = format!("{{{name}}}");
        if !path.contains(&part) {
            return Err(wrong_option("--path", given, &format!("the path is {}", shape.path)));
        }
        path = path.replace(&part, &encoded(value));
    }
    if path.contains('{') {
        let error = Error::invalid(format!("parts of the path are missing: {path}"));
        return Err(error.field("--path").hint("write --path NAME=VALUE for each"));
    }
    Ok(path)
}

fn query(given: &[String]) -> Result<String> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for given in given {
        let (name, value) = pair("--query", given)?;
        query.append_pair(name, value);
    }
    Ok(query.finish())
}

fn body(given: Option<&str>) -> Result<Vec<u8>> {
    match given {
        None => Ok(Vec::new()),
        Some("-") => {
            let mut bytes = Vec::new();
            std::io::stdin()
                .read_to_end(&mut bytes)
                .context(Code::Invalid, || "can not read the body that comes in".to_string())?;
            Ok(bytes)
        }
        Some(given) => match given.strip_prefix('@') {
            Some(file) => {
                std::fs::read(file).context(Code::NotFound, || format!("can not read {file}"))
            }
            None => Ok(given.as_bytes().to_vec()),
        },
    }
}

fn print(options: &GlobalOptions, arguments: &Arguments, received: &Received) -> Result<()> {
    if let Some(file) = &arguments.out {
        return std::fs::write(file, &received.body)
            .context(Code::Unavailable, || format!("can not write {}", file.display()));
    }
    let json = received.content_type.starts_with("application/json");
    let value: Option<Value> =
        if json { serde_json::from_slice(&received.body).ok() } else { None };
    match value {
        Some(value) => printed(options, &value),
        // A closed pipe ends the program quietly.
        None if std::io::stdout().write_all(&received.body).is_err() => std::process::exit(0),
        None => {}
    }
    Ok(())
}

/// For people with line breaks; the items of a list one by one where lines are asked for.
fn printed(options: &GlobalOptions, value: &Value) {
    match (options.output, value["results"].as_array()) {
        (Output::Table, _) => printer::text(&format!("{value:#}")),
        (Output::Ndjson, Some(items)) => {
            items.iter().for_each(|item| printer::text(&item.to_string()));
        }
        (Output::Json | Output::Ndjson, _) => printer::text(&value.to_string()),
    }
}
