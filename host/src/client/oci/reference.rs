//! `registry/repository:tag@sha256:digest`.

use crate::error::{Error, Result};
use std::fmt;

const HINT: &str = "write REGISTRY/REPOSITORY:TAG or REGISTRY/REPOSITORY@sha256:DIGEST, for \
                    instance ghcr.io/acme/my-extractor:1.0.0";
const REPOSITORY_BYTES_MAX: usize = 255;
const TAG_BYTES_MAX: usize = 128;
/// How people call it, and where it is.
const DOCKER_HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// Where a package is. At least one of tag and digest; with both, the digest counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    registry: String,
    repository: String,
    pub tag: Option<String>,
    pub digest: Option<String>,
}

impl Reference {
    pub fn parse(text: &str) -> Result<Reference> {
        let wrong =
            |why: &str| Err(Error::invalid(format!("`{text}` names no package: {why}")).hint(HINT));
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.to_string())),
            None => (text, None),
        };
        let Some((registry, rest)) = rest.split_once('/') else {
            return wrong("there is no registry");
        };
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag.to_string())),
            None => (rest, None),
        };
        let is_host = registry.contains(['.', ':']) || registry == "localhost";
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        if !is_host || !registry.chars().all(plain) {
            return wrong("its first part is no host");
        }
        if !is_repository(repository) {
            return wrong("the repository has other characters than a-z, 0-9, `.`, `_`, `-`, `/`");
        }
        if tag.as_deref().is_some_and(|tag| !is_tag(tag)) {
            return wrong("the tag has other characters than letters, digits, `.`, `_`, `-`");
        }
        if let Some(digest) = &digest {
            check_digest(digest)?;
        }
        let (registry, repository) = (registry.to_string(), repository.to_string());
        Ok(Reference { registry, repository, tag, digest })
    }

    /// As it was called.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Where it is.
    pub(super) fn host(&self) -> &str {
        let (name, host) = DOCKER_HUB;
        if self.registry == name { host } else { &self.registry }
    }

    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// What is asked for: the digest if there is one.
    pub fn wanted(&self) -> Option<&str> {
        self.digest.as_deref().or(self.tag.as_deref())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

fn is_repository(text: &str) -> bool {
    let part = |part: &str| {
        let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(inside)
            && part.ends_with(inside)
            && part.chars().all(|c| inside(c) || "._-".contains(c))
    };
    text.len() <= REPOSITORY_BYTES_MAX && text.split('/').all(part)
}

fn is_tag(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= TAG_BYTES_MAX
        && text.starts_with(inside)
        && text.chars().all(|c| inside(c) || ".-".contains(c))
}

pub(super) fn check_digest(text: &str) -> Result<()> {
    let hex = |text: &str| {
        text.len() == 64 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
    };
    match text.strip_prefix("sha256:").is_some_and(hex) {
        true => Ok(()),
        false => Err(Error::invalid(format!("`{text}` is no digest"))
            .hint("write sha256: and 64 hexadecimal digits")),
    }
}
