//! Jobs whose start must be stored before they start.

use super::*;

/// The first two of three were a worker's that crashed.
fn after_a_crash() -> Play {
    let mut play = play(3);
    let crashed = |id| Leased { tells_first: true, ..job(id) };
    let asked = play.desk.round(play.now).unwrap().take.unwrap();
    let jobs = taken(vec![crashed("a"), crashed("b"), job("c")]);
    play.land(Landing { taken: Some((asked, jobs)), ..Landing::default() });
    play
}

#[test]
fn what_a_crashed_worker_had_begins_once_the_store_knows_and_in_its_order() {
    let mut play = after_a_crash();
    for (id, number) in [("a", 1), ("b", 2)] {
        assert_eq!(play.begin(), None);
        assert_eq!(play.begin(), None, "those behind it wait");
        assert_eq!(play.next(), Some(0), "at once");
        let round = play.desk.round(play.now).unwrap();
        let told: Vec<_> = round.reports.iter().map(|(number, notes)| (*number, notes.begun.is_some())).collect();
        assert_eq!(told, [(number, true)], "and nothing of those that may never begin");
        assert_eq!(play.begin(), None);
        // A slow store does not look like nobody coming.
        play.after(150);
        assert!(matches!(play.land(Landing::default())[..], [Notice::Jobs]));
        assert_eq!(play.begin(), Some((number, id.into())));
    }
    assert_eq!(play.begin(), Some((3, "c".into())));
    play.after(5);
    let round = play.desk.round(play.now).unwrap();
    assert_eq!(round.reports.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [3], "the others are known");
    assert!(round.finishes.is_empty());
}

#[test]
fn what_the_store_did_not_hear_does_not_begin() {
    let mut play = after_a_crash();
    assert_eq!(play.begin(), None);
    for _ in 0..3 {
        let reports = play.desk.round(play.now).unwrap().reports;
        let error = Some(Error::new(Kind::MaybeApplied, "lost"));
        play.land(Landing { reports, error, ..Landing::default() });
        play.after(1100);
        assert_eq!(play.begin(), None);
    }
    play.round().unwrap();
    assert!(matches!(
        play.land(Landing::default())[..],
        [Notice::Recovered, Notice::Jobs] | [Notice::Jobs, Notice::Recovered]
    ));
    assert_eq!(play.begin(), Some((1, "a".into())));
}

#[test]
fn one_that_is_lost_before_the_store_knows_keeps_nobody_waiting() {
    let mut play = after_a_crash();
    assert_eq!(play.begin(), None);
    play.round().unwrap();
    play.after(4000);
    assert_eq!(play.desk.beat(play.now).unwrap().len(), 3);
    assert!(matches!(play.desk.beaten(Some(vec![1]), play.now)[..], [Notice::Jobs]));
    play.land(Landing::default());
    assert_eq!(play.begin(), None);
    play.round().unwrap();
    assert!(matches!(play.land(Landing::default())[..], [Notice::Jobs]));
    assert_eq!(play.begin(), Some((2, "b".into())));
}

#[test]
fn what_is_given_back_before_the_store_knows_has_not_begun() {
    let mut play = after_a_crash();
    assert_eq!(play.begin(), None);
    play.desk.pause(true, play.now);
    let round = play.desk.round(play.now).unwrap();
    assert!(round.reports.is_empty());
    assert_eq!(outcomes(&round.finishes), [("a", "release"), ("b", "release"), ("c", "release")]);
}

#[test]
fn what_nobody_comes_for_after_the_store_knows_goes_back() {
    let mut play = after_a_crash();
    assert_eq!(play.begin(), None);
    play.round().unwrap();
    play.land(Landing::default());
    assert_eq!(play.next(), Some(100));
    play.after(100);
    let (finishes, take) = play.round().unwrap();
    assert_eq!((outcomes(&finishes), take), (vec![("a", "release"), ("b", "release"), ("c", "release")], 0));
}
