//! Schedules of repeats as options, and repeats as outputs.

use cinnabar_core::{
    features::queue::{
        StoredRepeat,
        schedule::{LATEST, SHORTEST, Schedule},
    },
    output::Output,
};
use cinnabar_port::error::{Error, Result};

use crate::js::{
    node_api::{Js, Value},
    option_reader::OptionReader,
};

use super::output::{field, json};

impl Js {
    /// Reads `{ everyMs | cron, timeZone, startAt, endAt, limit }`.
    pub fn schedule(self, when: Value) -> Result<(Schedule, Option<u64>)> {
        let group = OptionReader::of(self, when);
        let whole = |name| group.read(name, |value, label| self.whole(value, label));
        let time = |name| group.whole(name, 0..=LATEST);
        let (every, cron, zone) =
            (group.whole(c"everyMs", SHORTEST..=LATEST)?, group.text(c"cron")?, group.text(c"timeZone")?);
        let schedule = match (every, cron) {
            (Some(every), None) if zone.is_none() => Schedule::every(every)?,
            (Some(_), None) => return Err(Error::argument("timeZone goes with cron: an interval knows no zones")),
            (None, Some(cron)) => Schedule::cron(&cron, zone.as_deref())?,
            _ => return Err(Error::argument("a repeat has either everyMs or cron")),
        };
        Ok((schedule.within(time(c"startAt")?, time(c"endAt")?)?, whole(c"limit")?))
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
