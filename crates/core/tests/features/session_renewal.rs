//! Rolling sessions: when reading one renews its ttl.

use std::time::{Duration, Instant};

use cinnabar_core::features::{
    Moment,
    session::{Create, Options, Sessions},
};
use cinnabar_port::{Request, Step, Verb};

use crate::run::{Dice, Engine};

const TTL: i64 = 100_000;

fn sessions(absolute_ttl: Option<f64>) -> Sessions {
    Sessions::new(Options { rolling: true, ttl: Some(100.0), absolute_ttl, ..Options::default() }).unwrap()
}

/// A time so many milliseconds after another one, by the clocks of a process.
fn at(ms: u64) -> Option<Moment> {
    let passed = Duration::from_millis(ms);
    Some(Moment { steady: passed, wall: Duration::from_secs(1_700_000_000) + passed })
}

fn create(engine: &Engine, sessions: &Sessions) -> (String, String) {
    let id = engine.run(sessions.create("u", "2026-01-02", "{}", Create { token: true, ..Create::default() })).unwrap();
    let keys = engine.raw(&["KEYS", "session:????????????????????????????????????????????????????????????????"]);
    let key = keys.array().unwrap().pop().unwrap().bulk().unwrap().unwrap();
    (id, String::from_utf8(key.to_vec()).unwrap())
}

/// What a read did.
#[derive(Debug, Default)]
struct Read {
    rounds: usize,
    scripts: usize,
    renewed: bool,
}

fn read(engine: &Engine, sessions: &Sessions, id: &str, now: Option<Moment>) -> Option<Read> {
    let (mut call, mut read) = (sessions.open(id, now, None).unwrap(), Read::default());
    loop {
        read.rounds += 1;
        read.scripts += call.requests.iter().filter(|request| is_script(request)).count();
        match engine.step(call).unwrap() {
            Step::Next(next) => call = next,
            Step::Done(None) => return None,
            Step::Done(Some(opened)) => return Some(Read { renewed: opened.renewed, ..read }),
        }
    }
}

fn is_script(request: &Request) -> bool {
    matches!(request.verb, Verb::Script(_))
}

#[test]
fn a_session_in_use_is_renewed_once_in_a_tenth_of_its_ttl_by_however_many_processes() {
    let mut dice = Dice(11);
    for absolute_ttl in [None, Some(700.0)] {
        let engine = Engine::new();
        // Their clocks differ.
        let processes = [0, 1, 2].map(|number| (sessions(absolute_ttl), number * 5_000_000));
        let (id, key) = create(&engine, &processes[0].0);
        let (mut now, mut renewed_at, mut plain, mut all) = (0, 0, 0, 0);
        while now < 600_000 {
            let pause = dice.below(1_500) as u64;
            engine.advance(Duration::from_millis(pause));
            now += pause;
            let (sessions, start) = &processes[dice.below(3)];
            let read = read(&engine, sessions, &id, at(start + now)).expect("it is in use");
            let left = engine.left(&key);
            let least = if absolute_ttl.is_some() { (700_000 - now as i64).min(TTL) } else { TTL } * 9 / 10;
            assert!(left >= least - 10, "{left} ms left {now} ms after the beginning: {read:?}");
            if read.renewed {
                assert!(now - renewed_at >= TTL as u64 / 10 - 10, "after {} ms", now - renewed_at);
                renewed_at = now;
            }
            all += 1;
            plain += usize::from(read.rounds == 1 && read.scripts == 0);
        }
        assert!(renewed_at > 500_000);
        assert!(plain * 10 > all * 6, "{plain} of {all} reads were plain");
    }
}

#[test]
fn a_read_that_need_not_renew_is_one_get() {
    let (engine, sessions) = (Engine::new(), sessions(None));
    let (id, key) = create(&engine, &sessions);
    assert_eq!(read(&engine, &sessions, &id, at(0)).unwrap().scripts, 1, "this process knows nothing");
    for ms in [0, 1, 5_000, 9_000] {
        let read = read(&engine, &sessions, &id, at(ms)).unwrap();
        assert_eq!((read.rounds, read.scripts, read.renewed), (1, 0, false), "{ms}");
    }
    engine.advance(Duration::from_millis(10_000));
    assert!(read(&engine, &sessions, &id, at(10_000)).unwrap().renewed);
    assert!(engine.left(&key) > TTL - 100);
    assert_eq!(read(&engine, &sessions, &id, at(19_999)).unwrap().scripts, 0);
    for _ in 0..2 {
        assert_eq!(read(&engine, &sessions, &id, None).unwrap().scripts, 1, "the time is unknown");
    }
}

#[test]
fn a_ttl_that_was_changed_is_noticed() {
    let (engine, sessions) = (Engine::new(), sessions(None));
    let (id, key) = create(&engine, &sessions);
    read(&engine, &sessions, &id, at(0)).unwrap();
    engine.run(sessions.extend(&id, 5.0)).unwrap();
    assert!(read(&engine, &sessions, &id, at(1)).unwrap().renewed, "it was set by this process");
    engine.run(sessions.store("x", r#"{"userId":"u"}"#, 100.0)).unwrap();
    read(&engine, &sessions, "x", at(0)).unwrap();
    let other = self::sessions(None);
    engine.run(other.store("x", r#"{"userId":"u"}"#, 20.0)).unwrap();
    engine.advance(Duration::from_secs(5));
    assert!(read(&engine, &sessions, "x", at(5_000)).unwrap().renewed, "another process stored another session");
    assert!(engine.run(sessions.touch(&id)).unwrap());
    assert!(engine.left(&key) > TTL - 100, "touching renews in any case");
    assert_eq!(engine.run(sessions.destroy(&id)).unwrap(), 1);
    assert!(read(&engine, &sessions, &id, at(1)).is_none());
}

#[test]
fn a_session_in_use_lasts_until_its_absolute_ttl() {
    for pause in [700, 333, 90] {
        let (started, engine, sessions) = (Instant::now(), Engine::new(), sessions(Some(150.0)));
        let (id, _) = create(&engine, &sessions);
        // It was renewed last when its ttl ended just before its absolute one.
        engine.advance(Duration::from_millis(49_500));
        assert!(read(&engine, &sessions, &id, at(49_500)).unwrap().renewed);
        let (mut now, mut renewals) = (49_500, 0);
        while let Some(read) = read(&engine, &sessions, &id, at(now)) {
            renewals += usize::from(read.renewed);
            engine.advance(Duration::from_millis(pause));
            now += pause;
        }
        // What the test itself takes passes too.
        let passed = now + started.elapsed().as_millis() as u64;
        assert!((149_990..151_500).contains(&passed), "it ended after {passed} ms");
        assert_eq!(renewals, 1, "then nothing is left to renew");
    }
}
