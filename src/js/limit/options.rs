//! The options of a limiter and of its policies.

use std::{ops::RangeInclusive, time::Duration};

use cinnabar_core::{
    features::limit::{Algorithm, OnUnavailable, Period, Policy, PolicyOptions},
    keys,
};
use cinnabar_port::error::{Error, Result};
use napi::sys::ValueType;

use crate::js::option_reader::{OptionReader, Takes};

/// The options of a limiter.
pub struct LimiterOptions {
    /// The prefix of its keys.
    pub prefix: Option<String>,
    /// What it does without a server.
    pub on_unavailable: Option<OnUnavailable>,
    /// Whether it remembers what the store refused.
    pub deny_cache: bool,
    /// Its policies.
    pub policies: Vec<Policy>,
}

/// The names of the algorithms.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    FixedWindow,
    SlidingWindow,
    Gcra,
    Calendar,
    Concurrency,
}

/// A number of seconds, or a period of the calendar.
enum Per {
    Seconds(f64),
    Period(Period),
}

const PERIODS: [(&str, Period); 5] = [
    ("hour", Period::Hour),
    ("day", Period::Day),
    ("week", Period::Week),
    ("month", Period::Month),
    ("year", Period::Year),
];
/// The bounds of a lease in milliseconds, and its default.
const LEASE: RangeInclusive<u64> = 1000..=3_600_000;
const DEFAULT_LEASE: Duration = Duration::from_secs(10);
const PER: &str = "a number of seconds, 'hour', 'day', 'week', 'month' or 'year'";

impl OptionReader<'_> {
    /// Returns the options of a limiter.
    pub fn limiter(self) -> Result<LimiterOptions> {
        let rules = [
            ("allow", OnUnavailable::Allow),
            ("deny", OnUnavailable::Deny),
            ("local", OnUnavailable::Local),
            ("throw", OnUnavailable::Throw),
        ];
        let prefix = self.text(c"prefix", Some(keys::LIMITS))?;
        let on_unavailable = self.word(c"onUnavailable", rules, Some(OnUnavailable::Allow))?;
        let deny_cache = self.flag(c"denyCache", true)?;
        let policies = self.read(c"policies", Takes::a("an object"), |js, value, label| {
            let elements = js.elements(value, label)?;
            let read = |pair: &[_]| {
                let [name, policy] = *pair else { return Err(Error::argument("policies must be complete")) };
                let name = js.text(name, "the name of a policy")?;
                let named = |error: Error, name: &str| {
                    // Most messages begin with the name of an option.
                    let message = error.message();
                    let begins = message.split_once(' ').is_some_and(|(_, rest)| rest.starts_with("must "));
                    let between = if begins { "." } else { ": " };
                    Error::argument(format!("policies.{name}{between}{message}"))
                };
                let read = OptionReader::of(js, policy).policy(name.clone()).and_then(Policy::new);
                read.map_err(|error| named(error, &name))
            };
            elements.chunks(2).map(read).collect()
        })?;
        Ok(LimiterOptions { prefix, on_unavailable, deny_cache, policies: policies.unwrap_or_default() })
    }

    /// Returns a policy of this name.
    pub fn policy(self, name: String) -> Result<PolicyOptions> {
        let kinds = [
            ("gcra", Kind::Gcra),
            ("token-bucket", Kind::Gcra),
            ("sliding-window", Kind::SlidingWindow),
            ("fixed-window", Kind::FixedWindow),
            ("calendar", Kind::Calendar),
            ("concurrency", Kind::Concurrency),
        ];
        let kind = self.word(c"algorithm", kinds, None)?;
        let limit = self.number(c"limit", Takes::a("a number"))?;
        let per = self.read(c"per", Takes::a(PER), |js, value, label| {
            if js.kind(value) != ValueType::napi_string {
                return js.any_number(value, label).map(Per::Seconds).map_err(|_| js.type_error(value, label, PER));
            }
            let word = js.text(value, label)?;
            let period = PERIODS.iter().find(|(name, _)| *name == word).map(|(_, period)| Per::Period(*period));
            period.ok_or_else(|| Error::argument(format!("{label} must be {PER}")))
        })?;
        let burst = self.number(c"burst", Takes::a("a number"))?;
        let strict = self.flag(c"strict", false)?;
        let time_zone = self.text(c"timeZone", None)?;
        let lease = self.time(c"leaseMs", LEASE, Some(DEFAULT_LEASE))?;
        let shadow = self.flag(c"shadow", false)?;
        let has_shares = self.word(c"mode", [("store", false), ("shares", true)], Some(false))?.unwrap_or(false);
        let required = |name: &str| Error::argument(format!("{name} is required"));
        let limit = limit.ok_or_else(|| required("limit"))?;
        if kind != Some(Kind::Concurrency) && lease.is_some() {
            return Err(Error::argument("leaseMs is for algorithm 'concurrency' only"));
        }
        let algorithm = match (kind, per) {
            (Some(Kind::Concurrency), None) => Algorithm::Concurrency(lease.unwrap_or(DEFAULT_LEASE)),
            (Some(Kind::Concurrency), Some(_)) => {
                return Err(Error::argument("per is not for algorithm 'concurrency'"));
            }
            (_, None) => return Err(required("per")),
            (None | Some(Kind::Calendar), Some(Per::Period(period))) => Algorithm::Calendar(period),
            (_, Some(Per::Period(_))) => {
                return Err(Error::argument("per must be a number of seconds, or algorithm 'calendar'"));
            }
            (Some(Kind::Calendar), Some(Per::Seconds(_))) => {
                return Err(Error::argument(
                    "per must be 'hour', 'day', 'week', 'month' or 'year' for algorithm 'calendar'",
                ));
            }
            (Some(Kind::FixedWindow), Some(Per::Seconds(per))) => Algorithm::FixedWindow(per),
            (Some(Kind::SlidingWindow), Some(Per::Seconds(per))) => Algorithm::SlidingWindow(per),
            (None | Some(Kind::Gcra), Some(Per::Seconds(per))) => Algorithm::Gcra { per, burst, strict },
        };
        if !matches!(algorithm, Algorithm::Gcra { .. }) && (burst.is_some() || strict) {
            return Err(Error::argument("burst and strict are for algorithm 'gcra' only"));
        }
        if !matches!(algorithm, Algorithm::Calendar(_)) && time_zone.is_some() {
            return Err(Error::argument("timeZone is for algorithm 'calendar' only"));
        }
        if has_shares && (shadow || !matches!(algorithm, Algorithm::FixedWindow(_) | Algorithm::Calendar(_))) {
            return Err(Error::argument("mode 'shares' needs algorithm 'fixed-window' or 'calendar', without shadow"));
        }
        Ok(PolicyOptions { name, algorithm, limit, time_zone, shadow })
    }
}
