//! Where the server of a pool is.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use cinnabar_port::error::Result;

use super::{dial::Dialler, endpoint::Endpoint, link::Link, sentinel::Sentinels};

/// How a server is found.
#[derive(Clone)]
pub enum Source {
    /// Always the same endpoint.
    Fixed(Endpoint),
    /// Wherever the sentinels say that the primary is.
    Named(Arc<Sentinels>),
    /// Any node of a cluster, for messages that all of them deliver.
    AnyOf(Arc<dyn Locate>),
}

/// Several servers, any of which will do.
pub trait Locate: fmt::Display + Send + Sync {
    /// Connects to one of them.
    fn dial<'a>(&'a self, dialler: &'a Dialler) -> Dialled<'a>;
}

/// A link, and the endpoint to which it leads.
pub type Dialled<'a> = Pin<Box<dyn Future<Output = Result<(Endpoint, Link)>> + Send + 'a>>;

impl Source {
    /// Connects to the server, wherever it is now.
    pub async fn dial(&self, dialler: &Arc<Dialler>) -> Result<(Endpoint, Link)> {
        match self {
            Self::Fixed(endpoint) => Ok((endpoint.clone(), dialler.dial(endpoint).await?)),
            Self::Named(sentinels) => sentinels.dial(dialler).await,
            Self::AnyOf(servers) => servers.dial(dialler).await,
        }
    }

    /// Waits until a sentinel names another endpoint; forever without sentinels.
    pub async fn moved_from(&self, endpoint: &Endpoint) {
        match self {
            Self::Fixed(_) | Self::AnyOf(_) => std::future::pending().await,
            Self::Named(sentinels) => sentinels.moved_from(endpoint).await,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(endpoint) => endpoint.fmt(f),
            Self::Named(sentinels) => sentinels.fmt(f),
            Self::AnyOf(servers) => servers.fmt(f),
        }
    }
}
