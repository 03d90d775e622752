//! Where the server of a pool is: a fixed place, or whatever the sentinels say when they are asked.

use std::{fmt, sync::Arc};

use super::{
    dial::{Dialler, Place},
    sentinel::Sentinels,
    wire::Wire,
};
use crate::error::Result;

/// What leads to a server.
#[derive(Clone)]
pub enum Source {
    Fixed(Place),
    Sentinels(Arc<Sentinels>),
}

impl Source {
    /// A connection to where the server is now, and that place.
    pub async fn dial(&self, dialler: &Dialler) -> Result<(Place, Wire)> {
        match self {
            Self::Fixed(place) => Ok((place.clone(), dialler.dial(place).await?)),
            Self::Sentinels(sentinels) => sentinels.dial_primary(dialler).await,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(place) => place.fmt(f),
            Self::Sentinels(sentinels) => sentinels.fmt(f),
        }
    }
}
