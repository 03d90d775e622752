//! The settings of the circuit breaker.

use std::{ops::RangeInclusive, time::Duration};

use cinnabar_port::error::{Error, Result};

/// The settings of the breaker that each server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BreakerSettings {
    /// Whether the breaker is enabled. Defaults to true.
    pub enabled: bool,
    /// The breaker opens when this share of the window's calls has failed. Defaults to 1/2.
    pub error_rate: Rate,
    /// The length of the window. Defaults to 10 s.
    pub window: Duration,
    /// The fewest calls in the window for a rate to count. Defaults to 20.
    pub volume: u32,
    /// How long calls are rejected before the server is probed. Defaults to 30 s.
    pub open_for: Duration,
    /// How long a probe may take before it counts as failed. Defaults to 5 s.
    pub probe_timeout: Duration,
    /// A call that takes at least this long is slow. Defaults to 1 s.
    pub slow_call: Duration,
    /// The breaker opens when this share of the window's calls was slow. Defaults to 4/5.
    pub slow_rate: Rate,
}

/// The `breaker` option; omitted fields have their defaults.
#[derive(Debug, Clone, PartialEq)]
pub enum BreakerOptions {
    /// `breaker: false`.
    Off,
    /// `breaker: { … }`.
    On {
        /// The share of failed calls.
        error_rate: Option<f64>,
        /// The length of the window.
        window: Option<Duration>,
        /// The fewest calls.
        volume: Option<u32>,
        /// How long calls are rejected.
        open_for: Option<Duration>,
        /// The timeout of a probe.
        probe_timeout: Option<Duration>,
        /// The duration of a slow call.
        slow_call: Option<Duration>,
        /// The share of slow calls.
        slow_rate: Option<f64>,
    },
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            error_rate: Rate(500_000),
            window: Duration::from_secs(10),
            volume: 20,
            open_for: Duration::from_secs(30),
            probe_timeout: Duration::from_secs(5),
            slow_call: Duration::from_secs(1),
            slow_rate: Rate(800_000),
        }
    }
}

impl BreakerSettings {
    /// The limits of all durations, in milliseconds. More than a day is probably a mistake of units.
    pub const TIME_MS: RangeInclusive<u64> = 1..=86_400_000;
    /// The limits of the window, in milliseconds. It is counted in tenths, each of which must be at least one tick of the clock.
    pub const WINDOW_MS: RangeInclusive<u64> = 100..=86_400_000;

    /// A disabled breaker, which admits every call.
    #[cfg(test)]
    pub fn disabled() -> Self {
        Self { enabled: false, ..Self::default() }
    }

    /// Fills in the defaults; `timeout` is the deadline of calls.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` names the option.
    pub fn resolve(options: Option<BreakerOptions>, timeout: Duration) -> Result<Self> {
        let default = Self::default();
        let default = Self { probe_timeout: default.probe_timeout.min(timeout), ..default };
        let rate = |name, rate: Option<f64>, default| rate.map_or(Ok(default), |rate| Rate::new(name, rate));
        match options {
            None => Ok(default),
            Some(BreakerOptions::Off) => Ok(Self { enabled: false, ..default }),
            Some(BreakerOptions::On { error_rate, window, volume, open_for, probe_timeout, slow_call, slow_rate }) => {
                if let Some(slow) = slow_call.filter(|slow| *slow >= timeout) {
                    return Err(Error::settings(format!(
                        "breaker.slowCallMs is {slow:?}, but calls end after timeoutMs ({timeout:?}), so none would \
                         ever be slow; set it below timeoutMs"
                    )));
                }
                let settings = Self {
                    enabled: true,
                    error_rate: rate("breaker.errorRate", error_rate, default.error_rate)?,
                    window: window.unwrap_or(default.window),
                    volume: volume.unwrap_or(default.volume),
                    open_for: open_for.unwrap_or(default.open_for),
                    probe_timeout: probe_timeout.unwrap_or(default.probe_timeout),
                    slow_call: slow_call.unwrap_or(default.slow_call),
                    slow_rate: rate("breaker.slowRate", slow_rate, default.slow_rate)?,
                };
                settings.validated()
            }
        }
    }

