mod model;

use jiff::Timestamp;

use super::*;

fn ms(time: &str) -> u64 {
    u64::try_from(time.parse::<Timestamp>().unwrap().as_millisecond()).unwrap()
}

fn text(ms: u64) -> String {
    Timestamp::from_millisecond(ms as i64).unwrap().to_string()
}

/// The slots after one time up to another.
fn slots(schedule: &Schedule, after: u64, until: u64) -> Vec<u64> {
    let mut found = Vec::new();
    let mut at = after;
    while let Some(slot) = schedule.next(at).filter(|slot| *slot <= until) {
        assert!(slot > at, "{schedule} went from {} back to {}", text(at), text(slot));
        found.push(slot);
        at = slot;
    }
    found
}

fn cron(expression: &str, zone: &str) -> Schedule {
    Schedule::cron(expression, Some(zone)).unwrap()
}

#[track_caller]
fn fires(expression: &str, zone: &str, after: &str, until: &str, expected: &[&str]) {
    let found = slots(&cron(expression, zone), ms(after), ms(until));
    assert_eq!(found.into_iter().map(text).collect::<Vec<_>>(), expected, "{expression} in {zone}");
}

// Berlin's clock goes from 02:00 to 03:00 on 2027-03-28 at 01:00 UTC, and from 03:00 to 02:00 on 2027-10-31 at 01:00 UTC.

#[test]
fn a_time_of_day_that_is_skipped_fires_at_the_jump() {
    let [after, until] = ["2027-03-27T12:00:00Z", "2027-03-29T12:00:00Z"];
    let fires = |expression, expected: &[&str]| fires(expression, "Europe/Berlin", after, until, expected);
    fires("30 2 * * *", &["2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"]);
    fires("0 3 * * *", &["2027-03-28T01:00:00Z", "2027-03-29T01:00:00Z"]);
    fires("30 1 * * *", &["2027-03-28T00:30:00Z", "2027-03-28T23:30:00Z"]);
    // Two skipped times and one that is not, at one moment: one slot.
    fires("0,30 2 * * *", &["2027-03-28T01:00:00Z", "2027-03-29T00:00:00Z", "2027-03-29T00:30:00Z"]);
    fires("30 2,14 * * 0", &["2027-03-28T01:00:00Z", "2027-03-28T12:30:00Z"]);
    fires("15 30 2 28 3 *", &["2027-03-28T01:00:00Z"]);
}

#[test]
fn a_time_of_day_that_occurs_twice_fires_the_first_time() {
    let [after, until] = ["2027-10-30T12:00:00Z", "2027-11-01T12:00:00Z"];
    let fires = |expression, expected: &[&str]| fires(expression, "Europe/Berlin", after, until, expected);
    fires("30 2 * * *", &["2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"]);
    fires("0 2,3 31 * *", &["2027-10-31T00:00:00Z", "2027-10-31T02:00:00Z"]);
    fires("30 1 * * *", &["2027-10-30T23:30:00Z", "2027-11-01T00:30:00Z"]);
}

#[test]
fn a_repeated_hour_does_not_fire_again() {
    let schedule = cron("30 2 * * *", "Europe/Berlin");
    for after in ["2027-10-31T00:30:00Z", "2027-10-31T01:00:00Z", "2027-10-31T01:29:59.999Z", "2027-10-31T01:30:00Z"] {
        assert_eq!(schedule.next(ms(after)).map(text).unwrap(), "2027-11-01T01:30:00Z", "after {after}");
    }
}

#[test]
fn what_has_an_asterisk_follows_real_time() {
    let quarters = |after: &str, until| slots(&cron("*/15 * * * *", "Europe/Berlin"), ms(after), until);
    for after in ["2027-03-27T23:00:00Z", "2027-10-30T23:00:00Z"] {
        let found = quarters(after, ms(after) + 4 * 3_600_000);
        assert_eq!(found, (1..=16).map(|n| ms(after) + n * 900_000).collect::<Vec<_>>());
    }
    fires("*/30 2 * * *", "Europe/Berlin", "2027-03-28T00:00:00Z", "2027-03-28T12:00:00Z", &[]);
    let twice = ["2027-10-31T00:00:00Z", "2027-10-31T00:30:00Z", "2027-10-31T01:00:00Z", "2027-10-31T01:30:00Z"];
    fires("*/30 2 * * *", "Europe/Berlin", "2027-10-30T12:00:00Z", "2027-10-31T12:00:00Z", &twice);
    let hourly = ["2027-10-31T00:00:00Z", "2027-10-31T01:00:00Z", "2027-10-31T02:00:00Z"];
    for expression in ["0 * * * *", "@hourly", "0 0-23 * * *", "0 0-11,12-23 * * *"] {
        fires(expression, "Europe/Berlin", "2027-10-30T23:00:00Z", "2027-10-31T02:00:00Z", &hourly);
    }
}

