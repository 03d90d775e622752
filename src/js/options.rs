//! A service's options as JavaScript gives them.

use std::collections::HashMap;

use napi::sys::ValueType;

use super::env::{Js, Value};
use crate::{
    error::{Error, Result},
    settings::{Environment, Options, Secret, Tls, TlsOptions},
};

/// What `onUnavailable` says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OnUnavailable {
    /// A typed error.
    Throw,
    /// The operation's empty value, and one warning.
    Empty,
}

impl Js {
    /// Options of a service.
    pub fn service_options(self, options: Value) -> Result<(Options, Option<OnUnavailable>)> {
        let text = |name: &'static std::ffi::CStr, said: &str| {
            self.option(options, name)?.map(|value| self.text(value, said)).transpose()
        };
        let whole = |name, said: &str, range: std::ops::RangeInclusive<u64>| match self.option(options, name)? {
            None => Ok(None),
            Some(value) => match self.whole(value, said)? {
                number if range.contains(&number) => Ok(Some(number)),
                number => Err(Error::argument(format!(
                    "{said} must be a whole number from {} to {}, not {number}",
                    range.start(),
                    range.end()
                ))),
            },
        };
        let time = |name, said: &str| self.option(options, name)?.map(|ms| self.milliseconds(ms, said)).transpose();
        let on_unavailable = match text(c"onUnavailable", "onUnavailable")?.as_deref() {
            None => None,
            Some("throw") => Some(OnUnavailable::Throw),
            Some("empty") => Some(OnUnavailable::Empty),
            Some(other) => {
                return Err(Error::argument(format!("onUnavailable must be 'throw' or 'empty', not \"{other}\"")));
            }
        };
        let read = Options {
            url: text(c"url", "url")?,
            host: text(c"host", "host")?,
            port: whole(c"port", "port", 0..=65_535)?.map(|port| port as u16),
            username: text(c"username", "username")?,
            password: text(c"password", "password")?.map(Secret::new),
            tls: self
                .option(options, c"tls")?
                .map(|tls| self.flag(tls, "tls"))
                .transpose()?
                .map(|on| if on { TlsOptions::On(Tls::default()) } else { TlsOptions::Off }),
            database: whole(c"db", "db", 0..=255)?.map(|db| db as u8),
            pool_size: whole(c"poolSize", "poolSize", 1..=1_000)?.map(|size| size as u32),
            timeout: time(c"timeoutMs", "timeoutMs")?,
            connect_timeout: time(c"connectTimeoutMs", "connectTimeoutMs")?,
            retry_attempts: whole(c"retryAttempts", "retryAttempts", 0..=100)?.map(|count| count as u32),
            max_bytes: whole(c"maxBytes", "maxBytes", 1 << 20..=1 << 40)?.map(|bytes| bytes as usize),
            ..Options::default()
        };
        Ok((read, on_unavailable))
    }

    /// The environment's variables, from a plain object of strings.
    pub fn environment(self, env: Value) -> Environment {
        const NAMES: [(&std::ffi::CStr, &str); 11] = [
            (c"REDIS_URL", "REDIS_URL"),
            (c"REDIS_PUBLIC_URL", "REDIS_PUBLIC_URL"),
            (c"REDIS_HOST", "REDIS_HOST"),
            (c"REDIS_PORT", "REDIS_PORT"),
            (c"REDIS_USERNAME", "REDIS_USERNAME"),
            (c"REDIS_PASSWORD", "REDIS_PASSWORD"),
            (c"REDIS_TLS", "REDIS_TLS"),
            (c"REDIS_POOL_SIZE", "REDIS_POOL_SIZE"),
            (c"REDIS_TIMEOUT", "REDIS_TIMEOUT"),
            (c"REDIS_RETRY_ATTEMPTS", "REDIS_RETRY_ATTEMPTS"),
            (c"NODE_ENV", "NODE_ENV"),
        ];
        if self.kind(env) != ValueType::napi_object {
            return Environment(HashMap::new());
        }
        let read = |(c, name): (&'static std::ffi::CStr, &str)| {
            let value = self.option(env, c).ok()??;
            self.text(value, name).ok().map(|text| (name.to_owned(), text))
        };
        Environment(NAMES.into_iter().filter_map(read).collect())
    }
}
