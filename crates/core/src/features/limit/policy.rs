//! Policies: what is allowed to an identifier, by which algorithm.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cinnabar_port::{
    error::{Error, Result},
    number::to_js_string,
};

use super::{
    MAX_LIMIT,
    calendar::{Calendar, Period},
    limit_of,
};
use crate::features::ttl;

/// Into how many slices a sliding window is divided. A hit leaves the window up to one slice late.
const SLICES: u64 = 10;
/// The longest name of a policy in bytes.
const MAX_NAME: usize = 64;

/// How hits are counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Algorithm {
    /// A window of so many seconds, which starts with its first hit.
    FixedWindow(f64),
    /// A window of so many seconds that ends now, at any time.
    SlidingWindow(f64),
    /// A token bucket, by the generic cell rate algorithm.
    Gcra {
        /// The limit is allowed in so many seconds, spread evenly.
        per: f64,
        /// How many hits are allowed at once; by default the limit, or half of it if strict.
        burst: Option<f64>,
        /// Whether the limit includes the burst: then no window of `per` seconds has more hits than the limit.
        strict: bool,
    },
    /// The periods of a calendar.
    Calendar(Period),
    /// How many run at the same time: slots with leases of this length.
    Concurrency(Duration),
}

/// What a policy is made of.
#[derive(Debug, Clone)]
pub struct PolicyOptions {
    /// Its name.
    pub name: String,
    /// How hits are counted.
    pub algorithm: Algorithm,
    /// How many hits are allowed; infinite for all.
    pub limit: f64,
    /// The time zone of a calendar. Default UTC.
    pub time_zone: Option<String>,
    /// Whether what it refuses is allowed all the same, to see what a limit would do.
    pub shadow: bool,
}

/// A limit with a name.
#[derive(Debug, Clone)]
pub struct Policy {
    name: Arc<str>,
    /// `None` if everything is allowed.
    limit: Option<u64>,
    kind: Kind,
    shadow: bool,
    args: [Bytes; 4],
    text: Bytes,
}

#[derive(Debug, Clone)]
enum Kind {
    Window { algorithm: &'static str, period_us: u64 },
    Bucket { period_us: u64, burst: u64, strict: bool },
    Calendar(Arc<Calendar>),
    Concurrency(Duration),
}

impl Policy {
    /// Checks what a policy is made of.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an invalid name, limit, burst, time or zone.
    pub fn new(options: PolicyOptions) -> Result<Self> {
        let PolicyOptions { name, algorithm, limit, time_zone, shadow } = options;
        check_name(&name)?;
        let limit = if limit == f64::INFINITY { None } else { Some(limit_of("limit", 0.0, limit)?) };
        let whole = limit.unwrap_or(1);
        let period_us = |seconds| Ok::<_, Error>(ttl::from_seconds("per", seconds)?.as_micros() as u64);
        let kind = match algorithm {
            Algorithm::FixedWindow(per) => Kind::Window { algorithm: "fixed", period_us: period_us(per)? },
            Algorithm::SlidingWindow(per) => Kind::Window { algorithm: "sliding", period_us: period_us(per)? },
            Algorithm::Gcra { per, burst, strict } => {
                let default = if strict { (whole / 2).max(1) } else { whole };
                let burst = burst.map_or(Ok(default), |burst| limit_of("burst", 1.0, burst))?;
                if strict && burst > whole.max(1) {
                    return Err(Error::argument(format!(
                        "burst of a strict policy must not exceed its limit of {whole}, got {burst}"
                    )));
                }
                Kind::Bucket { period_us: period_us(per)?, burst: within(burst, whole, strict), strict }
            }
            Algorithm::Concurrency(lease) => Kind::Concurrency(lease),
            Algorithm::Calendar(period) => {
                Kind::Calendar(Arc::new(Calendar::new(period, time_zone.as_deref().unwrap_or("UTC"))?))
            }
        };
        Ok(Self::with_args(name.into(), limit, kind, shadow))
    }

