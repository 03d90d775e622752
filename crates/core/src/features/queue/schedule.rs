//! When a repeating job is due. Pure: the time is always an argument, in epoch milliseconds of the store's clock.

#[cfg(test)]
mod tests;
mod timetable;

use std::{fmt, str::FromStr};

use cinnabar_port::error::{Error, Kind, Result};

use timetable::Timetable;

/// The last millisecond of the year 9998: a later time is a mistake, and the clocks of all zones can still show this
/// one.
pub const LATEST: u64 = 253_370_764_799_999;
/// The shortest interval, in milliseconds: a shorter one is a loop, not a schedule.
pub const SHORTEST: u64 = 100;

/// The time zone of a cron expression without one.
pub const DEFAULT_ZONE: &str = "UTC";

/// The slots at which a job is due: times in epoch milliseconds.
///
/// The store has its text form (`Display` and `FromStr`); two schedules are equal if their texts are.
#[derive(Debug, Clone)]
pub struct Schedule {
    rule: Rule,
    start: Option<u64>,
    end: Option<u64>,
}

#[derive(Debug, Clone)]
enum Rule {
    Every(u64),
    Cron(Box<Timetable>),
}

impl Schedule {
    /// A slot every so many milliseconds, counted from `startAt`, or from 1970 in UTC without one.
    ///
    /// Not from when it was created: so every process finds the same slots, after a loss of data too.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` unless `every` is from 100 ms to the year 9998.
    pub fn every(every: u64) -> Result<Self> {
        if !(SHORTEST..=LATEST).contains(&every) {
            return Err(Error::argument(format!(
                "everyMs must be a whole number from {SHORTEST} to {LATEST}, not {every}"
            )));
        }
        Ok(Self { rule: Rule::Every(every), start: None, end: None })
    }

    /// The slots of a cron expression in an IANA time zone; UTC by default.
    ///
    /// Five fields (minute, hour, day of month, month, day of week) or six with seconds first; `* , - / L W #`, names of
    /// months and days, and `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly`. A day must match one of day of month and day
    /// of week when both are restricted, and both when the day of week begins with `+`.
    ///
    /// When clocks change: with a `*` in seconds, minutes or hours, or with all 24 hours listed, it follows real time.
    /// A time that is skipped has no slot, one that occurs twice has two. Any other expression names times of day, and
    /// each of them has one slot a day: at the moment of the jump if it is skipped, the first of the two if it occurs
    /// twice.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an invalid expression, for one that no date ever matches, such as 30 February, and for
    /// a zone that the time zone database does not have.
    pub fn cron(expression: &str, zone: Option<&str>) -> Result<Self> {
        let timetable = Timetable::new(expression, zone.unwrap_or(DEFAULT_ZONE))?;
        Ok(Self { rule: Rule::Cron(Box::new(timetable)), start: None, end: None })
    }

    /// Only the slots from `start` to `end`, both included.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for a time after the year 9998, or an end before the start.
    pub fn within(mut self, start: Option<u64>, end: Option<u64>) -> Result<Self> {
        for (what, at) in [("startAt", start), ("endAt", end)] {
            if at.is_some_and(|at| at > LATEST) {
                return Err(Error::argument(format!("{what} must be a whole number from 0 to {LATEST}")));
            }
        }
        if let (Some(start), Some(end)) = (start, end)
            && end < start
        {
            return Err(Error::argument("endAt must not be before startAt"));
        }
        (self.start, self.end) = (start, end);
        Ok(self)
    }

    /// Returns the first slot after this time, or `None` if the schedule has ended.
    pub fn next(&self, after: u64) -> Option<u64> {
        let slot = match (&self.rule, self.start) {
            (Rule::Every(_), Some(start)) if after < start => start,
            (Rule::Every(every), start) => {
                let start = start.unwrap_or(0);
                ((after - start) / every + 1).checked_mul(*every)?.checked_add(start)?
            }
            // A slot at the start itself comes after the millisecond before.
            (Rule::Cron(timetable), start) => timetable.next(after.max(start.unwrap_or(0).saturating_sub(1)))?,
        };
        (slot <= self.end.unwrap_or(LATEST)).then_some(slot)
    }

    /// The last of the slots from `slot`, which is due, to `now`.
    pub fn latest(&self, slot: u64, now: u64) -> u64 {
        // A binary search: months of a schedule of every second may have been missed. No slot is after `high`, and
        // what is found is after the middle.
        let (mut low, mut high) = (slot, now);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.next(middle) {
                Some(found) if found <= now => low = found,
                _ => high = middle,
            }
        }
        low
    }

    /// The interval in milliseconds, if it is one.
    pub fn every_ms(&self) -> Option<u64> {
        match &self.rule {
            Rule::Every(every) => Some(*every),
            Rule::Cron(_) => None,
        }
    }

    /// The cron expression and the name of its zone, if it has one.
    pub fn cron_in(&self) -> Option<(&str, &str)> {
        match &self.rule {
            Rule::Every(_) => None,
            Rule::Cron(timetable) => Some((timetable.expression(), timetable.zone())),
        }
    }

    /// The time, in epoch milliseconds, before which there is no slot.
    pub fn start_ms(&self) -> Option<u64> {
        self.start
    }

    /// The time, in epoch milliseconds, after which there is no slot.
    pub fn end_ms(&self) -> Option<u64> {
        self.end
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |at: Option<u64>| at.map_or_else(String::new, |at| at.to_string());
        write!(f, "{}\n{}\n", time(self.start), time(self.end))?;
        match &self.rule {
            Rule::Every(every) => write!(f, "{every}"),
            Rule::Cron(timetable) => write!(f, "{}\n{}", timetable.expression(), timetable.zone()),
        }
    }
}

impl FromStr for Schedule {
    type Err = Error;

    /// Parses what `Display` has written.
    ///
    /// # Errors
    /// `E_INVALID_DATA` for anything else.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::new(Kind::InvalidData, "a stored repeat has no schedule that can be read");
        let time = |text: &str| if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(|_| wrong()) };
        let lines: Vec<&str> = text.split('\n').collect();
        let (start, end, schedule) = match lines[..] {
            [start, end, every] => (start, end, Self::every(every.parse().map_err(|_| wrong())?)),
            [start, end, expression, zone] => (start, end, Self::cron(expression, Some(zone))),
            _ => return Err(wrong()),
        };
        let (start, end) = (time(start)?, time(end)?);
        schedule.and_then(|schedule| schedule.within(start, end)).map_err(|error| wrong().with_source(error))
    }
}
