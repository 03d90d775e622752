//! Schedules compared with a search of every minute, and random texts.

use std::collections::BTreeSet;

use jiff::{
    Timestamp,
    civil::{Date, DateTime, date},
    tz::{TimeZone, TimeZoneDatabase},
};
use proptest::prelude::*;

use super::{super::Schedule, cron, ms, slots, text};

/// A field of an expression, and what it allows.
#[derive(Debug, Clone)]
struct Field {
    text: String,
    values: BTreeSet<i8>,
}

impl Field {
    fn has_star(&self) -> bool {
        self.text.starts_with('*')
    }
}

fn field(low: i8, high: i8) -> impl Strategy<Value = Field> {
    let values = move |from, to, step| (from..=to).step_by(step).collect::<BTreeSet<i8>>();
    let any = move || (1..20_usize).prop_map(move |step| (format!("*/{step}"), values(low, high, step)));
    let range = (low..=high, low..=high, 1..9_usize).prop_map(move |(a, b, step)| {
        let (from, to) = (a.min(b), a.max(b));
        let text = if step == 1 { format!("{from}-{to}") } else { format!("{from}-{to}/{step}") };
        (text, values(from, to, step))
    });
    let list = proptest::collection::btree_set(low..=high, 1..4)
        .prop_map(|values| (values.iter().map(i8::to_string).collect::<Vec<_>>().join(","), values));
    let star = Just(("*".to_owned(), values(low, high, 1)));
    prop_oneof![2 => star, 1 => any(), 1 => range, 4 => list].prop_map(|(text, values)| Field { text, values })
}

fn day_field(low: i8, high: i8) -> impl Strategy<Value = Field> {
    let star = Just(Field { text: "*".into(), values: (low..=high).collect() });
    prop_oneof![3 => star, 1 => field(low, high).prop_filter("a plain list", |field| !field.has_star())]
}

/// What a timetable must be, found by looking at every minute of some days.
#[derive(Debug, Clone)]
struct Model {
    minute: Field,
    hour: Field,
    day: Field,
    weekday: Field,
}

impl Model {
    fn matches(&self, time: DateTime) -> bool {
        let day = self.day.values.contains(&time.day());
        let weekday = self.weekday.values.contains(&time.weekday().to_sunday_zero_offset());
        let date = if self.day.has_star() || self.weekday.has_star() { day && weekday } else { day || weekday };
        date && self.minute.values.contains(&time.minute()) && self.hour.values.contains(&time.hour())
    }

    /// The slots of which the clock shows a minute between these days.
    fn slots(&self, zone: &TimeZone, from: Date, until: Date) -> BTreeSet<u64> {
        let begin = from.to_zoned(zone.clone()).unwrap().timestamp().as_second();
        let end = until.to_zoned(zone.clone()).unwrap().timestamp().as_second();
        let shown = (begin..end).step_by(60).map(|at| (at, zone.to_datetime(Timestamp::from_second(at).unwrap())));
        let shown: Vec<(i64, DateTime)> = shown.collect();
        let ms = |at: i64| at as u64 * 1000;
        if self.minute.has_star() || self.hour.has_star() || self.hour.values.len() == 24 {
            return shown.iter().filter(|(_, time)| self.matches(*time)).map(|(at, _)| ms(*at)).collect();
        }
        let mut found = BTreeSet::new();
        let mut time = from.at(0, 0, 0, 0);
        while time < until.at(0, 0, 0, 0) {
            if self.matches(time) {
                // The first moment that shows it; where none does, the first that shows more.
                let first = shown.iter().find(|(_, shown)| *shown == time);
                let (at, _) = first.or_else(|| shown.iter().find(|(_, shown)| *shown > time)).unwrap();
                found.insert(ms(*at));
            }
            time = time.checked_add(jiff::Span::new().minutes(1)).unwrap();
        }
        found
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_slot_is_one_that_a_search_of_every_minute_finds(
        minute in field(0, 59), hour in field(0, 23), day in day_field(1, 31), weekday in day_field(0, 6),
        index in 0..10_usize, afters in proptest::collection::vec(0..3 * 86_400_000_u64, 8),
    ) {
        // The day in the middle is one on which clocks change, where they do.
        let (zone, from) = [
            ("Europe/Berlin", date(2027, 3, 27)), ("Europe/Berlin", date(2027, 10, 30)),
            ("America/New_York", date(2027, 3, 13)), ("America/New_York", date(2027, 11, 6)),
            ("Australia/Lord_Howe", date(2027, 4, 3)), ("Australia/Lord_Howe", date(2027, 10, 2)),
            ("Africa/Cairo", date(2027, 4, 29)), ("America/Santiago", date(2027, 4, 3)),
            ("Asia/Kolkata", date(2027, 2, 28)), ("UTC", date(2027, 12, 31)),
        ][index];
        let expression = format!("{} {} {} * {}", minute.text, hour.text, day.text, weekday.text);
        let schedule = cron(&expression, zone);
        let zone = TimeZoneDatabase::bundled().get(zone).unwrap();
        let until = from.checked_add(jiff::Span::new().days(3)).unwrap();
        let model = Model { minute, hour, day, weekday };
        let expected = model.slots(&zone, from, until);
        let [begin, end] = [from, until].map(|day| day.to_zoned(zone.clone()).unwrap().timestamp().as_millisecond() as u64);
        prop_assert_eq!(slots(&schedule, begin - 1, end - 1), expected.iter().copied().collect::<Vec<_>>());
        for after in afters {
            let after = begin + after % (end - begin);
            let next = schedule.next(after).filter(|slot| *slot < end);
            prop_assert_eq!(next, expected.range(after + 1..).next().copied(), "after {}", text(after));
        }
        if let Some(due) = expected.first().copied() {
            prop_assert_eq!(Some(schedule.latest(due, end - 1)), expected.last().copied());
        }
    }

    #[test]
    fn no_text_makes_it_panic_or_search_for_ever(expression in "[0-9*/,LW#?@+a-zA-Z -]{0,24}", zone in "[A-Za-z/_+0-9-]{0,24}") {
        for schedule in [Schedule::cron(&expression, None), Schedule::cron("@daily", Some(&zone))].into_iter().flatten() {
            prop_assert!(schedule.next(ms("2027-01-01T00:00:00Z")).is_some());
        }
    }

    #[test]
    fn expression_like_texts_never_panic(fields in proptest::collection::vec("[0-9*,/LW#-]{1,5}", 5..=6)) {
        if let Ok(schedule) = Schedule::cron(&fields.join(" "), Some("Europe/Berlin")) {
            let found = slots(&schedule, ms("2027-10-30T23:59:00Z"), ms("2027-10-31T00:01:00Z"));
            prop_assert!(found.len() <= 120);
            prop_assert!(schedule.next(ms("2027-01-01T00:00:00Z")).is_some());
        }
    }
}
