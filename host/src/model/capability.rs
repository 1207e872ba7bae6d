//! What an extractor may ask for beside its input, output and log, and what it was granted.

use crate::error::{Error, Result};
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use url::{Host, Url};

/// An interface of the contract that is linked only when it was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    Http,
    Clock,
    Random,
    Environment,
    Assets,
}

impl Capability {
    pub const ALL: [Capability; 5] = [
        Capability::Http,
        Capability::Clock,
        Capability::Random,
        Capability::Environment,
        Capability::Assets,
    ];

    /// Name of its interface.
    pub fn as_str(self) -> &'static str {
        match self {
            Capability::Http => "http",
            Capability::Clock => "clock",
            Capability::Random => "random",
            Capability::Environment => "environment",
            Capability::Assets => "assets",
        }
    }

    /// The option of `quarry extractor grant`.
    pub fn option(self) -> &'static str {
        match self {
            Capability::Http => "--http HOST",
            Capability::Clock => "--clock",
            Capability::Random => "--random",
            Capability::Environment => "--env NAME",
            Capability::Assets => "--assets",
        }
    }
}

/// One of a description's `capabilities`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Those hosts, or whichever the operator grants.
    Http(Option<HostPattern>),
    Clock,
    Random,
    Environment(String),
    Assets,
}

impl Ask {
    pub fn capability(&self) -> Capability {
        match self {
            Ask::Http(_) => Capability::Http,
            Ask::Clock => Capability::Clock,
            Ask::Random => Capability::Random,
            Ask::Environment(_) => Capability::Environment,
            Ask::Assets => Capability::Assets,
        }
    }

    /// The words of `quarry extractor grant` that grant exactly this.
    pub fn option(&self) -> String {
        match self {
            Ask::Http(Some(pattern)) => format!("--http {pattern}"),
            Ask::Environment(name) => format!("--env {name}"),
            Ask::Http(None) | Ask::Clock | Ask::Random | Ask::Assets => {
                self.capability().option().to_string()
            }
        }
    }
}

impl FromStr for Ask {
    type Err = Error;

    fn from_str(text: &str) -> Result<Ask> {
        match text.split_once(':') {
            None => match text {
                "http" => Ok(Ask::Http(None)),
                "clock" => Ok(Ask::Clock),
                "random" => Ok(Ask::Random),
                "assets" => Ok(Ask::Assets),
                _ => Err(unknown(text)),
            },
            Some(("http", pattern)) => Ok(Ask::Http(Some(pattern.parse()?))),
            Some(("env", name)) => Ok(Ask::Environment(variable(name)?)),
            Some(_) => Err(unknown(text)),
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ask::Http(Some(pattern)) => write!(f, "http:{pattern}"),
            Ask::Environment(name) => write!(f, "env:{name}"),
            Ask::Http(None) | Ask::Clock | Ask::Random | Ask::Assets => {
                f.write_str(self.capability().as_str())
            }
        }
    }
}

fn unknown(text: &str) -> Error {
    Error::invalid(format!("`{text}` is no capability"))
        .hint("there are http, http:SCHEME://HOST, clock, random, env:NAME and assets")
}

/// Name of an environment variable.
pub fn variable(name: &str) -> Result<String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let digit_first = name.starts_with(|c: char| c.is_ascii_digit());
    if name.is_empty() || name.len() > 128 || digit_first || !name.bytes().all(fits) {
        return Err(Error::invalid(format!("`{name}` is not the name of a variable"))
            .hint("1 to 128 of A-Z, a-z, 0-9 and `_`, not starting with a digit"));
    }
    Ok(name.to_string())
}

/// `https://api.example.com`, `https://*.example.com` (all names below, not the name itself),
/// `http://10.1.2.3:8080`. Scheme and port have to be the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct HostPattern {
    scheme: String,
    below: bool,
    host: String,
    port: u16,
}

impl HostPattern {
    pub fn matches(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        self.scheme == url.scheme()
            && Some(self.port) == url.port_or_known_default()
            && self.matches_host(host, false)
    }

    fn matches_host(&self, host: &str, below: bool) -> bool {
        match self.below {
            true if host == self.host => below,
            true => host.strip_suffix(&self.host).is_some_and(|rest| rest.ends_with('.')),
            false => host == self.host && !below,
        }
    }

    /// Whether every URL that `other` matches is matched by this one, too.
    pub fn covers(&self, other: &HostPattern) -> bool {
        self.scheme == other.scheme
            && self.port == other.port
            && self.matches_host(&other.host, other.below)
    }
}

