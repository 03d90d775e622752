//! Adding, taking and finishing jobs; expired leases.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use bytes::Bytes;
use cinnabar_core::features::{
    Takeover,
    queue::{
        Backoff, BackoffKind, Dedup, Finish, JobLease, Leased, Limits, NewJob, Note, Options, Outcome, Queue, Report,
        State, Take, Taken,
    },
};

use crate::both::Engine;

pub const LEASE: Duration = Duration::from_millis(200);

pub fn queue() -> Queue {
    queue_with(Options::default())
}

pub fn queue_with(options: Options) -> Queue {
    Queue::new("q", options).unwrap()
}

pub fn job(name: &str) -> NewJob {
    NewJob::new(name, "{}")
}

pub fn ask(count: usize) -> Take {
    static TOKENS: AtomicU32 = AtomicU32::new(0);
    let token = format!("w.{}", TOKENS.fetch_add(1, Ordering::Relaxed));
    Take {
        count,
        lease: LEASE,
        token,
        limits: Limits::default(),
        idle: true,
        yielding: None,
        overdue: Takeover::ALLOWED,
    }
}

pub fn take(engine: &Engine, queue: &Queue, count: usize) -> Vec<Leased> {
    taken(engine, queue, &ask(count)).jobs
}

pub fn taken(engine: &Engine, queue: &Queue, ask: &Take) -> Taken {
    engine.run(queue.take(ask)).unwrap()
}

pub fn finish(engine: &Engine, queue: &Queue, job: &Leased, outcome: Outcome) -> bool {
    let finish = Finish { id: job.id.clone(), token: job.token.clone(), outcome, ran: Duration::ZERO };
    engine.run(queue.finish(vec![finish])).unwrap().0[0]
}

pub fn done(engine: &Engine, queue: &Queue, job: &Leased) -> bool {
    finish(engine, queue, job, Outcome::Done(Bytes::from_static(b"1")))
}

/// Reports the start of jobs.
pub fn begun(engine: &Engine, queue: &Queue, jobs: &[Leased]) {
    let reports = jobs.iter().map(|job| {
        let note = Note::Begun(Duration::ZERO);
        Report { id: job.id.clone(), token: job.token.clone(), note }
    });
    engine.run(queue.report(reports.collect())).unwrap();
}

pub fn names(jobs: &[Leased]) -> Vec<&str> {
    jobs.iter().map(|job| job.name.as_str()).collect()
}

pub fn state(engine: &Engine, queue: &Queue, id: &str) -> Option<State> {
    engine.run(queue.get(id)).unwrap().map(|job| job.state)
}

