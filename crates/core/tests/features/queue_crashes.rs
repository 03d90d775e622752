//! Lost replies, lost data, keys of another type and invalid input.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_core::features::queue::{Backoff, Finish, JobLease, Limits, NewJob, Options, Outcome, Queue, Take};
use cinnabar_port::{
    Request,
    error::{Kind, ServerCode},
};

use crate::{
    both::Engine,
    queues::{LEASE, ask, done, job, names, queue, queue_with, same, take, taken},
};

/// A take is never sent twice, and its reply may be lost.
#[test]
fn the_jobs_of_a_take_without_a_reply_are_recovered() {
    Engine::each(|engine| {
        let queue = queue();
        engine.run(queue.add_many(vec![job("a"), job("b"), job("c")])).unwrap();
        let lost = ask(2);
        let request: Request = queue.take(&lost).unwrap().requests.remove(0);
        assert!(!request.idempotent);
        engine.execute(vec![request]);
        let others = take(engine, &queue, 1);
        let found = engine.run(queue.recover(&lost.token)).unwrap();
        assert_eq!(names(&found), ["a", "b"]);
        assert!(done(engine, &queue, &found[0]) && done(engine, &queue, &found[1]) && done(engine, &queue, &others[0]));
        assert!(engine.run(queue.recover(&lost.token)).unwrap().is_empty());
    });
}

#[test]
fn a_store_that_lost_its_data_has_no_jobs_and_nothing_breaks() {
    Engine::each(|engine| {
        let queue = queue();
        engine.run(queue.add_many(vec![job("a"), job("b")])).unwrap();
        let jobs = take(engine, &queue, 1);
        engine.raw(&["FLUSHALL"]).unwrap();
        let lease = JobLease { id: jobs[0].id.clone(), token: jobs[0].token.clone() };
        assert_eq!(engine.run(queue.renew(LEASE, vec![lease])).unwrap(), [false]);
        assert!(!done(engine, &queue, &jobs[0]));
        assert!(take(engine, &queue, 10).is_empty());
        assert_eq!(engine.keys(), [""; 0]);
        // A single job that another program deleted.
        let ids = engine.run(queue.add_many(vec![job("missing"), job("there")])).unwrap();
        engine.raw(&["DEL", &format!("queue:{{queue:q}}:job:{}", ids[0].id)]).unwrap();
        assert_eq!(names(&take(engine, &queue, 10)), ["there"]);
        assert_eq!(engine.run(queue.counts()).unwrap().ready, 0);
    });
}

#[test]
fn another_type_under_a_key_is_a_typed_error_and_loses_no_job() {
    Engine::each(|engine| {
        let queue = queue();
        for part in ["ready", "delayed", "leased", "leases", "meta", "parked", "resume", "repeats"] {
            engine.raw(&["FLUSHALL"]).unwrap();
            let late = NewJob { delay: Some(Duration::from_millis(1)), ..job("late") };
            let grouped = NewJob { group: Some("g".into()), ..job("grouped") };
            engine.run(queue.add_many(vec![job("a"), late, grouped.clone(), grouped])).unwrap();
            engine.pass(Duration::from_millis(5));
            let key = format!("queue:{{queue:q}}:{part}");
            let renamed = format!("queue:{{queue:q}}:renamed:{part}");
            let _ = engine.raw(&["RENAME", &key, &renamed]);
            engine.raw(&["SET", &key, "x"]).unwrap();
            let limits = Limits { group_concurrency: Some(1), ..Limits::default() };
            let failed = engine.run(queue.take(&Take { limits, ..ask(10) })).unwrap_err();
            assert_eq!(failed.kind, Kind::WrongType, "{part}: {failed}");
            engine.raw(&["DEL", &key]).unwrap();
            let _ = engine.raw(&["RENAME", &renamed, &key]);
            let jobs = taken(engine, &queue, &ask(10)).jobs;
            assert_eq!(jobs.len(), 4, "{part}: {:?}", names(&jobs));
        }
    });
}

