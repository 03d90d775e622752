use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use bytes::Bytes;
use cinnabar::{
    error::Kind,
    features::queue::{Finish, Held, Keep, Leased, Limits, NewJob, Options, Outcome, Queue, State, Take, Taken},
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
    Take { count, lease: LEASE, token, limits: Limits::default() }
}

pub fn take(engine: &Engine, queue: &Queue, count: usize) -> Vec<Leased> {
    taken(engine, queue, &ask(count)).jobs
}

pub fn taken(engine: &Engine, queue: &Queue, ask: &Take) -> Taken {
    engine.run(queue.take(ask)).unwrap()
}

pub fn finish(engine: &Engine, queue: &Queue, job: &Leased, outcome: Outcome) -> bool {
    let finish = Finish { id: job.id.clone(), token: job.token.clone(), outcome };
    engine.run(queue.finish(vec![finish])).unwrap()[0]
}

pub fn done(engine: &Engine, queue: &Queue, job: &Leased) -> bool {
    finish(engine, queue, job, Outcome::Done(Bytes::from_static(b"1")))
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
        let kept = engine.run(queue.get(&job.id)).unwrap().unwrap();
        assert_eq!((kept.state, kept.result.as_deref(), kept.attempt), (State::Done, Some(&b"1"[..]), 1));
        assert!(kept.finished_ms >= kept.started_ms && kept.started_ms >= Some(kept.added_ms));
        assert_eq!(take(engine, &queue, 10).len(), 0);
    });
}
