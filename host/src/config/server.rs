//! What the program is set to: each value from the first place that has it, of flags, `QUARRY_*` in
//! the environment, `quarry.toml` here, the user's, the system's, and the defaults.

use super::{COMPACT_FROM_BYTES, locate};
use crate::error::{Code, Context, Error, Result};
use jsonschema::error::ValidationErrorKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

/// A file with settings may be this large.
const FILE_BYTES_MAX: u64 = 1 << 20;
const PREFIX: &str = "QUARRY_";
const HIDDEN: &str = "***";

/// Settings of the program. In a file each is a key of the same name, in the environment
/// `QUARRY_` and the name in capitals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where state, artifacts and vectors are.
    pub data_dir: PathBuf,
    /// Where compiled extractors are kept; `cache/` in the data directory if absent.
    pub cache_dir: Option<PathBuf>,
    /// Folders with extractor components, besides those beside the binary.
    pub extractors: Vec<PathBuf>,
    /// Public keys of those whose extractors are trusted, as in the `.pub` files of
    /// `quarry extractor key-gen`.
    pub trusted_keys: Vec<String>,
    /// Refuse extractors without a signature by a trusted key.
    pub require_signature: bool,
    /// URL of the object store for artifacts; a folder of the data directory if absent.
    pub artifacts: Option<String>,
    /// Options of object stores, such as `aws_endpoint`.
    pub storage_options: BTreeMap<String, String>,
    /// `edge` (in this process), `none`, or `qdrant://HOST:PORT`.
    pub sink: String,
    /// Worker threads; one for each core if absent.
    #[schemars(range(min = 1, max = 4096))]
    pub workers: Option<usize>,
    /// Milliseconds that one extractor call may take.
    #[schemars(range(min = 1))]
    pub call_ms_max: u64,
    /// Seconds of processor time that compiling one extractor may take.
    #[schemars(range(min = 1))]
    pub compile_seconds_max: u64,
    /// Bytes of memory that compiling one extractor may take, by address space.
    #[schemars(range(min = 268_435_456))]
    pub compile_memory_bytes_max: u64,
    /// Limits of every extractor by name, such as `memory_bytes_max`; those that are not here have
    /// their defaults.
    pub limits: BTreeMap<String, u64>,
    /// Up to where a grant may raise limits of one extractor, by name; without one it may only
    /// lower them.
    pub limit_ceilings: BTreeMap<String, u64>,
    /// Seconds to wait for a store or sink that is out of reach, or for a full disk.
    pub patience: u64,
    /// Bytes of the state's files from which they are written anew, while they are in use, when
    /// they have more than three times what is in them.
    pub compact_from_bytes: u64,
    /// Address and port of the server; port 0 takes a free one.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// Listen beyond this machine although there is no key.
    pub insecure: bool,
    /// Ask for a key from the beginning, not only once there is one.
    pub keys_required: bool,
    /// Requests that are worked on at once; others wait.
    #[schemars(range(min = 1, max = 65536))]
    pub requests_max: usize,
    /// Requests that are here at once, with those that wait; those beyond are refused.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub requests_waiting_max: usize,
    /// Requests of one key in a second; 0 for no limit.
    pub rate_per_second: u32,
    /// Requests of one key at once, after a pause; ten seconds' worth if absent.
    #[schemars(range(min = 1))]
    pub rate_burst: Option<NonZeroU32>,
    /// Seconds that requests may take to end once the server is told to stop.
    pub drain_seconds: u64,
    /// Origins whose pages may send requests, such as `https://console.example`.
    pub cors_origins: Vec<String>,
    /// Batches that are run at once, each of another namespace.
    #[schemars(range(min = 1, max = 256))]
    pub batches_max: usize,
    /// Send webhooks to private addresses and over http, too.
    pub allow_private_targets: bool,
    /// How the log is written.
    pub log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            data_dir: PathBuf::from("quarry-data"),
            cache_dir: None,
            extractors: Vec::new(),
            trusted_keys: Vec::new(),
            require_signature: false,
            artifacts: None,
            storage_options: BTreeMap::new(),
            sink: "edge".to_string(),
            workers: None,
            call_ms_max: 30_000,
            compile_seconds_max: 120,
            compile_memory_bytes_max: 2 << 30,
            limits: BTreeMap::new(),
            limit_ceilings: BTreeMap::new(),
            patience: 600,
            compact_from_bytes: COMPACT_FROM_BYTES,
            listen: SocketAddr::from(([127, 0, 0, 1], 7733)),
            insecure: false,
            keys_required: false,
            requests_max: 64,
            requests_waiting_max: 4096,
            rate_per_second: 1000,
            rate_burst: None,
            drain_seconds: 10,
            cors_origins: Vec::new(),
            batches_max: 4,
            allow_private_targets: false,
            log_format: LogFormat::Text,
        }
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(PathBuf),
    /// Name of the variable.
    Environment(String),
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Environment(name) => f.write_str(name),
            Origin::Flag => f.write_str("flag"),
        }
    }
}

