//! Establishes a connection: DNS lookup, stream, TLS, authentication and database.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use cinnabar_port::{
    Reply,
    error::{Error, Kind, Result},
};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsConnector;

use super::{
    endpoint::Endpoint,
    link::Link,
    login::{Login, log_in},
    native::stream::Stream,
    tls,
};
use crate::settings::{Address, Credentials, Driver, Secret, Settings};

/// While the first attempt is pending for longer than this, further attempts are made in parallel, each limited to this time.
/// If the network had dropped packets, a new attempt succeeds sooner after it recovers than the old one would.
const PARALLEL_AFTER: Duration = Duration::from_secs(1);

/// Connects with one set of settings.
pub struct Dialler {
    settings: Arc<Settings>,
    driver: Driver,
    tls: OnceLock<TlsConnector>,
}

impl Dialler {
    /// Links are of this driver.
    pub fn new(settings: Arc<Settings>, driver: Driver) -> Self {
        Self { settings, driver, tls: OnceLock::new() }
    }

    /// Connects, authenticates and waits for the reply to a PING. Host names are resolved each time.
    ///
    /// # Errors
    /// `E_AUTH` if the credentials were rejected, otherwise `E_UNAVAILABLE`: no caller's request was sent.
    pub async fn dial(&self, endpoint: &Endpoint) -> Result<Link> {
        with_parallel_attempts(self.settings.connect_timeout, |limit| self.attempt(endpoint, limit)).await
    }

    /// A single attempt to connect.
    pub async fn attempt(&self, endpoint: &Endpoint, limit: Duration) -> Result<Link> {
        let made = async {
            let (username, password) = match &self.settings.credentials {
                Credentials::Fixed { username, password } => (username.clone(), password.clone()),
                Credentials::Provider(provider) => provider.ask().await.map(|(user, word)| (user, Some(word)))?,
            };
            let login = Login {
                username: username.as_deref(),
                password: password.as_ref().map(Secret::reveal),
                database: self.settings.database,
            };
            match self.driver {
                Driver::Native => self.open(endpoint, &login, Instant::now() + limit).await.map(Link::Native),
                Driver::Fred => self.open_fred(endpoint, &login, limit).await,
            }
        };
        match timeout(limit, made).await {
            Ok(made) => made.map_err(|error| connect_error(error, endpoint)),
            Err(_) => Err(connect_error(Error::new(Kind::Unavailable, format!("no reply within {limit:?}")), endpoint)),
        }
    }

    #[cfg(feature = "fred")]
    async fn open_fred(&self, endpoint: &Endpoint, login: &Login<'_>, limit: Duration) -> Result<Link> {
        let encryption = match (endpoint, &self.settings.tls) {
            (Endpoint::Tcp(address), Some(tls)) => {
                let name = tls::server_name(tls, &address.host)?.to_str().into_owned();
                Some((self.connector()?.clone(), name))
            }
            _ => None,
        };
        let deadline = Instant::now() + limit;
        match crate::fred::connect(endpoint, login, encryption, limit).await {
            Ok(link) => Ok(Link::Fred(link)),
            // fred keeps no more than the text of an error. The native driver meets the same one, and explains it.
            Err(error) => Err(self.open(endpoint, login, deadline).await.err().unwrap_or(error)),
        }
    }

    #[cfg(not(feature = "fred"))]
    async fn open_fred(&self, _: &Endpoint, _: &Login<'_>, _: Duration) -> Result<Link> {
        Err(Error::new(Kind::Internal, "this build has no driver fred"))
    }

    /// An authenticated stream to a server or sentinel.
    pub async fn open(&self, endpoint: &Endpoint, login: &Login<'_>, deadline: Instant) -> Result<Stream> {
        let mut stream = self.stream(endpoint, deadline).await?;
        match log_in(&mut stream, login).await {
            Ok(()) => Ok(stream),
            // This is how a TLS-only server reacts to a plain connection.
            Err(error)
                if self.settings.tls.is_none() && matches!(endpoint, Endpoint::Tcp(_)) && !stream.has_received() =>
            {
                let why = "the server closed the connection without sending anything; if it requires TLS, use the scheme rediss, \
                     rediss-cluster or rediss-sentinel";
                Err(Error::new(error.kind, why).with_source(error))
            }
            Err(error) => Err(error),
        }
    }

