//! Parses URLs of one server, of a cluster's nodes, of sentinels, of a socket, or of the embedded engine.
//!
//! Not by a URL library, because standard URLs cannot have several hosts, and because an invalid URL must be shown without its
//! password. All text before the last `@` may be part of a password, and so may all text after a mistake: an error shows the
//! scheme and well-formed hosts, nothing else.

use cinnabar_port::error::{Error, Result};
use percent_encoding::percent_decode_str;

use super::{Address, Secret, Server, environment::unquoted, host::is_host};

/// The default name of a primary at its sentinels.
const DEFAULT_NAME: &str = "mymaster";
const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26_379;

/// The contents of a URL.
pub struct Location {
    /// Where.
    pub server: Server,
    /// The ACL user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// Whether the scheme asks for encryption.
    pub encrypted: bool,
    /// The number of the database.
    pub database: Option<u8>,
    /// Names of unsupported parameters.
    pub ignored: Vec<String>,
}

impl Location {
    fn at(server: Server) -> Self {
        Self { server, username: None, password: None, encrypted: false, database: None, ignored: Vec::new() }
    }
}

/// The meaning of a scheme.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Single,
    Cluster,
    Sentinel,
}

/// The parts of a URL, not decoded yet.
struct Parts<'a> {
    userinfo: Option<&'a str>,
    hosts: &'a str,
    path: &'a str,
    query: Option<&'a str>,
}

/// Parses the URL of `from`, an option or a variable.
///
/// # Errors
/// `E_INVALID_SETTINGS` says what is wrong with it, and shows no secret.
pub fn read(from: &str, text: &str) -> Result<Location> {
    let text = unquoted(text).trim();
    let bad = |why: &str| Error::settings(format!("{from} {why}: {}", redacted(text)));
    if let Some(rest) = after_scheme(text, "memory:") {
        let (name, query) = rest.split_once('?').map_or((rest, None), |(name, query)| (name, Some(query)));
        let ignored = query.map_or_else(Vec::new, |query| query.split('&').filter_map(shown_name).collect());
        return Ok(Location { ignored, ..Location::at(Server::Memory(name.trim_start_matches('/').into())) });
    }
    if let Some(path) = after_scheme(text, "unix:") {
        return socket(path.strip_prefix("//").unwrap_or(path)).map_err(|why| Error::settings(format!("{from} {why}")));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(bad("is not a URL; it must begin with redis://, rediss://, unix: or memory:"));
    };
    let (form, encrypted) = match scheme.to_ascii_lowercase().as_str() {
        "redis" | "valkey" => (Form::Single, false),
        "rediss" | "valkeys" => (Form::Single, true),
        "redis-cluster" => (Form::Cluster, false),
        "rediss-cluster" => (Form::Cluster, true),
        "redis-sentinel" => (Form::Sentinel, false),
        "rediss-sentinel" => (Form::Sentinel, true),
        _ => {
            return Err(bad("must begin with redis://, rediss://, redis-cluster://, rediss-cluster://, \
                 redis-sentinel://, rediss-sentinel://, unix: or memory:"));
        }
    };
    let parts = cut(rest).map_err(bad)?;
    let (username, password) = parts.userinfo.map_or(Ok((None, None)), userinfo).map_err(bad)?;
    let port = if form == Form::Sentinel { SENTINEL_PORT } else { REDIS_PORT };
    let mut hosts =
        parts.hosts.split(',').map(|host| address(host, port)).collect::<Result<Vec<_>, _>>().map_err(bad)?;
    let said = parameters(parts.query, form == Form::Sentinel);
    let (server, in_path) = match form {
        Form::Sentinel => sentinel(hosts, &parts, said.name),
        Form::Cluster => database(parts.path).and_then(|database| match database {
            None | Some(0) => Ok((Server::Cluster(hosts), database)),
            Some(_) => Err("selects a database, but a cluster has only number 0"),
        }),
        Form::Single => match (hosts.pop(), hosts.is_empty()) {
            (Some(Address { host, port }), true) => {
                database(parts.path).map(|database| (Server::Tcp { host, port }, database))
            }
            _ => Err("names several hosts; a cluster begins with redis-cluster://, sentinels with redis-sentinel://"),
        },
    }
    .map_err(bad)?;
    let database = match (in_path, said.database) {
        (Some(one), Some(other)) if database(other).map_err(bad)? != Some(one) => {
            return Err(bad("names two databases, in its path and by ?db="));
        }
        (None, Some(number)) => database(number).map_err(bad)?,
        (in_path, _) => in_path,
    };
    let password = password.map(Secret::new);
    Ok(Location { server, username, password, encrypted, database, ignored: said.ignored })
}

/// Returns the text after this scheme, in upper or lower case.
fn after_scheme<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// The query string.
struct Parameters<'a> {
    name: Option<&'a str>,
    database: Option<&'a str>,
    ignored: Vec<String>,
}

/// The supported parameters. Those of other clients are ignored, and only their names are reported.
fn parameters(query: Option<&str>, named: bool) -> Parameters<'_> {
    let mut said = Parameters { name: None, database: None, ignored: Vec::new() };
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=').unwrap_or((pair, "")) {
            ("name", value) if named => said.name = Some(value),
            ("db", value) => said.database = Some(value),
            _ => said.ignored.extend(shown_name(pair)),
        }
    }
    said
}

