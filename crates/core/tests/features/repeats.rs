use std::time::Duration;

use cinnabar_core::features::queue::{
    Dedup, DueRepeat, Fired, NewJob, Queue, Repeat, State, StoredRepeat, schedule::Schedule,
};
use cinnabar_port::error::Kind;

use crate::{
    both::Engine,
    queues::{ask, done, job, queue, state, take, taken},
};

const REPEATS: &str = "queue:{queue:q}:repeats";

fn every(ms: u64) -> Schedule {
    Schedule::every(ms).unwrap()
}

fn repeat(id: &str, schedule: Schedule) -> Repeat {
    Repeat { id: id.into(), schedule, limit: None, job: job("tick") }
}

fn put(engine: &Engine, queue: &Queue, repeat: Repeat) -> Option<i64> {
    engine.run(queue.repeat(repeat)).unwrap()
}

fn due(engine: &Engine, queue: &Queue) -> Vec<DueRepeat> {
    engine.run(queue.due()).unwrap().0
}

fn fire(engine: &Engine, queue: &Queue, due: &DueRepeat) -> Fired {
    engine.run(queue.fire(due)).unwrap()
}

fn list(engine: &Engine, queue: &Queue) -> Vec<StoredRepeat> {
    engine.run(queue.repeats(0, 100)).unwrap()
}

/// The ids of jobs that fired, until nothing is due.
fn fire_all(engine: &Engine, queue: &Queue) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let due = due(engine, queue);
        if due.is_empty() {
            return ids;
        }
        ids.extend(due.iter().filter_map(|due| fire(engine, queue, due).added).map(|added| added.id));
    }
}

/// Lets time pass until the first repeat is due.
fn wait(engine: &Engine, queue: &Queue) -> DueRepeat {
    loop {
        let (due, next_in) = engine.run(queue.due()).unwrap();
        if let Some(due) = due.into_iter().next() {
            return due;
        }
        engine.pass(next_in.unwrap());
    }
}

/// Lets time pass until a slot of so many ms has just begun: what follows is done before the next one comes.
fn begin_slot(engine: &Engine, ms: u64) {
    engine.pass(Duration::from_millis(ms - engine.now_ms() as u64 % ms));
}

#[test]
fn of_all_that_find_a_slot_one_fires_it() {
    Engine::each(|engine| {
        let queue = queue();
        begin_slot(engine, 200);
        let next = put(engine, &queue, repeat("r", every(200))).unwrap();
        assert_eq!(next % 200, 0);
        assert!(due(engine, &queue).is_empty());
        let found = wait(engine, &queue);
        assert_eq!(found, DueRepeat { id: "r".into(), slot_ms: next });
        assert_eq!(taken(engine, &queue, &ask(1)).due, std::slice::from_ref(&found), "a take returns it too");
        let fired = fire(engine, &queue, &found);
        let added = fired.added.unwrap();
        assert_eq!((added.id, added.is_new), (format!("r:{next}"), true));
        assert!(fired.next_in.is_some_and(|next| next <= Duration::from_millis(200)));
        for _ in 0..3 {
            assert_eq!(fire(engine, &queue, &found), Fired { added: None, next_in: None });
        }
        let [listed] = &list(engine, &queue)[..] else { panic!("one repeat") };
        assert_eq!((listed.fired, listed.next_ms), (1, Some(next + 200)));
        let jobs = take(engine, &queue, 10);
        assert_eq!(
            jobs.iter().map(|job| (&*job.id, &*job.name)).collect::<Vec<_>>(),
            [(&*format!("r:{next}"), "tick")]
        );
        assert_eq!(wait(engine, &queue).slot_ms, next + 200);
    });
}

#[test]
fn a_repeat_stored_again_has_the_same_slot_and_count() {
    Engine::each(|engine| {
        let queue = queue();
        let next = put(engine, &queue, repeat("r", every(300))).unwrap();
        fire(engine, &queue, &wait(engine, &queue));
        engine.pass(Duration::from_millis(350));
        // It is due by now, and is not skipped.
        let mut again = repeat("r", every(300));
        again.job = NewJob { priority: 7, attempts: 9, group: Some("g".into()), ..NewJob::new("tock", "[1]") };
        assert_eq!(put(engine, &queue, again.clone()), Some(next + 300));
        let [listed] = &list(engine, &queue)[..] else { panic!("one repeat") };
        assert_eq!(
            (listed.fired, listed.next_ms, &*listed.name, &listed.data[..]),
            (1, Some(next + 300), "tock", &b"[1]"[..])
        );
        assert_eq!((listed.priority, listed.attempts, listed.group.as_deref()), (7, 9, Some("g")));
        let other = put(engine, &queue, repeat("r", every(86_400_000))).unwrap();
        assert!(other > next + 300 && other % 86_400_000 == 0);
        assert_eq!(list(engine, &queue)[0].fired, 0);
    });
}

