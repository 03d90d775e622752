//! What a queue publishes: events of its jobs, and wake-ups of its workers.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use cinnabar_core::features::queue::{Event, EventKind, NewJob, Note, Options, Outcome, Queue, Report, events};

use crate::{
    both::Engine,
    queue_retention::add,
    queues::{LEASE, begun, finish, job, queue, queue_with, take},
};

/// The events received on the channel.
fn received(engine: &Engine, queue: &Queue) -> Arc<Mutex<Vec<Event>>> {
    let all = Arc::new(Mutex::new(Vec::new()));
    let sink = all.clone();
    engine.listen(queue.events_channel(), move |message| sink.lock().unwrap().extend(events(message)));
    all
}

#[test]
fn every_event_is_published() {
    Engine::each(|engine| {
        let queue = queue_with(Options { max_crashes: 2, ..Options::default() });
        let all = received(engine, &queue);
        let expect = |what: Vec<EventKind>| {
            engine.wait(|| all.lock().unwrap().len() >= what.len());
            let got: Vec<EventKind> = all.lock().unwrap().drain(..).map(|event| event.what).collect();
            assert_eq!(got, what, "{}", engine.name);
        };
        let id = engine.run(queue.add(NewJob { id: Some("a b".into()), ..job("n") })).unwrap().id;
        expect(vec![EventKind::Added { name: "n".into() }]);
        let job = take(engine, &queue, 1).remove(0);
        begun(engine, &queue, std::slice::from_ref(&job));
        expect(vec![EventKind::Active { attempt: 1 }]);
        let long = Bytes::from("x".repeat(5000));
        let report = |value| Report { id: id.clone(), token: job.token.clone(), note: Note::Progress(value) };
        engine.run(queue.report(vec![report("1".into()), report(long.clone())])).unwrap();
        expect(vec![EventKind::Progress { value: Some("1".into()) }, EventKind::Progress { value: None }]);
        let error = Bytes::from_static(b"{\"message\":\"a\\nb\"}");
        let delay = Duration::from_millis(20);
        assert!(finish(engine, &queue, &job, Outcome::Retry { error: error.clone(), delay }));
        expect(vec![EventKind::Retrying { attempt: 1, delay, error: Some(error) }]);
        engine.pass(delay);
        begun(engine, &queue, &take(engine, &queue, 1));
        engine.pass(LEASE + Duration::from_millis(2));
        let job = take(engine, &queue, 1).remove(0);
        expect(vec![
            EventKind::Active { attempt: 2 },
            EventKind::Stalled { crashes: 1 },
            EventKind::Active { attempt: 2 },
        ]);
        assert!(finish(engine, &queue, &job, Outcome::Dead { error: Bytes::from_static(b"\"why\"") }));
        expect(vec![EventKind::Dead { attempt: 2, error: Some("\"why\"".into()) }]);
        assert!(engine.run(queue.retry(&id)).unwrap());
        let job = take(engine, &queue, 1).remove(0);
        assert!(finish(engine, &queue, &job, Outcome::Done(long.clone())));
        expect(vec![
            EventKind::Retried,
            EventKind::Active { attempt: 1 },
            EventKind::Completed { attempt: 1, result: None },
        ]);
        assert!(engine.run(queue.remove(&id)).unwrap());
        engine.run(queue.add(NewJob { keep: false, ..self::job("n") })).unwrap();
        let job = take(engine, &queue, 1).remove(0);
        assert!(finish(engine, &queue, &job, Outcome::Done(long.clone())));
        let completed = EventKind::Completed { attempt: 1, result: Some(long) };
        expect(vec![
            EventKind::Removed,
            EventKind::Added { name: "n".into() },
            EventKind::Active { attempt: 1 },
            completed,
        ]);
    });
}

#[test]
fn workers_are_woken_when_there_is_something_to_take_again() {
    Engine::each(|engine| {
        let queue = queue();
        let woken = Arc::new(Mutex::new(0));
        let count = woken.clone();
        engine.listen(queue.wake_channel(), move |_| *count.lock().unwrap() += 1);
        let expect = |times: u32| {
            engine.wait(|| *woken.lock().unwrap() >= times);
            assert_eq!(std::mem::take(&mut *woken.lock().unwrap()), times);
        };
        add(engine, &queue, 1);
        expect(1);
        add(engine, &queue, 5);
        let jobs = take(engine, &queue, 10);
        add(engine, &queue, 5);
        expect(1);
        take(engine, &queue, 10);
        assert!(finish(engine, &queue, &jobs[0], Outcome::Release));
        expect(1);
        take(engine, &queue, 10);
        engine.run(queue.add(NewJob { delay: Some(Duration::from_secs(3600)), ..job("far") })).unwrap();
        engine.run(queue.add(NewJob { delay: Some(Duration::from_millis(10)), ..job("near") })).unwrap();
        expect(1);
        engine.run(queue.pause()).unwrap();
        engine.run(queue.resume()).unwrap();
        engine.run(queue.resume()).unwrap();
        expect(1);
    });
}