/// The name of an unsupported parameter, hidden if it may be something else.
fn shown_name(pair: &str) -> Option<String> {
    let name = pair.split_once('=').map_or(pair, |(name, _)| name);
    let plain = name.len() <= 40 && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    (!pair.is_empty()).then(|| if plain { name.into() } else { "…".into() })
}

/// Splits at the first character that ends the hosts. A `@` after it is a sign of a password with such a character.
fn cut(rest: &str) -> Result<Parts<'_>, &'static str> {
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if rest.contains("://") {
        return Err("has more than one URL in it; hosts are listed by comma, as in redis-cluster://a:7000,b:7000");
    }
    if tail.contains('@') {
        return Err("has an \"@\" behind its hosts; in a user name or password, \"/\", \"?\" and \"#\" are written \
             %2F, %3F and %23");
    }
    if tail.contains('#') {
        return Err("has a \"#\", which means nothing here; in a user name or password it is written %23");
    }
    let (userinfo, hosts) = match authority.rsplit_once('@') {
        Some((userinfo, hosts)) => (Some(userinfo), hosts),
        None => (None, authority),
    };
    let (path, query) = match tail.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (tail, None),
    };
    Ok(Parts { userinfo, hosts, path: path.trim_matches('/'), query })
}

fn userinfo(text: &str) -> Result<(Option<String>, Option<String>), &'static str> {
    let (username, password) = text.split_once(':').unwrap_or((text, ""));
    let decoded = |part| match decode(part) {
        Some(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        None => Err("has a user name or password that is not UTF-8 after percent-decoding"),
    };
    Ok((decoded(username)?, decoded(password)?))
}

fn decode(part: &str) -> Option<String> {
    percent_decode_str(part).decode_utf8().ok().map(Into::into)
}

/// Parses a host with or without a port.
fn address(text: &str, default: u16) -> Result<Address, &'static str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or(BAD_HOST)?)),
            None => return Err(BAD_HOST),
        },
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Err("names no host, or has a comma too many");
    }
    if text.starts_with('[') != host.contains(':') || !is_host(host) {
        return Err(BAD_HOST);
    }
    let port = match port {
        None => default,
        // `parse` would accept a sign. An empty port is a mistake, such as an empty variable.
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().ok().filter(|port| *port != 0).ok_or(BAD_PORT)?
        }
        Some(_) => return Err(BAD_PORT),
    };
    Ok(Address { host: host.into(), port })
}

const BAD_HOST: &str = "has a host that is neither a name nor an address; IPv6 stands in brackets";
const BAD_PORT: &str = "has a port that is no number from 1 to 65535; in a user name or password, \":\", \"/\", \"?\", \"#\" and \
                        \"@\" are written %3A, %2F, %3F, %23 and %40";

fn database(path: &str) -> Result<Option<u8>, &'static str> {
    match path {
        "" => Ok(None),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().map(Some).map_err(|_| BAD_DATABASE)
        }
        _ => Err(BAD_DATABASE),
    }
}

const BAD_DATABASE: &str = "has a path that is no database number from 0 to 255";

/// `/NAME`, `/NAME/3`, `/3` and the same with `?name=NAME`. A path of digits alone is a database, as in every other form.
fn sentinel(addresses: Vec<Address>, parts: &Parts, named: Option<&str>) -> Result<(Server, Option<u8>), &'static str> {
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (in_path, number) = match parts.path.split_once('/') {
        Some((name, number)) => (Some(name), number),
        None if is_number(parts.path) => (None, parts.path),
        None => (Some(parts.path), ""),
    };
    let name = match (in_path, named) {
        (Some(_), Some(_)) => return Err("names the service twice, in its path and by ?name="),
        (Some(name), None) | (None, Some(name)) => decode(name).filter(|name| is_service(name)).ok_or(BAD_NAME)?,
        (None, None) => DEFAULT_NAME.into(),
    };
    Ok((Server::Sentinel { addresses, name, username: None, password: None }, database(number)?))
}

const BAD_NAME: &str = "has a name of a service that is empty or has spaces in it";

fn is_service(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// The path is shown in messages, so the credentials or options of other clients' formats must not become part of it.
fn socket(path: &str) -> Result<Location, &'static str> {
    if path.is_empty() || path.contains('\0') {
        return Err("names no socket; write unix:/run/redis.sock");
    }
    if !path.starts_with('/') && path.contains('@') {
        return Err("has an \"@\" before the path of its socket; user name and password are options of their own");
    }
    if path.contains(['?', '#']) {
        return Err(
            "has a \"?\" or \"#\" behind the path of its socket; database and password are options of their own",
        );
    }
    Ok(Location::at(Server::Unix(path.into())))
}

/// Returns a URL without secrets, for messages.
pub fn redacted(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return "(not shown, it may hold a password)".into() };
    let is_scheme = !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphabetic() || c == '-');
    let scheme = if is_scheme && scheme.len() <= 16 { scheme } else { "…" };
    let (hidden, shown) = match rest.rsplit_once('@') {
        Some((_, shown)) => ("***@", shown),
        None => ("", rest),
    };
    let hosts = shown.split(['/', '?', '#']).next().unwrap_or_default();
    let understood = hosts.split(',').all(|host| address(host, REDIS_PORT).is_ok());
    format!("{scheme}://{hidden}{}", if understood { hosts } else { "…" })
}
