//! Reads the options of a service.

use std::{collections::HashMap, ffi::CStr, time::Duration};

use cinnabar_port::error::{Error, Result};
use cinnabar_redis::settings::{
    BreakerOptions, BreakerSettings, Driver, Environment as Variables, Options, Rate, Secret, SentinelOptions, Tls,
    TlsOptions, defaults,
};
use napi::sys::ValueType;

use super::{
    environment::{Environment, Log},
    node_api::{Js, Value},
    option_reader::{ANY_TIME, Given, Least, Literal, OptionReader, Takes},
};

/// The option `onUnavailable`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OnUnavailable {
    /// Reject with an error.
    Throw,
    /// Return the empty value of the operation, with one warning.
    Empty,
}

/// The options of a service.
pub struct ServiceOptions {
    /// Those of its connections; without `credentials`.
    pub connection: Options,
    /// A function, for `connection.credentials`.
    credentials: Option<Value>,
    /// What operations do without a server.
    pub on_unavailable: Option<OnUnavailable>,
    /// The destination of the log.
    pub log: Log,
    /// Whether errors have the stacks of their callers.
    pub stacks: bool,
}

impl OptionReader<'_> {
    fn secret(self, name: &'static CStr) -> Result<Option<Secret>> {
        self.text(name, None).map(|text| text.map(Secret::new))
    }

    /// Returns PEM text from a string or a Buffer.
    fn pem(self, name: &'static CStr) -> Result<Option<String>> {
        const WANTED: &str = "a string or a Buffer with PEM text";
        self.read(name, Takes::a(WANTED), |js, value, label| match js.bytes(value) {
            Some(bytes) => String::from_utf8(bytes.to_vec())
                .map_err(|_| Error::argument(format!("{label} must be PEM text (-----BEGIN …), not binary data"))),
            None if js.kind(value) == ValueType::napi_string => js.text(value, label),
            None => Err(js.type_error(value, label, WANTED)),
        })
    }

    /// Returns one fingerprint, or several while a certificate is being replaced.
    fn fingerprints(self) -> Result<Vec<[u8; 32]>> {
        let read = self.read(c"fingerprint", Takes::a("a string or an array of strings"), |js, value, label| {
            let all = match js.array_length(value) {
                Some(_) => js.texts(value, label)?,
                None => vec![js.text(value, label)?],
            };
            if all.is_empty() {
                return Err(Error::settings(format!(
                    "{label} must contain at least one fingerprint, got an empty array"
                )));
            }
            all.iter().map(|text| Tls::fingerprint(text)).collect()
        });
        read.map(Option::unwrap_or_default)
    }

    fn tls(self) -> Result<Option<TlsOptions>> {
        let switch = |js: Js, value, _: &str| Ok(js.as_boolean(value));
        let tls = match self.group_or(c"tls", "true, false or an object", switch)? {
            None => return Ok(None),
            Some(Given::Short(true)) => return Ok(Some(TlsOptions::On(Tls::default()))),
            Some(Given::Short(false)) => return Ok(Some(TlsOptions::Off)),
            Some(Given::Group(tls)) => tls,
        };
        Ok(Some(TlsOptions::On(Tls {
            ca: tls.pem(c"ca")?,
            cert: tls.pem(c"cert")?,
            key: tls.pem(c"key")?.map(Secret::new),
            server_name: tls.text(c"servername", None)?,
            fingerprints: tls.fingerprints()?,
            unverified: !tls.flag(c"rejectUnauthorized", true)?,
        })))
    }

    fn breaker(self) -> Result<Option<BreakerOptions>> {
        let breaker = match self.group_or(c"breaker", "false or an object", off)? {
            None => return Ok(None),
            Some(Given::Short(())) => return Ok(Some(BreakerOptions::Off)),
            Some(Given::Group(breaker)) => breaker,
        };
        let default = BreakerSettings::default();
        let (times, windows) = (BreakerSettings::TIME_MS, BreakerSettings::WINDOW_MS);
        Ok(Some(BreakerOptions::On {
            error_rate: breaker.rate(c"errorRate", default.error_rate)?,
            window: breaker.time(c"windowMs", windows, Some(default.window))?,
            volume: breaker.whole(c"volume", 1..=1_000_000, Some(default.volume))?,
            open_for: breaker.time(c"openMs", times.clone(), Some(default.open_for))?,
            // By default that of a call, if it is shorter than that of a probe.
            probe_timeout: breaker.time(c"probeTimeoutMs", times.clone(), None)?,
            slow_call: breaker.time(c"slowCallMs", times, Some(default.slow_call))?,
            slow_rate: breaker.rate(c"slowRate", default.slow_rate)?,
        }))
    }

    /// Returns a share, which `Rate` checks.
    fn rate(self, name: &'static CStr, default: Rate) -> Result<Option<f64>> {
        let takes = Takes { bounds: Some((Least::Above(0.0), 1.0)), ..Takes::a("a number") };
        self.number(name, takes.or(Some(Literal::Number(default.share()))))
    }

    fn sentinel(self) -> Result<Option<SentinelOptions>> {
        let Some(sentinel) = self.group(c"sentinel")? else { return Ok(None) };
        let (username, password) = (sentinel.text(c"username", None)?, sentinel.secret(c"password")?);
        Ok(Some(SentinelOptions { username, password }))
    }

    fn reconnect(self) -> Result<(Option<Duration>, Option<Duration>)> {
        let Some(reconnect) = self.group(c"reconnect")? else { return Ok((None, None)) };
        let first = reconnect.time(c"firstMs", ANY_TIME, Some(defaults::RECONNECT_FIRST_WAIT))?;
        Ok((first, reconnect.time(c"longestMs", ANY_TIME, Some(defaults::RECONNECT_LONGEST_WAIT))?))
    }

    /// Reads the options of a service, in the order in which errors list their names.
    pub fn service(self) -> Result<ServiceOptions> {
        let mut read = Options {
            url: self.text(c"url", None)?,
            host: self.text(c"host", Some(defaults::HOST))?,
            port: self.whole(c"port", 1..=65_535, Some(defaults::PORT))?,
            username: self.text(c"username", None)?,
            password: self.secret(c"password")?,
            ..Options::default()
        };
        let credentials = self.read(c"credentials", Takes::a("a function"), |js, value, label| {
            let callable = js.kind(value) == ValueType::napi_function;
            if callable { Ok(value) } else { Err(js.type_error(value, label, "a function")) }
        })?;
        read.tls = self.tls()?;
        read.database = self.whole(c"db", 0..=255, Some(defaults::DATABASE))?;
        read.sentinel = self.sentinel()?;
        read.driver =
            self.word(c"driver", [("native", Driver::Native), ("fred", Driver::Fred)], Some(Driver::Native))?;
        read.pool_size = self.whole(c"poolSize", 1..=1_000, Some(defaults::POOL_SIZE))?;
        read.timeout = self.time(c"timeoutMs", ANY_TIME, Some(defaults::TIMEOUT))?;
        read.connect_timeout = self.time(c"connectTimeoutMs", ANY_TIME, Some(defaults::CONNECT_TIMEOUT))?;
        read.connect_wait = self.time(c"connectWaitMs", ANY_TIME, Some(defaults::CONNECT_WAIT))?;
        read.retry_attempts = self.whole(c"retryAttempts", 0..=100, Some(defaults::RETRY_ATTEMPTS))?;
        (read.reconnect_first_wait, read.reconnect_longest_wait) = self.reconnect()?;
        read.max_queued_calls = self.whole(c"maxQueuedCalls", 1..=10_000_000, Some(defaults::MAX_QUEUED_CALLS))?;
        read.max_queued_bytes = self.whole(c"maxQueuedBytes", 1 << 10..=1 << 40, Some(defaults::MAX_QUEUED_BYTES))?;
        read.keepalive = self.time(c"keepAliveMs", ANY_TIME, Some(defaults::KEEPALIVE))?;
        read.breaker = self.breaker()?;
        read.max_bytes = self.whole(c"maxBytes", 1 << 20..=1 << 40, Some(defaults::MAX_BYTES))?;
        let policies = [("throw", OnUnavailable::Throw), ("empty", OnUnavailable::Empty)];
        let on_unavailable = self.word(c"onUnavailable", policies, None)?;
        let log = self.read(c"log", Takes::a(Log::WANTED), Log::read)?.unwrap_or(Log::Console);
        let stacks = self.flag(c"stacks", false)?;
        Ok(ServiceOptions { connection: read, credentials, on_unavailable, log, stacks })
    }
}

/// Returns something for `false`.
pub fn off(js: Js, value: Value, _label: &str) -> Result<Option<()>> {
    Ok((js.as_boolean(value) == Some(false)).then_some(()))
}

impl Js {
    /// Returns the options of a service.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` names the option.
    pub fn service_options(self, environment: &Environment, options: Value) -> Result<ServiceOptions> {
        let read = OptionReader::of(self, options).service().and_then(|mut read| {
            let provider = read.credentials.map(|function| environment.credential_provider(self, function));
            read.connection.credentials = provider.transpose()?;
            Ok(read)
        });
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
