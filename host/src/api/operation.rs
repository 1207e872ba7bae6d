//! One operation of the API: where it is, what it takes and gives, and the function that does it.
//! Router, description and checks are all made from this.

use super::call::Call;
use super::schema::{Collector, Definitions, kinds};
use crate::error::{Code, Context, Error, Result};
use crate::model::Scope;
use axum::http::Method;
use jsonschema::Validator;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::any::TypeId;
use std::sync::OnceLock;

/// Errors of one request that are told at most.
const ERRORS_MAX: usize = 20;

pub(super) struct Operation {
    pub(super) id: &'static str,
    pub(super) method: Method,
    /// With `{names}`, as in the description.
    pub(super) path: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    /// What a key has to be allowed.
    pub(super) scope: Scope,
    /// Nobody is asked for a key.
    pub(super) public: bool,
    /// The answer shows a secret, once: it is not kept for those who ask again.
    pub(super) secret: bool,
    /// Of the answer that is no error.
    pub(super) status: u16,
    /// Of an answer of the same shape that says no.
    pub(super) otherwise: Option<u16>,
    pub(super) query: Value,
    pub(super) body: Option<Body>,
    /// `None`: no content.
    pub(super) answer: Option<Value>,
    /// Content type of an answer that is not JSON.
    pub(super) gives: &'static str,
    pub(super) handler: Handler,
    /// Other spellings of fields of the body, and what they mean.
    aliases: Vec<(&'static str, &'static str)>,
    query_validator: OnceLock<Validator>,
}

pub(super) struct Body {
    pub(super) schema: Value,
    pub(super) required: bool,
    /// Bytes of it at most.
    pub(super) bytes_max: usize,
    /// `application/json`, or what else is taken as it is.
    pub(super) takes: &'static str,
    validator: OnceLock<Validator>,
}

type Parsed = Box<dyn Fn(&Call, Value, Value) -> Result<Value> + Send + Sync>;
type Plain = Box<dyn Fn(&Call, Value, &[u8]) -> Result<Plainly> + Send + Sync>;

pub(super) enum Handler {
    /// Query and body as JSON, checked.
    Json(Parsed),
    /// The body as it came.
    Plain(Plain),
}

/// An answer that may be something else than JSON.
pub(super) enum Plainly {
    Json(Value),
    /// With the status that the operation has for it.
    Otherwise(Value),
    /// With its `etag` in the head, too, as clients of object stores expect it.
    Tagged(Value),
    Bytes {
        content_type: String,
        bytes: Vec<u8>,
    },
}

/// The query of an operation that takes none.
#[derive(serde::Deserialize, JsonSchema)]
pub(super) struct NoQuery {}

/// All operations, while they are declared.
pub(super) struct Table {
    pub(super) operations: Vec<Operation>,
    pub(super) schemas: Collector,
    tag: &'static str,
}

impl Table {
    pub(super) fn new() -> Table {
        Table { operations: Vec::new(), schemas: Collector::new(), tag: "" }
    }

    /// What the next operations belong to.
    pub(super) fn tag(&mut self, tag: &'static str) {
        self.tag = tag;
    }

    pub(super) fn get<Q, R>(
        &mut self,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: fn(&Call, Q) -> Result<R>,
    ) -> &mut Operation
    where
        Q: DeserializeOwned + JsonSchema + 'static,
        R: Serialize + JsonSchema + 'static,
    {
        let run = move |call: &Call, query: Q, (): ()| handler(call, query);
        self.add(Method::GET, path, id, summary, run)
    }

    pub(super) fn post<Q, B, R>(
        &mut self,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: fn(&Call, Q, B) -> Result<R>,
    ) -> &mut Operation
    where
        Q: DeserializeOwned + JsonSchema + 'static,
        B: DeserializeOwned + JsonSchema + 'static,
        R: Serialize + JsonSchema + 'static,
    {
        self.add(Method::POST, path, id, summary, handler)
    }

    pub(super) fn put<Q, B, R>(
        &mut self,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: fn(&Call, Q, B) -> Result<R>,
    ) -> &mut Operation
    where
        Q: DeserializeOwned + JsonSchema + 'static,
        B: DeserializeOwned + JsonSchema + 'static,
        R: Serialize + JsonSchema + 'static,
    {
        self.add(Method::PUT, path, id, summary, handler)
    }

    pub(super) fn patch<Q, B, R>(
        &mut self,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: fn(&Call, Q, B) -> Result<R>,
    ) -> &mut Operation
    where
        Q: DeserializeOwned + JsonSchema + 'static,
        B: DeserializeOwned + JsonSchema + 'static,
        R: Serialize + JsonSchema + 'static,
    {
        self.add(Method::PATCH, path, id, summary, handler)
    }

    /// A body is allowed: some clients name what is to go in one.
    pub(super) fn delete<Q, B, R>(
        &mut self,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: fn(&Call, Q, B) -> Result<R>,
    ) -> &mut Operation
    where
        Q: DeserializeOwned + JsonSchema + 'static,
        B: DeserializeOwned + JsonSchema + 'static,
        R: Serialize + JsonSchema + 'static,
    {
        self.add(Method::DELETE, path, id, summary, handler)
    }

