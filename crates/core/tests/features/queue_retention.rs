//! Retention of finished jobs, listing jobs, and managing a queue.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_core::features::queue::{
    Leased, Limits, NewJob, Note, Options, Outcome, Queue, Report, Retention, State, Take,
};
use cinnabar_port::error::Kind;

use crate::{
    both::Engine,
    queues::{ask, begun, done, finish, job, names, queue, queue_with, same, state, take, taken},
};

const HOUR: Duration = Duration::from_secs(3600);
/// A little more than a second.
const SECOND: Duration = Duration::from_millis(1010);

pub fn add(engine: &Engine, queue: &Queue, count: usize) -> Vec<String> {
    let jobs = (0..count).map(|n| job(&n.to_string())).collect();
    engine.run(queue.add_many(jobs)).unwrap().into_iter().map(|added| added.id).collect()
}

fn retaining(count: u64, age: Duration, bytes: u64) -> Queue {
    queue_with(Options { keep_done: Retention { count, age, bytes }, ..Options::default() })
}

fn done_names(engine: &Engine, queue: &Queue) -> Vec<String> {
    let jobs = engine.run(queue.list(State::Done, 0, 1000)).unwrap();
    jobs.into_iter().map(|job| job.name).collect()
}

fn run_all(engine: &Engine, queue: &Queue, result: &str) {
    for job in take(engine, queue, 100) {
        assert!(finish(engine, queue, &job, Outcome::Done(result.to_owned().into())));
        // No two finish in the same millisecond, so that their order is known.
        engine.pass(Duration::from_millis(2));
    }
}

#[test]
fn the_last_jobs_are_retained_by_count() {
    Engine::each(|engine| {
        let queue = retaining(3, HOUR, 1 << 20);
        add(engine, &queue, 8);
        run_all(engine, &queue, "1");
        assert_eq!(done_names(engine, &queue), ["7", "6", "5"]);
        assert_eq!(engine.keys().iter().filter(|key| key.contains(":job:")).count(), 3);
    });
}

#[test]
fn large_jobs_are_retained_by_bytes() {
    Engine::each(|engine| {
        let queue = retaining(100, HOUR, 10_000);
        add(engine, &queue, 5);
        run_all(engine, &queue, &"x".repeat(4000));
        assert_eq!(done_names(engine, &queue).len(), 5, "callers may ask for what has just finished");
        engine.pass(SECOND);
        assert!(take(engine, &queue, 1).is_empty());
        assert_eq!(done_names(engine, &queue), ["4", "3"]);
        add(engine, &queue, 1);
        run_all(engine, &queue, &"x".repeat(200_000));
        assert!(done_names(engine, &queue).is_empty(), "one by itself is over 16 times the bound");
        assert_eq!(engine.keys(), ["queue:{queue:q}:meta"]);
        assert!(take(engine, &queue, 1).is_empty());
        assert_eq!(engine.keys(), [""; 0]);
    });
}

#[test]
fn old_jobs_are_deleted_when_a_worker_polls() {
    Engine::each(|engine| {
        let queue = retaining(100, Duration::from_millis(100), 1 << 20);
        add(engine, &queue, 3);
        run_all(engine, &queue, "1");
        engine.pass(Duration::from_millis(110));
        assert!(take(engine, &queue, 1).is_empty());
        assert_eq!(engine.keys(), [""; 0]);
    });
}

