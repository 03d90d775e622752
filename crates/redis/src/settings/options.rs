//! Options given in code.

use std::time::Duration;

use super::{BreakerOptions, Driver, Provider, Secret, TlsOptions};

/// Options given in code; each wins over the environment.
#[derive(Debug, Default)]
pub struct Options {
    /// Any form that `REDIS_URL` takes.
    pub url: Option<String>,
    /// Used when there is no URL.
    pub host: Option<String>,
    /// Used when there is no URL.
    pub port: Option<u16>,
    /// What moves requests and replies over the connections. Defaults to the native driver.
    pub driver: Option<Driver>,
    /// ACL user.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// Asked at each connection, instead of user and password.
    pub credentials: Option<Provider>,
    /// Encrypts the connection.
    pub tls: Option<TlsOptions>,
    /// Database number.
    pub database: Option<u8>,
    /// Most connections.
    pub pool_size: Option<u32>,
    /// How long a call may take.
    pub timeout: Option<Duration>,
    /// How long one attempt to connect may take.
    pub connect_timeout: Option<Duration>,
    /// How long a call waits for a connection.
    pub connect_wait: Option<Duration>,
    /// How often what is safe to repeat is repeated.
    pub retry_attempts: Option<u32>,
    /// First wait before dialling again.
    pub reconnect_first_wait: Option<Duration>,
    /// Longest wait before dialling again.
    pub reconnect_longest_wait: Option<Duration>,
    /// Most calls that wait for a server.
    pub max_queued_calls: Option<usize>,
    /// Most bytes that wait for a server.
    pub max_queued_bytes: Option<usize>,
    /// How long a connection may be idle before it is tried.
    pub keepalive: Option<Duration>,
    /// Bound of the embedded engine's memory.
    pub max_bytes: Option<usize>,
    /// The circuit breaker.
    pub breaker: Option<BreakerOptions>,
    /// User and password at the sentinels.
    pub sentinel: Option<SentinelOptions>,
}

/// Who the client is to the sentinels.
#[derive(Debug, Clone, Default)]
pub struct SentinelOptions {
    /// ACL user.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Secret>,
}
