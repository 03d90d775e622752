mod random;
mod running;
mod start;
mod suspects;

use cinnabar_port::error::{Error, Kind};

use super::*;
use crate::{
    agents::worker::{EndReason, Failure},
    features::queue::{Backoff, BackoffKind, Taken},
};

const LEASE: Duration = Duration::from_secs(10);

/// A scheduler, and the time that it is told.
struct Fixture {
    scheduler: Scheduler,
    now: Instant,
}

fn fixture(concurrency: usize) -> Fixture {
    let now = Instant::now();
    Fixture {
        scheduler: Scheduler::new(
            "w".into(),
            Rules { concurrency, lease: LEASE, prefetch: true, max_bytes: 1 << 20 },
            now,
        ),
        now,
    }
}

fn job(id: &str) -> Leased {
    Leased {
        id: id.into(),
        name: "n".into(),
        data: Bytes::new(),
        attempt: 1,
        attempts: 3,
        crashes: 0,
        backoff: Backoff {
            kind: BackoffKind::Fixed,
            delay: Duration::from_secs(1),
            longest: Duration::from_secs(9),
            jitter: 0.0,
        },
        priority: 0,
        group: None,
        timeout: Duration::from_secs(60),
        added_ms: 0,
        token: "t".into(),
        exclusive: false,
        stores_start_first: false,
    }
}

fn of(count: usize) -> TakeRequest {
    TakeRequest { count, token: "t".into(), again: false, idle: false, yielding: None }
}

fn taken(jobs: Vec<Leased>) -> Taken {
    Taken { jobs, ..Taken::default() }
}

impl Fixture {
    fn after(&mut self, ms: u64) -> Vec<Notice> {
        self.now += Duration::from_millis(ms);
        self.scheduler.tick(self.now)
    }

    /// The round that is due: what is told, and how many are asked for.
    fn round(&mut self) -> Option<(Vec<Finish>, usize)> {
        self.scheduler.round(self.now).map(|round| (round.finishes, round.take.map_or(0, |asked| asked.count)))
    }

    fn land(&mut self, result: RoundResult) -> Vec<Notice> {
        self.scheduler.round_ended(result, self.now)
    }

    /// A round that takes these.
    fn take(&mut self, ids: &[&str]) -> Vec<Notice> {
        let (_, asked) = self.round().unwrap();
        assert!(asked >= ids.len(), "asked for {asked}");
        self.land(RoundResult {
            taken: Some((of(asked), taken(ids.iter().map(|id| job(id)).collect()))),
            ..RoundResult::default()
        })
    }

    fn begin(&mut self) -> Option<(u64, String)> {
        self.scheduler.begin(self.now).map(|(number, job)| (number, job.id))
    }

    fn end(&mut self, number: u64) -> bool {
        self.scheduler.end(number, Ok(Bytes::from_static(b"1")), self.now)
    }

    /// In how many milliseconds there is something to do.
    fn next(&self) -> Option<u128> {
        self.scheduler.next_at(self.now).map(|at| at.saturating_duration_since(self.now).as_millis())
    }
}

fn outcomes(finishes: &[Finish]) -> Vec<(&str, &str)> {
    let outcome = |finish: &Finish| match finish.outcome {
        Outcome::Done(_) => "done",
        Outcome::Retry { .. } => "retry",
        Outcome::Dead { .. } => "dead",
        Outcome::Release => "release",
    };
    finishes.iter().map(|finish| (finish.id.as_str(), outcome(finish))).collect()
}

fn ended(notices: &[Notice]) -> Vec<(u64, EndReason)> {
    let ended = notices.iter().filter_map(|notice| match notice {
        Notice::Ended(number, why) => Some((*number, *why)),
        _ => None,
    });
    ended.collect()
}

#[test]
fn asks_for_what_there_is_room_for_and_tells_with_the_next_question() {
    let mut fixture = fixture(2);
    assert_eq!(fixture.begin(), None);
    assert!(matches!(fixture.take(&["a", "b"])[..], [Notice::Jobs]));
    let (a, _) = fixture.begin().unwrap();
    let (b, id) = fixture.begin().unwrap();
    assert_eq!(id, "b");
    assert_eq!(fixture.begin(), None);
    assert!(fixture.round().is_none_or(|(finishes, _)| finishes.is_empty()));
    fixture.land(RoundResult { taken: Some((of(2), taken(vec![]))), ..RoundResult::default() });
    assert!(fixture.end(a) && fixture.end(b));
    fixture.after(3);
    let (finishes, take) = fixture.round().unwrap();
    assert_eq!(outcomes(&finishes), [("a", "done"), ("b", "done")]);
    assert!(take >= 2, "two places, and short jobs ahead: {take}");
    assert!(fixture.round().is_none(), "one round at a time");
}