#[test]
fn nothing_is_retained_if_so_configured() {
    Engine::each(|engine| {
        let queue =
            queue_with(Options { keep_done: Retention::NOTHING, keep_dead: Retention::NOTHING, ..Options::default() });
        add(engine, &queue, 2);
        let jobs = take(engine, &queue, 2);
        let line = Report { id: jobs[0].id.clone(), token: jobs[0].token.clone(), note: Note::Log("a line".into()) };
        engine.run(queue.report(vec![line])).unwrap();
        assert!(done(engine, &queue, &jobs[0]));
        assert!(finish(engine, &queue, &jobs[1], Outcome::Dead { error: Bytes::new() }));
        take(engine, &queue, 1);
        let end = |job: &Leased| format!("queue:{{queue:q}}:end:{}", job.id);
        let mut ends: Vec<_> = jobs.iter().map(end).collect();
        ends.sort();
        assert_eq!(engine.keys(), ends, "callers may be about to ask how it ended");
        engine.pass(2 * SECOND);
        assert_eq!(engine.keys(), [""; 0]);

        let queue = self::queue();
        engine
            .run(queue.add_many(vec![NewJob { keep: false, ..job("a") }, NewJob { keep: false, ..job("b") }]))
            .unwrap();
        let jobs = take(engine, &queue, 2);
        assert!(done(engine, &queue, &jobs[0]));
        assert!(finish(engine, &queue, &jobs[1], Outcome::Dead { error: Bytes::new() }));
        assert_eq!(state(engine, &queue, &jobs[0].id), None);
        assert_eq!(state(engine, &queue, &jobs[1].id), Some(State::Dead), "a dead job is retained for inspection");
    });
}

#[test]
fn memory_is_flat_over_many_jobs() {
    let engine = Engine::embedded();
    let queue = queue();
    let mut sizes = Vec::new();
    for _ in 0..40 {
        let jobs = (0..100).map(|n| NewJob {
            group: Some(format!("g{}", n % 7)),
            dedup: same(&n.to_string(), None),
            ..job("n")
        });
        engine.run(queue.add_many(jobs.collect())).unwrap();
        for job in take(&engine, &queue, 100) {
            assert!(done(&engine, &queue, &job));
        }
        sizes.push(engine.keys().len());
    }
    assert_eq!(sizes[5], sizes[39]);
    assert_eq!(sizes[39], 100 + 2);
}

#[test]
fn progress_and_logs_need_the_lease() {
    Engine::each(|engine| {
        let queue = queue();
        add(engine, &queue, 1);
        let job = take(engine, &queue, 1).remove(0);
        let note = |token: &str, note| Report { id: job.id.clone(), token: token.to_owned(), note };
        let mine = &job.token;
        let notes = vec![
            note(mine, Note::Progress("10".into())),
            note(mine, Note::Log("one".into())),
            note("other", Note::Progress("99".into())),
            note("other", Note::Log("no".into())),
            note(mine, Note::Log("two".into())),
            note(mine, Note::Progress("20".into())),
        ];
        engine.run(queue.report(notes)).unwrap();
        assert_eq!(engine.run(queue.get(&job.id)).unwrap().unwrap().progress.as_deref(), Some(&b"20"[..]));
        assert_eq!(engine.run(queue.logs(&job.id, 0, 10)).unwrap(), ["one", "two"]);
        assert_eq!(engine.run(queue.logs(&job.id, 1, 1)).unwrap(), ["two"]);
        let many = (0..1500).map(|n| note(mine, Note::Log(n.to_string().into()))).collect();
        engine.run(queue.report(many)).unwrap();
        let lines = engine.run(queue.logs(&job.id, 0, u64::MAX)).unwrap();
        assert_eq!((lines.len(), &lines[0][..], &lines[999][..]), (1000, &b"500"[..], &b"1499"[..]));
        let error = engine.run(queue.report(vec![note(mine, Note::Log("x".repeat(70_000).into()))])).unwrap_err();
        assert_eq!(error.kind, Kind::InvalidArgument);
        assert!(engine.run(queue.remove(&job.id)).unwrap());
        take(engine, &queue, 1);
        assert_eq!(engine.keys(), [""; 0]);
    });
}

#[test]
fn a_paused_queue_returns_no_jobs() {
    Engine::each(|engine| {
        let queue = queue();
        add(engine, &queue, 2);
        let active = take(engine, &queue, 1).remove(0);
        engine.run(queue.pause()).unwrap();
        let none = taken(engine, &queue, &ask(10));
        assert!(none.paused && none.jobs.is_empty());
        assert!(engine.run(queue.counts()).unwrap().paused);
        assert!(done(engine, &queue, &active), "what is active goes on");
        engine.run(queue.resume()).unwrap();
        assert_eq!(names(&take(engine, &queue, 10)), ["1"]);
        assert!(!engine.run(queue.counts()).unwrap().paused);
    });
}

