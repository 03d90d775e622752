//! Jobs whose start must be stored before they start.

use super::*;

/// The first two of three jobs were those of a worker that crashed.
fn after_a_crash() -> Fixture {
    let mut fixture = fixture(3);
    let crashed = |id| Leased { stores_start_first: true, ..job(id) };
    let asked = fixture.scheduler.round(fixture.now).unwrap().take.unwrap();
    let jobs = taken(vec![crashed("a"), crashed("b"), job("c")]);
    fixture.land(RoundResult { taken: Some((asked, jobs)), ..RoundResult::default() });
    fixture
}

#[test]
fn jobs_of_a_crashed_worker_start_in_order_once_their_start_is_stored() {
    let mut fixture = after_a_crash();
    for (id, number) in [("a", 1), ("b", 2)] {
        assert_eq!(fixture.begin(), None);
        assert_eq!(fixture.begin(), None, "those behind it wait");
        assert_eq!(fixture.next(), Some(0), "at once");
        let round = fixture.scheduler.round(fixture.now).unwrap();
        let reported: Vec<_> = round.reports.iter().map(|(number, notes)| (*number, notes.begun.is_some())).collect();
        assert_eq!(reported, [(number, true)], "and not those that may never start");
        assert_eq!(fixture.begin(), None);
        // A slow store is not taken for a blocked event loop.
        fixture.after(150);
        assert!(matches!(fixture.land(RoundResult::default())[..], [Notice::Jobs]));
        assert_eq!(fixture.begin(), Some((number, id.into())));
    }
    assert_eq!(fixture.begin(), Some((3, "c".into())));
    fixture.after(5);
    let round = fixture.scheduler.round(fixture.now).unwrap();
    assert_eq!(round.reports.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [3], "the others are known");
    assert!(round.finishes.is_empty());
}

#[test]
fn a_job_whose_start_was_not_stored_does_not_start() {
    let mut fixture = after_a_crash();
    assert_eq!(fixture.begin(), None);
    for _ in 0..3 {
        let reports = fixture.scheduler.round(fixture.now).unwrap().reports;
        let error = Some(Error::new(Kind::MaybeApplied, "lost"));
        fixture.land(RoundResult { reports, error, ..RoundResult::default() });
        fixture.after(1100);
        assert_eq!(fixture.begin(), None);
    }
    fixture.round().unwrap();
    assert!(matches!(
        fixture.land(RoundResult::default())[..],
        [Notice::Recovered, Notice::Jobs] | [Notice::Jobs, Notice::Recovered]
    ));
    assert_eq!(fixture.begin(), Some((1, "a".into())));
}

#[test]
fn a_job_lost_before_its_start_is_stored_does_not_block_others() {
    let mut fixture = after_a_crash();
    assert_eq!(fixture.begin(), None);
    fixture.round().unwrap();
    fixture.after(4000);
    assert_eq!(fixture.scheduler.renew(fixture.now).unwrap().len(), 3);
    assert!(matches!(fixture.scheduler.renewed(Some(vec![1]), fixture.now)[..], [Notice::Jobs]));
    fixture.land(RoundResult::default());
    assert_eq!(fixture.begin(), None);
    fixture.round().unwrap();
    assert!(matches!(fixture.land(RoundResult::default())[..], [Notice::Jobs]));
    assert_eq!(fixture.begin(), Some((2, "b".into())));
}

#[test]
fn a_job_released_before_its_start_was_stored_has_not_started() {
    let mut fixture = after_a_crash();
    assert_eq!(fixture.begin(), None);
    fixture.scheduler.pause(true, fixture.now);
    let round = fixture.scheduler.round(fixture.now).unwrap();
    assert!(round.reports.is_empty());
    assert_eq!(outcomes(&round.finishes), [("a", "release"), ("b", "release"), ("c", "release")]);
}

#[test]
fn a_job_not_started_after_its_start_was_stored_is_released() {
    let mut fixture = after_a_crash();
    assert_eq!(fixture.begin(), None);
    fixture.round().unwrap();
    fixture.land(RoundResult::default());
    assert_eq!(fixture.next(), Some(100));
    fixture.after(100);
    let (finishes, take) = fixture.round().unwrap();
    assert_eq!((outcomes(&finishes), take), (vec![("a", "release"), ("b", "release"), ("c", "release")], 0));
}