/// Everything that settings are read from.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// Settings that were given as flags.
    pub flags: Map<String, Value>,
    pub environment: BTreeMap<String, String>,
    /// The later one counts more; those that are not there are passed over.
    pub files: Vec<PathBuf>,
    /// A file that has to be there, instead of the others.
    pub file: Option<PathBuf>,
}

/// The settings, and where each comes from.
#[derive(Debug, Clone)]
pub struct Resolved {
    pub config: Config,
    pub origins: BTreeMap<String, Origin>,
}

/// What an environment says: its variables, and the files that it points to.
pub fn places(environment: BTreeMap<String, String>) -> Places {
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let home = set("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(set("HOME")?).join(".config")));
    let mut files = vec![PathBuf::from("/etc/quarry/quarry.toml")];
    files.extend(home.map(|home| home.join("quarry").join("config.toml")));
    files.push(PathBuf::from("quarry.toml"));
    Places { files, environment, ..Places::default() }
}

pub fn resolve(places: &Places) -> Result<Resolved> {
    let mut values = Map::new();
    let mut origins = BTreeMap::new();
    let defaults = json!(Config::default());
    for name in defaults.as_object().into_iter().flat_map(Map::keys) {
        origins.insert(name.clone(), Origin::Default);
    }
    let mut add = |given: Map<String, Value>, origin: &dyn Fn(&str) -> Origin| {
        for (name, value) in given {
            origins.insert(name.clone(), origin(&name));
            values.insert(name, value);
        }
    };
    let present = places.files.iter().filter(|path| path.exists());
    let files: Vec<&PathBuf> = match &places.file {
        Some(file) => vec![file],
        None => present.collect(),
    };
    for path in files {
        add(read(path)?, &|_| Origin::File(path.clone()));
    }
    add(from_environment(&places.environment)?, &|name| Origin::Environment(variable(name)));
    add(places.flags.clone(), &|_| Origin::Flag);
    let config: Config = typed(Value::Object(values))?;
    Ok(Resolved { config, origins })
}

/// Reads one file and checks it by itself.
fn read(path: &Path) -> Result<Map<String, Value>> {
    let named = || format!("can not read the settings in {}", path.display());
    let size = std::fs::metadata(path).context(Code::NotFound, named)?.len();
    if size > FILE_BYTES_MAX {
        return Err(Error::invalid(format!("{} has {size} bytes", path.display())));
    }
    let text = std::fs::read_to_string(path).context(Code::Invalid, named)?;
    let explained = |error| locate::explain(error, path, &text);
    let table: Map<String, Value> =
        toml::from_str(&text).map_err(|error| explained(locate::syntax(&error)))?;
    typed(Value::Object(table.clone())).map_err(explained)?;
    Ok(table)
}

fn typed(values: Value) -> Result<Config> {
    let validator = jsonschema::validator_for(&Config::json_schema())
        .context(Code::Internal, || "the schema of the settings is broken".to_string())?;
    if let Some(error) = validator.iter_errors(&values).next() {
        let mut pointer = error.instance_path().as_str().to_string();
        if let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind()
            && let Some(name) = unexpected.first()
        {
            pointer = format!("{pointer}/{name}");
        }
        let message = format!("a setting does not fit: {}", error.masked());
        let error = Error::invalid(message).hint("`quarry config schema` lists all settings");
        return Err(if pointer.is_empty() { error } else { error.field(pointer) });
    }
    serde_path_to_error::deserialize(values).map_err(|error| {
        let path = error.path().to_string();
        Error::invalid(error.into_inner().to_string()).field(format!("/{}", path.replace('.', "/")))
    })
}

fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_uppercase())
}

