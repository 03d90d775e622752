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

/// A scheduler, and its time.
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

    /// The round that is due: its finishes, and how many jobs it requests.
    fn round(&mut self) -> Option<(Vec<Finish>, usize)> {
        self.scheduler.round(self.now).map(|round| (round.finishes, round.take.map_or(0, |asked| asked.count)))
    }

    fn land(&mut self, result: RoundResult) -> Vec<Notice> {
        self.scheduler.round_ended(result, self.now)
    }

    /// A round that takes these jobs.
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

    /// In how many milliseconds something is due.
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
fn takes_as_many_as_may_run_and_reports_with_the_next_take() {
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
    assert!(take >= 2, "two may run, and short jobs are prefetched: {take}");
    assert!(fixture.round().is_none(), "one round at a time");
}

#[test]
fn an_idle_worker_polls_once_a_second_and_when_woken() {
    let mut fixture = fixture(1);
    fixture.take(&[]);
    assert_eq!(fixture.next(), Some(1000));
    assert!(fixture.round().is_none());
    fixture.after(400);
    fixture.scheduler.wake(fixture.now);
    assert_eq!(fixture.next(), Some(0));
    let (_, asked) = fixture.round().unwrap();
    // It was woken while the round was in flight: it polls again.
    fixture.scheduler.wake(fixture.now);
    fixture.land(RoundResult { taken: Some((of(asked), taken(vec![]))), ..RoundResult::default() });
    assert_eq!(fixture.next(), Some(0));
    fixture.take(&[]);
    assert_eq!(fixture.next(), Some(1000));
}

#[test]
fn polls_when_something_is_due_but_not_endlessly() {
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
    assert!(asked < 120, "{asked} takes in ten seconds");
}

#[test]
fn short_jobs_are_prefetched_and_released_if_not_started() {
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
fn a_blocked_event_loop_gets_no_more_jobs() {
    let mut fixture = fixture(3);
    fixture.take(&["a", "b"]);
    fixture.after(100);
    let (finishes, take) = fixture.round().unwrap();
    assert_eq!((finishes.len(), take), (2, 0), "there is room, but JavaScript is blocked");
    fixture.land(RoundResult::default());
    fixture.after(5000);
    assert!(fixture.round().is_none());
    assert_eq!(fixture.begin(), None);
    let (_, take) = fixture.round().unwrap();
    assert_eq!(take, 3);
}

#[test]
fn leases_are_renewed_every_third_of_a_lease_and_not_for_ended_jobs() {
    let mut fixture = fixture(3);
    fixture.take(&["a", "b", "c"]);
    let (a, _) = fixture.begin().unwrap();
    let (b, _) = fixture.begin().unwrap();
    assert!(fixture.scheduler.renew(fixture.now).is_none());
    fixture.now += LEASE / 3;
    let leases = fixture.scheduler.renew(fixture.now).unwrap();
    assert_eq!(leases.len(), 3, "prefetched jobs have leases too");
    assert!(fixture.scheduler.renew(fixture.now).is_none(), "one renew at a time");
    assert!(fixture.end(a));
    // The end of a was reported before the renewal.
    assert_eq!(ended(&fixture.scheduler.renewed(Some(vec![a, b]), fixture.now)), [(b, EndReason::Lost)]);
    assert_eq!(fixture.scheduler.running(), 1, "b counts until its handler ends");
    fixture.now += LEASE / 3;
    fixture.scheduler.release_idle(fixture.now);
    assert!(fixture.scheduler.renew(fixture.now).is_none(), "there are no leases");
    assert!(!fixture.end(b), "another worker has it");
    assert_eq!(fixture.scheduler.running(), 0);
    assert!(fixture.round().unwrap().0.iter().all(|finish| finish.id != "b"));
}

#[test]
fn failed_reports_are_sent_again() {
    let mut fixture = fixture(1);
    fixture.take(&["a"]);
    let (a, _) = fixture.begin().unwrap();
    fixture.end(a);
    let mut notices = Vec::new();
    for _ in 0..5 {
        let (finishes, _) = fixture.round().unwrap();
        assert_eq!(outcomes(&finishes), [("a", "done")]);
        let error = Some(Error::new(Kind::Unavailable, "down"));
        notices.extend(fixture.land(RoundResult { finishes, error, ..RoundResult::default() }));
        assert!(fixture.round().is_none(), "not at once");
        fixture.after(1000);
    }
    assert!(matches!(notices[..], [Notice::Failing(_)]), "sent once: {notices:?}");
    fixture.round().unwrap();
    assert!(matches!(fixture.land(RoundResult::default())[..], [Notice::Recovered]));
}

#[test]
fn a_take_whose_reply_was_lost_is_recovered_before_anything_else() {
    let mut fixture = fixture(2);
    let asked = fixture.scheduler.round(fixture.now).unwrap().take.unwrap();
    let error = || Some(Error::new(Kind::MaybeApplied, "lost"));
    fixture.land(RoundResult { lost_take: Some(asked.clone()), error: error(), ..RoundResult::default() });
    fixture.after(1000);
    let again = fixture.scheduler.round(fixture.now).unwrap().take.unwrap();
    assert_eq!(again, TakeRequest { again: true, ..asked });
    // Closing does not drop a take whose reply was lost.
    fixture.scheduler.close(None, fixture.now);
    fixture.land(RoundResult { lost_take: Some(again.clone()), error: error(), ..RoundResult::default() });
    assert!(!fixture.scheduler.is_over());
    fixture.after(1000);
    assert_eq!(fixture.scheduler.round(fixture.now).unwrap().take, Some(again.clone()));
    fixture.land(RoundResult { taken: Some((again, taken(vec![job("a")]))), ..RoundResult::default() });
    assert_eq!(outcomes(&fixture.round().unwrap().0), [("a", "release")]);
    fixture.land(RoundResult::default());
    assert!(fixture.scheduler.is_over());
}

#[test]
fn a_store_that_is_reachable_again_is_polled_immediately() {
    let mut fixture = fixture(1);
    for _ in 0..10 {
        fixture.round().unwrap();
        fixture.land(RoundResult { error: Some(Error::new(Kind::Unavailable, "down")), ..RoundResult::default() });
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
fn reports_are_batched_and_dropped_with_the_lease() {
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
fn a_sleeping_task_is_woken_once_for_what_is_due_sooner() {
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
fn the_start_of_a_long_job_is_reported_and_that_of_a_short_one_is_not() {
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