#[test]
fn an_idle_worker_asks_once_a_second_and_when_woken() {
    let mut fixture = fixture(1);
    fixture.take(&[]);
    assert_eq!(fixture.next(), Some(1000));
    assert!(fixture.round().is_none());
    fixture.after(400);
    fixture.scheduler.wake(fixture.now);
    assert_eq!(fixture.next(), Some(0));
    let (_, asked) = fixture.round().unwrap();
    // It was woken while the question was under way: it asks again.
    fixture.scheduler.wake(fixture.now);
    fixture.land(RoundResult { taken: Some((of(asked), taken(vec![]))), ..RoundResult::default() });
    assert_eq!(fixture.next(), Some(0));
    fixture.take(&[]);
    assert_eq!(fixture.next(), Some(1000));
}

#[test]
fn asks_when_something_is_due_but_never_without_end() {
    let mut fixture = fixture(1);
    let due = |ms| Taken { next_in: Some(Duration::from_millis(ms)), ..taken(vec![]) };
    let (_, asked) = fixture.round().unwrap();
    fixture.land(RoundResult { taken: Some((of(asked), due(300))), ..RoundResult::default() });
    assert_eq!(fixture.next(), Some(300));
    let mut asked = 0;
    let end = fixture.now + Duration::from_secs(10);
    while fixture.now < end {
        let wait = fixture.next().unwrap() as u64;
        fixture.after(wait);
        fixture.round().unwrap();
        asked += 1;
        fixture.land(RoundResult { taken: Some((of(1), due(0))), ..RoundResult::default() });
    }
    assert!(asked < 120, "{asked} questions in ten seconds");
}

#[test]
fn short_jobs_are_taken_ahead_and_given_back_when_they_are_not_begun() {
    let mut fixture = fixture(1);
    for _ in 0..10 {
        fixture.take(&["a"]);
        let (number, _) = fixture.begin().unwrap();
        assert!(fixture.end(number));
        fixture.now += Duration::from_millis(1);
    }
    let (_, asked) = fixture.round().unwrap();
    assert_eq!(asked, 1 + 10, "what has begun within 20 ms");
    fixture.land(RoundResult {
        taken: Some((of(asked), taken(vec![job("x"), job("y"), job("z")]))),
        ..RoundResult::default()
    });
    let (_, id) = fixture.begin().unwrap();
    assert_eq!(id, "x");
    assert!(fixture.after(99).is_empty());
    assert_eq!(fixture.scheduler.ready.len(), 2);
    fixture.after(1);
    assert_eq!(fixture.scheduler.ready.len(), 0);
    let (finishes, take) = fixture.round().unwrap();
    assert_eq!(outcomes(&finishes), [("y", "release"), ("z", "release")]);
    assert_eq!(take, 0, "x runs for longer: nothing ahead of it");
}

#[test]
fn a_blocked_event_loop_gets_nothing_more_until_it_comes() {
    let mut fixture = fixture(3);
    fixture.take(&["a", "b"]);
    fixture.after(100);
    let (finishes, take) = fixture.round().unwrap();
    assert_eq!((finishes.len(), take), (2, 0), "there is room, but nobody there");
    fixture.land(RoundResult::default());
    fixture.after(5000);
    assert!(fixture.round().is_none());
    assert_eq!(fixture.begin(), None);
    let (_, take) = fixture.round().unwrap();
    assert_eq!(take, 3);
}

#[test]
fn leases_are_renewed_three_times_within_each_and_not_for_what_has_ended() {
    let mut fixture = fixture(3);
    fixture.take(&["a", "b", "c"]);
    let (a, _) = fixture.begin().unwrap();
    let (b, _) = fixture.begin().unwrap();
    assert!(fixture.scheduler.renew(fixture.now).is_none());
    fixture.now += LEASE / 3;
    let held = fixture.scheduler.renew(fixture.now).unwrap();
    assert_eq!(held.len(), 3, "what is not begun is held too");
    assert!(fixture.scheduler.renew(fixture.now).is_none(), "one renew at a time");
    assert!(fixture.end(a));
    // The store had been told that a has ended before it was asked about a.
    assert_eq!(ended(&fixture.scheduler.renewed(Some(vec![a, b]), fixture.now)), [(b, EndReason::Lost)]);
    assert_eq!(fixture.scheduler.running(), 1, "b takes its place until it ends");
    fixture.now += LEASE / 3;
    fixture.scheduler.give_stale_back(fixture.now);
    assert!(fixture.scheduler.renew(fixture.now).is_none(), "nothing is held");
    assert!(!fixture.end(b), "somebody else has it");
    assert_eq!(fixture.scheduler.running(), 0);
    assert!(fixture.round().unwrap().0.iter().all(|finish| finish.id != "b"));
}

#[test]
fn what_the_store_did_not_hear_is_told_again() {
    let mut fixture = fixture(1);
    fixture.take(&["a"]);
    let (a, _) = fixture.begin().unwrap();
    fixture.end(a);
    let mut told = Vec::new();
    for _ in 0..5 {
        let (finishes, _) = fixture.round().unwrap();
        assert_eq!(outcomes(&finishes), [("a", "done")]);
        let error = Some(Error::new(Kind::Unavailable, "gone"));
        told.extend(fixture.land(RoundResult { finishes, error, ..RoundResult::default() }));
        assert!(fixture.round().is_none(), "not at once");
        fixture.after(1000);
    }
    assert!(matches!(told[..], [Notice::Failing(_)]), "said once: {told:?}");
    fixture.round().unwrap();
    assert!(matches!(fixture.land(RoundResult::default())[..], [Notice::Recovered]));
}

