//! Where messages may go.

use crate::error::{Error, Result};
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::LazyLock;
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

/// IPv4 networks that are not the internet (IANA's registry of special purposes).
static NOT_PUBLIC: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    networks(&[
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        // What is not the internet within 2000::/3: protocols, tunnels to IPv4, documentation.
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    ])
});

/// All of IPv6 that is given out; everything else there is local, mapped or translated.
static GIVEN_OUT: LazyLock<Vec<IpNet>> = LazyLock::new(|| networks(&["2000::/3"]));

fn networks(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().expect("the networks are written right")).collect()
}

pub fn is_public(address: IpAddr) -> bool {
    let inside = |list: &[IpNet], address: IpAddr| list.iter().any(|net| net.contains(&address));
    match address {
        IpAddr::V4(_) => !inside(&NOT_PUBLIC, address),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public(IpAddr::V4(v4)),
            None => inside(&GIVEN_OUT, address) && !inside(&NOT_PUBLIC, address),
        },
    }
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
