//! Jobs whose workers crashed, and waiters for the end of a job.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_core::features::{
    Takeover,
    queue::{Leased, Limits, NewJob, Options, Outcome, Queue, Rate, Retention, State, Take, Taken},
};

use crate::{
    both::Engine,
    queues::{LEASE, ask, begun, done, finish, job, names, queue, queue_with, state, take, taken},
};

const OVER: Duration = Duration::from_millis(205);

/// Crashes a worker that has started these jobs.
fn crash(engine: &Engine, queue: &Queue, jobs: &[Leased]) {
    begun(engine, queue, jobs);
    engine.pass(OVER);
}

/// Adds a suspect and other jobs.
fn suspect(engine: &Engine, queue: &Queue, others: &[&str]) {
    engine.run(queue.add(job("suspect"))).unwrap();
    for _ in 0..2 {
        crash(engine, queue, &take(engine, queue, 1));
    }
    engine.run(queue.add_many(others.iter().map(|name| job(name)).collect())).unwrap();
}

fn busy(engine: &Engine, queue: &Queue, count: usize) -> Taken {
    taken(engine, queue, &Take { idle: false, ..ask(count) })
}

#[test]
fn only_started_jobs_are_charged_and_all_are_ready_again() {
    Engine::each(|engine| {
        let queue = queue();
        engine.run(queue.add_many(vec![job("a"), job("b"), job("c"), job("d")])).unwrap();
        let jobs = take(engine, &queue, 3);
        crash(engine, &queue, &jobs[1..2]);
        let again = busy(engine, &queue, 10);
        let seen: Vec<_> = again.jobs.iter().map(|job| (job.name.as_str(), job.crashes, job.exclusive)).collect();
        assert_eq!(seen, [("a", 0, false), ("b", 1, false), ("c", 0, false), ("d", 0, false)]);
        assert!(!again.yielding);
        // Next time its start is stored first, so that no job crashes its worker unnoticed.
        assert_eq!(again.jobs.iter().map(|job| job.stores_start_first).collect::<Vec<_>>(), [true, true, true, false]);
        let active = engine.run(queue.list(State::Active, 0, 10)).unwrap();
        assert_eq!(active.iter().filter_map(|job| job.started_ms).count(), 0);
    });
}

#[test]
fn a_job_runs_exclusively_from_its_second_crash_on_and_others_continue() {
    Engine::each(|engine| {
        let queue = queue();
        engine.run(queue.add_many(vec![job("a"), job("b"), job("c")])).unwrap();
        let jobs = take(engine, &queue, 3);
        crash(engine, &queue, &jobs[..1]);
        let jobs = take(engine, &queue, 10);
        crash(engine, &queue, &jobs[..2]);
        let others = busy(engine, &queue, 10);
        assert_eq!((names(&others.jobs), others.yielding), (vec!["b", "c"], false));
        assert_eq!(engine.run(queue.counts()).unwrap().ready, 1);
        let listed = engine.run(queue.list(State::Ready, 0, 10)).unwrap();
        let seen: Vec<_> = listed.iter().map(|job| (job.name.as_str(), job.crashes)).collect();
        assert_eq!(seen, [("a", 2)]);
        let exclusive = take(engine, &queue, 10);
        assert_eq!((names(&exclusive), exclusive[0].exclusive, exclusive[0].crashes), (vec!["a"], true, 2));
        assert!(engine.run(queue.get(&exclusive[0].id)).unwrap().unwrap().started_ms.is_some(), "it begins at once");
        assert!(done(engine, &queue, &exclusive[0]));
    });
}

#[test]
fn no_job_dies_for_running_beside_one_that_kills_its_workers() {
    for max_crashes in [2, 3, 5] {
        Engine::each(|engine| {
            let queue = queue_with(Options { max_crashes, ..Options::default() });
            let good: Vec<_> = (0..5).map(|number| format!("good {number}")).collect();
            let all = ["poison"].into_iter().chain(good.iter().map(String::as_str)).map(job);
            let ids = engine.run(queue.add_many(all.collect())).unwrap();
            for _ in 0..20 {
                let jobs = take(engine, &queue, 10);
                if names(&jobs).contains(&"poison") {
                    crash(engine, &queue, &jobs);
                } else {
                    jobs.iter().for_each(|job| assert!(done(engine, &queue, job)));
                }
            }
            let ends = ids.iter().map(|added| engine.run(queue.get(&added.id)).unwrap().unwrap());
            for end in ends {
                let (state, most) = if end.name == "poison" { (State::Dead, max_crashes) } else { (State::Done, 2) };
                assert_eq!(end.state, state, "{} of {max_crashes}", end.name);
                assert!(end.crashes <= most.min(max_crashes), "{} was charged with {}", end.name, end.crashes);
            }
        });
    }
}

