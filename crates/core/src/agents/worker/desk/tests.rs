mod ending;
mod random;
mod starting;
mod suspects;

use cinnabar_port::error::{Error, Kind};

use super::*;
use crate::{
    agents::worker::{Failure, Why},
    features::queue::{Backoff, BackoffKind, Taken},
};

const LEASE: Duration = Duration::from_secs(10);

/// A desk, and the time that it is told.
struct Play {
    desk: Desk,
    now: Instant,
}

fn play(concurrency: usize) -> Play {
    let now = Instant::now();
    Play {
        desk: Desk::new("w".into(), Rules { concurrency, lease: LEASE, prefetch: true, max_bytes: 1 << 20 }, now),
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
        alone: false,
        tells_first: false,
    }
}

fn of(count: usize) -> Asked {
    Asked { count, token: "t".into(), again: false, idle: false, makes_way: None }
}

fn taken(jobs: Vec<Leased>) -> Taken {
    Taken { jobs, ..Taken::default() }
}

impl Play {
    fn after(&mut self, ms: u64) -> Vec<Notice> {
        self.now += Duration::from_millis(ms);
        self.desk.tick(self.now)
    }

    /// The round that is due: what is told, and how many are asked for.
    fn round(&mut self) -> Option<(Vec<Finish>, usize)> {
        self.desk.round(self.now).map(|round| (round.finishes, round.take.map_or(0, |asked| asked.count)))
    }

    fn land(&mut self, landing: Landing) -> Vec<Notice> {
        self.desk.landed(landing, self.now)
    }

    /// A round that takes these.
    fn take(&mut self, ids: &[&str]) -> Vec<Notice> {
        let (_, asked) = self.round().unwrap();
        assert!(asked >= ids.len(), "asked for {asked}");
        self.land(Landing {
            taken: Some((of(asked), taken(ids.iter().map(|id| job(id)).collect()))),
            ..Landing::default()
        })
    }

    fn begin(&mut self) -> Option<(u64, String)> {
        self.desk.begin(self.now).map(|(number, job)| (number, job.id))
    }

    fn end(&mut self, number: u64) -> bool {
        self.desk.end(number, Ok(Bytes::from_static(b"1")), self.now)
    }

