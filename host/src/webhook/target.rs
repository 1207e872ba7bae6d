//! Where messages may go.

use crate::error::{Error, Result};
use crate::net::is_public;
use std::net::IpAddr;
use url::{Host, Url};

const URL_BYTES_MAX: usize = 2_048;
/// Where web servers are; others only for who may reach everything.
const PORTS: [u16; 2] = [443, 8443];

/// Which addresses may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// Those of the internet, over https.
    #[default]
    Public,
    /// All, over http too: for laboratories and tests.
    Private,
}

/// Whether a URL may be a target at all. What its name resolves to is checked at each connection.
pub fn check(text: &str, reach: Reach) -> Result<Url> {
    let refused = |why: &str| Error::invalid(format!("the URL can not be a target: {why}"));
    if text.len() > URL_BYTES_MAX {
        return Err(refused(&format!("it has more than {URL_BYTES_MAX} bytes")));
    }
    let url = Url::parse(text).map_err(|error| refused("it is not a URL").source(error))?;
    let allow = "whoever runs the server can allow it with --allow-private-targets";
    match (url.scheme(), reach) {
        ("https", _) | ("http", Reach::Private) => {}
        ("http", Reach::Public) => return Err(refused("it is not https").hint(allow)),
        _ => return Err(refused("it is not https")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("it has a user or password").hint("put them into a header"));
    }
    let address = match url.host() {
        None => return Err(refused("it has no host")),
        Some(Host::Domain(_)) => None,
        Some(Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
        Some(Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
    };
    if reach == Reach::Private {
        return Ok(url);
    }
    if address.is_some_and(|address| !is_public(address)) {
        return Err(refused("its address is not public").hint(allow));
    }
    let port = url.port_or_known_default().unwrap_or_default();
    if !PORTS.contains(&port) {
        return Err(refused("its port is neither 443 nor 8443").hint(allow));
    }
    Ok(url)
}