    /// A stream on which nothing was sent yet.
    async fn stream(&self, endpoint: &Endpoint, deadline: Instant) -> Result<Stream> {
        match endpoint {
            Endpoint::Tcp(address) => {
                let stream = connect(address, deadline).await?;
                let Some(tls) = &self.settings.tls else { return Ok(Stream::new(stream)) };
                let name = tls::server_name(tls, &address.host)?;
                let stream = self.connector()?.connect(name, stream).await.map_err(unreachable)?;
                Ok(Stream::new(stream))
            }
            #[cfg(unix)]
            Endpoint::Unix(path) => Ok(Stream::new(tokio::net::UnixStream::connect(path).await.map_err(unreachable)?)),
            #[cfg(not(unix))]
            Endpoint::Unix(_) => Err(Error::new(Kind::Unsupported, "this system does not support Unix sockets")),
        }
    }

    fn connector(&self) -> Result<&TlsConnector> {
        if let (None, Some(tls)) = (self.tls.get(), &self.settings.tls) {
            let _ = self.tls.set(tls::connector(tls)?);
        }
        self.tls.get().ok_or_else(|| Error::new(Kind::Internal, "TLS is not configured"))
    }
}

/// Makes an attempt limited to `limit`, and further ones in parallel while it hangs.
pub async fn with_parallel_attempts<T, F>(limit: Duration, attempt: impl Fn(Duration) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut first = std::pin::pin!(attempt(limit));
    loop {
        tokio::select! {
            done = &mut first => return done,
            () = tokio::time::sleep(PARALLEL_AFTER) => {}
        }
        tokio::select! {
            done = &mut first => return done,
            beside = attempt(PARALLEL_AFTER) => if beside.is_ok() { return beside },
        }
    }
}

/// Connects to one of the addresses that the name resolves to. Each gets its share of the time, so that an unresponsive one
/// does not use up the time of the others.
async fn connect(Address { host, port }: &Address, deadline: Instant) -> Result<TcpStream> {
    let all: Vec<SocketAddr> = lookup_host((host.as_str(), *port))
        .await
        .map_err(|error| {
            Error::new(Kind::Unavailable, format!("the host name could not be resolved ({error})")).with_source(error)
        })?
        .collect();
    let mut last = Error::new(Kind::Unavailable, "the host name has no address");
    for (at, address) in all.iter().enumerate() {
        let share = deadline.saturating_duration_since(Instant::now()) / (all.len() - at) as u32;
        match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                prepare(&stream).map_err(unreachable)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = unreachable(error),
            Err(_) => last = Error::new(Kind::Unavailable, format!("no reply within {share:?}")),
        }
    }
    Err(last)
}

/// Sends small writes immediately, and lets the operating system detect dead peers too.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(15)).with_interval(Duration::from_secs(5));
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

fn unreachable(error: io::Error) -> Error {
    let why = tls::explain(&error).unwrap_or_else(|| match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused: no server is listening there".into(),
        io::ErrorKind::NotFound => "the socket does not exist".into(),
        io::ErrorKind::UnexpectedEof => {
            "the server closed the connection during the TLS handshake; does it support TLS?".into()
        }
        _ => error.to_string(),
    });
    Error::new(Kind::Unavailable, why).with_source(error)
}

/// The error of a failed connection attempt: no caller's request was sent.
fn connect_error(error: Error, endpoint: &Endpoint) -> Error {
    let kind = match error.kind {
        Kind::Auth | Kind::InvalidSettings | Kind::Unsupported => error.kind,
        _ => Kind::Unavailable,
    };
    Error::new(kind, format!("cannot connect to {endpoint}: {}", error.message())).with_source(error)
}

/// Whether a server reports that it is a primary.
pub async fn is_primary(link: &mut Link) -> Result<bool> {
    let role = link.request(&[b"ROLE"]).await?.array()?.into_iter().next();
    Ok(matches!(role, Some(Reply::Bulk(role)) if &role[..] == b"master"))
}
