//! Variables of the environment.

use std::{collections::HashMap, str::FromStr, time::Duration};

use crate::error::{Error, Result};

/// The environment, as the host's language sees it.
pub struct Environment(pub HashMap<String, String>);

impl Environment {
    /// A variable, if it is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A variable as what it means.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` names the variable.
    pub fn parse<T: FromStr>(&self, name: &str, meant: &str) -> Result<Option<T>> {
        self.get(name).map(|value| value.trim().parse().map_err(|_| refuse(name, meant, value))).transpose()
    }

    /// `REDIS_TIMEOUT`, which is in seconds.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` names the variable.
    pub fn timeout(&self) -> Result<Option<Duration>> {
        let (name, meant) = ("REDIS_TIMEOUT", "a number of seconds from 0.001");
        let Some(seconds) = self.parse::<f64>(name, meant)? else { return Ok(None) };
        match Duration::try_from_secs_f64(seconds) {
            Ok(timeout) if (SHORTEST..=LONGEST).contains(&timeout) => Ok(Some(timeout)),
            _ => Err(refuse(name, meant, &seconds.to_string())),
        }
    }

    /// Whether this is development: an operation without a server then answers its empty value.
    pub fn development(&self) -> bool {
        self.get("NODE_ENV") == Some("development")
    }

    /// Whether this is production: nothing configured then means a server on this machine.
    pub fn production(&self) -> bool {
        self.get("NODE_ENV") == Some("production")
    }
}

/// A timer's finest step.
const SHORTEST: Duration = Duration::from_millis(1);
/// 100 years: more than that cannot be added to every clock.
const LONGEST: Duration = Duration::from_secs(3_153_600_000);

/// A value is shown only if it looks like a number: platforms put whole URLs where one is meant.
fn refuse(name: &str, meant: &str, value: &str) -> Error {
    let plain = value.len() <= 40 && value.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+'));
    let shown = if plain { format!(", not \"{value}\"") } else { String::new() };
    Error::settings(format!("{name} must be {meant}{shown}"))
}
