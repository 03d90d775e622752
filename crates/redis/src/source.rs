//! Where the server of a pool is.

use std::{fmt, sync::Arc};

use cinnabar_port::error::Result;

use super::{
    cluster::Cluster,
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
    AnyOf(Arc<Cluster>),
}

impl Source {
    /// A connection to where the server is now, and that place.
    pub async fn dial(&self, dialler: &Arc<Dialler>) -> Result<(Place, Wire)> {
        match self {
            Self::Fixed(place) => Ok((place.clone(), dialler.dial(place).await?)),
            Self::Named(sentinels) => sentinels.dial(dialler).await,
            Self::AnyOf(cluster) => cluster.dial().await,
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
            Self::AnyOf(cluster) => cluster.fmt(f),
        }
    }
}