#[test]
fn an_answer_that_never_came_is_asked_for_again_before_anything_else() {
    let mut fixture = fixture(2);
    let asked = fixture.scheduler.round(fixture.now).unwrap().take.unwrap();
    let error = || Some(Error::new(Kind::MaybeApplied, "lost"));
    fixture.land(RoundResult { unanswered: Some(asked.clone()), error: error(), ..RoundResult::default() });
    fixture.after(1000);
    let again = fixture.scheduler.round(fixture.now).unwrap().take.unwrap();
    assert_eq!(again, TakeRequest { again: true, ..asked });
    // Closing does not forget what may be held.
    fixture.scheduler.close(None, fixture.now);
    fixture.land(RoundResult { unanswered: Some(again.clone()), error: error(), ..RoundResult::default() });
    assert!(!fixture.scheduler.is_over());
    fixture.after(1000);
    assert_eq!(fixture.scheduler.round(fixture.now).unwrap().take, Some(again.clone()));
    fixture.land(RoundResult { taken: Some((again, taken(vec![job("a")]))), ..RoundResult::default() });
    assert_eq!(outcomes(&fixture.round().unwrap().0), [("a", "release")]);
    fixture.land(RoundResult::default());
    assert!(fixture.scheduler.is_over());
}

#[test]
fn a_store_that_is_back_is_asked_at_once() {
    let mut fixture = fixture(1);
    for _ in 0..10 {
        fixture.round().unwrap();
        fixture.land(RoundResult { error: Some(Error::new(Kind::Unavailable, "gone")), ..RoundResult::default() });
        assert!(fixture.next().unwrap() <= 1000);
        fixture.after(1000);
    }
    fixture.round().unwrap();
    fixture.land(RoundResult { error: Some(Error::new(Kind::Timeout, "late")), ..RoundResult::default() });
    assert!(fixture.round().is_none());
    fixture.scheduler.reach(fixture.now);
    assert!(fixture.round().is_some());
}

#[test]
fn reports_gather_and_are_dropped_with_the_lease() {
    let mut fixture = fixture(1);
    fixture.take(&["a"]);
    let (a, _) = fixture.begin().unwrap();
    fixture.land(RoundResult { taken: Some((of(1), taken(vec![]))), ..RoundResult::default() });
    fixture.after(5);
    assert!(fixture.scheduler.round(fixture.now).unwrap().reports[0].1.begun.is_some());
    fixture.land(RoundResult::default());
    fixture.scheduler.report(a, Some(Bytes::from_static(b"1")), None, fixture.now);
    fixture.scheduler.report(a, Some(Bytes::from_static(b"2")), Some(Bytes::from_static(b"l")), fixture.now);
    assert_eq!(fixture.next(), Some(50));
    fixture.after(50);
    let round = fixture.scheduler.round(fixture.now).unwrap();
    assert_eq!(round.reports[0].1.progress.as_deref(), Some(b"2".as_slice()));
    fixture.land(RoundResult::default());
    fixture.scheduler.renewed(Some(vec![a]), fixture.now);
    fixture.scheduler.report(a, Some(Bytes::from_static(b"3")), None, fixture.now);
    assert!(fixture.scheduler.out.is_empty());
}

#[test]
fn whoever_sleeps_is_woken_by_what_is_due_sooner_and_only_once() {
    let mut fixture = fixture(2);
    fixture.take(&["a"]);
    let until = fixture.scheduler.next_at(fixture.now).unwrap();
    fixture.scheduler.arm(until);
    assert!(!fixture.scheduler.must_wake(fixture.now));
    let (a, _) = fixture.begin().unwrap();
    fixture.end(a);
    assert!(fixture.scheduler.must_wake(fixture.now) && !fixture.scheduler.must_wake(fixture.now));
}

#[test]
fn what_runs_for_a_while_is_told_of_and_what_is_short_is_not() {
    let mut fixture = fixture(2);
    fixture.take(&["a", "b"]);
    let (a, _) = fixture.begin().unwrap();
    let (b, _) = fixture.begin().unwrap();
    fixture.after(1);
    assert!(fixture.end(b));
    let round = fixture.scheduler.round(fixture.now).unwrap();
    assert!(round.reports.is_empty() && round.finishes[0].ran == Duration::from_millis(1));
    fixture.land(RoundResult::default());
    fixture.after(4);
    let round = fixture.scheduler.round(fixture.now).unwrap();
    let began: Vec<_> = round.reports.iter().map(|(number, notes)| (*number, notes.begun.is_some())).collect();
    assert_eq!(began, [(a, true)]);
    // The report failed, so it is sent again, along with later notes.
    fixture.scheduler.report(a, Some(Bytes::from_static(b"1")), None, fixture.now);
    fixture.land(RoundResult { reports: round.reports, ..RoundResult::default() });
    fixture.after(1100);
    let round = fixture.scheduler.round(fixture.now).unwrap();
    assert!(round.reports[0].1.begun.is_some() && round.reports[0].1.progress.is_some());
}