#[test]
fn a_released_suspect_stays_one_and_a_failed_one_does_not() {
    Engine::each(|engine| {
        let queue = queue();
        suspect(engine, &queue, &[]);
        let exclusive = take(engine, &queue, 10).remove(0);
        assert!(finish(engine, &queue, &exclusive, Outcome::Release));
        let exclusive = take(engine, &queue, 10).remove(0);
        assert!(exclusive.exclusive);
        assert!(finish(engine, &queue, &exclusive, Outcome::Retry { error: Bytes::new(), delay: Duration::ZERO }));
        assert!(!take(engine, &queue, 10)[0].exclusive);
    });
}

#[test]
fn no_more_than_one_busy_worker_yields() {
    Engine::each(|engine| {
        let queue = queue();
        suspect(engine, &queue, &["b", "c", "d", "e", "f"]);
        let gets = |name: &str| {
            let got = busy(engine, &queue, 1);
            assert_eq!((names(&got.jobs), got.yielding), (vec![name], false));
            assert!(done(engine, &queue, &got.jobs[0]));
        };
        gets("b");
        engine.pass(LEASE / 10);
        let mut way = Take { idle: false, ..ask(1) };
        let asks = |way: &mut Take| {
            let taken = taken(engine, &queue, way);
            assert!(taken.jobs.is_empty() && taken.yielding && taken.next_in <= Some(LEASE / 10), "{taken:?}");
            *way = Take { idle: false, yielding: Some(way.token.clone()), ..ask(1) };
        };
        asks(&mut way);
        gets("c");
        engine.pass(LEASE / 10);
        gets("d");
        // As long as it keeps asking, it is the only one.
        for _ in 0..3 {
            engine.pass(Duration::from_millis(600));
            asks(&mut way);
        }
        gets("e");
        // It no longer asks: another one yields.
        engine.pass(Duration::from_millis(1001));
        let mut other = Take { idle: false, ..ask(1) };
        asks(&mut other);
        // It was only slow, and must not yield to the same suspect.
        let late = taken(engine, &queue, &way);
        assert_eq!((names(&late.jobs), late.yielding), (vec!["f"], false));
        assert!(done(engine, &queue, &late.jobs[0]));
        let exclusive = taken(engine, &queue, &Take { idle: true, ..other });
        assert_eq!((names(&exclusive.jobs), exclusive.jobs[0].exclusive), (vec!["suspect"], true));
    });
}

#[test]
fn a_worker_stops_yielding_once_the_suspect_was_taken_or_removed() {
    for removed in [false, true] {
        Engine::each(|engine| {
            let queue = queue();
            suspect(engine, &queue, &["b", "c"]);
            let first = busy(engine, &queue, 1);
            assert_eq!(names(&first.jobs), ["b"]);
            engine.pass(LEASE / 10);
            let ask = Take { idle: false, ..ask(1) };
            assert!(taken(engine, &queue, &ask).yielding);
            if removed {
                let suspect = engine.run(queue.list(State::Ready, 1, 1)).unwrap().remove(0);
                assert_eq!(suspect.name, "suspect");
                assert!(engine.run(queue.remove(&suspect.id)).unwrap());
            } else {
                assert_eq!(names(&take(engine, &queue, 1)), ["suspect"]);
            }
            let on = Take { yielding: Some(ask.token.clone()), ..self::ask(1) };
            let on = taken(engine, &queue, &Take { idle: false, ..on });
            assert_eq!((names(&on.jobs), on.yielding), (vec!["c"], false));
        });
    }
}

#[test]
fn one_suspect_runs_at_a_time_and_other_workers_continue() {
    Engine::each(|engine| {
        let queue = queue();
        engine.run(queue.add_many(vec![job("a"), job("b")])).unwrap();
        for _ in 0..2 {
            crash(engine, &queue, &take(engine, &queue, 2));
        }
        engine.run(queue.add_many(vec![job("c"), job("d")])).unwrap();
        let exclusive = take(engine, &queue, 10);
        assert_eq!((names(&exclusive), exclusive[0].exclusive), (vec!["a"], true));
        assert_eq!(names(&take(engine, &queue, 1)), ["c"], "an idle one takes what runs beside others");
        engine.pass(LEASE / 2);
        let more = busy(engine, &queue, 1);
        assert_eq!((names(&more.jobs), more.yielding), (vec!["d"], false), "there is nothing to make way for");
        assert!(done(engine, &queue, &exclusive[0]));
        let exclusive = take(engine, &queue, 10);
        assert_eq!((names(&exclusive), exclusive[0].exclusive), (vec!["b"], true));
        // Its worker crashes too: that does not block the others forever.
        engine.run(queue.add(job("e"))).unwrap();
        engine.pass(OVER);
        let again = take(engine, &queue, 10);
        assert_eq!((names(&again), again[0].crashes), (vec!["b"], 3));
    });
}