    /// Returns these settings if all of them are valid.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` names the option.
    pub fn validated(self) -> Result<Self> {
        let times = [
            ("windowMs", self.window, Self::WINDOW_MS),
            ("openMs", self.open_for, Self::TIME_MS),
            ("probeTimeoutMs", self.probe_timeout, Self::TIME_MS),
            ("slowCallMs", self.slow_call, Self::TIME_MS),
        ];
        for (name, time, range) in times {
            let (shortest, longest) = (*range.start(), *range.end());
            if time < Duration::from_millis(shortest) || time > Duration::from_millis(longest) {
                return Err(Error::settings(format!(
                    "breaker.{name} must be a number of milliseconds from {shortest} to {longest}, not {}",
                    time.as_secs_f64() * 1000.0
                )));
            }
        }
        if self.volume == 0 {
            return Err(Error::settings("breaker.volume must be a whole number from 1"));
        }
        Ok(self)
    }
}

/// A share above 0 and at most 1, in millionths, since settings are compared and hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate(u32);

impl Rate {
    const WHOLE: u32 = 1_000_000;

    /// Creates the rate that an option of this name requests.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` unless it is above 0 and at most 1.
    pub fn new(name: &str, rate: f64) -> Result<Self> {
        if !(rate > 0.0 && rate <= 1.0) {
            return Err(Error::settings(format!(
                "{name} must be above 0 and at most 1, not {rate}; breaker: false turns the breaker off"
            )));
        }
        // A rate below a millionth means "any"; none would mean "always".
        Ok(Self(((rate * f64::from(Self::WHOLE)).round() as u32).max(1)))
    }

    /// The share itself.
    pub fn share(self) -> f64 {
        f64::from(self.0) / f64::from(Self::WHOLE)
    }

    /// Whether this many of all are at least this share; zero of zero are not.
    pub fn is_reached(self, part: u64, whole: u64) -> bool {
        part > 0 && u128::from(part) * u128::from(Self::WHOLE) >= u128::from(whole) * u128::from(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        let settings = BreakerSettings::default();
        assert_eq!(settings.validated().unwrap(), settings);
        assert_eq!(settings.error_rate, Rate::new("errorRate", 0.5).unwrap());
        assert_eq!(settings.slow_rate, Rate::new("slowRate", 0.8).unwrap());
        assert!(!BreakerSettings::disabled().validated().unwrap().enabled);
    }

    #[test]
    fn invalid_options_are_rejected_by_name() {
        let good = BreakerSettings::default();
        for time in
            [Duration::ZERO, Duration::from_micros(999), Duration::from_millis(BreakerSettings::TIME_MS.end() + 1)]
        {
            for (name, bad) in [
                ("breaker.windowMs", BreakerSettings { window: time, ..good }),
                ("breaker.openMs", BreakerSettings { open_for: time, ..good }),
                ("breaker.probeTimeoutMs", BreakerSettings { probe_timeout: time, ..good }),
                ("breaker.slowCallMs", BreakerSettings { slow_call: time, ..good }),
            ] {
                let message = bad.validated().unwrap_err().to_string();
                assert!(message.contains(name), "{message}");
            }
        }
        let message = BreakerSettings { volume: 0, ..good }.validated().unwrap_err().to_string();
        assert!(message.contains("breaker.volume"), "{message}");
        for rate in [0.0, -0.5, 1.000_001, f64::NAN, f64::INFINITY] {
            let message = Rate::new("breaker.errorRate", rate).unwrap_err().to_string();
            assert!(message.contains("breaker.errorRate"), "{message}");
        }
    }

    #[test]
    fn a_rate_is_reached_exactly() {
        let half = Rate::new("rate", 0.5).unwrap();
        assert!(half.is_reached(10, 20) && half.is_reached(11, 20) && !half.is_reached(9, 20));
        assert!(!half.is_reached(0, 0));
        let whole = Rate::new("rate", 1.0).unwrap();
        assert!(whole.is_reached(7, 7) && !whole.is_reached(u64::MAX - 1, u64::MAX));
        let any = Rate::new("rate", f64::MIN_POSITIVE).unwrap();
        assert!(any.is_reached(1, 1_000_000) && !any.is_reached(0, 5));
    }
}
