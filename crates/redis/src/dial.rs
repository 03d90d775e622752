//! Establishes a connection: DNS lookup, stream, TLS, authentication and database.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use cinnabar_port::{
    Reply,
    error::{Error, Kind, Result, ServerCode},
};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsConnector;

use super::{link::Link, native::stream::Stream, resp::Commands, tls};
use crate::settings::{Address, Credentials, Secret, Settings};

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

/// While the first attempt is pending for longer than this, further attempts are made in parallel, each limited to this time.
/// If the network had dropped packets, a new attempt succeeds sooner after it recovers than the old one would.
const PARALLEL_AFTER: Duration = Duration::from_secs(1);

/// Connects with one set of settings.
pub struct Dialler {
    settings: Arc<Settings>,
    tls: OnceLock<TlsConnector>,
}

/// The credentials and database of a connection.
pub struct Login<'a> {
    pub username: Option<&'a str>,
    pub password: Option<&'a str>,
    pub database: u8,
}

impl Dialler {
    pub fn new(settings: Arc<Settings>) -> Result<Self> {
        let dialler = Self { settings, tls: OnceLock::new() };
        // Invalid TLS settings are rejected now rather than at the first call.
        if dialler.settings.tls.as_ref().is_some_and(|tls| tls.ca.is_some() || tls.cert.is_some()) {
            dialler.connector()?;
        }
        Ok(dialler)
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
            self.open(endpoint, &login, Instant::now() + limit).await.map(Link::Native)
        };
        match timeout(limit, made).await {
            Ok(made) => made.map_err(|error| connect_error(error, endpoint)),
            Err(_) => Err(connect_error(Error::new(Kind::Unavailable, format!("no reply within {limit:?}")), endpoint)),
        }
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

/// The commands sent before the first call.
#[derive(Clone, Copy)]
enum Step {
    Auth,
    Select(u8),
    Ping,
}

/// Authenticates, selects the database and sends a PING, in one round tracker.
async fn log_in(stream: &mut Stream, login: &Login<'_>) -> Result<()> {
    let (mut commands, mut steps) = (Commands::default(), Vec::with_capacity(3));
    let username = login.username.unwrap_or_default().as_bytes();
    let password = login.password.unwrap_or_default().as_bytes();
    if !username.is_empty() && (!password.is_empty() || username != b"default") {
        // For a user without a password, the server accepts any password.
        commands.push_words(&[b"AUTH", username, password]);
        steps.push(Step::Auth);
    } else if !password.is_empty() {
        commands.push_words(&[b"AUTH", password]);
        steps.push(Step::Auth);
    }
    if login.database != 0 {
        commands.push_words(&[b"SELECT", login.database.to_string().as_bytes()]);
        steps.push(Step::Select(login.database));
    }
    commands.push_words(&[b"PING"]);
    steps.push(Step::Ping);
    stream.send(commands).await?;
    for step in steps {
        if let Err(error) = stream.receive().await? {
            step_failed(step, error)?;
        }
    }
    Ok(())
}

/// Interprets an error reply. Its kind depends on its text rather than on the command that got it.
fn step_failed(step: Step, error: Error) -> Result<()> {
    if error.is_unavailable() || is_limit(error.message()) {
        return Err(Error::new(Kind::Unavailable, error.message().to_owned()));
    }
    match step {
        Step::Auth if error.kind == Kind::Auth || !error.is_specific() => {
            Err(Error::new(Kind::Auth, rejected_login(&error)))
        }
        // The text may repeat the credentials.
        Step::Auth => Err(Error::new(
            Kind::Unavailable,
            format!("the server refused the connection ({})", error.code_word().unwrap_or_default()),
        )),
        Step::Select(database) if error.kind == Kind::Server && !error.is_specific() => {
            let words = format!("database {database} cannot be selected: {}", error.message());
            Err(Error::new(Kind::Unsupported, words))
        }
        // An error reply to the PING shows that the server is up.
        Step::Ping if proves_server_is_up(&error) => Ok(()),
        Step::Select(_) | Step::Ping => Err(error),
    }
}

/// Whether this error reply to a PING still shows that the server is up and has authenticated us: the user may lack permission,
/// or a proxy may not support the command.
pub fn proves_server_is_up(error: &Error) -> bool {
    error.has_code(ServerCode::NoPerm) || error.has_code(ServerCode::UnknownCommand)
}

/// Whether a gateway reports that it, or the server behind it, accepts no more clients at the moment.
fn is_limit(said: &str) -> bool {
    const SIGNS: [&str; 8] =
        ["max number of", "too many", "limit", "quota", "upstream", "backend", "unavailable", "try again"];
    let said = said.to_ascii_lowercase();
    said.starts_with("err ") && SIGNS.iter().any(|sign| said.contains(sign))
}

/// Why the server rejected the credentials. Only its error code is included, since its text may repeat the credentials.
fn rejected_login(error: &Error) -> String {
    let said = error.message();
    let code = error.code_word().filter(|code| code.len() <= 20).unwrap_or("no code");
    let why = if said.contains("without any password configured") {
        "the server has no password configured for this user"
    } else if said.contains("unknown command") {
        "the server does not support AUTH, so it accepts neither a user name nor a password"
    } else if said.contains("wrong number of arguments") {
        "the server accepts a password only, without a user name"
    } else {
        "the server rejected the user name or password"
    };
    format!("{why} ({code})")
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