fn of_group(name: &str, group: &str) -> NewJob {
    NewJob { group: Some(group.to_owned()), ..job(name) }
}

#[test]
fn a_suspect_is_found_behind_many_whose_group_is_full() {
    for many in [25, 130] {
        Engine::each(|engine| {
            let queue = queue();
            let jobs = (0..many).map(|_| of_group("full", "g")).chain([job("free")]);
            engine.run(queue.add_many(jobs.collect())).unwrap();
            for _ in 0..2 {
                let mut jobs = take(engine, &queue, 100);
                jobs.extend(take(engine, &queue, 100));
                crash(engine, &queue, &jobs);
            }
            engine.run(queue.add(of_group("beside", "g"))).unwrap();
            let limits = Limits { group_concurrency: Some(1), ..Limits::default() };
            // A take finds at most a hundred crashed jobs.
            let one = || taken(engine, &queue, &Take { idle: false, limits, ..ask(1) }).jobs;
            let first = [one(), one()].concat();
            assert_eq!(names(&first), ["beside"]);
            let mut polls = 0;
            let found = loop {
                polls += 1;
                let found = taken(engine, &queue, &Take { limits, ..ask(1) });
                if !found.jobs.is_empty() || polls > 3 {
                    break found;
                }
                assert_eq!(found.next_in, Some(Duration::ZERO), "it is to ask again at once");
            };
            assert_eq!((names(&found.jobs), polls), (vec!["free"], if many > 100 { 2 } else { 1 }));
        });
    }
}

#[test]
fn a_suspect_gets_the_next_start_in_its_group() {
    let per = Duration::from_millis(100);
    let by_number = Limits { group_concurrency: Some(1), ..Limits::default() };
    let by_rate = Limits { group_rate: Some(Rate { max: 1, per }), ..Limits::default() };
    for limits in [by_number, by_rate] {
        Engine::each(|engine| {
            let queue = queue();
            engine.run(queue.add(of_group("suspect", "g"))).unwrap();
            for _ in 0..2 {
                crash(engine, &queue, &take(engine, &queue, 1));
            }
            engine.run(queue.add_many(["a", "b", "c"].map(|name| of_group(name, "g")).into())).unwrap();
            let other = |idle| taken(engine, &queue, &Take { idle, limits, ..ask(1) });
            let first = other(false);
            assert_eq!(names(&first.jobs), ["a"]);
            assert!(other(true).jobs.is_empty(), "there is no room in the group");
            assert!(done(engine, &queue, &first.jobs[0]));
            if limits == by_rate {
                engine.pass(per + Duration::from_millis(1));
            }
            let second = other(false);
            assert!(second.jobs.is_empty(), "the start is reserved: {second:?}");
            assert!(!second.yielding);
            let exclusive = other(true);
            assert_eq!((names(&exclusive.jobs), exclusive.jobs[0].exclusive), (vec!["suspect"], true));
            assert!(done(engine, &queue, &exclusive.jobs[0]));
            engine.pass(per + Duration::from_millis(1));
            let last = other(false);
            assert_eq!(names(&last.jobs), ["b"]);
        });
    }
}

#[test]
fn no_lease_is_reclaimed_without_permission_or_with_an_untrusted_clock() {
    Engine::each(|engine| {
        let queue = queue();
        engine.run(queue.add(job("a"))).unwrap();
        take(engine, &queue, 1);
        engine.pass(OVER);
        let now = engine.now_ms() as u64;
        for overdue in [Takeover::DENIED, Takeover { allowed: true, latest_ms: Some(now - 150) }] {
            let none = taken(engine, &queue, &Take { overdue, ..ask(1) });
            assert!(none.jobs.is_empty() && none.now_ms >= now, "{overdue:?}");
        }
        let overdue = Takeover { allowed: true, latest_ms: Some(now + 5000) };
        assert_eq!(names(&taken(engine, &queue, &Take { overdue, ..ask(1) }).jobs), ["a"]);
    });
}

