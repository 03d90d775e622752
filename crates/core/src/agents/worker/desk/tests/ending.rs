//! How jobs and workers end.

use super::*;

#[test]
fn the_end_of_its_time_ends_a_job_whatever_its_handler_does() {
    let mut play = play(1);
    let mut last = job("b");
    last.attempt = 3;
    let (_, asked) = play.round().unwrap();
    play.land(Landing { taken: Some((of(asked), taken(vec![job("a")]))), ..Landing::default() });
    let (a, _) = play.begin().unwrap();
    assert!(ended(&play.after(59_999)).is_empty());
    assert_eq!(ended(&play.after(1)), [(a, Why::TimedOut)]);
    assert!(!play.end(a), "a late result changes nothing");
    let (finishes, take) = play.round().unwrap();
    assert_eq!((outcomes(&finishes), take), (vec![("a", "retry")], 1), "its place is free");
    assert!(matches!(&finishes[0].outcome, Outcome::Retry { error, .. }
        if error == r#"{"name":"CinnabarError","message":"timed out after 60000 ms","code":"E_TIMEOUT"}"#));
    play.land(Landing { taken: Some((of(1), taken(vec![last]))), ..Landing::default() });
    let (b, _) = play.begin().unwrap();
    assert_eq!(ended(&play.after(60_000)), [(b, Why::TimedOut)]);
    assert_eq!(outcomes(&play.round().unwrap().0), [("b", "dead")]);
}

#[test]
fn how_an_attempt_fails_decides_what_follows() {
    let mut play = play(3);
    let mut last = job("c");
    last.attempt = 3;
    let (_, asked) = play.round().unwrap();
    play.land(Landing { taken: Some((of(asked), taken(vec![job("a"), job("b"), last]))), ..Landing::default() });
    for fatal in [false, true, false] {
        let (number, _) = play.begin().unwrap();
        assert!(play.desk.end(number, Err(Failure { error: Bytes::from_static(b"{}"), fatal }), play.now));
    }
    let (finishes, _) = play.round().unwrap();
    assert_eq!(outcomes(&finishes), [("a", "retry"), ("b", "dead"), ("c", "dead")]);
    assert!(matches!(finishes[0].outcome, Outcome::Retry { delay, .. } if delay == Duration::from_secs(1)));
}

#[test]
fn a_lost_job_that_never_ends_frees_its_place_at_the_end_of_its_time() {
    let mut play = play(1);
    play.take(&["a"]);
    let (a, _) = play.begin().unwrap();
    play.desk.beaten(Some(vec![a]), play.now);
    assert_eq!(ended(&play.after(60_000)), [(a, Why::TimedOut)]);
    let (finishes, take) = play.round().unwrap();
    assert_eq!((finishes.len(), take), (0, 1));
}

#[test]
fn closing_gives_back_what_is_not_begun_and_waits_for_what_runs() {
    let mut play = play(3);
    play.take(&["a", "b", "c"]);
    let (a, _) = play.begin().unwrap();
    let (b, _) = play.begin().unwrap();
    play.desk.close(Some(play.now + Duration::from_secs(5)), play.now);
    assert_eq!(play.begin(), None);
    let (finishes, take) = play.round().unwrap();
    assert_eq!((outcomes(&finishes), take), (vec![("c", "release")], 0));
    play.land(Landing::default());
    assert!(play.end(a) && !play.desk.is_over());
    assert_eq!(ended(&play.after(5000)), [(b, Why::Closed)]);
    assert!(!play.end(b), "it was given back");
    let (finishes, _) = play.round().unwrap();
    assert_eq!(outcomes(&finishes), [("a", "done"), ("b", "release")]);
    assert!(!play.desk.is_over(), "the store has not heard it yet");
    play.land(Landing::default());
    assert!(play.desk.is_over());
    assert_eq!(play.desk.unfinished(), ["b"]);
}

#[test]
fn what_was_taken_while_closing_goes_back() {
    let mut play = play(1);
    let (_, asked) = play.round().unwrap();
    play.desk.close(None, play.now);
    assert!(!play.desk.is_over(), "a question is under way");
    play.land(Landing { taken: Some((of(asked), taken(vec![job("a")]))), ..Landing::default() });
    assert_eq!(outcomes(&play.round().unwrap().0), [("a", "release")]);
}

#[test]
fn a_pause_gives_back_what_is_not_begun() {
    let mut play = play(2);
    play.take(&["a", "b"]);
    let (a, _) = play.begin().unwrap();
    play.desk.pause(true, play.now);
    let (finishes, take) = play.round().unwrap();
    assert_eq!((outcomes(&finishes), take), (vec![("b", "release")], 0));
    play.land(Landing::default());
    assert!(play.end(a));
    assert_eq!(play.round().unwrap().1, 0);
    play.land(Landing::default());
    assert_eq!(play.begin(), None);
    play.desk.pause(false, play.now);
    assert_eq!(play.round().unwrap().1, 2);
}

#[test]
fn an_environment_that_ends_leaves_what_ran_to_its_lease() {
    let mut play = play(2);
    play.take(&["a", "b"]);
    play.begin().unwrap();
    play.desk.abandon(play.now);
    assert!(play.after(0).is_empty());
    assert_eq!(outcomes(&play.round().unwrap().0), [("b", "release")]);
    play.land(Landing::default());
    assert!(play.desk.is_over());
}
