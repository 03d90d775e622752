//! The engine and its address.

use std::fmt;

use super::Secret;

/// The engine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Server {
    /// The embedded engine; the same name is the same store within a process.
    Memory(String),
    /// A Redis or Valkey server.
    Tcp {
        /// Name or address.
        host: String,
        /// Its port.
        port: u16,
    },
    /// A server on this machine, by its socket's path.
    Unix(String),
    /// A cluster, by some of its nodes.
    Cluster(Vec<Address>),
    /// The server that sentinels name as the primary.
    Sentinel {
        /// Some of the sentinels.
        addresses: Vec<Address>,
        /// The name of the primary at the sentinels. Defaults to `mymaster`.
        name: String,
        /// ACL user at the sentinels, which have passwords of their own.
        username: Option<String>,
        /// Password at the sentinels.
        password: Option<Secret>,
    },
}

/// The address of a server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// Name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// For messages; contains no secret.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(_) => f.write_str("memory"),
            Self::Tcp { host, port } => Address { host: host.clone(), port: *port }.fmt(f),
            Self::Unix(path) => write!(f, "unix:{path}"),
            Self::Cluster(nodes) => write!(f, "cluster {}", Listed(nodes)),
            Self::Sentinel { addresses, name, .. } => write!(f, "{name} at sentinels {}", Listed(addresses)),
        }
    }
}

/// Addresses with commas between them.
pub struct Listed<'a>(pub &'a [Address]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, address) in self.0.iter().enumerate() {
            write!(f, "{}{address}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}