/// Variables of the names of settings; others that begin so belong to somebody else.
fn from_environment(environment: &BTreeMap<String, String>) -> Result<Map<String, Value>> {
    let schema = Config::json_schema();
    let mut values = Map::new();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let variable = variable(name);
        let Some(text) = environment.get(&variable).filter(|text| !text.is_empty()) else {
            continue;
        };
        let value = parse(name, text, property);
        let value = value.map_err(|error| error.field(variable))?;
        values.insert(name.clone(), value);
    }
    Ok(values)
}

fn parse(name: &str, text: &str, schema: &Value) -> Result<Value> {
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let has = |kind: &str| kinds.contains(&kind);
    let wrong = |what: &str| Error::invalid(format!("`{text}` is not {what}"));
    if has("boolean") {
        return match text {
            "true" | "1" | "yes" => Ok(Value::Bool(true)),
            "false" | "0" | "no" => Ok(Value::Bool(false)),
            _ => Err(wrong("true or false")),
        };
    }
    if has("integer") {
        return text.parse::<u64>().map(Value::from).map_err(|_| wrong("a number"));
    }
    if has("array") {
        // Folders are separated as in PATH.
        let separator = if name == "extractors" { ':' } else { ',' };
        return Ok(text.split(separator).filter(|item| !item.is_empty()).collect());
    }
    if has("object") {
        let pairs = text.split(',').map(|pair| {
            let (key, value) = pair.split_once('=').ok_or_else(|| wrong("KEY=VALUE,…"))?;
            let value = match &schema["additionalProperties"]["type"] {
                Value::String(kind) if kind == "integer" => {
                    value.parse::<u64>().map_err(|_| wrong("NAME=NUMBER,…"))?.into()
                }
                _ => Value::from(value),
            };
            Ok((key.to_ascii_lowercase(), value))
        });
        return pairs.collect::<Result<Map<String, Value>>>().map(Value::Object);
    }
    Ok(text.into())
}

impl Config {
    pub fn json_schema() -> Value {
        schemars::schema_for!(Config).to_value()
    }

    /// Requests of one key, in a second and at once; `None` for no limit.
    pub fn rate(&self) -> Option<(NonZeroU32, NonZeroU32)> {
        let per_second = NonZeroU32::new(self.rate_per_second)?;
        let usual = per_second.saturating_mul(NonZeroU32::MIN.saturating_add(9));
        Some((per_second, self.rate_burst.unwrap_or(usual)))
    }

    /// As JSON, without what nobody else should read.
    pub fn shown(&self) -> Value {
        let mut shown = self.clone();
        for (name, value) in &mut shown.storage_options {
            if ["secret", "key", "token", "password", "credential"]
                .iter()
                .any(|word| name.contains(word))
            {
                *value = HIDDEN.to_string();
            }
        }
        shown.sink = without_password(&shown.sink);
        shown.artifacts = shown.artifacts.as_deref().map(without_password);
        json!(shown)
    }
}

/// A URL without the password and the query, which may hold a signature.
fn without_password(text: &str) -> String {
    let Ok(mut url) = url::Url::parse(text) else { return text.to_string() };
    if url.password().is_some() && url.set_password(Some(HIDDEN)).is_err() {
        return HIDDEN.to_string();
    }
    if url.query().is_some() {
        url.set_query(Some(HIDDEN));
    }
    match url.password().is_some() || url.query().is_some() {
        true => url.to_string(),
        false => text.to_string(),
    }
}
