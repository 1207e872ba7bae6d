//! Who somebody is to a registry: from the file that `docker login` and its like write.

use crate::error::{Code, Context, Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const FILE_BYTES_MAX: u64 = 1 << 20;
/// How the file calls Docker Hub.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";
/// User name of what is no password but a token for another kind of login.
const IDENTITY: &str = "<token>";

/// There is no `Debug` for it.
pub struct Credentials {
    pub user: String,
    pub secret: String,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct File {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Helped {
    username: String,
    secret: String,
}

impl Credentials {
    /// For a registry, from a `config.json`; `None` if the file is not there or does not know it.
    pub fn find(file: &Path, registry: &str) -> Result<Option<Credentials>> {
        let named = || format!("can not read {}", file.display());
        match std::fs::metadata(file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            found if found.as_ref().is_ok_and(|found| found.len() > FILE_BYTES_MAX) => {
                return Err(Error::invalid(format!("{} is too large", file.display())));
            }
            _ => {}
        }
        let text = std::fs::read(file).context(Code::Invalid, named)?;
        let known: File = serde_json::from_slice(&text).context(Code::Invalid, named)?;
        let name = if registry == "docker.io" { DOCKER_HUB } else { registry };
        if let Some(helper) = known.cred_helpers.get(name).or(known.creds_store.as_ref()) {
            return help(helper, name);
        }
        let found = known.auths.iter().find(|(key, _)| {
            let key = key.as_str();
            let host = key.strip_prefix("https://").or(key.strip_prefix("http://"));
            key == name || host.unwrap_or(key).trim_end_matches('/') == name
        });
        found.map_or(Ok(None), |(_, entry)| entry.read().context(Code::Invalid, named))
    }

    /// `Authorization` of HTTP.
    pub(super) fn basic(&self) -> String {
        format!("Basic {}", BASE64.encode(format!("{}:{}", self.user, self.secret)))
    }
}

impl Entry {
    fn read(&self) -> std::result::Result<Option<Credentials>, String> {
        if let (Some(user), Some(secret)) = (&self.username, &self.password) {
            return Ok(Some(Credentials { user: user.clone(), secret: secret.clone() }));
        }
        let Some(auth) = self.auth.as_ref().filter(|auth| !auth.is_empty()) else {
            return Ok(None);
        };
        let decoded = BASE64.decode(auth).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let pair = decoded.as_deref().and_then(|text| text.split_once(':'));
        let (user, secret) = pair.ok_or("`auth` is not base64 of user:password")?;
        Ok(Some(Credentials { user: user.to_string(), secret: secret.to_string() }))
    }
}

/// Asks a program that keeps credentials, as Docker does.
fn help(helper: &str, registry: &str) -> Result<Option<Credentials>> {
    let program = format!("docker-credential-{helper}");
    let named = || format!("{program} does not answer");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !helper.chars().all(plain) {
        return Err(Error::invalid(format!("`{helper}` is no name of a credential helper")));
    }
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context(Code::Unavailable, named)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(registry.as_bytes()).context(Code::Unavailable, named)?;
    }
    let answer = child.wait_with_output().context(Code::Unavailable, named)?;
    // So it says that it knows nobody there.
    if !answer.status.success() {
        return Ok(None);
    }
    let found: Helped = serde_json::from_slice(&answer.stdout).context(Code::Unavailable, named)?;
    if found.username == IDENTITY {
        let message = format!("{program} has an identity token, which is not supported");
        return Err(Error::new(Code::Unsupported, message)
            .hint(format!("log in to {registry} with a user and a password or access token")));
    }
    Ok(Some(Credentials { user: found.username, secret: found.secret }))
}
