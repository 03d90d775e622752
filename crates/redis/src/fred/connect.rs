//! Connects a client of fred to one endpoint.

use std::time::Duration;

use ::fred::{
    clients::Client,
    interfaces::{ClientLike, EventInterface},
    types::config::{
        Config, ConnectionConfig, PerformanceConfig, Server, ServerConfig, TcpConfig, TlsConfig, TlsConnector,
        TlsHostMapping,
    },
};
use cinnabar_port::error::Result;
use tokio_rustls::TlsConnector as Rustls;

use super::{Link, Task};
use crate::{endpoint::Endpoint, login::Login, settings::Address};

/// TLS, and the name that the certificate must be valid for.
pub type Encryption = (Rustls, String);

/// A client that is authenticated and has selected its database. It does not connect again, and sends each command once.
///
/// # Errors
/// `E_UNAVAILABLE`, whatever it was: fred keeps only the text of an error. No caller's request was sent.
pub async fn connect(
    endpoint: &Endpoint,
    login: &Login<'_>,
    encryption: Option<Encryption>,
    limit: Duration,
) -> Result<Link> {
    let (connector, tls_server_name) = encryption.unzip();
    let server = match endpoint {
        Endpoint::Tcp(Address { host, port }) => ServerConfig::Centralized {
            server: Server {
                host: host.as_str().into(),
                port: *port,
                tls_server_name: tls_server_name.map(Into::into),
            },
        },
        Endpoint::Unix(path) => ServerConfig::Unix { path: path.into() },
    };
    let (username, password) = credentials(login);
    let config = Config {
        server,
        username,
        password,
        database: Some(login.database).filter(|database| *database != 0),
        tls: connector
            .map(|connector| TlsConfig { connector: TlsConnector::Rustls(connector), hostnames: TlsHostMapping::None }),
        fail_fast: true,
        ..Config::default()
    };
    let connection = ConnectionConfig {
        connection_timeout: limit,
        internal_command_timeout: limit,
        max_command_attempts: 1,
        tcp: TcpConfig { nodelay: Some(true), ..TcpConfig::default() },
        ..ConnectionConfig::default()
    };
    let client = Client::new(config, Some(PerformanceConfig::default()), Some(connection), None);
    let mut connected = client.reconnect_rx();
    let mut task = Task(client.connect());
    tokio::select! {
        Ok(_) = connected.recv() => Ok(Link { client, task }),
        ended = &mut task.0 => match ended {
            Ok(Err(error)) => Err(super::connection_error(&error)),
            _ => Err(super::closed()),
        },
    }
}

/// User name and password for AUTH; a user without a password may give any.
fn credentials(login: &Login<'_>) -> (Option<String>, Option<String>) {
    let username = login.username.filter(|name| !name.is_empty());
    let password = login.password.filter(|password| !password.is_empty());
    match (username, password) {
        (None | Some("default"), None) => (None, None),
        (username, password) => (username.map(Into::into), Some(password.unwrap_or_default().into())),
    }
}
