//! The settings from options and the environment, validated once.

mod breaker;
mod credentials;
pub mod defaults;
mod driver;
mod environment;
mod host;
mod location;
mod options;
mod secret;
mod server;
mod tls;

use std::{num::NonZeroU16, time::Duration};

use cinnabar_port::error::{Error, Result};

pub use breaker::{BreakerOptions, BreakerSettings, Rate};
pub use credentials::{Asked, Credentials, Provider};
pub use driver::Driver;
pub use environment::Environment;
pub use host::is_host;
pub use options::{Options, SentinelOptions};
pub use secret::Secret;
pub use server::{Address, Listed, Server};
pub use tls::{Tls, TlsOptions, TlsSettings};

use location::Location;

/// The settings of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Settings {
    /// The server, or the embedded engine.
    pub server: Server,
    /// What moves requests and replies.
    pub driver: Driver,
    /// The credentials of the client.
    pub credentials: Credentials,
    /// How the connection is encrypted; absent when it is not.
    pub tls: Option<TlsSettings>,
    /// Database number, `/3` in a URL.
    pub database: u8,
    /// Most connections to one server.
    pub pool_size: u32,
    /// How long a call may take.
    pub timeout: Duration,
    /// How long one attempt to connect may take.
    pub connect_timeout: Duration,
    /// How long a call waits for a connection.
    pub connect_wait: Duration,
    /// How often an idempotent call is sent again after a lost connection.
    pub retry_attempts: u32,
    /// The first backoff before reconnecting, doubled each time.
    pub reconnect_first_wait: Duration,
    /// The longest backoff before reconnecting.
    pub reconnect_longest_wait: Duration,
    /// Most calls that wait for a server.
    pub max_queued_calls: usize,
    /// Most bytes that wait for a server.
    pub max_queued_bytes: usize,
    /// After being idle for this long, a connection is checked with a PING.
    pub keepalive: Duration,
    /// How long `disconnect` waits for what is in flight: 5 s.
    pub drain: Duration,
    /// Limit of the embedded engine's memory.
    pub max_bytes: usize,
    /// When a server counts as failing.
    pub breaker: BreakerSettings,
}

/// Settings, and warnings about them.
#[derive(Debug)]
pub struct Resolved {
    /// What to connect to.
    pub settings: Settings,
    /// Whether the embedded engine was chosen because nothing was configured, which causes a warning.
    pub by_default: bool,
    /// Other warnings, by kind: settings that were ignored, or accepted despite their form.
    pub hints: Vec<(&'static str, String)>,
}

impl Settings {
    /// The database number in channel names, since a server does not separate channels by database. 0 for the embedded engine,
    /// where each database is a store of its own.
    pub fn channel_database(&self) -> u8 {
        if matches!(self.server, Server::Memory(_)) { 0 } else { self.database }
    }

