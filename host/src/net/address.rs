//! Which addresses are the internet.

use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::LazyLock;

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