#[test]
fn it_ends_by_its_limit_and_by_its_end() {
    Engine::each(|engine| {
        let queue = queue();
        begin_slot(engine, 400);
        let limited = Repeat { limit: Some(2), ..repeat("limited", every(400)) };
        let first = put(engine, &queue, limited.clone()).unwrap();
        let ended = every(400).within(None, Some(first as u64 + 50)).unwrap();
        put(engine, &queue, repeat("ended", ended.clone())).unwrap();
        let mut fired = Vec::new();
        while list(engine, &queue).iter().any(|repeat| repeat.next_ms.is_some()) {
            fired.push(fire(engine, &queue, &wait(engine, &queue)).added.unwrap().id);
        }
        fired.sort();
        let ids = [format!("ended:{first}"), format!("limited:{first}"), format!("limited:{}", first + 400)];
        assert_eq!(fired, ids);
        engine.pass(Duration::from_millis(850));
        assert!(due(engine, &queue).is_empty());
        assert_eq!(engine.run(queue.due()).unwrap().1.map(|next| next > Duration::from_secs(86_400)), Some(true));
        // A program that stores it again at its start does not restart it.
        assert_eq!(put(engine, &queue, limited.clone()), None);
        assert_eq!(put(engine, &queue, repeat("ended", ended)), None);
        // It may have one more, or be another.
        assert!(put(engine, &queue, Repeat { limit: Some(3), ..limited.clone() }).is_some());
        assert_eq!(put(engine, &queue, Repeat { limit: Some(1), ..limited.clone() }), None);
        assert!(put(engine, &queue, Repeat { schedule: every(150), ..limited }).is_some());
    });
}

#[test]
fn nothing_is_left_of_a_removed_repeat() {
    Engine::each(|engine| {
        let queue = queue();
        begin_slot(engine, 1000);
        for id in ["b", "a", "c"] {
            put(engine, &queue, repeat(id, every(1000))).unwrap();
        }
        put(engine, &queue, repeat("0", every(86_400_000))).unwrap();
        let ids = |offset, limit| {
            let found = engine.run(queue.repeats(offset, limit)).unwrap();
            found.into_iter().map(|repeat| repeat.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(0, 2), ["a", "b"]);
        assert_eq!(ids(2, u64::MAX), ["c", "0"]);
        assert_eq!((ids(4, 1), ids(0, 0), ids(u64::MAX, 1)), (vec![], vec![], vec![]));
        for id in ["a", "b", "c", "0"] {
            assert!(engine.run(queue.remove_repeat(id)).unwrap());
            assert!(!engine.run(queue.remove_repeat(id)).unwrap());
        }
        assert_eq!(engine.keys(), [""; 0]);
    });
}

#[test]
fn slots_missed_for_long_fire_once() {
    let engine = &Engine::embedded();
    let queue = queue();
    let first = put(engine, &queue, repeat("r", every(60_000))).unwrap();
    engine.pass(Duration::from_secs(3600));
    let fired = fire_all(engine, &queue);
    assert_eq!(fired.len(), 1, "{fired:?}");
    let slot: i64 = fired[0].strip_prefix("r:").unwrap().parse().unwrap();
    assert!((59..=60).contains(&((slot - first) / 60_000)) && (slot - first) % 60_000 == 0);
    assert_eq!(list(engine, &queue)[0].next_ms, Some(slot + 60_000));
    assert_eq!(list(engine, &queue)[0].fired, 1);
}

#[test]
fn slots_missed_just_now_fire_one_by_one() {
    let engine = &Engine::embedded();
    let queue = queue();
    let first = put(engine, &queue, repeat("r", every(1000))).unwrap();
    engine.pass(Duration::from_millis(9900));
    let fired = fire_all(engine, &queue);
    let slots = (0..).map(|n| format!("r:{}", first + n * 1000));
    assert_eq!(fired, slots.take(fired.len()).collect::<Vec<_>>());
    assert!((9..=10).contains(&fired.len()));
}

#[test]
fn a_clock_that_was_set_back_fires_no_slot_again() {
    Engine::each(|engine| {
        let queue = queue();
        put(engine, &queue, repeat("r", every(100)));
        let found = wait(engine, &queue);
        assert!(fire(engine, &queue, &found).added.unwrap().is_new);
        // The store has lost that it fired, but not the job.
        engine.raw(&["ZADD", REPEATS, &found.slot_ms.to_string(), "r"]).unwrap();
        let added = fire(engine, &queue, &found).added.unwrap();
        assert!(!added.is_new);
        assert_eq!(take(engine, &queue, 10).len(), 1);
        // A slot in the future is not fired, even if a caller says that it is due.
        let ahead = DueRepeat { id: "r".into(), slot_ms: found.slot_ms + 3_600_000 };
        engine.raw(&["ZADD", REPEATS, &ahead.slot_ms.to_string(), "r"]).unwrap();
        assert_eq!(fire(engine, &queue, &ahead).added, None);
    });
}

#[test]
fn its_jobs_have_its_options() {
    Engine::each(|engine| {
        let queue = queue();
        let dedup = Some(Dedup { id: "one at a time".into(), ttl: None });
        let job =
            NewJob { dedup, priority: -3, group: Some("g".into()), attempts: 1, ..NewJob::new("tick", "{\"a\":[]}") };
        put(engine, &queue, Repeat { job, ..repeat("r", every(100)) });
        let first = fire(engine, &queue, &wait(engine, &queue)).added.unwrap();
        let second = fire(engine, &queue, &wait(engine, &queue)).added.unwrap();
        assert!(first.is_new && !second.is_new);
        assert_eq!(first.id, second.id, "the one that is not finished");
        let [job] = &take(engine, &queue, 10)[..] else { panic!("one job") };
        assert_eq!(
            (job.priority, job.group.as_deref(), job.attempts, &job.data[..]),
            (-3, Some("g"), 1, &b"{\"a\":[]}"[..])
        );
        done(engine, &queue, job);
        let third = fire(engine, &queue, &wait(engine, &queue)).added.unwrap();
        assert!(third.is_new);
        let delayed = NewJob { delay: Some(Duration::from_secs(60)), ..NewJob::new("late", "1") };
        put(engine, &queue, Repeat { job: delayed, ..repeat("later", every(100)) });
        engine.run(queue.remove_repeat("r")).unwrap();
        let late = fire(engine, &queue, &wait(engine, &queue)).added.unwrap();
        assert_eq!(state(engine, &queue, &late.id), Some(State::Delayed));
    });
}

#[test]
fn any_text_may_be_an_id() {
    Engine::each(|engine| {
        let queue = queue();
        let long = "x".repeat(480);
        let mut ids = ["{a}", "a:b", "%7B", "ü\u{1f980}", "*[?]\\", "a\nb", "-1", "inf", &long];
        for id in ids {
            put(engine, &queue, repeat(id, every(100)));
        }
        let mut listed: Vec<String> = list(engine, &queue).into_iter().map(|repeat| repeat.id).collect();
        ids.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, ids);
        engine.pass(Duration::from_millis(150));
        for due in due(engine, &queue) {
            let added = fire(engine, &queue, &due).added.unwrap();
            assert_eq!(added.id, format!("{}:{}", due.id, due.slot_ms));
            assert_eq!(state(engine, &queue, &added.id), Some(State::Ready));
        }
        for id in ids {
            assert!(engine.run(queue.remove_repeat(id)).unwrap());
        }
    });
}