    /// `()` as body or answer: there is none. A body that JSON `null` fits may be left out.
    fn add<Q, B, R>(
        &mut self,
        method: Method,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: impl Fn(&Call, Q, B) -> Result<R> + Send + Sync + 'static,
    ) -> &mut Operation
    where
        Q: DeserializeOwned + JsonSchema + 'static,
        B: DeserializeOwned + JsonSchema + 'static,
        R: Serialize + JsonSchema + 'static,
    {
        let run: Parsed = Box::new(move |call, query, body| {
            let answer = handler(call, typed(query)?, typed(body)?)?;
            serde_json::to_value(answer)
                .context(Code::Internal, || format!("can not encode the answer of {id}"))
        });
        let nothing = TypeId::of::<()>();
        let body = (TypeId::of::<B>() != nothing).then(|| Body {
            schema: self.schemas.taken::<B>(),
            required: serde_json::from_value::<B>(Value::Null).is_err(),
            bytes_max: 2 << 20,
            takes: "application/json",
            validator: OnceLock::new(),
        });
        let answer = (TypeId::of::<R>() != nothing).then(|| self.schemas.given::<R>());
        let query = self.schemas.taken::<Q>();
        self.keep(method, path, id, summary, query, body, answer, Handler::Json(run))
    }

    /// An operation whose body is not JSON.
    pub(super) fn upload<Q, R>(
        &mut self,
        method: Method,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        bytes_max: usize,
        handler: fn(&Call, Q, &[u8]) -> Result<R>,
    ) -> &mut Operation
    where
        Q: DeserializeOwned + JsonSchema + 'static,
        R: Serialize + JsonSchema + 'static,
    {
        let run: Plain = Box::new(move |call, query, bytes| {
            let answer = handler(call, typed(query)?, bytes)?;
            let answer = serde_json::to_value(answer)
                .context(Code::Internal, || format!("can not encode the answer of {id}"))?;
            Ok(Plainly::Tagged(answer))
        });
        let schema = serde_json::json!({ "type": "string", "format": "binary" });
        let takes = "application/octet-stream";
        let validator = OnceLock::new();
        let body = Some(Body { schema, required: true, bytes_max, takes, validator });
        let answer = (TypeId::of::<R>() != TypeId::of::<()>()).then(|| self.schemas.given::<R>());
        let query = self.schemas.taken::<Q>();
        self.keep(method, path, id, summary, query, body, answer, Handler::Plain(run))
    }

    /// A read whose answer is not JSON.
    pub(super) fn download<Q>(
        &mut self,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        gives: &'static str,
        handler: fn(&Call, Q) -> Result<Plainly>,
    ) -> &mut Operation
    where
        Q: DeserializeOwned + JsonSchema + 'static,
    {
        let run: Plain = Box::new(move |call, query, _| handler(call, typed(query)?));
        let answer = Some(serde_json::json!({ "type": "string", "format": "binary" }));
        let query = self.schemas.taken::<Q>();
        let run = Handler::Plain(run);
        let operation = self.keep(Method::GET, path, id, summary, query, None, answer, run);
        operation.gives = gives;
        operation
    }

    /// A read that answers in one shape whether all is well, which `bool` says, or not (503).
    pub(super) fn check<R>(
        &mut self,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: fn(&Call) -> Result<(bool, R)>,
    ) -> &mut Operation
    where
        R: Serialize + JsonSchema + 'static,
    {
        let run: Plain = Box::new(move |call, _, _| {
            let (well, answer) = handler(call)?;
            let answer = serde_json::to_value(answer)
                .context(Code::Internal, || format!("can not encode the answer of {id}"))?;
            Ok(if well { Plainly::Json(answer) } else { Plainly::Otherwise(answer) })
        });
        let answer = Some(self.schemas.given::<R>());
        let query = self.schemas.taken::<NoQuery>();
        let run = Handler::Plain(run);
        let operation = self.keep(Method::GET, path, id, summary, query, None, answer, run);
        operation.otherwise = Some(503);
        operation
    }

    #[allow(clippy::too_many_arguments, reason = "it is the constructor of them all")]
    fn keep(
        &mut self,
        method: Method,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        query: Value,
        body: Option<Body>,
        answer: Option<Value>,
        handler: Handler,
    ) -> &mut Operation {
        let scope = match method.as_str() {
            "GET" => Scope::Read,
            "DELETE" => Scope::Delete,
            _ if id.starts_with("list_") => Scope::Read,
            _ => Scope::Write,
        };
        let status = if answer.is_some() { 200 } else { 204 };
        self.operations.push(Operation {
            id,
            method,
            path,
            tag: self.tag,
            summary,
            scope,
            public: false,
            secret: false,
            status,
            otherwise: None,
            query,
            body,
            answer,
            gives: "application/json",
            handler,
            aliases: Vec::new(),
            query_validator: OnceLock::new(),
        });
        self.operations.last_mut().expect("one was just added")
    }
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let pointer = match path.as_str() {
            "." => String::new(),
            path => format!("/{}", path.replace('.', "/")),
        };
        Error::invalid(error.into_inner().to_string()).field(pointer)
    })
}

