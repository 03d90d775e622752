//! What the caller chose, in code and in the environment, validated once.

mod breaker;

use std::{collections::HashMap, time::Duration};

use percent_encoding::percent_decode_str;
use url::Url;

pub use breaker::{BreakerSettings, Rate};

use crate::error::{Error, Result};

/// Where the state lives, and how to reach it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Which server, or none.
    pub server: Server,
    /// ACL user; Redis's `default` when absent.
    pub username: Option<String>,
    /// Never printed.
    pub password: Option<Secret>,
    /// Encrypts the connection.
    pub tls: bool,
    /// Database number, `/3` in a URL.
    pub database: u8,
    /// Most connections to one server. Defaults to 10.
    pub pool_size: u32,
    /// How long a call may take. Defaults to 5 s.
    pub timeout: Duration,
    /// How long one attempt to connect may take. Defaults to 10 s.
    pub connect_timeout: Duration,
    /// How long a call waits for a connection. Defaults to 3 s.
    pub connect_wait: Duration,
    /// How often a call that may safely be repeated is sent again after a lost connection. Defaults to 3.
    pub retry_attempts: u32,
    /// Bound of the embedded engine's memory. Defaults to 256 MB.
    pub max_bytes: usize,
}

/// Which engine answers.
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
}

/// A password: it compares and hashes, but nothing prints it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// The text, for the connection only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Options given in code; each wins over the environment.
#[derive(Default)]
pub struct Options {
    /// Any form that `REDIS_URL` takes.
    pub url: Option<String>,
    /// Used when there is no URL.
    pub host: Option<String>,
    /// Used when there is no URL.
    pub port: Option<u16>,
    /// ACL user.
    pub username: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// Encrypts the connection.
    pub tls: Option<bool>,
    /// Database number.
    pub database: Option<u8>,
    /// Most connections.
    pub pool_size: Option<u32>,
    /// Milliseconds a call may take.
    pub timeout: Option<Duration>,
    /// How long one attempt to connect may take.
    pub connect_timeout: Option<Duration>,
    /// How often what is safe to repeat is repeated.
    pub retry_attempts: Option<u32>,
    /// Bound of the embedded engine's memory.
    pub max_bytes: Option<usize>,
}

/// The environment, as the host's language sees it.
pub struct Environment(pub HashMap<String, String>);

impl Environment {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn parse<T: std::str::FromStr>(&self, name: &str, meant: &str) -> Result<Option<T>> {
        self.get(name)
            .map(|value| {
                value.trim().parse().map_err(|_| Error::settings(format!("{name} must be {meant}, not \"{value}\"")))
            })
            .transpose()
    }

    /// Whether this is development: an operation without a server then answers its empty value.
    pub fn development(&self) -> bool {
        self.get("NODE_ENV") == Some("development")
    }

    fn production(&self) -> bool {
        self.get("NODE_ENV") == Some("production")
    }
}

/// Settings, and whether nothing had been configured at all.
pub struct Resolved {
    /// What to connect to.
    pub settings: Settings,
    /// The embedded engine was chosen because nothing was configured: worth a warning.
    pub by_default: bool,
}