#[test]
fn invalid_arguments_are_rejected() {
    let queue = queue();
    let kind = |repeat: Repeat| queue.repeat(repeat).err().map(|error| error.kind);
    let wrong = Some(Kind::InvalidArgument);
    for id in ["", "a\0b", &"x".repeat(481), &"{".repeat(200)] {
        assert_eq!(kind(repeat(id, every(100))), wrong, "{id:?}");
        assert_eq!(queue.remove_repeat(id).err().map(|error| error.kind), wrong, "{id:?}");
    }
    assert_eq!(kind(Repeat { limit: Some(0), ..repeat("r", every(100)) }), wrong);
    let bad = [
        NewJob { id: Some("own".into()), ..job("tick") },
        NewJob { priority: 501, ..job("tick") },
        NewJob { attempts: 0, ..job("tick") },
        NewJob::new("", "1"),
        NewJob::new("large", vec![b'1'; (1 << 20) + 1]),
    ];
    for job in bad {
        assert_eq!(kind(Repeat { job, ..repeat("r", every(100)) }), wrong);
    }
}

#[test]
fn an_invalid_repeat_is_an_error_and_can_be_removed() {
    Engine::each(|engine| {
        let queue = queue();
        put(engine, &queue, repeat("r", every(100)));
        engine.raw(&["HSET", "queue:{queue:q}:repeat:r", "s", "whenever"]).unwrap();
        let found = wait(engine, &queue);
        assert_eq!(engine.run(queue.fire(&found)).unwrap_err().kind, Kind::InvalidData);
        assert_eq!(engine.run(queue.repeats(0, 1)).unwrap_err().kind, Kind::InvalidData);
        // Stored again it is valid.
        assert!(put(engine, &queue, repeat("r", every(100))).is_some());
        engine.raw(&["DEL", "queue:{queue:q}:repeat:r"]).unwrap();
        assert_eq!(fire(engine, &queue, &wait(engine, &queue)).added, None);
        assert_eq!(engine.keys(), [""; 0], "a slot of nothing is forgotten");
        for key in [REPEATS, "queue:{queue:q}:repeat:r"] {
            engine.raw(&["SET", key, "text"]).unwrap();
            let error = engine.run(queue.repeat(repeat("r", every(100)))).unwrap_err();
            assert_eq!(error.kind, Kind::WrongType, "{key}");
            assert_eq!(engine.raw(&["GET", key]).unwrap(), cinnabar_port::Reply::text("text"));
            engine.raw(&["FLUSHALL"]).unwrap();
        }
    });
}
