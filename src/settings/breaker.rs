//! When a server counts as failing, and for how long it is then left alone.

use std::{
    hash::{Hash, Hasher},
    time::Duration,
};

use crate::error::{Error, Result};

/// Settings of a server's circuit breaker.
#[derive(Debug, Clone, PartialEq)]
pub struct BreakerSettings {
    /// Without it every call is tried. Defaults to true.
    pub enabled: bool,
    /// Share of failed calls that opens it, above 0 and at most 1. Defaults to 0.5.
    pub error_rate: f64,
    /// How long a call counts. Defaults to 10 s.
    pub window: Duration,
    /// Fewer calls than this in the window never open it. Defaults to 20.
    pub volume: u32,
    /// How long it refuses calls before it tries one. Defaults to 30 s.
    pub open_for: Duration,
    /// A trial call without an answer for this long has failed. Defaults to the deadline of calls, at most 5 s.
    pub probe_timeout: Duration,
    /// A call that takes this long is slow. Defaults to 1 s.
    pub slow_call: Duration,
    /// Share of slow calls that opens it, above 0 and at most 1. Defaults to 0.8.
    pub slow_rate: f64,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            error_rate: 0.5,
            window: Duration::from_secs(10),
            volume: 20,
            open_for: Duration::from_secs(30),
            probe_timeout: Duration::from_secs(5),
            slow_call: Duration::from_secs(1),
            slow_rate: 0.8,
        }
    }
}

// A rate is a number from 0 to 1, never NaN, so that equal settings are equal to themselves.
impl Eq for BreakerSettings {}

impl Hash for BreakerSettings {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { enabled, error_rate, window, volume, open_for, probe_timeout, slow_call, slow_rate } = self;
        (enabled, error_rate.to_bits(), window, volume).hash(state);
        (open_for, probe_timeout, slow_call, slow_rate.to_bits()).hash(state);
    }
}

/// What the caller said of the breaker; what is left out has its default.
#[derive(Debug, Clone, PartialEq)]
pub enum BreakerOptions {
    /// `breaker: false`.
    Off,
    /// `breaker: { … }`.
    On {
        /// Share of failed calls.
        error_rate: Option<f64>,
        /// How long a call counts.
        window: Option<Duration>,
        /// Fewest calls.
        volume: Option<u32>,
        /// How long it refuses.
        open_for: Option<Duration>,
        /// Longest trial.
        probe_timeout: Option<Duration>,
        /// What is slow.
        slow_call: Option<Duration>,
        /// Share of slow calls.
        slow_rate: Option<f64>,
    },
}

impl BreakerSettings {
    /// Fills in the defaults; `timeout` is the deadline of calls.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` names the option.
    pub fn resolve(options: Option<BreakerOptions>, timeout: Duration) -> Result<Self> {
        let usual = Self::default();
        let usual = Self { probe_timeout: usual.probe_timeout.min(timeout), ..usual };
        let settings = match options {
            None => return Ok(usual),
            Some(BreakerOptions::Off) => return Ok(Self { enabled: false, ..usual }),
            Some(BreakerOptions::On { error_rate, window, volume, open_for, probe_timeout, slow_call, slow_rate }) => {
                if let Some(slow) = slow_call.filter(|slow| *slow >= timeout) {
                    return Err(Error::settings(format!(
                        "breaker.slowCallMs is {slow:?}, but calls end after timeoutMs ({timeout:?}), so none would \
                         ever be slow; set it below timeoutMs"
                    )));
                }
                Self {
                    enabled: true,
                    error_rate: error_rate.unwrap_or(usual.error_rate),
                    window: window.unwrap_or(usual.window),
                    volume: volume.unwrap_or(usual.volume),
                    open_for: open_for.unwrap_or(usual.open_for),
                    probe_timeout: probe_timeout.unwrap_or(usual.probe_timeout),
                    slow_call: slow_call.unwrap_or(usual.slow_call),
                    slow_rate: slow_rate.unwrap_or(usual.slow_rate),
                }
            }
        };
        for (name, rate) in [("breaker.errorRate", settings.error_rate), ("breaker.slowRate", settings.slow_rate)] {
            // NaN is in no range. Zero would open it when all is well.
            if !(rate > 0.0 && rate <= 1.0) {
                let advice = "breaker: false turns the breaker off";
                return Err(Error::settings(format!("{name} must be above 0 and at most 1, not {rate}; {advice}")));
            }
        }
        if settings.volume == 0 {
            return Err(Error::settings("breaker.volume must be at least 1"));
        }
        if settings.window < SHORTEST_WINDOW {
            return Err(Error::settings(format!("breaker.windowMs must be at least {}", SHORTEST_WINDOW.as_millis())));
        }
        Ok(settings)
    }
}

/// The window is counted in tenths, none of which may be shorter than the clock can tell apart.
const SHORTEST_WINDOW: Duration = Duration::from_millis(100);
