//! When calls to a server that fails are refused instead of sent, and how it is tried again.

use std::{ops::RangeInclusive, time::Duration};

use cinnabar_port::error::{Error, Result};

/// Settings of the circuit breaker that each server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BreakerSettings {
    /// Whether there is one. Defaults to true.
    pub enabled: bool,
    /// Opens when this part of the window's calls failed. Defaults to a half.
    pub error_rate: Rate,
    /// How long a call is remembered. Defaults to 10 s.
    pub window: Duration,
    /// How many calls the window must hold before a rate means anything. Defaults to 20.
    pub volume: u32,
    /// How long calls are refused before one is let through to see. Defaults to 30 s.
    pub open_for: Duration,
    /// How long that one may take before it counts as failed. Defaults to 5 s.
    pub probe_timeout: Duration,
    /// From when on a call counts as slow. Defaults to 1 s.
    pub slow_call: Duration,
    /// Opens when this part of the window's calls was slow. Defaults to four fifths.
    pub slow_rate: Rate,
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
    /// How long any of the times may be, in milliseconds: what is meant to last longer than a day is a mistake of units.
    pub const TIME_MS: RangeInclusive<u64> = 1..=86_400_000;
    /// The same for the window, which is counted in tenths, none of which may be shorter than the clock can tell apart.
    pub const WINDOW_MS: RangeInclusive<u64> = 100..=86_400_000;

    /// No breaker: every call is let through.
    #[cfg(test)]
    pub fn disabled() -> Self {
        Self { enabled: false, ..Self::default() }
    }

    /// Fills in the defaults; `timeout` is the deadline of calls.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` names the option.
    pub fn resolve(options: Option<BreakerOptions>, timeout: Duration) -> Result<Self> {
        let usual = Self::default();
        let usual = Self { probe_timeout: usual.probe_timeout.min(timeout), ..usual };
        let rate = |name, rate: Option<f64>, usual| rate.map_or(Ok(usual), |rate| Rate::new(name, rate));
        match options {
            None => Ok(usual),
            Some(BreakerOptions::Off) => Ok(Self { enabled: false, ..usual }),
            Some(BreakerOptions::On { error_rate, window, volume, open_for, probe_timeout, slow_call, slow_rate }) => {
                if let Some(slow) = slow_call.filter(|slow| *slow >= timeout) {
                    return Err(Error::settings(format!(
                        "breaker.slowCallMs is {slow:?}, but calls end after timeoutMs ({timeout:?}), so none would \
                         ever be slow; set it below timeoutMs"
                    )));
                }
                let settings = Self {
                    enabled: true,
                    error_rate: rate("breaker.errorRate", error_rate, usual.error_rate)?,
                    window: window.unwrap_or(usual.window),
                    volume: volume.unwrap_or(usual.volume),
                    open_for: open_for.unwrap_or(usual.open_for),
                    probe_timeout: probe_timeout.unwrap_or(usual.probe_timeout),
                    slow_call: slow_call.unwrap_or(usual.slow_call),
                    slow_rate: rate("breaker.slowRate", slow_rate, usual.slow_rate)?,
                };
                settings.validated()
            }
        }
    }

    /// These settings, if each can be meant.
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

/// A part of a whole, above 0 and at most 1. Kept in millionths: settings are compared and hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate(u32);

impl Rate {
    const WHOLE: u32 = 1_000_000;

    /// The rate that an option of this name asks for.
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

    /// Whether so many of so many are at least this part. None of none is not.
    pub fn is_reached(self, part: u64, whole: u64) -> bool {
        part > 0 && u128::from(part) * u128::from(Self::WHOLE) >= u128::from(whole) * u128::from(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_meant() {
        let settings = BreakerSettings::default();
        assert_eq!(settings.validated().unwrap(), settings);
        assert_eq!(settings.error_rate, Rate::new("errorRate", 0.5).unwrap());
        assert_eq!(settings.slow_rate, Rate::new("slowRate", 0.8).unwrap());
        assert!(!BreakerSettings::disabled().validated().unwrap().enabled);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
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