impl Operation {
    pub(super) fn scope(&mut self, scope: Scope) -> &mut Operation {
        self.scope = scope;
        self
    }

    /// Whoever asks gets an answer, with a key or without.
    pub(super) fn public(&mut self) -> &mut Operation {
        self.public = true;
        self
    }

    /// The answer shows a secret that is shown once.
    pub(super) fn secret(&mut self) -> &mut Operation {
        self.secret = true;
        self
    }

    pub(super) fn status(&mut self, status: u16) -> &mut Operation {
        self.status = status;
        self
    }

    /// The body may call the field `name` by `other`, too.
    pub(super) fn alias(&mut self, other: &'static str, name: &'static str) -> &mut Operation {
        self.aliases.push((other, name));
        self
    }

    /// Bytes of the body at most, where it is not 2 MiB.
    pub(super) fn bytes_max(&mut self, bytes_max: usize) -> &mut Operation {
        if let Some(body) = &mut self.body {
            body.bytes_max = bytes_max;
        }
        self
    }

    /// The query as JSON: numbers and booleans where the schema wants them.
    pub(super) fn query(&self, text: &str, all: &Definitions) -> Checked {
        let schema = all.resolve(&self.query);
        let mut query = Map::new();
        for (name, text) in url::form_urlencoded::parse(text.as_bytes()) {
            let wanted = schema.pointer(&format!("/properties/{name}")).unwrap_or(&Value::Null);
            let value = coerce(&text, wanted);
            match query.get_mut(name.as_ref()) {
                Some(Value::Array(values)) => values.push(value),
                _ if kinds(wanted).contains(&"array") => {
                    query.insert(name.into_owned(), Value::Array(vec![value]));
                }
                _ => {
                    query.insert(name.into_owned(), value);
                }
            }
        }
        let query = Value::Object(query);
        let validator = self.query_validator.get_or_init(|| all.validator(&self.query));
        check(validator, query, "query parameter")
    }

    /// The body as JSON, checked.
    pub(super) fn body(&self, bytes: &[u8], all: &Definitions) -> Checked {
        let Some(body) = &self.body else {
            return match bytes.iter().all(u8::is_ascii_whitespace) {
                true => Ok(Value::Null),
                // Clients that always send something send an empty object.
                false
                    if serde_json::from_slice::<Value>(bytes)
                        .is_ok_and(|value| value.is_null() || value == serde_json::json!({})) =>
                {
                    Ok(Value::Null)
                }
                false => Err((Error::invalid("this operation takes no body"), Vec::new())),
            };
        };
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return match body.required {
                true => Err((Error::invalid("the body is missing"), Vec::new())),
                false => Ok(Value::Null),
            };
        }
        let mut value: Value = serde_json::from_slice(bytes)
            .map_err(|error| (Error::invalid("the body is not JSON").source(error), Vec::new()))?;
        if let Value::Object(fields) = &mut value {
            for (other, name) in &self.aliases {
                if !fields.contains_key(*name)
                    && let Some(given) = fields.remove(*other)
                {
                    fields.insert(name.to_string(), given);
                }
            }
        }
        let validator = body.validator.get_or_init(|| all.validator(&body.schema));
        check(validator, value, "body")
    }
}

/// A value that fits its schema, or an error and all places that do not fit.
pub(super) type Checked = std::result::Result<Value, (Error, Vec<Value>)>;

fn check(validator: &Validator, value: Value, what: &str) -> Checked {
    let errors: Vec<Value> = validator
        .iter_errors(&value)
        .take(ERRORS_MAX)
        .map(|error| {
            let message = error.masked().to_string();
            serde_json::json!({ "pointer": error.instance_path().as_str(), "message": message })
        })
        .collect();
    let Some(first) = errors.first() else { return Ok(value) };
    let text = |key: &str| first[key].as_str().unwrap_or_default().to_string();
    let error = Error::invalid(format!("the {what} does not fit: {}", text("message")));
    Err((error.field(text("pointer")), errors))
}

fn coerce(text: &str, schema: &Value) -> Value {
    let items = schema.get("items").unwrap_or(&Value::Null);
    let kinds = match kinds(schema) {
        kinds if kinds.contains(&"array") => self::kinds(items),
        kinds => kinds,
    };
    let number = || kinds.iter().any(|kind| matches!(*kind, "integer" | "number"));
    match text {
        "true" | "false" if kinds.contains(&"boolean") => Value::Bool(text == "true"),
        _ if number() => {
            serde_json::from_str(text).ok().filter(Value::is_number).unwrap_or_else(|| text.into())
        }
        _ => text.into(),
    }
}