#[test]
fn half_an_hour_may_be_skipped_too() {
    // Lord Howe: from 02:00 to 02:30 on 2027-10-03 at 15:30 UTC of the day before; from 02:00 to 01:30 on 2027-04-04 at 15:00 UTC.
    let zone = "Australia/Lord_Howe";
    fires("15 2 3 10 *", zone, "2027-10-01T00:00:00Z", "2027-10-05T00:00:00Z", &["2027-10-02T15:30:00Z"]);
    fires("45 1 4 4 *", zone, "2027-04-01T00:00:00Z", "2027-04-05T00:00:00Z", &["2027-04-03T14:45:00Z"]);
    let quarters =
        ["14:30:00Z", "14:45:00Z", "15:00:00Z", "15:15:00Z", "15:30:00Z"].map(|at| format!("2027-04-03T{at}"));
    let quarters = quarters.each_ref().map(String::as_str);
    fires("*/15 * * * *", zone, "2027-04-03T14:29:00Z", "2027-04-03T15:30:00Z", &quarters);
}

#[test]
fn a_whole_day_may_be_skipped() {
    // Samoa had no 30 December 2011.
    fires("0 9 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", "2012-01-31T00:00:00Z", &["2011-12-30T10:00:00Z"]);
}

#[test]
fn rare_dates_are_found() {
    fires(
        "0 0 29 2 *",
        "UTC",
        "2027-01-01T00:00:00Z",
        "2033-01-01T00:00:00Z",
        &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"],
    );
    // The 29th of February on a Monday.
    fires(
        "0 0 29 2 +1",
        "UTC",
        "2027-01-01T00:00:00Z",
        "2072-03-01T00:00:00Z",
        &["2044-02-29T00:00:00Z", "2072-02-29T00:00:00Z"],
    );
    fires(
        "* * 29 2 +1",
        "Europe/Berlin",
        "2027-01-01T00:00:00Z",
        "2044-02-28T23:01:00Z",
        &["2044-02-28T23:00:00Z", "2044-02-28T23:01:00Z"],
    );
    fires(
        "0 12 L 2 *",
        "UTC",
        "2027-01-01T00:00:00Z",
        "2028-03-01T00:00:00Z",
        &["2027-02-28T12:00:00Z", "2028-02-29T12:00:00Z"],
    );
    fires(
        "0 12 * * FRI#2",
        "UTC",
        "2027-01-01T00:00:00Z",
        "2027-02-20T00:00:00Z",
        &["2027-01-08T12:00:00Z", "2027-02-12T12:00:00Z"],
    );
}

#[test]
fn six_fields_begin_with_seconds() {
    fires(
        "*/20 0 0 * * *",
        "Asia/Kolkata",
        "2027-01-01T00:00:00Z",
        "2027-01-01T20:00:00Z",
        &["2027-01-01T18:30:00Z", "2027-01-01T18:30:20Z", "2027-01-01T18:30:40Z"],
    );
}

#[test]
fn invalid_schedules_are_rejected() {
    let long = "1,".repeat(200) + "1 * * * *";
    let wrong = [
        "",
        " ",
        "*",
        "* * * *",
        "* * * * * * *",
        "0 0 1 1 * * 2030",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "5-1 * * * *",
        "1-2-3 * * * *",
        "-1 * * * *",
        "x * * * *",
        "@foo",
        "@reboot",
        ", * * * *",
        "* , * * *",
        ",,, ,,, * * * *",
        "1,,2 * * * *",
        "* * * , *",
        "* * * * ,",
        "* * * * +",
        "* * * * L",
        "\0 * * * *",
        "0 0 30 2 *",
        "0 0 31 2,4,6,9,11 *",
        "0 0 29 2 +1#1",
        "0 0 31W 2 *",
        "99999999999999999999 * * * *",
        "٣ * * * *",
        &long,
    ];
    for expression in wrong {
        let error = Schedule::cron(expression, None).map(|schedule| schedule.to_string()).unwrap_err();
        assert_eq!(error.kind, Kind::InvalidArgument, "{expression:?}");
        assert!(error.message().starts_with("cron "), "{error}");
    }
    let long = "E".repeat(100_000);
    for zone in [
        "",
        " ",
        "Mars/Olympus",
        "Etc/Unknown",
        "Local",
        "+02:00",
        "CET-1CEST",
        "../etc/passwd",
        "Europe/Berlin\n",
        &long,
    ] {
        let error = Schedule::cron("@daily", Some(zone)).map(|schedule| schedule.to_string()).unwrap_err();
        assert_eq!(error.kind, Kind::InvalidArgument, "{zone:?}");
        assert!(error.message().starts_with("timeZone ") && error.message().len() < 400, "{error}");
    }
    assert!(Schedule::every(99).is_err() && Schedule::every(u64::MAX).is_err());
    let hourly = || Schedule::every(3_600_000).unwrap();
    assert!(hourly().within(Some(2), Some(1)).is_err() && hourly().within(Some(u64::MAX), None).is_err());
    assert!(hourly().within(None, Some(LATEST + 1)).is_err());
}

