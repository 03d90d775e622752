//! Reads the options of a service.

use std::{collections::HashMap, ffi::CStr};

use cinnabar_port::error::{Error, Result};
use cinnabar_redis::settings::{
    BreakerOptions, BreakerSettings, Driver, Environment as Variables, Options, Secret, SentinelOptions, Tls,
    TlsOptions,
};
use napi::sys::ValueType;

use super::{
    environment::Environment,
    node_api::{Js, Value},
    option_reader::OptionReader,
};

/// The option `onUnavailable`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OnUnavailable {
    /// Reject with an error.
    Throw,
    /// Return the empty value of the operation, with one warning.
    Empty,
}

impl OptionReader {
    fn secret(self, name: &'static CStr) -> Result<Option<Secret>> {
        self.text(name).map(|text| text.map(Secret::new))
    }

    /// Returns PEM text from a string or a Buffer.
    fn pem(self, name: &'static CStr) -> Result<Option<String>> {
        self.read(name, |value, label| match self.js.bytes(value) {
            Some(bytes) => String::from_utf8(bytes.to_vec())
                .map_err(|_| Error::argument(format!("{label} must be PEM text (-----BEGIN …), not binary data"))),
            None if self.js.kind(value) == ValueType::napi_string => self.js.text(value, label),
            None => Err(self.js.type_error(value, label, "a string or a Buffer with PEM text")),
        })
    }

    fn flag(self, name: &'static CStr) -> Result<Option<bool>> {
        Ok(self.js.option(self.object, name)?.and_then(|value| self.js.as_boolean(value)))
    }

    /// Returns one fingerprint, or several while a certificate is being replaced.
    fn fingerprints(self) -> Result<Vec<[u8; 32]>> {
        let read = self.read(c"fingerprint", |value, label| {
            let all = match self.js.array_length(value) {
                Some(_) => self.js.texts(value, label)?,
                None => vec![self.js.text(value, label)?],
            };
            if all.is_empty() {
                return Err(Error::settings(
                    "tls.fingerprint must contain at least one fingerprint, got an empty array",
                ));
            }
            all.iter().map(|text| Tls::fingerprint(text)).collect()
        });
        read.map(Option::unwrap_or_default)
    }

    fn tls(self) -> Result<Option<TlsOptions>> {
        match self.flag(c"tls")? {
            Some(true) => return Ok(Some(TlsOptions::On(Tls::default()))),
            Some(false) => return Ok(Some(TlsOptions::Off)),
            None => {}
        }
        let Some(tls) = self.group(c"tls", "tls.", "true, false or an object")? else { return Ok(None) };
        Ok(Some(TlsOptions::On(Tls {
            ca: tls.pem(c"ca")?,
            cert: tls.pem(c"cert")?,
            key: tls.pem(c"key")?.map(Secret::new),
            server_name: tls.text(c"servername")?,
            fingerprints: tls.fingerprints()?,
            unverified: tls.read(c"rejectUnauthorized", |value, label| self.js.flag(value, label))? == Some(false),
        })))
    }

    fn breaker(self) -> Result<Option<BreakerOptions>> {
        if self.flag(c"breaker")? == Some(false) {
            return Ok(Some(BreakerOptions::Off));
        }
        let Some(breaker) = self.group(c"breaker", "breaker.", "false or an object")? else { return Ok(None) };
        Ok(Some(BreakerOptions::On {
            error_rate: breaker.rate(c"errorRate")?,
            window: breaker.time_within(c"windowMs", BreakerSettings::WINDOW_MS)?,
            volume: breaker.whole(c"volume", 1..=1_000_000)?,
            open_for: breaker.time_within(c"openMs", BreakerSettings::TIME_MS)?,
            probe_timeout: breaker.time_within(c"probeTimeoutMs", BreakerSettings::TIME_MS)?,
            slow_call: breaker.time_within(c"slowCallMs", BreakerSettings::TIME_MS)?,
            slow_rate: breaker.rate(c"slowRate")?,
        }))
    }

    fn sentinel(self) -> Result<Option<SentinelOptions>> {
        let Some(sentinel) = self.group(c"sentinel", "sentinel.", "an object")? else { return Ok(None) };
        let (username, password) = (sentinel.text(c"username")?, sentinel.secret(c"password")?);
        Ok(Some(SentinelOptions { username, password }))
    }

