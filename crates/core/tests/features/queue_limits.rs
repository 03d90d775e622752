//! Limits of active jobs and of starts, for the queue and for each group.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use cinnabar_core::features::queue::{JobLease, Leased, Limits, NewJob, Outcome, Queue, Rate, State, Take, Taken};

use crate::{
    both::Engine,
    queues::{LEASE, ask, begun, done, finish, job, names, queue, taken},
};

const MOMENT: Duration = Duration::from_millis(1);

fn of_group(name: &str, group: &str) -> NewJob {
    NewJob { group: Some(group.to_owned()), ..job(name) }
}

fn add(engine: &Engine, queue: &Queue, jobs: &[(&str, &str)]) {
    let jobs = jobs.iter().map(|(name, group)| if group.is_empty() { job(name) } else { of_group(name, group) });
    engine.run(queue.add_many(jobs.collect())).unwrap();
}

fn limited(engine: &Engine, queue: &Queue, count: usize, limits: Limits) -> Vec<Leased> {
    taken(engine, queue, &Take { limits, ..ask(count) }).jobs
}

fn per_group(concurrency: u32) -> Limits {
    Limits { group_concurrency: Some(concurrency), ..Limits::default() }
}

#[test]
fn no_more_jobs_are_active_than_allowed() {
    Engine::each(|engine| {
        let queue = queue();
        engine.run(queue.add_many((0..10).map(|n| job(&n.to_string())).collect())).unwrap();
        let limits = Limits { concurrency: Some(3), ..Limits::default() };
        let first = limited(engine, &queue, 2, limits);
        let second = limited(engine, &queue, 5, limits);
        assert_eq!((names(&first), names(&second)), (vec!["0", "1"], vec!["2"]));
        let none = taken(engine, &queue, &Take { limits, ..ask(5) });
        assert!(none.jobs.is_empty() && none.next_in.is_some_and(|next| next > Duration::ZERO), "{none:?}");
        assert!(done(engine, &queue, &first[0]));
        assert_eq!(names(&limited(engine, &queue, 5, limits)), ["3"]);
        engine.pass(LEASE + MOMENT);
        assert_eq!(names(&limited(engine, &queue, 5, limits)), ["1", "2", "3"], "a crash frees its room");
    });
}

#[test]
fn a_rate_is_never_exceeded_in_any_window() {
    Engine::each(|engine| {
        let queue = queue();
        engine.run(queue.add_many((0..20).map(|n| job(&n.to_string())).collect())).unwrap();
        let per = Duration::from_millis(300);
        let limits = Limits { rate: Some(Rate { max: 3, per }), ..Limits::default() };
        let finish = |taken: &Taken| taken.jobs.iter().for_each(|job| assert!(done(engine, &queue, job)));
        let take = |count| taken(engine, &queue, &Take { limits, ..ask(count) });
        let first = take(2);
        assert_eq!(first.jobs.len(), 2);
        finish(&first);
        engine.pass(Duration::from_millis(100));
        let second = take(5);
        assert_eq!(second.jobs.len(), 1);
        finish(&second);
        let none = take(5);
        let next = none.next_in.unwrap();
        assert!(none.jobs.is_empty());
        assert!(next <= Duration::from_millis(200) && next > Duration::from_millis(50), "{next:?}");
        engine.pass(next);
        let third = take(5);
        assert_eq!(third.jobs.len(), 2, "the first two are out of the span, the other one is not");
        finish(&third);
        engine.pass(per);
        let fourth = take(5);
        assert_eq!(fourth.jobs.len(), 3);
        finish(&fourth);
        engine.pass(per + Duration::from_millis(1));
        assert!(!engine.keys().iter().any(|key| key.contains("starts")), "nothing is counted for longer");
    });
}