#[test]
fn invalid_arguments_are_rejected() {
    let queue = queue_with(Options { max_bytes: 10, ..Options::default() });
    let long = "x".repeat(513);
    let minute = Duration::from_secs(60);
    let bad = [
        NewJob { data: Bytes::from_static(b"12345678901"), ..job("n") },
        job(""),
        job(&long),
        NewJob { id: Some(String::new()), ..job("n") },
        NewJob { id: Some(long.clone()), ..job("n") },
        NewJob { id: Some("a\0".into()), ..job("n") },
        NewJob { group: Some(String::new()), ..job("n") },
        NewJob { group: Some(long.clone()), ..job("n") },
        NewJob { dedup: same("", None), ..job("n") },
        NewJob { dedup: same("a", Some(Duration::ZERO)), ..job("n") },
        NewJob { priority: 501, ..job("n") },
        NewJob { priority: -501, ..job("n") },
        NewJob { attempts: 0, ..job("n") },
        NewJob { timeout: Duration::ZERO, ..job("n") },
        NewJob { delay: Some(minute * 60 * 24 * 366 * 11), ..job("n") },
        NewJob { backoff: Backoff { jitter: f64::NAN, ..Backoff::default() }, ..job("n") },
        NewJob { backoff: Backoff { jitter: 1.5, ..Backoff::default() }, ..job("n") },
    ];
    for bad in bad {
        let refused = queue.add(bad.clone()).err().map(|error| error.kind);
        assert_eq!(refused, Some(Kind::InvalidArgument), "{bad:?}");
        assert!(queue.add_many(vec![job("n"), bad]).is_err());
    }
    let limit = |limits| Take { limits, ..ask(1) };
    let none = Limits { concurrency: Some(0), ..Limits::default() };
    for bad in [
        ask(0),
        ask(101),
        Take { token: String::new(), ..ask(1) },
        Take { token: "a\nb".into(), ..ask(1) },
        Take { lease: Duration::from_millis(99), ..ask(1) },
        limit(none),
    ] {
        assert_eq!(queue.take(&bad).err().map(|error| error.kind), Some(Kind::InvalidArgument), "{bad:?}");
    }
    let large = Finish {
        id: "a".into(),
        token: "t".into(),
        outcome: Outcome::Done("x".repeat(11).into()),
        ran: Duration::ZERO,
    };
    assert!(queue.finish(vec![large]).is_err());
    for options in [
        Options { max_bytes: 0, ..Options::default() },
        Options { max_crashes: 0, ..Options::default() },
        Options { prefix: Some("{".into()), ..Options::default() },
    ] {
        assert_eq!(Queue::new("q", options).err().map(|error| error.kind), Some(Kind::InvalidSettings));
    }
    assert!(Queue::new("", Options::default()).is_err());
}

/// As after a lost connection.
#[test]
fn a_job_that_is_sent_twice_is_added_once() {
    Engine::each(|engine| {
        let queue = queue();
        for given in [job("a"), NewJob { dedup: same("x", None), ..job("b") }, NewJob { priority: 1, ..job("c") }] {
            let request = queue.add(given).unwrap().requests.remove(0);
            assert!(request.idempotent);
            let replies = engine.execute(vec![request.clone(), request]);
            let added = replies.into_iter().map(|reply| reply.unwrap().int().unwrap()).collect::<Vec<_>>();
            assert!(added.iter().all(|published| *published > 0), "it is this very job that is there: {added:?}");
        }
        assert_eq!(names(&take(engine, &queue, 10)), ["a", "b", "c"]);
    });
}

/// A node of a cluster creates a key that it does not have yet: a queue would be split in two.
#[test]
fn nothing_runs_while_the_slot_of_a_queue_moves() {
    let [old, new] = Engine::cluster();
    let queue = queue();
    let ids = old.run(queue.add_many(vec![job("a"), job("b")])).unwrap();
    let slot = old.raw(&["CLUSTER", "KEYSLOT", "queue:{queue:q}:"]).unwrap().int().unwrap().to_string();
    let id = |engine: &Engine| engine.text(&["CLUSTER", "MYID"]);
    new.raw(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &id(&old)]).unwrap();
    old.raw(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &id(&new)]).unwrap();
    let tries = |what: &str| {
        let take = queue.take(&ask(1)).unwrap().requests.remove(0);
        let add = queue.add(job("n")).unwrap().requests.remove(0);
        let many = queue.add_many(vec![job("n"), job("n")]).unwrap().requests.remove(0);
        for request in [take, add, many] {
            let name = request.name().to_owned();
            let refused = old.execute(vec![request]).remove(0).unwrap_err();
            // The node replies ASK, which a service on one server cannot follow.
            assert!(
                refused.has_code(ServerCode::TryAgain) || refused.kind == Kind::Unsupported,
                "{what}: {name}: {refused}"
            );
        }
    };
    tries("at its beginning");
    for key in old.keys() {
        let port = new.port().to_string();
        old.raw(&["MIGRATE", "127.0.0.1", &port, &key, "0", "1000"]).unwrap();
        tries(&key);
    }
    for node in [&new, &old] {
        node.raw(&["CLUSTER", "SETSLOT", &slot, "NODE", &id(&new)]).unwrap();
    }
    let jobs = take(&new, &queue, 10);
    assert_eq!(jobs.iter().map(|job| &job.id).collect::<Vec<_>>(), ids.iter().map(|job| &job.id).collect::<Vec<_>>());
}