#[test]
fn a_job_is_removed_in_any_state() {
    Engine::each(|engine| {
        let queue = queue();
        let ids = add(engine, &queue, 4);
        let later = NewJob { delay: Some(HOUR), dedup: same("k", Some(HOUR)), ..job("later") };
        let later = engine.run(queue.add(later)).unwrap().id;
        let jobs = take(engine, &queue, 3);
        assert!(done(engine, &queue, &jobs[0]));
        assert!(finish(engine, &queue, &jobs[1], Outcome::Dead { error: Bytes::new() }));
        for id in ids.iter().chain([&later]) {
            assert!(engine.run(queue.remove(id)).unwrap(), "{id}");
            assert_eq!(state(engine, &queue, id), None);
            assert!(!engine.run(queue.remove(id)).unwrap());
        }
        assert!(!done(engine, &queue, &jobs[2]), "its worker lost it");
        assert_eq!(engine.keys(), [""; 0]);
    });
}

fn kill(engine: &Engine, queue: &Queue, job: &Leased) {
    assert!(finish(engine, queue, job, Outcome::Dead { error: Bytes::from_static(b"\"why\"") }));
}

#[test]
fn a_dead_job_is_restarted_and_a_delayed_one_made_ready() {
    Engine::each(|engine| {
        let queue = queue();
        let id = engine.run(queue.add(NewJob { dedup: same("k", None), ..job("n") })).unwrap().id;
        let first = take(engine, &queue, 1).remove(0);
        assert!(!engine.run(queue.retry(&id)).unwrap(), "it is active");
        let retry = Outcome::Retry { error: Bytes::new(), delay: HOUR };
        assert!(finish(engine, &queue, &first, retry));
        assert!(engine.run(queue.retry(&id)).unwrap());
        let second = take(engine, &queue, 1).remove(0);
        assert_eq!(second.attempt, 2, "a delayed one goes on");
        kill(engine, &queue, &second);
        let other = engine.run(queue.add(NewJob { dedup: same("k", None), ..job("other") })).unwrap();
        assert!(other.is_new);
        assert!(!engine.run(queue.retry(&id)).unwrap(), "another that is the same waits by now");
        assert_eq!(engine.run(queue.redrive(10)).unwrap(), 0);
        assert!(engine.run(queue.remove(&other.id)).unwrap());
        assert!(engine.run(queue.retry(&id)).unwrap());
        assert!(!engine.run(queue.add(NewJob { dedup: same("k", None), ..job("other") })).unwrap().is_new);
        let third = take(engine, &queue, 1).remove(0);
        assert_eq!((third.attempt, third.crashes), (1, 0));
        assert!(!engine.run(queue.retry("missing")).unwrap());
    });
}

#[test]
fn dead_jobs_are_redriven_oldest_first_and_once() {
    Engine::each(|engine| {
        let queue = queue();
        add(engine, &queue, 250);
        for _ in 0..3 {
            for job in take(engine, &queue, 100) {
                kill(engine, &queue, &job);
            }
        }
        assert_eq!(engine.run(queue.redrive(20)).unwrap(), 20);
        let counts = engine.run(queue.counts()).unwrap();
        assert_eq!((counts.ready, counts.dead), (20, 230));
        assert_eq!(engine.run(queue.redrive(1000)).unwrap(), 230);
        assert_eq!(engine.run(queue.counts()).unwrap().ready, 250);
        assert_eq!(engine.run(queue.drain(false)).unwrap(), 250);
        take(engine, &queue, 1);
        assert_eq!(engine.keys(), [""; 0]);
    });
}