#[test]
fn a_job_is_added_taken_and_done() {
    Engine::each(|engine| {
        let queue = queue();
        let added = engine.run(queue.add(NewJob::new("mail", r#"{"to":"ann"}"#))).unwrap();
        assert!(added.is_new);
        let taken = taken(engine, &queue, &ask(10));
        assert!(!taken.paused && taken.due.is_empty());
        let [job] = &taken.jobs[..] else { panic!("one job: {taken:?}") };
        assert_eq!((&job.id, &*job.name, &job.data[..]), (&added.id, "mail", &br#"{"to":"ann"}"#[..]));
        assert_eq!((job.attempt, job.attempts, job.crashes, job.priority), (1, 3, 0, 0));
        assert!(job.added_ms > 1_600_000_000_000, "{job:?}");
        assert_eq!(state(engine, &queue, &job.id), Some(State::Active));
        assert!(taken.next_in.is_some_and(|next| next <= LEASE), "{:?}", taken.next_in);
        assert!(done(engine, &queue, job));
        let stored = engine.run(queue.get(&job.id)).unwrap().unwrap();
        assert_eq!((stored.state, stored.result.as_deref(), stored.attempt), (State::Done, Some(&b"1"[..]), 1));
        assert!(stored.finished_ms >= stored.started_ms && stored.started_ms >= Some(stored.added_ms));
        assert_eq!(take(engine, &queue, 10).len(), 0);
    });
}

#[test]
fn lower_priorities_go_first_and_equal_ones_in_their_order() {
    Engine::each(|engine| {
        let queue = queue();
        let jobs = [("c1", 0), ("e", 500), ("b", -1), ("c2", 0), ("a", -500), ("d", 1), ("c3", 0)];
        let jobs = jobs.map(|(name, priority)| NewJob { priority, ..job(name) });
        let added = engine.run(queue.add_many(jobs.to_vec())).unwrap();
        assert_eq!(added.iter().filter(|added| added.is_new).count(), 7);
        assert_eq!(names(&take(engine, &queue, 3)), ["a", "b", "c1"]);
        assert_eq!(names(&take(engine, &queue, 100)), ["c2", "c3", "d", "e"]);
    });
}

#[test]
fn all_options_are_returned_with_a_job() {
    Engine::each(|engine| {
        let queue = queue();
        let backoff = Backoff {
            kind: BackoffKind::Fixed,
            delay: Duration::from_millis(7),
            longest: Duration::from_secs(9),
            jitter: 0.0625,
        };
        let given = NewJob {
            id: Some("order {1}*%\n ü".into()),
            data: Bytes::from_static(b"\0\xff"),
            attempts: 7,
            backoff,
            priority: -3,
            timeout: Duration::from_secs(5),
            group: Some("customer {9}\n".into()),
            ..job("näme")
        };
        let added = engine.run(queue.add(given.clone())).unwrap();
        assert_eq!(Some(&added.id), given.id.as_ref());
        let job = take(engine, &queue, 1).remove(0);
        assert_eq!((&job.id, &job.name, &job.data), (&added.id, &given.name, &given.data));
        assert_eq!((job.attempts, job.backoff, job.priority), (7, backoff, -3));
        assert_eq!((job.timeout, &job.group), (given.timeout, &given.group));
        let seen = engine.run(queue.get(&added.id)).unwrap().unwrap();
        assert_eq!((&seen.id, &seen.group, seen.backoff), (&added.id, &given.group, backoff));
        assert!(done(engine, &queue, &job));
    });
}

#[test]
fn an_id_is_added_once() {
    Engine::each(|engine| {
        let queue = queue();
        let mine = |data: &str| NewJob { id: Some("a".into()), data: data.to_owned().into(), ..job("n") };
        assert!(engine.run(queue.add(mine("1"))).unwrap().is_new);
        let again = engine.run(queue.add_many(vec![mine("2"), job("other"), mine("3")])).unwrap();
        assert_eq!(again.iter().map(|added| added.is_new).collect::<Vec<_>>(), [false, true, false]);
        let jobs = take(engine, &queue, 10);
        assert_eq!(names(&jobs), ["n", "other"]);
        assert_eq!(&jobs[0].data[..], b"1");
        done(engine, &queue, &jobs[0]);
        assert!(!engine.run(queue.add(mine("4"))).unwrap().is_new, "it is retained, so its id is taken");
    });
}

pub fn same(id: &str, ttl: Option<Duration>) -> Option<Dedup> {
    Some(Dedup { id: id.to_owned(), ttl })
}

#[test]
fn a_deduplication_key_counts_until_its_job_has_finished() {
    Engine::each(|engine| {
        let queue = queue();
        let mine = || NewJob { dedup: same("k", None), ..job("n") };
        let add = || engine.run(queue.add(mine())).unwrap();
        let first = add();
        let second = add();
        assert!(first.is_new && !second.is_new && first.id == second.id);
        let taken = take(engine, &queue, 10).remove(0);
        assert!(!add().is_new, "it is active");
        let retry = Outcome::Retry { error: Bytes::new(), delay: Duration::ZERO };
        assert!(finish(engine, &queue, &taken, retry));
        assert!(!add().is_new, "it is tried again");
        let taken = take(engine, &queue, 10).remove(0);
        assert!(done(engine, &queue, &taken));
        let third = add();
        assert!(third.is_new, "the first is done");
        let taken = take(engine, &queue, 10).remove(0);
        assert!(finish(engine, &queue, &taken, Outcome::Dead { error: Bytes::new() }));
        let fourth = add();
        assert!(fourth.is_new, "the third is dead");
        assert!(engine.run(queue.remove(&fourth.id)).unwrap());
        let fifth = add();
        assert!(fifth.is_new, "the fourth was removed");
        // A store that lost the job but not its deduplication key.
        let key = format!("queue:{{queue:q}}:job:{}", fifth.id);
        engine.raw(&["DEL", &key]).unwrap();
        assert!(add().is_new, "the fifth is lost");
    });
}

#[test]
fn a_deduplication_key_may_have_a_ttl() {
    Engine::each(|engine| {
        let queue = queue();
        let mine = || NewJob { dedup: same("k", Some(LEASE)), keep: false, ..job("n") };
        let first = engine.run(queue.add(mine())).unwrap();
        let taken = take(engine, &queue, 1).remove(0);
        assert!(done(engine, &queue, &taken));
        assert_eq!(state(engine, &queue, &first.id), None);
        assert!(!engine.run(queue.add(mine())).unwrap().is_new, "finished, and still in its time");
        engine.pass(LEASE);
        engine.pass(Duration::from_millis(2));
        assert!(engine.run(queue.add(mine())).unwrap().is_new);
    });
}

#[test]
fn a_delayed_job_waits_for_its_time_and_then_for_its_turn() {
    Engine::each(|engine| {
        let queue = queue();
        let delay = Duration::from_millis(120);
        let later = |name: &str| NewJob { delay: Some(delay), ..job(name) };
        let first = NewJob { priority: -5, ..later("first") };
        engine.run(queue.add_many(vec![later("b"), later("c"), job("a"), first])).unwrap();
        let now = taken(engine, &queue, &ask(10));
        assert_eq!(names(&now.jobs), ["a"]);
        assert!(now.next_in.is_some_and(|next| next <= delay && next > Duration::ZERO), "{:?}", now.next_in);
        let counts = engine.run(queue.counts()).unwrap();
        assert_eq!((counts.ready, counts.delayed, counts.active), (0, 3, 1));
        engine.pass(delay);
        assert_eq!(names(&take(engine, &queue, 10)), ["first", "b", "c"]);
    });
}

#[test]
fn a_failed_attempt_is_retried_and_a_fatal_one_makes_the_job_dead() {
    Engine::each(|engine| {
        let queue = queue();
        let id = engine.run(queue.add(job("n"))).unwrap().id;
        let mut first = take(engine, &queue, 1).remove(0);
        let retry = |delay| Outcome::Retry { error: Bytes::from_static(b"\"why\""), delay };
        assert!(finish(engine, &queue, &first, retry(Duration::from_millis(50))));
        assert_eq!(state(engine, &queue, &id), Some(State::Delayed));
        assert!(!done(engine, &queue, &first.clone_with("another")), "not its token");
        engine.pass(Duration::from_millis(50));
        let second = take(engine, &queue, 1).remove(0);
        assert_eq!((second.attempt, second.crashes), (2, 0));
        first.token.push('x');
        assert!(!done(engine, &queue, &first), "a late worker changes nothing");
        assert!(finish(engine, &queue, &second, Outcome::Dead { error: Bytes::from_static(b"\"bad\"") }));
        let dead = engine.run(queue.get(&id)).unwrap().unwrap();
        assert_eq!((dead.state, dead.attempt, dead.error.as_deref()), (State::Dead, 2, Some(&b"\"bad\""[..])));
        assert!(take(engine, &queue, 1).is_empty());
    });
}

trait CloneWith {
    fn clone_with(&self, token: &str) -> Self;
}

impl CloneWith for Leased {
    fn clone_with(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }
}

#[test]
fn a_crash_costs_no_attempt_and_too_many_make_the_job_dead() {
    Engine::each(|engine| {
        let queue = queue_with(Options { max_crashes: 3, ..Options::default() });
        let id = engine.run(queue.add(NewJob { dedup: same("k", None), ..job("poison") })).unwrap().id;
        engine.run(queue.add(job("behind"))).unwrap();
        for crashes in 0..3 {
            let taken = take(engine, &queue, 1);
            assert_eq!(names(&taken), ["poison"], "it returns to its old position");
            assert_eq!((taken[0].attempt, taken[0].crashes, taken[0].exclusive), (1, crashes, crashes > 1));
            begun(engine, &queue, &taken);
            engine.pass(LEASE + Duration::from_millis(5));
            if crashes < 2 {
                assert_eq!(state(engine, &queue, &id), Some(State::Active), "no take has found it yet");
            }
        }
        assert_eq!(names(&take(engine, &queue, 10)), ["behind"]);
        let dead = engine.run(queue.get(&id)).unwrap().unwrap();
        assert_eq!((dead.state, dead.crashes, dead.attempt), (State::Dead, 3, 0));
        assert!(String::from_utf8_lossy(&dead.error.unwrap()).contains("crashed"));
        assert!(engine.run(queue.add(NewJob { dedup: same("k", None), ..job("n") })).unwrap().is_new);
    });
}

#[test]
fn a_renewal_extends_a_lease_or_reports_it_lost() {
    Engine::each(|engine| {
        let queue = queue();
        engine.run(queue.add_many(vec![job("leased"), job("lost")])).unwrap();
        let jobs = take(engine, &queue, 2);
        let lease = |job: &Leased| JobLease { id: job.id.clone(), token: job.token.clone() };
        for _ in 0..3 {
            engine.pass(LEASE / 2);
            assert_eq!(engine.run(queue.renew(LEASE, vec![lease(&jobs[0])])).unwrap(), [true]);
        }
        let again = take(engine, &queue, 10);
        assert_eq!(names(&again), ["lost"], "only its lease ran out");
        let both = vec![lease(&jobs[0]), lease(&jobs[1]), lease(&again[0])];
        assert_eq!(engine.run(queue.renew(LEASE, both)).unwrap(), [true, false, true]);
        assert!(!done(engine, &queue, &jobs[1]), "the lease is another's");
        assert!(done(engine, &queue, &again[0]));
        assert!(done(engine, &queue, &jobs[0]));
        assert!(engine.run(queue.remove(&jobs[0].id)).unwrap());
    });
}

#[test]
fn many_jobs_finish_at_once_and_finishing_is_idempotent() {
    Engine::each(|engine| {
        let queue = queue();
        engine.run(queue.add_many((0..6).map(|n| job(&n.to_string())).collect())).unwrap();
        let jobs = take(engine, &queue, 6);
        let outcomes = [
            Outcome::Done(Bytes::from_static(b"[]")),
            Outcome::Done(Bytes::new()),
            Outcome::Retry { error: Bytes::new(), delay: Duration::ZERO },
            Outcome::Dead { error: Bytes::new() },
            Outcome::Release,
        ];
        let finish = |(job, outcome): (&Leased, &Outcome)| Finish {
            id: job.id.clone(),
            token: job.token.clone(),
            outcome: outcome.clone(),
            ran: Duration::ZERO,
        };
        let all: Vec<_> = jobs.iter().zip(&outcomes).map(finish).collect();
        assert_eq!(engine.run(queue.finish(all.clone())).unwrap().0, [true; 5]);
        let counts = engine.run(queue.counts()).unwrap();
        assert_eq!((counts.ready, counts.active, counts.done, counts.dead), (2, 1, 2, 1));
        let twice = engine.run(queue.finish(all)).unwrap();
        assert_eq!(twice.0, [true, true, true, true, false], "a release is not recorded");
        assert_eq!(engine.run(queue.counts()).unwrap(), counts);
        assert_eq!(names(&take(engine, &queue, 10)), ["4", "2"], "the released one stayed at its position");
    });
}