    /// Formats its arguments once.
    fn with_args(name: Arc<str>, limit: Option<u64>, kind: Kind, shadow: bool) -> Self {
        let args = kind.args(limit.unwrap_or(0));
        let text = joined(&args);
        Self { name, limit, kind, shadow, args, text }
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its limit; `None` if everything is allowed.
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Whether what it refuses is allowed all the same.
    pub fn is_shadow(&self) -> bool {
        self.shadow
    }

    /// Returns the same policy with another limit.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an invalid limit.
    pub fn with_limit(&self, limit: f64) -> Result<Self> {
        // Also without one, the store has to be asked: the identifier may be blocked.
        let limit = limit_of("limit", 0.0, limit.min(MAX_LIMIT))?;
        let kind = match &self.kind {
            Kind::Bucket { period_us, burst, strict } => {
                let own = u128::from(self.limit.unwrap_or(limit).max(1));
                let burst = (u128::from(*burst) * u128::from(limit) / own).clamp(1, MAX_LIMIT as u128) as u64;
                Kind::Bucket { period_us: *period_us, burst: within(burst, limit, *strict), strict: *strict }
            }
            kind => kind.clone(),
        };
        Ok(Self::with_args(self.name.clone(), Some(limit), kind, self.shadow))
    }

    /// Returns the length of a lease, if the policy limits what runs at the same time.
    pub(super) fn lease(&self) -> Option<Duration> {
        match self.kind {
            Kind::Concurrency(lease) => Some(lease),
            _ => None,
        }
    }

    /// Whether hits can be charged in advance.
    pub(super) fn can_wait(&self) -> bool {
        matches!(self.kind, Kind::Bucket { .. })
    }

    /// Returns the calendar, if it has one.
    pub(super) fn calendar(&self) -> Option<&Arc<Calendar>> {
        match &self.kind {
            Kind::Calendar(calendar) => Some(calendar),
            _ => None,
        }
    }

    /// Returns how long a hit counts at most, in milliseconds.
    pub(super) fn longest_ms(&self) -> u64 {
        match &self.kind {
            // A hit leaves a sliding window up to a slice late.
            Kind::Window { period_us, .. } => (period_us + period_us / SLICES).div_ceil(1000) + 1,
            Kind::Bucket { period_us, burst, strict } => {
                let limit = self.limit.unwrap_or(1);
                let rate = drained(limit, *burst, *strict);
                let drained = u128::from(*period_us) * u128::from(*burst) / u128::from(rate.max(1));
                u64::try_from(drained / 1000 + 1).unwrap_or(u64::MAX).min(ttl::MAX_SECONDS as u64 * 1000)
            }
            Kind::Calendar(calendar) => calendar.longest_ms(),
            Kind::Concurrency(lease) => lease.as_millis() as u64,
        }
    }

    /// Returns the policy as its scripts take it: algorithm, limit, period or bounds, extra.
    pub(super) fn args(&self) -> [Bytes; 4] {
        let mut args = self.args.clone();
        if let Kind::Calendar(calendar) = &self.kind {
            args[2] = calendar.bounds();
        }
        args
    }

    /// Returns the same as one text, with spaces.
    pub(super) fn text(&self) -> Bytes {
        if self.calendar().is_some() { joined(&self.args()) } else { self.text.clone() }
    }
}

impl Kind {
    fn args(&self, limit: u64) -> [Bytes; 4] {
        let (algorithm, period, extra) = match self {
            Self::Window { algorithm, period_us } => (*algorithm, period_us.to_string(), SLICES.to_string()),
            Self::Bucket { period_us, burst, strict } => {
                ("bucket", period_us.to_string(), format!("{}{burst}", if *strict { "-" } else { "" }))
            }
            // Its bounds change with time.
            Self::Calendar(calendar) => ("calendar", String::new(), calendar.unit().to_string()),
            // It has scripts of its own.
            Self::Concurrency(_) => ("concurrency", String::new(), "0".to_owned()),
        };
        [Bytes::from_static(algorithm.as_bytes()), limit.to_string().into(), period.into(), extra.into()]
    }
}

fn joined(args: &[Bytes; 4]) -> Bytes {
    args.join(&b' ').into()
}

/// Returns how many hits drain from a bucket in a period.
fn drained(limit: u64, burst: u64, strict: bool) -> u64 {
    if strict { limit.saturating_sub(burst) + 1 } else { limit }
}

/// A strict bucket holds no more than its limit. The scripts compute from both how fast it drains.
fn within(burst: u64, limit: u64, strict: bool) -> u64 {
    if strict { burst.min(limit).max(1) } else { burst }
}

fn check_name(name: &str) -> Result<()> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(is_allowed) {
        return Ok(());
    }
    Err(Error::argument(format!(
        "the name of a policy must have 1 to {MAX_NAME} letters, digits, '-', '_' and '.', got {name:?}"
    )))
}

/// Checks a number of hits.
///
/// # Errors
/// `E_INVALID_ARGUMENT`, naming `what`, unless it is a whole number from 0 to 2^53 - 1.
pub fn cost_of(what: &str, cost: f64) -> Result<u64> {
    if cost.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&cost) {
        return Ok(cost as u64);
    }
    Err(Error::argument(format!("{what} must be a whole number from 0 to 2^53 - 1, got {}", to_js_string(cost))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(algorithm: Algorithm, limit: f64) -> Result<Policy> {
        Policy::new(PolicyOptions { name: "p".into(), algorithm, limit, time_zone: None, shadow: false })
    }

    fn args(policy: &Policy) -> String {
        policy.args().map(|arg| String::from_utf8(arg.to_vec()).unwrap()).join(" ")
    }

    #[test]
    fn a_policy_is_checked() {
        let gcra = |per, burst, strict| Algorithm::Gcra { per, burst, strict };
        for limit in [-1.0, 1.5, f64::NAN, 2f64.powi(53) + 2.0] {
            assert!(policy(Algorithm::FixedWindow(1.0), limit).is_err(), "{limit}");
        }
        for per in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(policy(Algorithm::SlidingWindow(per), 1.0).is_err(), "{per}");
            assert!(policy(gcra(per, None, false), 1.0).is_err(), "{per}");
        }
        for burst in [0.0, 0.5, -1.0, f64::NAN] {
            assert!(policy(gcra(1.0, Some(burst), false), 5.0).is_err(), "{burst}");
        }
        assert!(policy(gcra(1.0, Some(6.0), true), 5.0).is_err());
        assert!(policy(gcra(1.0, Some(6.0), false), 5.0).is_ok());
        for name in ["", "a b", "a:b", "{a}", "é", &"a".repeat(65)] {
            let options = PolicyOptions {
                name: name.into(),
                algorithm: Algorithm::FixedWindow(1.0),
                limit: 1.0,
                time_zone: None,
                shadow: false,
            };
            assert!(Policy::new(options).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_strict_bucket_holds_no_more_than_its_limit() {
        let gcra = |burst, strict| Algorithm::Gcra { per: 60.0, burst, strict };
        for (limit, burst, strict, expected) in [
            (10.0, None, false, "bucket 10 60000000 10"),
            (10.0, Some(3.0), false, "bucket 10 60000000 3"),
            (10.0, Some(20.0), false, "bucket 10 60000000 20"),
            (10.0, None, true, "bucket 10 60000000 -5"),
            (10.0, Some(10.0), true, "bucket 10 60000000 -10"),
            (1.0, None, true, "bucket 1 60000000 -1"),
            (0.0, None, false, "bucket 0 60000000 0"),
        ] {
            assert_eq!(args(&policy(gcra(burst, strict), limit).unwrap()), expected);
        }
    }

    #[test]
    fn another_limit_scales_the_burst() {
        let gcra = |strict| Algorithm::Gcra { per: 60.0, burst: Some(3.0), strict };
        let plain = policy(gcra(false), 10.0).unwrap();
        assert_eq!(args(&plain.with_limit(20.0).unwrap()), "bucket 20 60000000 6");
        assert_eq!(args(&plain.with_limit(1.0).unwrap()), "bucket 1 60000000 1");
        assert_eq!(args(&policy(gcra(true), 10.0).unwrap().with_limit(20.0).unwrap()), "bucket 20 60000000 -6");
        assert_eq!(plain.with_limit(f64::INFINITY).unwrap().limit(), Some(1 << 53));
        assert!(plain.with_limit(1.5).is_err() && plain.with_limit(-1.0).is_err());
    }

    #[test]
    fn a_cost_is_a_whole_number() {
        assert_eq!(cost_of("cost", 0.0).unwrap(), 0);
        assert_eq!(cost_of("cost", 2f64.powi(53) - 1.0).unwrap(), (1 << 53) - 1);
        for cost in [-1.0, 0.5, f64::NAN, f64::INFINITY, 2f64.powi(53)] {
            assert!(cost_of("cost", cost).is_err(), "{cost}");
        }
    }
}