#[test]
fn an_interval_counts_from_its_start() {
    let minutes = Schedule::every(60_000).unwrap();
    assert_eq!(slots(&minutes, 59_999, 180_000), [60_000, 120_000, 180_000]);
    let shifted = Schedule::every(60_000).unwrap().within(Some(90_500), Some(210_500)).unwrap();
    assert_eq!(slots(&shifted, 0, 1_000_000), [90_500, 150_500, 210_500]);
    assert_eq!((shifted.next(150_500), shifted.next(210_500)), (Some(210_500), None));
    assert_eq!((minutes.next(u64::MAX), minutes.next(LATEST)), (None, None));
}

#[test]
fn a_cron_schedule_has_a_start_and_an_end() {
    let within = |start: &str, end: &str| cron("0 * * * *", "UTC").within(Some(ms(start)), Some(ms(end))).unwrap();
    let both = within("2027-01-01T01:00:00Z", "2027-01-01T02:00:00Z");
    assert_eq!(
        slots(&both, 0, LATEST).into_iter().map(text).collect::<Vec<_>>(),
        ["2027-01-01T01:00:00Z", "2027-01-01T02:00:00Z"]
    );
    let none = within("2027-01-01T01:00:00.001Z", "2027-01-01T01:59:59.999Z");
    assert_eq!((none.next(0), none.next(LATEST)), (None, None));
    for after in [LATEST, LATEST + 1, u64::MAX] {
        assert_eq!(cron("* * * * *", "Europe/Berlin").next(after), None);
    }
}

#[test]
fn the_text_of_a_schedule_reads_as_the_same() {
    let schedules = [
        Schedule::every(100).unwrap(),
        Schedule::every(60_000).unwrap().within(Some(5), None).unwrap(),
        cron("30 2 * * *", "europe/berlin").within(None, Some(7)).unwrap(),
        cron("  @hourly ", "UTC"),
        cron("*\t* * *  FRI#2", "UTC").within(Some(1), Some(2)).unwrap(),
    ];
    for schedule in schedules {
        let again: Schedule = schedule.to_string().parse().unwrap();
        assert_eq!(again.to_string(), schedule.to_string());
        assert_eq!(
            (again.start_ms(), again.end_ms(), again.every_ms()),
            (schedule.start_ms(), schedule.end_ms(), schedule.every_ms())
        );
        assert_eq!(again.cron_in(), schedule.cron_in());
    }
    assert_eq!(cron("30  2 * * *", "europe/berlin").cron_in(), Some(("30 2 * * *", "Europe/Berlin")));
    for wrong in [
        "",
        "\n\n",
        "\n\n50",
        "a\n\n500",
        "\n\n* * * *\nUTC",
        "\n\n* * * * *\nMars",
        "\n\n* * * * *\nUTC\n",
        "5\n4\n500",
    ] {
        assert_eq!(wrong.parse::<Schedule>().map(|_| ()).unwrap_err().kind, Kind::InvalidData, "{wrong:?}");
    }
}

#[test]
fn the_last_missed_slot_is_found() {
    let daily = cron("30 2 * * *", "Europe/Berlin");
    let due = ms("2027-03-27T01:30:00Z");
    for (now, latest) in [
        ("2027-03-27T01:30:00Z", "2027-03-27T01:30:00Z"),
        ("2027-03-28T00:59:59.999Z", "2027-03-27T01:30:00Z"),
        ("2027-03-28T01:00:00Z", "2027-03-28T01:00:00Z"),
        ("2037-10-31T12:00:00Z", "2037-10-31T01:30:00Z"),
    ] {
        assert_eq!(text(daily.latest(due, ms(now))), latest);
    }
    // Ten years of every second are not counted one by one.
    let seconds = cron("* * 0-11 * * *", "UTC");
    assert_eq!(text(seconds.latest(due, ms("2037-01-01T23:00:00.500Z"))), "2037-01-01T11:59:59Z");
    let ended = Schedule::every(1000).unwrap().within(None, Some(7500)).unwrap();
    assert_eq!((ended.latest(1000, 1_000_000), ended.latest(7000, 7000)), (7000, 7000));
}