impl Settings {
    /// Puts options and environment together.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` names the option or the variable.
    pub fn resolve(options: Options, env: &Environment) -> Result<Resolved> {
        let mut by_default = false;
        let mut settings = Self {
            server: Server::Tcp { host: "localhost".into(), port: 6379 },
            username: options.username.or_else(|| env.get("REDIS_USERNAME").map(Into::into)),
            password: None,
            tls: false,
            database: options.database.unwrap_or(0),
            pool_size: or(options.pool_size, || env.parse("REDIS_POOL_SIZE", "a whole number from 1"))?.unwrap_or(10),
            timeout: match options.timeout {
                Some(timeout) => timeout,
                None => seconds(env)?.unwrap_or(Duration::from_secs(5)),
            },
            connect_timeout: options.connect_timeout.unwrap_or(Duration::from_secs(10)),
            connect_wait: Duration::from_secs(3),
            retry_attempts: or(options.retry_attempts, || env.parse("REDIS_RETRY_ATTEMPTS", "a whole number from 0"))?
                .unwrap_or(3),
            max_bytes: options.max_bytes.unwrap_or(256 << 20),
        };
        if settings.pool_size == 0 {
            return Err(Error::settings("poolSize (REDIS_POOL_SIZE) must be at least 1"));
        }
        let in_code = options.host.is_some() || options.port.is_some();
        let url = match (&options.url, in_code) {
            (Some(url), true) => {
                return Err(Error::settings(format!("give url or host and port, not both (url is {})", redacted(url))));
            }
            (Some(url), false) => Some(("url", url.as_str())),
            (None, true) => None,
            (None, false) => env
                .get("REDIS_URL")
                .map(|url| ("REDIS_URL", url))
                .or_else(|| env.get("REDIS_PUBLIC_URL").map(|url| ("REDIS_PUBLIC_URL", url))),
        };
        // The parts are read before the URL, so that a bad value is refused even where the URL wins.
        let (host, port) = (env.get("REDIS_HOST"), env.parse::<u16>("REDIS_PORT", "a port number from 0 to 65535")?);
        let tls = or(options.tls, || env.parse("REDIS_TLS", "true or false"))?;
        match url {
            Some((from, url)) => settings.read_url(from, url, options.database)?,
            None => {
                let any = in_code || host.is_some() || port.is_some();
                if any || env.production() {
                    settings.server = Server::Tcp {
                        host: options.host.or(host.map(Into::into)).unwrap_or_else(|| "localhost".into()),
                        port: options.port.or(port).unwrap_or(6379),
                    };
                } else {
                    by_default = true;
                    settings.server = Server::Memory(String::new());
                }
            }
        }
        settings.tls |= tls.unwrap_or(false);
        if let Some(password) = options.password {
            settings.password = Some(Secret(password));
        } else if settings.password.is_none() {
            settings.password = env.get("REDIS_PASSWORD").map(|password| Secret(password.into()));
        }
        Ok(Resolved { settings, by_default })
    }

    fn read_url(&mut self, from: &str, text: &str, database: Option<u8>) -> Result<()> {
        if let Some(name) = text.strip_prefix("memory:") {
            self.server = Server::Memory(name.trim_start_matches('/').into());
            return Ok(());
        }
        let bad = |why: &str| Error::settings(format!("{from} {why}: {}", redacted(text)));
        if let Some(path) = text.strip_prefix("unix:") {
            self.server = Server::Unix(path.strip_prefix("//").unwrap_or(path).into());
            return Ok(());
        }
        let url = Url::parse(text).map_err(|error| bad(&format!("is no URL ({error})")))?;
        match url.scheme() {
            "redis" | "valkey" => {}
            "rediss" | "valkeys" => self.tls = true,
            "redis-cluster" | "rediss-cluster" | "redis-sentinel" | "rediss-sentinel" => {
                return Err(bad(
                    "asks for Cluster or Sentinel, which this version cannot speak yet; use redis:// or rediss://",
                ));
            }
            _ => return Err(bad("must begin with redis://, rediss://, unix: or memory:")),
        }
        if let Some(name) = url.query_pairs().map(|(name, _)| name.into_owned()).next() {
            return Err(bad(&format!("has the parameter \"{name}\", which means nothing here")));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| bad("names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        self.server = Server::Tcp { host: host.into(), port: url.port().unwrap_or(6379) };
        let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        if !url.username().is_empty() {
            self.username = Some(decode(url.username()));
        }
        self.password = url.password().map(|password| Secret(decode(password)));
        let path = url.path().trim_start_matches('/');
        if !path.is_empty() && database.is_none() {
            self.database = path.parse().map_err(|_| bad("has a path that is no database number from 0 to 255"))?;
        }
        Ok(())
    }
}

fn or<T>(option: Option<T>, env: impl FnOnce() -> Result<Option<T>>) -> Result<Option<T>> {
    // The environment is read even where the option wins: a bad value there is a mistake all the same.
    let env = env()?;
    Ok(option.or(env))
}

fn seconds(env: &Environment) -> Result<Option<Duration>> {
    let meant = "a number of seconds above 0";
    let Some(seconds) = env.parse::<f64>("REDIS_TIMEOUT", meant)? else { return Ok(None) };
    match Duration::try_from_secs_f64(seconds) {
        Ok(timeout) if timeout >= Duration::from_millis(1) => Ok(Some(timeout)),
        _ => Err(Error::settings(format!("REDIS_TIMEOUT must be {meant}, not \"{seconds}\""))),
    }
}

/// A URL without what must not be seen.
fn redacted(text: &str) -> String {
    match Url::parse(text) {
        Ok(mut url) if url.has_host() => {
            if url.password().is_some() {
                let _ = url.set_password(Some("***"));
            }
            url.to_string()
        }
        // What is no URL with a host might hold a password anywhere before an `@`.
        _ => match text.rsplit_once('@') {
            Some((_, after)) => format!("***@{after}"),
            None => text.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests;
