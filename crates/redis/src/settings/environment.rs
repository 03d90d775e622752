//! Variables of the environment.

use std::{collections::HashMap, str::FromStr, time::Duration};

use cinnabar_port::{
    error::{Error, Result},
    number::LONGEST_SECONDS,
};

/// The variables of the environment.
pub struct Environment(pub HashMap<String, String>);

impl Environment {
    /// A variable, if it is set and not empty. Surrounding quotes are removed, since some .env loaders leave them in, except for
    /// user names and passwords, which may contain quotes.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?;
        let value = if matches!(name, "REDIS_USERNAME" | "REDIS_PASSWORD") { value } else { unquoted(value) };
        Some(value).filter(|value| !value.is_empty())
    }

    /// Host and port in a value such as `tcp://10.0.0.1:6379`, which Kubernetes sets for a Service of that name.
    pub fn linked_port(&self, name: &str) -> Option<(String, u16)> {
        let (host, port) = self.get(name)?.trim().strip_prefix("tcp://")?.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Some((host.to_owned(), port.parse().ok().filter(|port| *port != 0)?)).filter(|_| super::host::is_host(host))
    }

    /// Parses a variable.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` names the variable.
    pub fn parse<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>> {
        self.get(name).map(|value| value.trim().parse().map_err(|_| refuse(name, expected, value))).transpose()
    }

    /// `REDIS_TIMEOUT`, which is in seconds.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` names the variable.
    pub fn timeout(&self) -> Result<Option<Duration>> {
        let (name, expected) = ("REDIS_TIMEOUT", "a number of seconds from 0.001");
        let Some(seconds) = self.parse::<f64>(name, expected)? else { return Ok(None) };
        if (LIKELY_MS..1e9).contains(&seconds) {
            let words = format!(
                "{name} is in seconds, and {seconds} would be {:.0} minutes; if you mean milliseconds, set it to {}",
                seconds / 60.0,
                seconds / 1000.0
            );
            return Err(Error::settings(words));
        }
        match Duration::try_from_secs_f64(seconds) {
            Ok(timeout) if (SHORTEST..=LONGEST).contains(&timeout) => Ok(Some(timeout)),
            _ => Err(refuse(name, expected, &seconds.to_string())),
        }
    }

    /// Whether this is development: operations without a server then return empty values.
    pub fn development(&self) -> bool {
        self.get("NODE_ENV") == Some("development")
    }

    /// Whether this is production: without configuration, a server on this machine is then used.
    pub fn production(&self) -> bool {
        self.get("NODE_ENV") == Some("production")
    }
}

/// A larger number is probably in milliseconds.
const LIKELY_MS: f64 = 1000.0;
/// The resolution of timers.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(LONGEST_SECONDS);

/// Removes surrounding quotes of the same kind.
pub fn unquoted(text: &str) -> &str {
    let trimmed = text.trim();
    let within = |quote| trimmed.strip_prefix(quote).and_then(|rest: &str| rest.strip_suffix(quote));
    within('"').or_else(|| within('\'')).unwrap_or(text)
}

/// An error for an invalid value, which is shown only if it resembles a number: platforms put whole URLs where a number is
/// expected.
fn refuse(name: &str, expected: &str, value: &str) -> Error {
    let plain = value.len() <= 40 && value.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+'));
    let shown = if plain { format!(", not \"{value}\"") } else { String::new() };
    Error::settings(format!("{name} must be {expected}{shown}"))
}