#[test]
fn a_full_group_does_not_block_other_jobs() {
    Engine::each(|engine| {
        let queue = queue();
        add(engine, &queue, &[("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("x", ""), ("a4", "a"), ("b2", "b")]);
        let jobs = limited(engine, &queue, 10, per_group(1));
        assert_eq!(names(&jobs), ["a1", "b1", "x"]);
        let counts = engine.run(queue.counts()).unwrap();
        assert_eq!((counts.ready, counts.active), (4, 3));
        assert!(limited(engine, &queue, 10, per_group(1)).is_empty());
        assert!(done(engine, &queue, &jobs[0]));
        let next = limited(engine, &queue, 10, per_group(1));
        assert_eq!(names(&next), ["a2"], "in their order");
        // A released job still counts; one that waits for its next attempt does not.
        assert!(finish(engine, &queue, &next[0], Outcome::Release));
        let again = limited(engine, &queue, 10, per_group(1));
        assert_eq!(names(&again), ["a2"]);
        let retry = Outcome::Retry { error: Bytes::new(), delay: Duration::from_secs(60) };
        assert!(finish(engine, &queue, &again[0], retry));
        let next = limited(engine, &queue, 10, per_group(1));
        assert_eq!(names(&next), ["a3"]);
        assert!(engine.run(queue.remove(&next[0].id)).unwrap());
        assert_eq!(names(&limited(engine, &queue, 10, per_group(1))), ["a4"]);
        engine.pass(LEASE + MOMENT);
        assert_eq!(names(&limited(engine, &queue, 10, per_group(1))), ["b1", "x", "a4"], "crashes free their room");
    });
}

#[test]
fn a_limit_that_is_raised_or_removed_unparks_jobs() {
    Engine::each(|engine| {
        let queue = queue();
        add(engine, &queue, &[("a1", "a"), ("a2", "a"), ("a3", "a"), ("a4", "a"), ("a5", "a")]);
        assert_eq!(names(&limited(engine, &queue, 10, per_group(1))), ["a1"]);
        add(engine, &queue, &[("a6", "a")]);
        assert_eq!(names(&limited(engine, &queue, 1, per_group(2))), ["a2"], "no younger one goes before it");
        assert_eq!(names(&limited(engine, &queue, 10, per_group(3))), ["a3"]);
        assert_eq!(names(&limited(engine, &queue, 10, Limits::default())), ["a4", "a5", "a6"]);
    });
}

#[test]
fn removing_a_job_does_not_leave_others_parked() {
    Engine::each(|engine| {
        let queue = queue();
        add(engine, &queue, &[("a1", "a"), ("a2", "a"), ("a3", "a")]);
        let first = limited(engine, &queue, 10, per_group(1)).remove(0);
        let listed = engine.run(queue.list(State::Ready, 0, 10)).unwrap();
        let listed: HashMap<_, _> = listed.into_iter().map(|job| (job.name, job.id)).collect();
        assert!(done(engine, &queue, &first), "a2 is ready now");
        assert!(engine.run(queue.remove(&listed["a2"])).unwrap());
        assert_eq!(names(&limited(engine, &queue, 10, per_group(1))), ["a3"]);
    });
}

#[test]
fn a_group_has_a_rate_of_starts() {
    Engine::each(|engine| {
        let queue = queue();
        add(engine, &queue, &[("a1", "a"), ("a2", "a"), ("a3", "a"), ("a4", "a"), ("b1", "b"), ("a5", "a")]);
        let per = Duration::from_millis(150);
        let limits = Limits { group_rate: Some(Rate { max: 2, per }), ..Limits::default() };
        let first = taken(engine, &queue, &Take { limits, ..ask(10) });
        assert_eq!(names(&first.jobs), ["a1", "a2", "b1"]);
        assert!(first.next_in.is_some_and(|next| next <= per), "{first:?}");
        for job in &first.jobs {
            assert!(done(engine, &queue, job));
        }
        assert!(limited(engine, &queue, 10, limits).is_empty());
        engine.pass(per + MOMENT);
        let next = limited(engine, &queue, 10, limits);
        assert_eq!(names(&next), ["a3", "a4"]);
        for job in &next {
            assert!(done(engine, &queue, job));
        }
        engine.pass(per + MOMENT);
        let last = limited(engine, &queue, 10, limits);
        assert_eq!(names(&last), ["a5"]);
        assert!(done(engine, &queue, &last[0]));
        engine.pass(per + MOMENT);
        assert!(limited(engine, &queue, 10, limits).is_empty());
        let keys: Vec<_> = engine.keys().into_iter().filter(|key| !key.contains(":job:")).collect();
        assert_eq!(keys, ["queue:{queue:q}:done", "queue:{queue:q}:meta"], "groups leave no keys");
    });
}

/// A server that rejects writes must still let workers finish jobs, or it stays full.
#[test]
fn jobs_of_a_full_server_can_be_processed() {
    let engine = Engine::server();
    let queue = queue();
    let mut jobs: Vec<NewJob> = (0..6).map(|n| job(&n.to_string())).collect();
    jobs[4].delay = Some(MOMENT);
    jobs[5].group = Some("g".to_owned());
    engine.run(queue.add_many(jobs)).unwrap();
    // A suspect, and a job that its worker had not started.
    let mut crashed = taken(&engine, &queue, &ask(1)).jobs;
    begun(&engine, &queue, &crashed);
    engine.pass(LEASE + MOMENT);
    crashed = taken(&engine, &queue, &ask(2)).jobs;
    begun(&engine, &queue, &crashed[..1]);
    engine.pass(LEASE + MOMENT);
    engine.raw(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]).unwrap();
    engine.raw(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    assert_eq!(engine.run(queue.add(job("n"))).unwrap_err().kind.code(), "E_OUT_OF_MEMORY");
    let mut jobs = limited(&engine, &queue, 10, per_group(1));
    assert_eq!(jobs.len(), 1, "it runs exclusive");
    jobs.extend(limited(&engine, &queue, 10, per_group(1)));
    begun(&engine, &queue, &jobs);
    assert_eq!(jobs.len(), 6);
    assert_eq!(jobs[0].id, crashed[0].id);
    let lease = |job: &Leased| JobLease { id: job.id.clone(), token: job.token.clone() };
    assert_eq!(engine.run(queue.renew(LEASE, jobs.iter().map(lease).collect())).unwrap(), [true; 6]);
    let retry = Outcome::Retry { error: Bytes::new(), delay: Duration::ZERO };
    assert!(finish(&engine, &queue, &jobs[0], retry) && finish(&engine, &queue, &jobs[1], Outcome::Release));
    assert!(jobs[2..].iter().all(|job| done(&engine, &queue, job)));
}
