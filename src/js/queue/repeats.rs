//! Schedules of repeats as options, and repeats as outputs.

use cinnabar_core::{
    features::queue::{
        StoredRepeat,
        schedule::{DEFAULT_ZONE, LATEST, SHORTEST, Schedule},
    },
    output::Output,
};
use cinnabar_port::{
    error::{Error, Result},
    number::MAX_SAFE_INTEGER,
};

use crate::js::option_reader::OptionReader;

use super::output::{field, json};

impl OptionReader<'_> {
    /// Reads `{ everyMs | cron, timeZone, startAt, endAt, limit }`.
    pub fn schedule(self) -> Result<(Schedule, Option<u64>)> {
        let every = self.whole(c"everyMs", SHORTEST..=LATEST, None)?;
        let (cron, zone) = (self.text(c"cron", None)?, self.text(c"timeZone", Some(DEFAULT_ZONE))?);
        let (start, end) = (self.whole(c"startAt", 0..=LATEST, None)?, self.whole(c"endAt", 0..=LATEST, None)?);
        let limit = self.whole(c"limit", 1..=MAX_SAFE_INTEGER, None)?;
        let schedule = match (every, cron) {
            (Some(every), None) if zone.is_none() => Schedule::every(every)?,
            (Some(_), None) => return Err(Error::argument("timeZone goes with cron: an interval knows no zones")),
            (None, Some(cron)) => Schedule::cron(&cron, zone.as_deref())?,
            _ => return Err(Error::argument("a repeat has either everyMs or cron")),
        };
        Ok((schedule.within(start, end)?, limit))
    }
}

/// A repeat as an object.
pub fn output(repeat: StoredRepeat) -> Output {
    let (cron, zone) = repeat.schedule.cron_in().map(|(cron, zone)| (cron.to_owned(), zone.to_owned())).unzip();
    let number = |number: Option<u64>| number.map_or(Output::Null, Output::from);
    Output::Object(vec![
        field("id", repeat.id),
        field("everyMs", number(repeat.schedule.every_ms())),
        field("cron", cron),
        field("timeZone", zone),
        field("startAt", number(repeat.schedule.start_ms())),
        field("endAt", number(repeat.schedule.end_ms())),
        field("limit", number(repeat.limit)),
        field("fired", repeat.fired),
        field("nextAt", repeat.next_ms),
        field("name", repeat.name),
        field("data", json(Some(repeat.data))),
        field("attempts", u64::from(repeat.attempts)),
        field("priority", i64::from(repeat.priority)),
        field("group", repeat.group),
        field("timeoutMs", repeat.timeout.as_millis() as u64),
    ])
}
