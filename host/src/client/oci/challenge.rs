//! What a registry answers to somebody it does not know (RFC 9110 §11, distribution token
//! authentication).

use reqwest::Url;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Challenge {
    Basic,
    /// A token has to be got from `realm`.
    Bearer {
        realm: Url,
        scope: Option<String>,
        service: Option<String>,
    },
}

impl Challenge {
    /// The first challenge of a `WWW-Authenticate` header, if it is one that can be met.
    pub(super) fn parse(header: &str) -> Option<Challenge> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Challenge::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let all = parameters(rest);
        let value = |name: &str| {
            let found = all.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone())
        };
        let realm = Url::parse(&value("realm")?).ok()?;
        Some(Challenge::Bearer { realm, scope: value("scope"), service: value("service") })
    }
}

/// `name="value",…`; values in quotes may have commas.
fn parameters(mut text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while let Some((name, rest)) = text.split_once('=') {
        let name = name.trim_matches([' ', ',']).to_string();
        let (value, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(',').unwrap_or((rest, "")),
        };
        found.push((name, value.to_string()));
        text = after;
    }
    found
}
