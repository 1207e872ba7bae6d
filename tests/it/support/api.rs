//! The API in this process, over a data directory of its own: requests without a socket.

use super::quarry::components;
use quarry::api::{Api, Request, Settings};
use quarry::app::App;
use quarry::control::Control;
use quarry::plugin::Trust;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) struct Bed {
    pub(crate) api: Arc<Api>,
    pub(crate) app: App,
    folder: tempfile::TempDir,
}

/// What an operation answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        assert!((200..300).contains(&self.status), "{} {text}", self.status);
        self.json()
    }

    /// The envelope of an error with this status.
    #[track_caller]
    pub(crate) fn refused(self, status: u16) -> Value {
        let body = self.json();
        assert_eq!(self.status, status, "{body}");
        assert_eq!((&body["success"], &body["status"]), (&json!(false), &json!(status)));
        body["error"].clone()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

impl Bed {
    pub(crate) fn new() -> Bed {
        Bed::with(Settings::default())
    }

    /// With batches being run.
    pub(crate) fn running() -> Bed {
        let bed = Bed::new();
        bed.api.control().start_dispatch(4).unwrap();
        bed
    }

    pub(crate) fn with(settings: Settings) -> Bed {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        Bed::open(settings, folder, &data, None)
    }

    /// Over a data directory that is there already.
    pub(crate) fn over(data: &std::path::Path) -> Bed {
        Bed::open(Settings::default(), tempfile::tempdir().unwrap(), data, None)
    }

    /// With a clock that only moves when it is told to.
    pub(crate) fn at(now: &str) -> Bed {
        let now = chrono::DateTime::parse_from_rfc3339(now).unwrap().to_utc();
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        Bed::open(Settings::default(), folder, &data, Some(quarry::env::Env::fixed(now)))
    }

    /// That lets in what `trust` says.
    pub(crate) fn trusting(trust: Trust) -> Bed {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        Bed::open_with(Settings::default(), folder, &data, None, trust)
    }

    fn open(
        settings: Settings,
        folder: tempfile::TempDir,
        data: &std::path::Path,
        env: Option<quarry::env::Env>,
    ) -> Bed {
        Bed::open_with(settings, folder, data, env, Trust::default())
    }

    fn open_with(
        settings: Settings,
        folder: tempfile::TempDir,
        data: &std::path::Path,
        env: Option<quarry::env::Env>,
        trust: Trust,
    ) -> Bed {
        let mut app = App::open(&quarry::app::Settings {
            data_dir: data.to_path_buf(),
            cache_dir: None,
            artifacts: None,
            sink: "edge".to_string(),
            storage_options: Vec::new(),
            extractors: vec![
                components("QUARRY_EXTRACTORS", "extractors"),
                components("QUARRY_TEST_GUESTS", "test-guests"),
            ],
            workers: 2,
            patience: quarry::engine::Patience::default(),
            limits: quarry::plugin::Limits::default(),
            compiler: None,
            trust,
            limit_ceilings: Default::default(),
            compact_from_bytes: quarry::config::COMPACT_FROM_BYTES,
        })
        .unwrap();
        if let Some(env) = env {
            Arc::get_mut(&mut app.engine).unwrap().env = env;
        }
        let control = Control::open(app.engine.clone(), app.data_dir.clone()).unwrap();
        let api = Arc::new(Api::new(Arc::new(control), settings));
        Bed { api, app, folder }
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn send(&self, request: Request) -> Reply {
        let response = self.api.answer(&request);
        Reply { status: response.status, headers: response.headers, body: response.body }
    }

    /// `/path?query`, in the default namespace.
    pub(crate) fn request(&self, method: &str, target: &str, body: Option<Value>) -> Request {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Request {
            method: method.to_string(),
            path: path.to_string(),
            query: query.to_string(),
            request_id: "test".to_string(),
            body: body.map(|body| body.to_string().into_bytes()).unwrap_or_default(),
            ..Request::default()
        }
    }

    pub(crate) fn call(&self, method: &str, target: &str, body: Value) -> Reply {
        let body = (!body.is_null()).then_some(body);
        self.send(self.request(method, target, body))
    }

    pub(crate) fn get(&self, target: &str) -> Reply {
        self.call("GET", target, Value::Null)
    }

    pub(crate) fn post(&self, target: &str, body: Value) -> Reply {
        self.call("POST", target, body)
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        // The dispatcher holds the engine, and the folder goes.
        self.api.control().dispatch.drained_within(std::time::Duration::from_secs(60));
    }
}

/// What nobody can guess of a key: 43 characters of base64url, `_` among them, before `_` and the
/// checksum.
pub(crate) fn random_part(secret: &str) -> &str {
    let (body, _) = secret.rsplit_once('_').unwrap();
    &body[body.len() - 43..]
}