#[test]
fn jobs_dead_of_crashes_are_returned_by_the_take_that_finds_them() {
    Engine::each(|engine| {
        let queue = queue_with(Options { max_crashes: 1, keep_dead: Retention::NOTHING, ..Options::default() });
        let id = engine.run(queue.add(job("poison"))).unwrap().id;
        engine.run(queue.peek(&id, true)).unwrap();
        begun(engine, &queue, &take(engine, &queue, 1));
        engine.pass(OVER);
        let died = taken(engine, &queue, &ask(1)).died;
        assert_eq!(died.iter().map(|died| (&died.id, died.name.as_str())).collect::<Vec<_>>(), [(&id, "poison")]);
        let end = engine.run(queue.peek(&id, false)).unwrap().unwrap();
        assert!(end.state == State::Dead && String::from_utf8_lossy(&end.error.unwrap()).contains("crashed"));
    });
}

#[test]
fn lost_expiry_times_of_leases_are_restored() {
    Engine::each(|engine| {
        let queue = queue();
        engine.run(queue.add_many(vec![job("a"), job("b")])).unwrap();
        begun(engine, &queue, &take(engine, &queue, 2));
        engine.raw(&["DEL", "queue:{queue:q}:leased"]).unwrap();
        assert!(take(engine, &queue, 1).is_empty());
        engine.pass(OVER);
        assert_eq!(names(&take(engine, &queue, 1)), ["a"]);
        assert_eq!(engine.run(queue.counts()).unwrap().ready, 1);
    });
}

#[test]
fn a_waiter_finds_the_outcome_even_if_the_job_is_not_retained() {
    Engine::each(|engine| {
        let none = Options { keep_done: Retention::NOTHING, keep_dead: Retention::NOTHING, ..Options::default() };
        let queue = queue_with(none);
        let ids: Vec<_> = ["a", "b", "c"].iter().map(|name| engine.run(queue.add(job(name))).unwrap().id).collect();
        for id in [&ids[0], &ids[0], &ids[1]] {
            assert_eq!(engine.run(queue.peek(id, true)).unwrap().unwrap().state, State::Ready);
        }
        // A job added in the last second may still get a waiter.
        engine.pass(Duration::from_millis(1010));
        let jobs = take(engine, &queue, 3);
        let large = Bytes::from("1".repeat(9000));
        assert!(finish(engine, &queue, &jobs[0], Outcome::Done(large.clone())));
        assert!(finish(engine, &queue, &jobs[1], Outcome::Dead { error: large.clone() }));
        assert!(done(engine, &queue, &jobs[2]));
        let end = |id: &str| engine.run(queue.peek(id, false)).unwrap();
        let [first, second] = [end(&ids[0]).unwrap(), end(&ids[1]).unwrap()];
        assert_eq!((first.state, first.result, first.error), (State::Done, Some(large.clone()), None));
        assert_eq!((second.state, second.result, second.error), (State::Dead, None, Some(large)));
        assert!(end(&ids[2]).is_none(), "no waiter");
        engine.run(queue.remove_waiter(&ids[0])).unwrap();
        assert!(end(&ids[0]).is_some(), "two waited");
        for id in [&ids[0], &ids[1], &ids[2]] {
            engine.run(queue.remove_waiter(id)).unwrap();
        }
        assert!(end(&ids[0]).is_none() && end(&ids[1]).is_none());
        assert!(take(engine, &queue, 1).is_empty());
        assert_eq!(engine.keys(), [""; 0]);
    });
}

#[test]
fn a_waiter_that_left_or_came_late_is_not_counted() {
    Engine::each(|engine| {
        let queue = queue_with(Options {
            keep_done: Retention { count: 1, ..Options::default().keep_done },
            ..Options::default()
        });
        let ids: Vec<_> = ["a", "b"].iter().map(|name| engine.run(queue.add(job(name))).unwrap().id).collect();
        engine.run(queue.peek(&ids[0], true)).unwrap();
        engine.run(queue.remove_waiter(&ids[0])).unwrap();
        let jobs = take(engine, &queue, 2);
        assert!(done(engine, &queue, &jobs[0]));
        assert_eq!(engine.run(queue.peek(&ids[0], true)).unwrap().unwrap().state, State::Done);
        assert!(done(engine, &queue, &jobs[1]));
        assert_eq!(state(engine, &queue, &ids[0]), None);
        assert!(engine.run(queue.peek(&ids[0], false)).unwrap().is_none());
        assert!(engine.run(queue.remove(&ids[1])).unwrap());
        engine.run(queue.add(NewJob { id: Some("removed".into()), ..job("n") })).unwrap();
        engine.run(queue.peek("removed", true)).unwrap();
        assert!(engine.run(queue.remove("removed")).unwrap());
        assert_eq!(engine.keys(), [""; 0]);
    });
}
