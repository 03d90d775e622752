//! Our settings in fred's words, with every default of fred's that is unsafe set otherwise.

use std::{sync::Arc, time::Duration};

use fred::{
    clients::Client,
    rustls::{ClientConfig, RootCertStore, crypto::ring},
    types::{
        Builder, RespVersion,
        config::{Config, ServerConfig, TcpConfig, TlsConnector, UnresponsiveConfig},
    },
};

use crate::{
    error::{Error, Result},
    settings::{Credentials, Server, Settings},
};

/// Builds a client that is exactly one connection: it never dials twice and never sends anything again.
///
/// Calls speak RESP2: the shapes that Lua scripts see, so that both engines answer alike. Subscriptions speak RESP3, where
/// a PING may stand between messages.
///
/// A client whose connection ends is thrown away and a new one is built, so that names are resolved anew and no state of
/// a half-dead connection survives.
pub fn client(settings: &Settings, version: RespVersion) -> Result<Client> {
    Builder::from_config(config(settings, version.clone())?)
        .with_connection_config(|connection| {
            connection.connection_timeout = settings.connect_timeout;
            connection.internal_command_timeout = settings.connect_timeout;
            connection.max_command_attempts = 1;
            connection.max_redirections = 0;
            connection.reconnect_on_auth_error = false;
            connection.reconnect_errors = Vec::new();
            connection.tcp = TcpConfig { nodelay: Some(true), ..TcpConfig::default() };
            connection.unresponsive = UnresponsiveConfig {
                max_timeout: Some(settings.timeout.max(Duration::from_secs(5))),
                interval: Duration::from_secs(1),
            };
        })
        .with_performance_config(|performance| {
            // Calls have a deadline of ours, over the whole call: a second clock for every round would only cost.
            let subscribes = version == RespVersion::RESP3;
            performance.default_command_timeout = if subscribes { settings.timeout } else { Duration::ZERO };
            // Room for a burst of messages; fred makes eight such channels at once, so calls do without.
            performance.broadcast_channel_capacity = if subscribes { 8192 } else { 16 };
        })
        .build()
        .map_err(|error| Error::settings(format!("these settings do not work together: {}", error.details())))
}

fn config(settings: &Settings, version: RespVersion) -> Result<Config> {
    let (username, password) = match &settings.credentials {
        Credentials::Fixed { username, password } => (username.clone(), password.clone()),
        Credentials::Provider(_) => (None, None),
    };
    let server = match &settings.server {
        Server::Tcp { host, port } => ServerConfig::new_centralized(host.as_str(), *port),
        Server::Unix(path) => ServerConfig::new_unix_socket(path),
        Server::Cluster(_) | Server::Sentinel { .. } => {
            return Err(Error::settings("Cluster and Sentinel cannot be reached yet"));
        }
        Server::Memory(_) => return Err(Error::settings("the embedded engine has no server to connect to")),
    };
    Ok(Config {
        server,
        fail_fast: true,
        username,
        password: password.map(|secret| secret.reveal().to_owned()),
        version,
        database: (settings.database != 0).then_some(settings.database),
        tls: if settings.tls.is_some() { Some(tls()?.into()) } else { None },
        ..Config::default()
    })
}

/// TLS with the public roots and the system's own. One unreadable system certificate does not spoil the rest.
fn tls() -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::settings("TLS cannot be set up").with_source(error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(config))
}