    /// Combines options and environment.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` names the option or the variable.
    pub fn resolve(mut options: Options, env: &Environment) -> Result<Resolved> {
        let (target, by_default) = target(&options, env)?;
        // Unused variables are not validated: platforms set some of these names to other things.
        let used = |option: Option<u32>, name, expected| match option {
            None if !matches!(target.server, Server::Memory(_)) => env.parse(name, expected),
            option => Ok(option),
        };
        let pool_size =
            used(options.pool_size, "REDIS_POOL_SIZE", "a whole number from 1 to 1000")?.unwrap_or(defaults::POOL_SIZE);
        if !(1..=1000).contains(&pool_size) {
            return Err(Error::settings("poolSize (REDIS_POOL_SIZE) must be a whole number from 1 to 1000"));
        }
        let expected = "a whole number from 0 to 100";
        let retry_attempts =
            used(options.retry_attempts, "REDIS_RETRY_ATTEMPTS", expected)?.unwrap_or(defaults::RETRY_ATTEMPTS);
        if retry_attempts > 100 {
            return Err(Error::settings("retryAttempts (REDIS_RETRY_ATTEMPTS) must be a whole number from 0 to 100"));
        }
        let timeout = match options.timeout {
            Some(timeout) => timeout,
            None => env.timeout()?.unwrap_or(defaults::TIMEOUT),
        };
        let (reconnect_first_wait, reconnect_longest_wait) = reconnect(&options)?;
        let mut hints = target.hints.clone();
        let tls = encryption(options.tls.take(), env, &target)?;
        if tls.as_ref().is_some_and(|tls| tls.options.unverified && tls.options.fingerprints.is_empty()) {
            hints.push(("unverified", UNVERIFIED.into()));
        }
        let database = options.database.or(target.database).unwrap_or(defaults::DATABASE);
        if database != 0 && matches!(target.server, Server::Cluster(_)) {
            return Err(Error::settings(format!("db is {database}, but a cluster has only database 0")));
        }
        let driver = match target.server {
            Server::Memory(_) => Driver::default(),
            _ => Driver::resolve(options.driver, env)?,
        };
        let settings = Self {
            driver,
            tls,
            database,
            pool_size,
            timeout,
            connect_timeout: options.connect_timeout.unwrap_or(defaults::CONNECT_TIMEOUT),
            connect_wait: connect_wait(options.connect_wait, timeout)?,
            retry_attempts,
            reconnect_first_wait,
            reconnect_longest_wait,
            max_queued_calls: options.max_queued_calls.unwrap_or(defaults::MAX_QUEUED_CALLS),
            max_queued_bytes: options.max_queued_bytes.unwrap_or(defaults::MAX_QUEUED_BYTES),
            keepalive: options.keepalive.unwrap_or(defaults::KEEPALIVE),
            drain: Duration::from_secs(5),
            max_bytes: options.max_bytes.unwrap_or(defaults::MAX_BYTES),
            breaker: BreakerSettings::resolve(options.breaker.take(), timeout)?,
            server: introduced(target.server, options.sentinel.take())?,
            credentials: credentials(target.username, target.password, options, env)?,
        };
        Ok(Resolved { settings, by_default, hints })
    }
}

const UNVERIFIED: &str = "cinnabar: tls.rejectUnauthorized is false, so the server's certificate is NOT VERIFIED: anyone in the network path \
                          can pose as the server, and read and change everything, the password too. Give tls.ca or \
                          tls.fingerprint instead.";

/// The server from a URL, or from the options and variables used without one.
struct Target {
    server: Server,
    username: Option<String>,
    password: Option<Secret>,
    database: Option<u8>,
    /// The option or variable with the URL, and whether its scheme requires encryption. `None` without a URL.
    url: Option<(&'static str, bool)>,
    hints: Vec<(&'static str, String)>,
}

fn target(options: &Options, env: &Environment) -> Result<(Target, bool)> {
    let in_code = options.host.is_some() || options.port.is_some();
    let url = match (&options.url, in_code) {
        (Some(_), true) => return Err(Error::settings("give url, or host and port, not both")),
        (Some(url), false) => Some(("url", url.as_str())),
        (None, true) => None,
        (None, false) => ["REDIS_URL", "REDIS_PUBLIC_URL"].into_iter().find_map(|name| Some((name, env.get(name)?))),
    };
    if let Some((from, text)) = url {
        let Location { server, username, password, encrypted, database, ignored } = location::read(from, text)?;
        let mut hints = Vec::new();
        if !ignored.is_empty() {
            let words = format!(
                "cinnabar: {from} has parameters that are not supported and were ignored: {}; set options in code instead",
                ignored.join(", ")
            );
            hints.push(("parameters", words));
        }
        return Ok((Target { server, username, password, database, url: Some((from, encrypted)), hints }, false));
    }
    let linked = env.linked_port("REDIS_PORT").filter(|_| options.port.is_none());
    let env_port = match (options.port, &linked) {
        (None, None) => env.parse::<NonZeroU16>("REDIS_PORT", "a port number from 1 to 65535")?.map(NonZeroU16::get),
        _ => None,
    };
    let env_host = match options.host {
        None => env.get("REDIS_HOST").map(|host| plain_host("REDIS_HOST", host)).transpose()?,
        Some(_) => None,
    };
    let by_default = !(in_code || env_host.is_some() || env_port.is_some() || env.production());
    let mut hints = Vec::new();
    let server = if by_default {
        Server::Memory(String::new())
    } else {
        let in_code = options.host.as_deref().map(|host| plain_host("host", host)).transpose()?;
        let (linked_host, linked_port) = linked.unzip();
        if let Some(port) = linked_port {
            let words = format!(
                "cinnabar: REDIS_PORT is a URL, as Kubernetes sets it beside a Service called redis; port {port} of it is \
                 used. Set REDIS_URL, or enableServiceLinks: false, to say which server is meant."
            );
            hints.push(("linked-port", words));
        }
        Server::Tcp {
            host: in_code.or(env_host).or(linked_host).unwrap_or_else(|| defaults::HOST.into()),
            port: options.port.or(env_port).or(linked_port).unwrap_or(defaults::PORT),
        }
    };
    Ok((Target { server, username: None, password: None, database: None, url: None, hints }, by_default))
}

/// Checks that a host is not a URL and has no port. It is never included in errors: it may be a URL with a password by mistake.
fn plain_host(name: &str, text: &str) -> Result<String> {
    let host = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if is_host(host) {
        return Ok(host.into());
    }
    Err(Error::settings(format!("{name} must be a host name or an address, without a scheme and without a port")))
}

fn encryption(options: Option<TlsOptions>, env: &Environment, target: &Target) -> Result<Option<TlsSettings>> {
    let by_scheme = target.url.filter(|(_, encrypted)| *encrypted).map(|(from, _)| from);
    let socket = matches!(target.server, Server::Unix(_));
    match (options, by_scheme) {
        (Some(TlsOptions::Off), Some(from)) => Err(Error::settings(format!(
            "tls is false, but the scheme of {from} asks for TLS; leave tls out, or write the scheme without its second s"
        ))),
        (Some(TlsOptions::On(_)), None) if socket => {
            Err(Error::settings("tls is for servers on the network; a socket of this machine is not encrypted"))
        }
        (Some(TlsOptions::On(tls)), _) => TlsSettings::resolve(tls).map(Some),
        (Some(TlsOptions::Off), None) => Ok(None),
        (None, Some(_)) => Ok(Some(TlsSettings::default())),
        (None, None) if socket || matches!(target.server, Server::Memory(_)) => Ok(None),
        (None, None) => {
            Ok(env.parse::<bool>("REDIS_TLS", "true or false")?.unwrap_or(false).then(TlsSettings::default))
        }
    }
}

fn credentials(
    username: Option<String>,
    password: Option<Secret>,
    options: Options,
    env: &Environment,
) -> Result<Credentials> {
    if let Some(provider) = options.credentials {
        let in_url = options.url.is_some() && (username.is_some() || password.is_some());
        if options.username.is_some() || options.password.is_some() || in_url {
            return Err(Error::settings(
                "give credentials, a function, or username and password (also in url), not both",
            ));
        }
        return Ok(Credentials::Provider(provider));
    }
    // An empty user name is an explicit "none", which also overrides the environment.
    let username = options.username.or(username).or_else(|| env.get("REDIS_USERNAME").map(Into::into));
    let password = options.password.or(password).or_else(|| env.get("REDIS_PASSWORD").map(Secret::new));
    Ok(Credentials::Fixed {
        username: username.filter(|name| !name.is_empty()),
        password: password.filter(|password| !password.reveal().is_empty()),
    })
}

/// Adds the credentials for sentinels to the server.
fn introduced(server: Server, sentinel: Option<SentinelOptions>) -> Result<Server> {
    match (server, sentinel) {
        (server, None) => Ok(server),
        (Server::Sentinel { addresses, name, .. }, Some(SentinelOptions { username, password })) => {
            Ok(Server::Sentinel { addresses, name, username, password })
        }
        _ => Err(Error::settings(
            "sentinel is for a url that begins with redis-sentinel:// or rediss-sentinel://; leave it out",
        )),
    }
}

fn connect_wait(option: Option<Duration>, timeout: Duration) -> Result<Duration> {
    match option {
        None => Ok(timeout.min(defaults::CONNECT_WAIT)),
        Some(wait) if wait > timeout => Err(Error::settings(format!(
            "connectWaitMs is {wait:?}, but a call ends after timeoutMs (REDIS_TIMEOUT), {timeout:?}; set it to that or less"
        ))),
        Some(wait) => Ok(wait),
    }
}

/// If only one bound is given, the default of the other one is adjusted to it.
fn reconnect(options: &Options) -> Result<(Duration, Duration)> {
    let (first, longest) = (defaults::RECONNECT_FIRST_WAIT, defaults::RECONNECT_LONGEST_WAIT);
    match (options.reconnect_first_wait, options.reconnect_longest_wait) {
        (None, None) => Ok((first, longest)),
        (Some(first), None) => Ok((first, longest.max(first))),
        (None, Some(longest)) => Ok((first.min(longest), longest)),
        (Some(first), Some(longest)) if first <= longest => Ok((first, longest)),
        (Some(first), Some(longest)) => Err(Error::settings(format!(
            "reconnect.firstMs ({first:?}) must not be above reconnect.longestMs ({longest:?})"
        ))),
    }
}

#[cfg(test)]
mod tests;