    fn on_unavailable(self) -> Result<Option<OnUnavailable>> {
        self.read(c"onUnavailable", |value, label| match self.js.text(value, label)?.as_str() {
            "throw" => Ok(OnUnavailable::Throw),
            "empty" => Ok(OnUnavailable::Empty),
            _ => Err(Error::argument(format!("{label} must be 'throw' or 'empty'"))),
        })
    }

    fn driver(self) -> Result<Option<Driver>> {
        self.read(c"driver", |value, said| {
            let driver = self.js.text(value, said)?.parse();
            driver.map_err(|()| Error::argument(format!("{said} must be 'native' or 'fred'")))
        })
    }

    fn all(self, environment: &Environment) -> Result<Options> {
        let reconnect = self.group(c"reconnect", "reconnect.", "an object")?;
        let wait = |name| reconnect.map_or(Ok(None), |reconnect| reconnect.time(name));
        Ok(Options {
            url: self.text(c"url")?,
            host: self.text(c"host")?,
            port: self.whole(c"port", 1..=65_535)?,
            driver: self.driver()?,
            username: self.text(c"username")?,
            password: self.secret(c"password")?,
            tls: self.tls()?,
            database: self.whole(c"db", 0..=255)?,
            pool_size: self.whole(c"poolSize", 1..=1_000)?,
            timeout: self.time(c"timeoutMs")?,
            connect_timeout: self.time(c"connectTimeoutMs")?,
            connect_wait: self.time(c"connectWaitMs")?,
            retry_attempts: self.whole(c"retryAttempts", 0..=100)?,
            reconnect_first_wait: wait(c"firstMs")?,
            reconnect_longest_wait: wait(c"longestMs")?,
            max_queued_calls: self.whole(c"maxQueuedCalls", 1..=10_000_000)?,
            max_queued_bytes: self.whole(c"maxQueuedBytes", 1 << 10..=1 << 40)?,
            keepalive: self.time(c"keepAliveMs")?,
            max_bytes: self.whole(c"maxBytes", 1 << 20..=1 << 40)?,
            breaker: self.breaker()?,
            sentinel: self.sentinel()?,
            credentials: self.read(c"credentials", |value, label| {
                if self.js.kind(value) != ValueType::napi_function {
                    return Err(self.js.type_error(value, label, "a function"));
                }
                environment.credential_provider(self.js, value)
            })?,
        })
    }
}

impl Js {
    /// Returns the options of a service.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` names the option.
    pub fn service_options(
        self,
        environment: &Environment,
        options: Value,
    ) -> Result<(Options, Option<OnUnavailable>)> {
        let group = OptionReader { js: self, object: options, prefix: "" };
        let read = group.on_unavailable().and_then(|policy| Ok((group.all(environment)?, policy)));
        // Errors of arguments become errors of settings.
        read.map_err(|error| Error::settings(error.message().to_owned()))
    }

    /// Returns the environment variables from a plain object of strings.
    pub fn variables(self, env: Value) -> Variables {
        const NAMES: [(&CStr, &str); 12] = [
            (c"REDIS_URL", "REDIS_URL"),
            (c"REDIS_PUBLIC_URL", "REDIS_PUBLIC_URL"),
            (c"REDIS_HOST", "REDIS_HOST"),
            (c"REDIS_PORT", "REDIS_PORT"),
            (c"REDIS_USERNAME", "REDIS_USERNAME"),
            (c"REDIS_PASSWORD", "REDIS_PASSWORD"),
            (c"REDIS_TLS", "REDIS_TLS"),
            (c"REDIS_DRIVER", "REDIS_DRIVER"),
            (c"REDIS_POOL_SIZE", "REDIS_POOL_SIZE"),
            (c"REDIS_TIMEOUT", "REDIS_TIMEOUT"),
            (c"REDIS_RETRY_ATTEMPTS", "REDIS_RETRY_ATTEMPTS"),
            (c"NODE_ENV", "NODE_ENV"),
        ];
        if self.kind(env) != ValueType::napi_object {
            return Variables(HashMap::new());
        }
        let read = |(c, name): (&'static CStr, &str)| {
            let value = self.option(env, c).ok()??;
            self.text(value, name).ok().map(|text| (name.to_owned(), text))
        };
        Variables(NAMES.into_iter().filter_map(read).collect())
    }
}
