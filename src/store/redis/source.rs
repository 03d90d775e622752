//! Where the server of a pool is.

use std::fmt;

use super::{
    dial::{Dialler, Place},
    wire::Wire,
};
use crate::error::Result;

/// What leads to a server.
#[derive(Clone)]
pub enum Source {
    /// Always the same place.
    Fixed(Place),
}

impl Source {
    /// A connection to where the server is now, and that place.
    pub async fn dial(&self, dialler: &Dialler) -> Result<(Place, Wire)> {
        match self {
            Self::Fixed(place) => Ok((place.clone(), dialler.dial(place).await?)),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(place) => place.fmt(f),
        }
    }
}
