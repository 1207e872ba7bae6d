//! Names become addresses that may be connected to, and no others.

use super::is_public;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Looks a name up otherwise than the system does, for tests.
pub type Lookup = Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;

/// Looks names up and leaves out every address that is neither public nor in one of the networks:
/// the connection is made to what remains and to nothing else.
#[derive(Clone, Default)]
pub struct Guard {
    pub networks: Vec<IpNet>,
    pub lookup: Option<Lookup>,
}

impl Guard {
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.networks.iter().any(|network| network.contains(&address))
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = match &guard.lookup {
                Some(lookup) => {
                    lookup(name.as_str())?.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect()
                }
                None => tokio::net::lookup_host((name.as_str(), 0)).await?.collect(),
            };
            let allowed: Vec<SocketAddr> =
                found.into_iter().filter(|one| guard.allows(one.ip())).collect();
            if allowed.is_empty() {
                return Err("the name of the host has no public address".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
