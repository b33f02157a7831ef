//! Names to addresses, of which only those are handed on to which the request may go.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::{Allowed, Trust};

/// Of hosts with more addresses, the others are left out.
const ADDRESSES_MAX: usize = 16;

/// What a lookup becomes.
pub type Lookup = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Looks names up. The system's resolver and those of tests implement it.
pub trait Names: Send + Sync {
    /// The addresses of a host.
    ///
    /// Errors: there is none, or nobody to ask.
    fn look_up(&self, host: &str) -> Lookup;
}

/// The names of this machine: /etc/hosts, its DNS servers, and whatever else it has been set up with.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNames;

impl Names for SystemNames {
    fn look_up(&self, host: &str) -> Lookup {
        let host = host.to_owned();
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((host.as_str(), 0)).await?;
            Ok(addresses.map(|address| address.ip()).collect())
        })
    }
}

/// The names as a client with a trust sees them.
pub(crate) struct Guarded {
    pub(crate) names: Arc<dyn Names>,
    pub(crate) trust: Trust,
    pub(crate) allowed: Allowed,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = self.names.look_up(name.as_str());
        let (trust, allowed) = (self.trust, self.allowed.clone());
        Box::pin(async move {
            let mut refused = None;
            let mut good = Vec::new();
            for address in lookup.await?.into_iter().take(ADDRESSES_MAX) {
                match trust.check(address, &allowed) {
                    // The port is the URL's.
                    Ok(()) => good.push(SocketAddr::new(address, 0)),
                    Err(why) => refused = Some(why),
                }
            }
            match (good.is_empty(), refused) {
                (true, Some(refused)) => Err(refused.into()),
                (true, None) => Err(io::Error::other("the name has no address").into()),
                (false, _) => Ok(Box::new(good.into_iter()) as Addrs),
            }
        })
    }
}
