//! A cron expression in a time zone.
//!
//! croner parses the expression and searches the calendar, in local time alone. Which moment a local time is, and what
//! becomes of times that are skipped or occur twice, is decided here: croner itself takes a list of hours for an
//! interval, and would skip `0 2,14 * * *` on one day of the year and run it twice on another.

use cinnabar_port::error::{Error, Result};
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{
    Timestamp,
    civil::{DateTime, date},
    tz::{AmbiguousOffset, TimeZone},
};

use crate::features::time_zone;

/// Anything longer is not a cron expression.
const LONGEST: usize = 256;

#[derive(Debug, Clone)]
pub(super) struct Timetable {
    cron: Cron,
    expression: String,
    zone: TimeZone,
    zone_name: String,
    follows_real_time: bool,
}

impl Timetable {
    pub(super) fn new(expression: &str, zone: &str) -> Result<Self> {
        let refused = |why: &str| Error::argument(format!("cron {expression:?} is no cron expression: {why}"));
        if expression.len() > LONGEST {
            return Err(Error::argument(format!("cron must have at most {LONGEST} bytes, got {}", expression.len())));
        }
        // An empty item is a mistake; a field of nothing else would make the search try every second until the year
        // 5000.
        if has_empty_item(expression) {
            return Err(refused("a list has an item that is empty"));
        }
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = parser.parse(expression).map_err(|error| refused(&error.to_string()).with_source(error))?;
        // The calendar repeats itself after 400 years, and croner gives up in the year 5000.
        if next_on_the_wall(&cron, date(4599, 12, 31).at(23, 59, 59, 0), false).is_none() {
            return Err(refused("no date ever matches it"));
        }
        let (zone, zone_name) = time_zone::find(zone)?;
        let expression = expression.split_whitespace().collect::<Vec<_>>().join(" ");
        let follows_real_time = follows_real_time(&cron);
        Ok(Self { cron, expression, zone, zone_name, follows_real_time })
    }

    pub(super) fn expression(&self) -> &str {
        &self.expression
    }

    pub(super) fn zone(&self) -> &str {
        &self.zone_name
    }

    /// The first slot after this time; both in epoch milliseconds.
    pub(super) fn next(&self, after: u64) -> Option<u64> {
        // Slots are whole seconds, so none is between the start of this second and the time itself.
        let after = Timestamp::from_second(i64::try_from(after / 1000).ok()?).ok()?;
        let slot = if self.follows_real_time { self.next_in_real_time(after) } else { self.next_time_of_day(after) };
        u64::try_from(slot?.as_millisecond()).ok()
    }

    /// Between two changes of the clock, local time advances as real time does.
    fn next_in_real_time(&self, after: Timestamp) -> Option<Timestamp> {
        let (mut from, mut inclusive) = (after, false);
        loop {
            let offset = self.zone.to_offset(from);
            let slot = next_on_the_wall(&self.cron, offset.to_datetime(from), inclusive)?;
            let slot = offset.to_timestamp(slot).ok()?;
            match self.zone.following(from).next() {
                Some(change) if change.timestamp() <= slot => (from, inclusive) = (change.timestamp(), true),
                _ => return Some(slot),
            }
        }
    }

    /// Each local time is one moment, and a later time never an earlier moment.
    fn next_time_of_day(&self, after: Timestamp) -> Option<Timestamp> {
        let mut time = self.zone.to_datetime(after);
        loop {
            time = next_on_the_wall(&self.cron, time, false)?;
            let moment = self.moment(time)?;
            // The clock may show this time for the second time, and its moment was the first.
            if moment > after {
                return Some(moment);
            }
        }
    }

    fn moment(&self, time: DateTime) -> Option<Timestamp> {
        match self.zone.to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
                offset.to_timestamp(time).ok()
            }
            // With the offset after the jump, it is a moment shortly before the jump.
            AmbiguousOffset::Gap { after, .. } => {
                let jump = self.zone.following(after.to_timestamp(time).ok()?).next()?;
                Some(jump.timestamp())
            }
        }
    }
}

fn has_empty_item(expression: &str) -> bool {
    expression.split_whitespace().flat_map(|field| field.split(',')).any(str::is_empty)
}

fn next_on_the_wall(cron: &Cron, from: DateTime, inclusive: bool) -> Option<DateTime> {
    cron.find_next_occurrence(&from, inclusive).ok()
}

fn follows_real_time(cron: &Cron) -> bool {
    let pattern = cron.pattern.to_string();
    let fields: Vec<&str> = pattern.split_whitespace().collect();
    let times = &fields[..fields.len().saturating_sub(3)];
    // If every hour is listed, the job is hourly, also in the hour that occurs twice.
    times.iter().any(|field| field.starts_with('*')) || cron.pattern.hours.values().len() == 24
}