#[test]
fn draining_leaves_active_jobs() {
    Engine::each(|engine| {
        let queue = queue();
        let grouped = |name: &str| NewJob { group: Some("g".into()), dedup: same(name, None), ..job(name) };
        let later = NewJob { delay: Some(HOUR), ..job("later") };
        let jobs = (0..230).map(|n| grouped(&n.to_string())).chain([later]).collect();
        engine.run(queue.add_many(jobs)).unwrap();
        let limits = Limits { group_concurrency: Some(1), ..Limits::default() };
        let active = taken(engine, &queue, &Take { limits, ..ask(100) }).jobs;
        assert_eq!(active.len(), 1);
        assert_eq!(engine.run(queue.drain(false)).unwrap(), 229);
        let counts = engine.run(queue.counts()).unwrap();
        assert_eq!((counts.ready, counts.delayed, counts.active), (0, 1, 1));
        assert_eq!(engine.run(queue.drain(true)).unwrap(), 1);
        assert!(done(engine, &queue, &active[0]));
        assert!(engine.run(queue.remove(&active[0].id)).unwrap());
        assert_eq!(engine.keys(), [""; 0]);
    });
}

#[test]
fn old_jobs_are_cleaned_by_state() {
    Engine::each(|engine| {
        let queue = queue();
        add(engine, &queue, 3);
        for job in take(engine, &queue, 2) {
            assert!(done(engine, &queue, &job));
        }
        let moment = Duration::from_millis(60);
        engine.pass(moment);
        add(engine, &queue, 2);
        assert_eq!(engine.run(queue.clean(State::Done, moment, 1)).unwrap(), 1);
        assert_eq!(engine.run(queue.clean(State::Done, HOUR, 10)).unwrap(), 0);
        assert_eq!(engine.run(queue.clean(State::Ready, moment, 10)).unwrap(), 1);
        assert_eq!(engine.run(queue.clean(State::Dead, Duration::ZERO, 10)).unwrap(), 0);
        assert_eq!(engine.run(queue.clean(State::Active, moment, 10)).err().unwrap().kind, Kind::InvalidArgument);
        let counts = engine.run(queue.counts()).unwrap();
        assert_eq!((counts.ready, counts.done), (2, 1));
    });
}

#[test]
fn jobs_are_listed_by_state_in_pages() {
    Engine::each(|engine| {
        let queue = queue();
        add(engine, &queue, 130);
        let list = |offset, limit| {
            let jobs = engine.run(queue.list(State::Ready, offset, limit)).unwrap();
            jobs.into_iter().map(|job| job.name.parse::<u32>().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(list(0, 1000), (0..130).collect::<Vec<_>>());
        assert_eq!(list(125, 10), (125..130).collect::<Vec<_>>());
        assert_eq!(list(10, 3), [10, 11, 12]);
        assert!(list(0, 0).is_empty() && list(500, 5).is_empty() && list(u64::MAX, 1).is_empty());
        let active = engine.run(queue.add(NewJob { priority: -1, ..job("active") })).unwrap();
        let jobs = take(engine, &queue, 1);
        assert_eq!(engine.run(queue.get(&active.id)).unwrap().unwrap().started_ms, None, "it has not begun");
        begun(engine, &queue, &jobs);
        let listed = engine.run(queue.list(State::Active, 0, 10)).unwrap();
        assert_eq!(listed.iter().map(|job| &job.id).collect::<Vec<_>>(), [&active.id]);
        assert_eq!((listed[0].attempt, listed[0].started_ms.is_some()), (1, true));
        let later = NewJob { delay: Some(HOUR), ..job("later") };
        engine.run(queue.add(later)).unwrap();
        let delayed = engine.run(queue.list(State::Delayed, 0, 10)).unwrap();
        let due = delayed[0].due_ms.unwrap() - delayed[0].added_ms;
        assert_eq!(due, 3_600_000);
        assert!(queue.list(State::Ready, 0, 1001).is_err());
    });
}

#[test]
fn large_jobs_are_listed_a_few_at_a_time() {
    Engine::each(|engine| {
        let queue = queue();
        let large = || NewJob::new("n", "x".repeat(600_000));
        engine.run(queue.add_many(vec![large(), large(), large(), large(), large()])).unwrap();
        let request = queue.list(State::Ready, 0, 100).unwrap().requests.remove(0);
        let one = engine.execute(vec![request]).remove(0).unwrap().array().unwrap();
        assert_eq!(one[0], cinnabar_port::Reply::Int(2));
        assert_eq!(engine.run(queue.list(State::Ready, 0, 100)).unwrap().len(), 5);
    });
}
