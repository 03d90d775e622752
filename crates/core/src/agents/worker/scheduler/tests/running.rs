//! How jobs and workers end.

use super::*;

#[test]
fn a_job_ends_at_its_timeout_whatever_its_handler_does() {
    let mut fixture = fixture(1);
    let mut last = job("b");
    last.attempt = 3;
    let (_, asked) = fixture.round().unwrap();
    fixture.land(RoundResult { taken: Some((of(asked), taken(vec![job("a")]))), ..RoundResult::default() });
    let (a, _) = fixture.begin().unwrap();
    assert!(ended(&fixture.after(59_999)).is_empty());
    assert_eq!(ended(&fixture.after(1)), [(a, EndReason::TimedOut)]);
    assert!(!fixture.end(a), "a late result changes nothing");
    let (finishes, take) = fixture.round().unwrap();
    assert_eq!((outcomes(&finishes), take), (vec![("a", "retry")], 1), "another may run");
    assert!(matches!(&finishes[0].outcome, Outcome::Retry { error, .. }
        if error == r#"{"name":"CinnabarError","message":"timed out after 60000 ms","code":"E_TIMEOUT"}"#));
    fixture.land(RoundResult { taken: Some((of(1), taken(vec![last]))), ..RoundResult::default() });
    let (b, _) = fixture.begin().unwrap();
    assert_eq!(ended(&fixture.after(60_000)), [(b, EndReason::TimedOut)]);
    assert_eq!(outcomes(&fixture.round().unwrap().0), [("b", "dead")]);
}

#[test]
fn a_failed_attempt_is_retried_or_the_job_is_dead() {
    let mut fixture = fixture(3);
    let mut last = job("c");
    last.attempt = 3;
    let (_, asked) = fixture.round().unwrap();
    fixture.land(RoundResult {
        taken: Some((of(asked), taken(vec![job("a"), job("b"), last]))),
        ..RoundResult::default()
    });
    for fatal in [false, true, false] {
        let (number, _) = fixture.begin().unwrap();
        assert!(fixture.scheduler.end(number, Err(Failure { error: Bytes::from_static(b"{}"), fatal }), fixture.now));
    }
    let (finishes, _) = fixture.round().unwrap();
    assert_eq!(outcomes(&finishes), [("a", "retry"), ("b", "dead"), ("c", "dead")]);
    assert!(matches!(finishes[0].outcome, Outcome::Retry { delay, .. } if delay == Duration::from_secs(1)));
}

#[test]
fn a_lost_job_that_never_ends_stops_counting_at_its_timeout() {
    let mut fixture = fixture(1);
    fixture.take(&["a"]);
    let (a, _) = fixture.begin().unwrap();
    fixture.scheduler.renewed(Some(vec![a]), fixture.now);
    assert_eq!(ended(&fixture.after(60_000)), [(a, EndReason::TimedOut)]);
    let (finishes, take) = fixture.round().unwrap();
    assert_eq!((finishes.len(), take), (0, 1));
}

#[test]
fn closing_releases_jobs_not_started_and_waits_for_running_ones() {
    let mut fixture = fixture(3);
    fixture.take(&["a", "b", "c"]);
    let (a, _) = fixture.begin().unwrap();
    let (b, _) = fixture.begin().unwrap();
    fixture.scheduler.close(Some(fixture.now + Duration::from_secs(5)), fixture.now);
    assert_eq!(fixture.begin(), None);
    let (finishes, take) = fixture.round().unwrap();
    assert_eq!((outcomes(&finishes), take), (vec![("c", "release")], 0));
    fixture.land(RoundResult::default());
    assert!(fixture.end(a) && !fixture.scheduler.is_over());
    assert_eq!(ended(&fixture.after(5000)), [(b, EndReason::Closed)]);
    assert!(!fixture.end(b), "it was released");
    let (finishes, _) = fixture.round().unwrap();
    assert_eq!(outcomes(&finishes), [("a", "done"), ("b", "release")]);
    assert!(!fixture.scheduler.is_over(), "it is not reported yet");
    fixture.land(RoundResult::default());
    assert!(fixture.scheduler.is_over());
    assert_eq!(fixture.scheduler.unfinished(), ["b"]);
}

#[test]
fn jobs_taken_while_closing_are_released() {
    let mut fixture = fixture(1);
    let (_, asked) = fixture.round().unwrap();
    fixture.scheduler.close(None, fixture.now);
    assert!(!fixture.scheduler.is_over(), "a take is in flight");
    fixture.land(RoundResult { taken: Some((of(asked), taken(vec![job("a")]))), ..RoundResult::default() });
    assert_eq!(outcomes(&fixture.round().unwrap().0), [("a", "release")]);
}

#[test]
fn a_pause_releases_jobs_not_started() {
    let mut fixture = fixture(2);
    fixture.take(&["a", "b"]);
    let (a, _) = fixture.begin().unwrap();
    fixture.scheduler.pause(true, fixture.now);
    let (finishes, take) = fixture.round().unwrap();
    assert_eq!((outcomes(&finishes), take), (vec![("b", "release")], 0));
    fixture.land(RoundResult::default());
    assert!(fixture.end(a));
    assert_eq!(fixture.round().unwrap().1, 0);
    fixture.land(RoundResult::default());
    assert_eq!(fixture.begin(), None);
    fixture.scheduler.pause(false, fixture.now);
    assert_eq!(fixture.round().unwrap().1, 2);
}

#[test]
fn an_environment_that_ends_leaves_running_jobs_to_their_leases() {
    let mut fixture = fixture(2);
    fixture.take(&["a", "b"]);
    fixture.begin().unwrap();
    fixture.scheduler.abandon(fixture.now);
    assert!(fixture.after(0).is_empty());
    assert_eq!(outcomes(&fixture.round().unwrap().0), [("b", "release")]);
    fixture.land(RoundResult::default());
    assert!(fixture.scheduler.is_over());
}
