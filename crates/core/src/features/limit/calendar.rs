//! Periods of a calendar: the hours, days, weeks, months and years of a time zone.

use bytes::Bytes;
use cinnabar_port::error::{Error, Kind, Result};
use jiff::{RoundMode, Timestamp, ToSpan, Unit, Zoned, ZonedRound, civil::Weekday, tz::TimeZone};
use parking_lot::Mutex;

use crate::features::time_zone;

/// A period of a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A week, from Monday on.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

/// The periods of a time zone.
#[derive(Debug)]
pub struct Calendar {
    period: Period,
    zone: TimeZone,
    /// The beginnings of a few periods around the store's time, as far as it is known.
    bounds: Mutex<Bytes>,
}

impl Calendar {
    /// Creates the calendar of a zone.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` if there is no zone of this name.
    pub fn new(period: Period, zone: &str) -> Result<Self> {
        Ok(Self { period, zone: time_zone::find(zone)?.0, bounds: Mutex::default() })
    }

    /// Returns the beginnings of periods in epoch milliseconds, in order and separated by commas.
    pub fn bounds(&self) -> Bytes {
        self.bounds.lock().clone()
    }

    /// Computes the bounds around this time of the store.
    ///
    /// # Errors
    /// `E_INTERNAL` for a time outside of the calendar.
    pub fn learn(&self, now_ms: i64) -> Result<()> {
        let bounds = self.around(now_ms).map_err(|error| {
            Error::new(Kind::Internal, "the store's clock shows a time outside of the calendar").with_source(error)
        })?;
        *self.bounds.lock() = bounds.map(|bound| bound.as_millisecond().to_string()).join(",").into();
        Ok(())
    }

    /// Returns the number of the kind of period, by which a script knows it again.
    pub fn unit(&self) -> u64 {
        self.period as u64 + 1
    }

    /// Returns how long a period lasts at most, in milliseconds.
    pub fn longest_ms(&self) -> u64 {
        let days = match self.period {
            Period::Hour | Period::Day => 2,
            Period::Week => 8,
            Period::Month => 32,
            Period::Year => 367,
        };
        days * 86_400_000
    }

    /// The beginnings of the period before this time, of that in which it is, and of the next two.
    fn around(&self, now_ms: i64) -> std::result::Result<[Timestamp; 4], jiff::Error> {
        let now = Timestamp::from_millisecond(now_ms)?.to_zoned(self.zone.clone());
        let current = self.beginning(&now)?;
        let before = self.beginning(&current.checked_sub(1.nanosecond())?)?;
        let next = self.after(&current)?;
        let last = self.after(&next)?;
        Ok([before, current, next, last].map(|bound| bound.timestamp()))
    }

    /// The beginning of the period in which a time is.
    fn beginning(&self, at: &Zoned) -> std::result::Result<Zoned, jiff::Error> {
        let day = at.start_of_day()?;
        match self.period {
            Period::Hour => at.round(ZonedRound::new().smallest(Unit::Hour).mode(RoundMode::Trunc)),
            Period::Day => Ok(day),
            Period::Week if day.weekday() == Weekday::Monday => Ok(day),
            Period::Week => day.nth_weekday(-1, Weekday::Monday)?.start_of_day(),
            Period::Month => day.first_of_month()?.start_of_day(),
            Period::Year => day.first_of_year()?.start_of_day(),
        }
    }

    /// The beginning of the period after that which begins at this time.
    fn after(&self, beginning: &Zoned) -> std::result::Result<Zoned, jiff::Error> {
        match self.period {
            Period::Hour => beginning.checked_add(1.hour()),
            Period::Day => beginning.tomorrow()?.start_of_day(),
            Period::Week => beginning.checked_add(1.week())?.start_of_day(),
            Period::Month => beginning.checked_add(1.month())?.start_of_day(),
            Period::Year => beginning.checked_add(1.year())?.start_of_day(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(period: Period, zone: &str, now: &str) -> Vec<String> {
        let calendar = Calendar::new(period, zone).unwrap();
        assert!(calendar.bounds().is_empty());
        calendar.learn(now.parse::<Timestamp>().unwrap().as_millisecond()).unwrap();
        let bounds = String::from_utf8(calendar.bounds().to_vec()).unwrap();
        let local = |ms: &str| {
            let at = Timestamp::from_millisecond(ms.parse().unwrap()).unwrap();
            at.to_zoned(TimeZone::get(zone).unwrap()).strftime("%F %T").to_string()
        };
        bounds.split(',').map(local).collect()
    }

    #[test]
    fn a_period_begins_at_its_local_beginning() {
        let now = "2026-03-29T12:34:56Z";
        for (period, expected) in [
            (
                Period::Hour,
                ["2026-03-29 13:00:00", "2026-03-29 14:00:00", "2026-03-29 15:00:00", "2026-03-29 16:00:00"],
            ),
            (Period::Day, ["2026-03-28 00:00:00", "2026-03-29 00:00:00", "2026-03-30 00:00:00", "2026-03-31 00:00:00"]),
            (
                Period::Week,
                ["2026-03-16 00:00:00", "2026-03-23 00:00:00", "2026-03-30 00:00:00", "2026-04-06 00:00:00"],
            ),
            (
                Period::Month,
                ["2026-02-01 00:00:00", "2026-03-01 00:00:00", "2026-04-01 00:00:00", "2026-05-01 00:00:00"],
            ),
            (
                Period::Year,
                ["2025-01-01 00:00:00", "2026-01-01 00:00:00", "2027-01-01 00:00:00", "2028-01-01 00:00:00"],
            ),
        ] {
            assert_eq!(bounds(period, "Europe/Berlin", now), expected, "{period:?}");
        }
    }

    #[test]
    fn the_first_moment_of_a_period_belongs_to_it() {
        assert_eq!(bounds(Period::Month, "UTC", "2026-03-01T00:00:00Z")[1], "2026-03-01 00:00:00");
        assert_eq!(bounds(Period::Week, "UTC", "2026-03-02T00:00:00Z")[1], "2026-03-02 00:00:00");
    }

    #[test]
    fn an_hour_that_occurs_twice_is_two_hours() {
        let calendar = Calendar::new(Period::Hour, "Europe/Berlin").unwrap();
        calendar.learn("2026-10-25T00:30:00Z".parse::<Timestamp>().unwrap().as_millisecond()).unwrap();
        let bounds = String::from_utf8(calendar.bounds().to_vec()).unwrap();
        let bounds: Vec<i64> = bounds.split(',').map(|bound| bound.parse().unwrap()).collect();
        assert!(bounds.windows(2).all(|pair| pair[1] - pair[0] == 3_600_000), "{bounds:?}");
    }

    #[test]
    fn a_day_without_midnight_begins_at_its_first_moment() {
        // In São Paulo, clocks went from 00:00 to 01:00 on this day.
        assert_eq!(bounds(Period::Day, "America/Sao_Paulo", "2018-11-04T12:00:00Z")[1], "2018-11-04 01:00:00");
    }

    #[test]
    fn an_unknown_zone_is_rejected() {
        assert_eq!(Calendar::new(Period::Day, "Mars/Olympus").unwrap_err().kind, Kind::InvalidArgument);
    }
}
