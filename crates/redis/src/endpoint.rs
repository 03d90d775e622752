//! Where a server listens.

use std::fmt;

use crate::settings::Address;

/// The address of a server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    Tcp(Address),
    Unix(String),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(Address { host, port }) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(Address { host, port }) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}