impl FromStr for HostPattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<HostPattern> {
        let wrong = |why: &str| {
            Error::invalid(format!("`{text}` is no pattern of hosts: {why}"))
                .hint("write https://api.example.com or https://*.example.com:8443")
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
        let (below, rest) = match rest.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let url = Url::parse(&format!("{scheme}://{rest}")).map_err(|e| wrong(&e.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("the scheme is neither http nor https"));
        }
        let bare = matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !bare {
            return Err(wrong("it has more than scheme, host and port"));
        }
        match url.host() {
            Some(Host::Domain(name)) if name.contains('*') => {
                return Err(wrong("a `*` stands only for all names below the rest"));
            }
            Some(Host::Domain(_)) => {}
            Some(Host::Ipv4(_) | Host::Ipv6(_)) if below => {
                return Err(wrong("an address has no names below it"));
            }
            Some(Host::Ipv4(_) | Host::Ipv6(_)) => {}
            None => return Err(wrong("it has no host")),
        }
        Ok(HostPattern {
            scheme: url.scheme().to_string(),
            below,
            host: url.host_str().unwrap_or_default().to_string(),
            port: url.port_or_known_default().unwrap_or_default(),
        })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HostPattern { scheme, host, port, .. } = self;
        let star = if self.below { "*." } else { "" };
        write!(f, "{scheme}://{star}{host}")?;
        match (scheme.as_str(), port) {
            ("https", 443) | ("http", 80) => Ok(()),
            (_, port) => write!(f, ":{port}"),
        }
    }
}

impl TryFrom<String> for HostPattern {
    type Error = Error;
    fn try_from(text: String) -> Result<HostPattern> {
        text.parse()
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> String {
        pattern.to_string()
    }
}

/// `10.1.0.0/16`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Network(pub IpNet);

impl FromStr for Network {
    type Err = Error;

    fn from_str(text: &str) -> Result<Network> {
        let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
        text.parse().ok().or_else(address).map(Network).ok_or_else(|| {
            Error::invalid(format!("`{text}` is not a network")).hint("write 10.1.0.0/16")
        })
    }
}

impl TryFrom<String> for Network {
    type Error = Error;
    fn try_from(text: String) -> Result<Network> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> String {
        network.0.to_string()
    }
}

/// A header that is added to requests to some hosts. Its value is never in a record: it is read
/// from the environment of the host when the request is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    pub hosts: HostPattern,
    /// Such as `authorization`.
    pub header: String,
    /// Environment variable with the whole value of the header.
    pub variable: String,
}

/// What an operator granted one component.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Grants {
    /// Hosts it may send requests to.
    pub http: Vec<HostPattern>,
    /// Networks beside the public internet that such a host may be in, such as `10.1.0.0/16`.
    pub networks: Vec<Network>,
    pub credentials: Vec<Credential>,
    pub clock: bool,
    pub random: bool,
    /// Names of environment variables it may read.
    pub environment: BTreeSet<String>,
    pub assets: bool,
    /// Limits of its own, by name, under the operator's ceilings.
    pub limits: BTreeMap<String, u64>,
}

impl Grants {
    pub fn is_empty(&self) -> bool {
        *self == Grants::default()
    }

    /// Exactly what is asked for; requests to whichever host are not among it.
    pub fn asked<'a>(asks: impl IntoIterator<Item = &'a Ask>) -> Grants {
        let mut grants = Grants::default();
        for ask in asks {
            match ask {
                Ask::Http(pattern) => grants.http.extend(pattern.clone()),
                Ask::Clock => grants.clock = true,
                Ask::Random => grants.random = true,
                Ask::Environment(name) => drop(grants.environment.insert(name.clone())),
                Ask::Assets => grants.assets = true,
            }
        }
        grants
    }

    pub fn covers(&self, ask: &Ask) -> bool {
        match ask {
            Ask::Http(Some(pattern)) => self.http.iter().any(|granted| granted.covers(pattern)),
            Ask::Environment(name) => self.environment.contains(name),
            Ask::Http(None) | Ask::Clock | Ask::Random | Ask::Assets => self.has(ask.capability()),
        }
    }

    /// Whether everything of `before` is still there.
    pub fn keeps(&self, before: &Grants) -> bool {
        before.http.iter().all(|hosts| self.http.contains(hosts))
            && before.networks.iter().all(|network| self.networks.contains(network))
            && before.credentials.iter().all(|one| self.credentials.contains(one))
            && before.environment.is_subset(&self.environment)
            && before.clock <= self.clock
            && before.random <= self.random
            && before.assets <= self.assets
    }

    /// Whether anything of the capability is granted.
    pub fn has(&self, capability: Capability) -> bool {
        match capability {
            Capability::Http => !self.http.is_empty(),
            Capability::Clock => self.clock,
            Capability::Random => self.random,
            Capability::Environment => !self.environment.is_empty(),
            Capability::Assets => self.assets,
        }
    }
}
