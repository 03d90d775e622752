//! Options given in code.

use std::time::Duration;

use super::{BreakerOptions, Driver, Provider, Secret, TlsOptions};

/// Options given in code; each takes precedence over the environment.
#[derive(Debug, Default)]
pub struct Options {
    /// A URL in any form that `REDIS_URL` can have.
    pub url: Option<String>,
    /// Used if there is no URL.
    pub host: Option<String>,
    /// Used if there is no URL.
    pub port: Option<u16>,
    /// What moves requests and replies over the connections. Defaults to the native driver.
    pub driver: Option<Driver>,
    /// The ACL user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// Queried for each connection, instead of user and password.
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
    /// How often a call is retried that is safe to send again.
    pub retry_attempts: Option<u32>,
    /// The first backoff before reconnecting.
    pub reconnect_first_wait: Option<Duration>,
    /// The longest backoff before reconnecting.
    pub reconnect_longest_wait: Option<Duration>,
    /// Most calls that wait for a server.
    pub max_queued_calls: Option<usize>,
    /// Most bytes that wait for a server.
    pub max_queued_bytes: Option<usize>,
    /// How long a connection may be idle before it is checked.
    pub keepalive: Option<Duration>,
    /// Limit of the embedded engine's memory.
    pub max_bytes: Option<usize>,
    /// The circuit breaker.
    pub breaker: Option<BreakerOptions>,
    /// The credentials for sentinels.
    pub sentinel: Option<SentinelOptions>,
}

/// The credentials for sentinels.
#[derive(Debug, Clone, Default)]
pub struct SentinelOptions {
    /// The ACL user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
}
