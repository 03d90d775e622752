//! Where the server of a pool is.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use cinnabar_port::error::Result;

use super::{
    dial::{Dialler, Place},
    sentinel::Sentinels,
    wire::Wire,
};

/// What leads to a server.
#[derive(Clone)]
pub enum Source {
    /// Always the same place.
    Fixed(Place),
    /// Wherever the sentinels say that the primary is.
    Named(Arc<Sentinels>),
    /// Any node of a cluster, for what all of them hear.
    AnyOf(Arc<dyn Locate>),
}

/// Several servers, any of which will do.
pub trait Locate: fmt::Display + Send + Sync {
    /// A connection to one of them, and its place.
    fn dial(&self) -> Dialled<'_>;
}

/// What a dialled connection comes to.
pub type Dialled<'a> = Pin<Box<dyn Future<Output = Result<(Place, Wire)>> + Send + 'a>>;

impl Source {
    /// A connection to where the server is now, and that place.
    pub async fn dial(&self, dialler: &Arc<Dialler>) -> Result<(Place, Wire)> {
        match self {
            Self::Fixed(place) => Ok((place.clone(), dialler.dial(place).await?)),
            Self::Named(sentinels) => sentinels.dial(dialler).await,
            Self::AnyOf(servers) => servers.dial().await,
        }
    }

    /// Waits until the server is elsewhere, as far as anybody says so.
    pub async fn left(&self, place: &Place) {
        match self {
            Self::Fixed(_) | Self::AnyOf(_) => std::future::pending().await,
            Self::Named(sentinels) => sentinels.left(place).await,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(place) => place.fmt(f),
            Self::Named(sentinels) => sentinels.fmt(f),
            Self::AnyOf(servers) => servers.fmt(f),
        }
    }
}
