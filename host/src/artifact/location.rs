//! Paths and URLs of object stores.

use crate::durable;
use crate::error::{Code, Context, Error, Result};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use url::Url;

const SCHEMES: [&str; 9] = ["file", "s3", "s3a", "gs", "az", "azure", "abfs", "http", "https"];

/// Where something is: an absolute local path or a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    Local(PathBuf),
    Remote(Url),
}

impl Location {
    pub fn parse(text: &str) -> Result<Location> {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        let is_path = match scheme {
            Some(_) => false,
            None => !text.starts_with("file:"),
        };
        if is_path {
            if text.is_empty() {
                return Err(Error::invalid("an empty path or URL"));
            }
            let path = std::path::absolute(text)
                .context(Code::Invalid, || format!("`{text}` is not a path"))?;
            return Ok(Location::Local(path));
        }
        let url = Url::parse(text).context(Code::Invalid, || format!("`{text}` is not a URL"))?;
        if !SCHEMES.contains(&url.scheme()) {
            return Err(Error::invalid(format!(
                "`{text}` has the unknown scheme `{}`",
                url.scheme()
            ))
            .hint(format!("known are {}", SCHEMES.join(", "))));
        }
        if url.scheme() == "file" {
            let path = url.to_file_path();
            return path
                .map(Location::Local)
                .map_err(|()| Error::invalid(format!("`{text}` is not a local file URL")));
        }
        if url.host_str().is_none_or(str::is_empty) {
            let message = format!("`{text}` names no bucket or host");
            return Err(Error::invalid(message).hint(format!("write {}://NAME/…", url.scheme())));
        }
        Ok(Location::Remote(url))
    }

    /// A local directory is created when `create` says so.
    pub(crate) fn open(
        &self,
        options: &[(String, String)],
        create: bool,
    ) -> Result<(Arc<dyn ObjectStore>, ObjectPath)> {
        match self {
            Location::Local(path) => {
                if create {
                    durable::create_directory(path).context(Code::Unavailable, || {
                        format!("can not create {}", path.display())
                    })?;
                }
                let base = ObjectPath::from_absolute_path(path).context(Code::Invalid, || {
                    format!("{} can not be an object path", path.display())
                })?;
                Ok((Arc::new(LocalFileSystem::new().with_fsync(true)), base))
            }
            Location::Remote(url) => {
                // The usual variables (AWS_ENDPOINT, GOOGLE_…, AZURE_…) first, explicit options
                // win.
                let environment = std::env::vars().filter_map(|(key, value)| {
                    let key = key.to_ascii_lowercase();
                    let known = ["aws_", "google_", "azure_"].iter().any(|p| key.starts_with(p));
                    known.then_some((key, value))
                });
                let given = options.iter().cloned();
                let (store, base) = object_store::parse_url_opts(url, environment.chain(given))
                    .context(Code::Invalid, || format!("can not use {url} as an object store"))?;
                Ok((Arc::from(store), base))
            }
        }
    }

    pub fn is_local_dir(&self) -> bool {
        matches!(self, Location::Local(path) if path.is_dir())
    }

    /// The place that relative references of a file here are relative to.
    pub fn parent(&self) -> Location {
        match self {
            Location::Local(path) => {
                Location::Local(path.parent().unwrap_or(Path::new("/")).to_path_buf())
            }
            Location::Remote(url) => {
                Location::Remote(url.join(".").unwrap_or_else(|_| url.clone()))
            }
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Local(path) => match Url::from_file_path(path) {
                Ok(url) => f.write_str(url.as_str().trim_end_matches('/')),
                Err(()) => write!(f, "{}", path.display()),
            },
            Location::Remote(url) => f.write_str(url.as_str().trim_end_matches('/')),
        }
    }
}

/// An absolute URL for a reference in a manifest whose folder is `base`.
pub fn resolve_url(reference: &str, base: &Location) -> Result<String> {
    if reference.contains("://") || reference.starts_with("file:") || reference.starts_with('/') {
        return Ok(Location::parse(reference)?.to_string());
    }
    match base {
        Location::Local(path) => Ok(Location::Local(path.join(reference)).to_string()),
        Location::Remote(url) => {
            let mut folder = url.clone();
            if !folder.path().ends_with('/') {
                folder.set_path(&format!("{}/", url.path()));
            }
            let joined = folder.join(reference).context(Code::Invalid, || {
                format!("`{reference}` can not be resolved below {url}")
            })?;
            // `mailto:x` is a URL of its own, and `\\host\x` one of another host.
            if (joined.scheme(), joined.host(), joined.port())
                != (folder.scheme(), folder.host(), folder.port())
            {
                let message = format!("`{reference}` is not a path below {url}");
                return Err(Error::invalid(message).hint("write a whole URL, as in https://…"));
            }
            Ok(joined.to_string())
        }
    }
}