    /// In how many milliseconds there is something to do.
    fn next(&self) -> Option<u128> {
        self.desk.next_at(self.now).map(|at| at.saturating_duration_since(self.now).as_millis())
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

fn ended(notices: &[Notice]) -> Vec<(u64, Why)> {
    let ended = notices.iter().filter_map(|notice| match notice {
        Notice::Ended(number, why) => Some((*number, *why)),
        _ => None,
    });
    ended.collect()
}

#[test]
fn asks_for_what_there_is_room_for_and_tells_with_the_next_question() {
    let mut play = play(2);
    assert_eq!(play.begin(), None);
    assert!(matches!(play.take(&["a", "b"])[..], [Notice::Jobs]));
    let (a, _) = play.begin().unwrap();
    let (b, id) = play.begin().unwrap();
    assert_eq!(id, "b");
    assert_eq!(play.begin(), None);
    assert!(play.round().is_none_or(|(finishes, _)| finishes.is_empty()));
    play.land(Landing { taken: Some((of(2), taken(vec![]))), ..Landing::default() });
    assert!(play.end(a) && play.end(b));
    play.after(3);
    let (finishes, take) = play.round().unwrap();
    assert_eq!(outcomes(&finishes), [("a", "done"), ("b", "done")]);
    assert!(take >= 2, "two places, and short jobs ahead: {take}");
    assert!(play.round().is_none(), "one round at a time");
}

#[test]
fn an_idle_worker_asks_once_a_second_and_when_woken() {
    let mut play = play(1);
    play.take(&[]);
    assert_eq!(play.next(), Some(1000));
    assert!(play.round().is_none());
    play.after(400);
    play.desk.wake(play.now);
    assert_eq!(play.next(), Some(0));
    let (_, asked) = play.round().unwrap();
    // It was woken while the question was under way: it asks again.
    play.desk.wake(play.now);
    play.land(Landing { taken: Some((of(asked), taken(vec![]))), ..Landing::default() });
    assert_eq!(play.next(), Some(0));
    play.take(&[]);
    assert_eq!(play.next(), Some(1000));
}

#[test]
fn asks_when_something_is_due_but_never_without_end() {
    let mut play = play(1);
    let due = |ms| Taken { next_in: Some(Duration::from_millis(ms)), ..taken(vec![]) };
    let (_, asked) = play.round().unwrap();
    play.land(Landing { taken: Some((of(asked), due(300))), ..Landing::default() });
    assert_eq!(play.next(), Some(300));
    let mut asked = 0;
    let end = play.now + Duration::from_secs(10);
    while play.now < end {
        let wait = play.next().unwrap() as u64;
        play.after(wait);
        play.round().unwrap();
        asked += 1;
        play.land(Landing { taken: Some((of(1), due(0))), ..Landing::default() });
    }
    assert!(asked < 120, "{asked} questions in ten seconds");
}

#[test]
fn short_jobs_are_taken_ahead_and_given_back_when_they_are_not_begun() {
    let mut play = play(1);
    for _ in 0..10 {
        play.take(&["a"]);
        let (number, _) = play.begin().unwrap();
        assert!(play.end(number));
        play.now += Duration::from_millis(1);
    }
    let (_, asked) = play.round().unwrap();
    assert_eq!(asked, 1 + 10, "what has begun within 20 ms");
    play.land(Landing { taken: Some((of(asked), taken(vec![job("x"), job("y"), job("z")]))), ..Landing::default() });
    let (_, id) = play.begin().unwrap();
    assert_eq!(id, "x");
    assert!(play.after(99).is_empty());
    assert_eq!(play.desk.ready.len(), 2);
    play.after(1);
    assert_eq!(play.desk.ready.len(), 0);
    let (finishes, take) = play.round().unwrap();
    assert_eq!(outcomes(&finishes), [("y", "release"), ("z", "release")]);
    assert_eq!(take, 0, "x runs for longer: nothing ahead of it");
}

#[test]
fn a_blocked_event_loop_gets_nothing_more_until_it_comes() {
    let mut play = play(3);
    play.take(&["a", "b"]);
    play.after(100);
    let (finishes, take) = play.round().unwrap();
    assert_eq!((finishes.len(), take), (2, 0), "there is room, but nobody there");
    play.land(Landing::default());
    play.after(5000);
    assert!(play.round().is_none());
    assert_eq!(play.begin(), None);
    let (_, take) = play.round().unwrap();
    assert_eq!(take, 3);
}

#[test]
fn leases_are_renewed_three_times_within_each_and_not_for_what_has_ended() {
    let mut play = play(3);
    play.take(&["a", "b", "c"]);
    let (a, _) = play.begin().unwrap();
    let (b, _) = play.begin().unwrap();
    assert!(play.desk.beat(play.now).is_none());
    play.now += LEASE / 3;
    let held = play.desk.beat(play.now).unwrap();
    assert_eq!(held.len(), 3, "what is not begun is held too");
    assert!(play.desk.beat(play.now).is_none(), "one beat at a time");
    assert!(play.end(a));
    // The store had been told that a has ended before it was asked about a.
    assert_eq!(ended(&play.desk.beaten(Some(vec![a, b]), play.now)), [(b, Why::Lost)]);
    assert_eq!(play.desk.running(), 1, "b takes its place until it ends");
    play.now += LEASE / 3;
    play.desk.give_stale_back(play.now);
    assert!(play.desk.beat(play.now).is_none(), "nothing is held");
    assert!(!play.end(b), "somebody else has it");
    assert_eq!(play.desk.running(), 0);
    assert!(play.round().unwrap().0.iter().all(|finish| finish.id != "b"));
}

#[test]
fn what_the_store_did_not_hear_is_told_again() {
    let mut play = play(1);
    play.take(&["a"]);
    let (a, _) = play.begin().unwrap();
    play.end(a);
    let mut told = Vec::new();
    for _ in 0..5 {
        let (finishes, _) = play.round().unwrap();
        assert_eq!(outcomes(&finishes), [("a", "done")]);
        let error = Some(Error::new(Kind::Unavailable, "gone"));
        told.extend(play.land(Landing { finishes, error, ..Landing::default() }));
        assert!(play.round().is_none(), "not at once");
        play.after(1000);
    }
    assert!(matches!(told[..], [Notice::Failing(_)]), "said once: {told:?}");
    play.round().unwrap();
    assert!(matches!(play.land(Landing::default())[..], [Notice::Recovered]));
}

#[test]
fn an_answer_that_never_came_is_asked_for_again_before_anything_else() {
    let mut play = play(2);
    let asked = play.desk.round(play.now).unwrap().take.unwrap();
    let error = || Some(Error::new(Kind::MaybeApplied, "lost"));
    play.land(Landing { unanswered: Some(asked.clone()), error: error(), ..Landing::default() });
    play.after(1000);
    let again = play.desk.round(play.now).unwrap().take.unwrap();
    assert_eq!(again, Asked { again: true, ..asked });
    // Closing does not forget what may be held.
    play.desk.close(None, play.now);
    play.land(Landing { unanswered: Some(again.clone()), error: error(), ..Landing::default() });
    assert!(!play.desk.is_over());
    play.after(1000);
    assert_eq!(play.desk.round(play.now).unwrap().take, Some(again.clone()));
    play.land(Landing { taken: Some((again, taken(vec![job("a")]))), ..Landing::default() });
    assert_eq!(outcomes(&play.round().unwrap().0), [("a", "release")]);
    play.land(Landing::default());
    assert!(play.desk.is_over());
}

#[test]
fn a_store_that_is_back_is_asked_at_once() {
    let mut play = play(1);
    for _ in 0..10 {
        play.round().unwrap();
        play.land(Landing { error: Some(Error::new(Kind::Unavailable, "gone")), ..Landing::default() });
        assert!(play.next().unwrap() <= 1000);
        play.after(1000);
    }
    play.round().unwrap();
    play.land(Landing { error: Some(Error::new(Kind::Timeout, "late")), ..Landing::default() });
    assert!(play.round().is_none());
    play.desk.reach(play.now);
    assert!(play.round().is_some());
}

#[test]
fn reports_gather_and_are_dropped_with_the_lease() {
    let mut play = play(1);
    play.take(&["a"]);
    let (a, _) = play.begin().unwrap();
    play.land(Landing { taken: Some((of(1), taken(vec![]))), ..Landing::default() });
    play.after(5);
    assert!(play.desk.round(play.now).unwrap().reports[0].1.begun.is_some());
    play.land(Landing::default());
    play.desk.report(a, Some(Bytes::from_static(b"1")), None, play.now);
    play.desk.report(a, Some(Bytes::from_static(b"2")), Some(Bytes::from_static(b"l")), play.now);
    assert_eq!(play.next(), Some(50));
    play.after(50);
    let round = play.desk.round(play.now).unwrap();
    assert_eq!(round.reports[0].1.progress.as_deref(), Some(b"2".as_slice()));
    play.land(Landing::default());
    play.desk.beaten(Some(vec![a]), play.now);
    play.desk.report(a, Some(Bytes::from_static(b"3")), None, play.now);
    assert!(play.desk.out.is_empty());
}

#[test]
fn whoever_sleeps_is_woken_by_what_is_due_sooner_and_only_once() {
    let mut play = play(2);
    play.take(&["a"]);
    let until = play.desk.next_at(play.now).unwrap();
    play.desk.arm(until);
    assert!(!play.desk.must_wake(play.now));
    let (a, _) = play.begin().unwrap();
    play.end(a);
    assert!(play.desk.must_wake(play.now) && !play.desk.must_wake(play.now));
}

#[test]
fn what_runs_for_a_while_is_told_of_and_what_is_short_is_not() {
    let mut play = play(2);
    play.take(&["a", "b"]);
    let (a, _) = play.begin().unwrap();
    let (b, _) = play.begin().unwrap();
    play.after(1);
    assert!(play.end(b));
    let round = play.desk.round(play.now).unwrap();
    assert!(round.reports.is_empty() && round.finishes[0].ran == Duration::from_millis(1));
    play.land(Landing::default());
    play.after(4);
    let round = play.desk.round(play.now).unwrap();
    let began: Vec<_> = round.reports.iter().map(|(number, notes)| (*number, notes.begun.is_some())).collect();
    assert_eq!(began, [(a, true)]);
    // The report failed, so it is sent again, along with later notes.
    play.desk.report(a, Some(Bytes::from_static(b"1")), None, play.now);
    play.land(Landing { reports: round.reports, ..Landing::default() });
    play.after(1100);
    let round = play.desk.round(play.now).unwrap();
    assert!(round.reports[0].1.begun.is_some() && round.reports[0].1.progress.is_some());
}
